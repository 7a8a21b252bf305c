/**
 * Dates and time zones for both helper servers, on nothing but Intl. A date is `YYYY-MM-DD`; a local time is meant in
 * an IANA zone; an instant is Unix milliseconds. Pure: the clock is the caller's.
 */
const DAY_MS = 86_400_000;

/** True for a day that exists: `2027-02-30` is none. */
export function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return Number.isFinite(ms) && new Date(ms).toISOString().startsWith(text);
}

export function addDays(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

/** Days from one date to another; nights of a stay. */
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / DAY_MS);
}

const formats = new Map<string, Intl.DateTimeFormat>();
function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
    formats.set(zone, format);
  }
  return format;
}

/** What a clock on the wall shows there at that instant, e.g. `2027-05-12T09:10:00`. */
function wallClock(instantMs: number, zone: string): string {
  return formatOf(zone).format(instantMs).replace(' ', 'T');
}

function offsetMs(instantMs: number, zone: string): number {
  return Date.parse(`${wallClock(instantMs, zone)}Z`) - Math.floor(instantMs / 1000) * 1000;
}

/** The instant of a local time. A time that a change of clocks skips or repeats gets one of the two offsets. */
export function instantOf(date: string, time: string, zone: string): number {
  const asUtc = Date.parse(`${date}T${time.length === 5 ? `${time}:00` : time}Z`);
  const first = asUtc - offsetMs(asUtc, zone);
  return asUtc - offsetMs(first, zone);
}

/** An instant as RFC 3339 with the zone's offset, e.g. `2027-05-12T09:10:00+02:00`. */
export function withOffset(instantMs: number, zone: string): string {
  const minutes = Math.round(offsetMs(instantMs, zone) / 60_000);
  const two = (n: number) => String(Math.floor(n)).padStart(2, '0');
  const absolute = Math.abs(minutes);
  return `${wallClock(instantMs, zone)}${minutes < 0 ? '-' : '+'}${two(absolute / 60)}:${two(absolute % 60)}`;
}
