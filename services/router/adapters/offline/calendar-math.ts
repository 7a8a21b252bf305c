/**
 * Calendar arithmetic on plain `YYYY-MM-DD` dates and `HH:MM` times in a named time zone. Owns the conversion between
 * instants and local values; "now" is always an argument.
 */

const MS_PER_DAY = 86_400_000;
const DAYS_PER_WEEK = 7;

export interface LocalNow {
  readonly date: string;
  readonly time: string;
  readonly timeZone: string;
  readonly instantMs: number;
}

const pad = (value: number): string => String(value).padStart(2, '0');
export const isoDate = (year: number, month: number, day: number): string =>
  `${String(year).padStart(4, '0')}-${pad(month)}-${pad(day)}`;
const utcOf = (date: string): number => Date.parse(`${date}T00:00:00Z`);

export const addDays = (date: string, days: number): string => {
  const at = utcOf(date) + days * MS_PER_DAY;
  return Number.isFinite(at) && Math.abs(at) < 8e15 ? new Date(at).toISOString().slice(0, 10) : date;
};
export const daysBetween = (from: string, to: string): number => Math.round((utcOf(to) - utcOf(from)) / MS_PER_DAY);
export const weekdayOf = (date: string): number => new Date(utcOf(date)).getUTCDay();
export const isRealDate = (year: number, month: number, day: number): boolean => {
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
};

/** Same day `months` later, clipped to the month's length. */
export function addMonths(date: string, months: number): string {
  const [year, month, day] = date.split('-').map(Number) as [number, number, number];
  const index = year * 12 + (month - 1) + months;
  const targetYear = Math.floor(index / 12);
  const targetMonth = (index % 12) + 1;
  const lastDay = new Date(Date.UTC(targetYear, targetMonth, 0)).getUTCDate();
  return isoDate(targetYear, targetMonth, Math.min(day, lastDay));
}

/** The first `weekday` (0 = Sunday) strictly after `date`, or on it where `inclusive`. */
export function nextWeekday(date: string, weekday: number, inclusive: boolean): string {
  const ahead = (weekday - weekdayOf(date) + DAYS_PER_WEEK) % DAYS_PER_WEEK;
  return addDays(date, ahead === 0 && !inclusive ? DAYS_PER_WEEK : ahead);
}

/** `+02:00` for an instant in a zone; unknown zones count as UTC. */
export function offsetAt(instantMs: number, timeZone: string): string {
  try {
    const name = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' })
      .formatToParts(new Date(instantMs))
      .find((part) => part.type === 'timeZoneName')?.value;
    const match = name?.match(/([+-]\d{2}:\d{2})/);
    return match ? match[1]! : '+00:00';
  } catch {
    return '+00:00';
  }
}

const offsetMs = (offset: string): number => {
  const [hours, minutes] = offset.slice(1).split(':').map(Number) as [number, number];
  return (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
};

export function localNow(now: string, timeZone: string): LocalNow {
  const parsed = Date.parse(now);
  const instantMs = Number.isFinite(parsed) ? parsed : 0;
  const local = new Date(instantMs + offsetMs(offsetAt(instantMs, timeZone))).toISOString();
  return { date: local.slice(0, 10), time: local.slice(11, 16), timeZone, instantMs };
}

/** RFC 3339 with the zone's offset on that day; UTC is written `Z`. */
export function zonedDateTime(date: string, time: string, timeZone: string): string {
  const seconds = time.length === 5 ? `${time}:00` : time;
  const asUtc = Date.parse(`${date}T${seconds}Z`);
  if (!Number.isFinite(asUtc)) return `${date}T${seconds}Z`;
  // One correction step is enough outside the hour of a clock change.
  const first = offsetAt(asUtc, timeZone);
  const offset = offsetAt(asUtc - offsetMs(first), timeZone);
  return `${date}T${seconds}${offset === '+00:00' ? 'Z' : offset}`;
}

export function addMinutes(date: string, time: string, minutes: number): { date: string; time: string } {
  const at = Date.parse(`${date}T${time.length === 5 ? `${time}:00` : time}Z`) + minutes * 60_000;
  const text = Number.isFinite(at) ? new Date(at).toISOString() : `${date}T${time}:00`;
  return { date: text.slice(0, 10), time: text.slice(11, 16) };
}

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** `2027-05-12` → `12 May 2027`. */
export function sayDate(date: string): string {
  const match = date.match(/^(\d{4})-(\d{2})-(\d{2})$/);
  return match ? `${Number(match[3])} ${MONTHS[Number(match[2]) - 1] ?? match[2]} ${match[1]}` : date;
}

/** Makes ISO dates and date-times inside a text readable. */
export function sayMoment(value: string): string {
  const match = value.match(/^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(?::\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$/);
  if (match) {
    const midnight = match[2] === '00:00';
    return `${sayDate(match[1]!)}${midnight ? '' : ` ${match[2]}`}${match[3] === 'Z' && !midnight ? ' UTC' : ''}`;
  }
  return /^\d{4}-\d{2}-\d{2}$/.test(value) ? sayDate(value) : value;
}
