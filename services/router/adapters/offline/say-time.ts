/** Dates and times as people write them: "12 to 16 May 2027", "23 November 2026, 15:00 to 15:30". Owns the wording only. */
import { sayDate } from './calendar-math.ts';

export interface Moment {
  readonly date: string;
  /** `HH:MM`; null for a whole day. */
  readonly time: string | null;
  readonly utc: boolean;
}

const MOMENT = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

export function readMoment(value: unknown): Moment | null {
  const match = typeof value === 'string' ? value.match(MOMENT) : null;
  return match ? { date: match[1]!, time: match[2] ?? null, utc: match[3] === 'Z' } : null;
}

const clock = (one: Moment): string => (one.time === null ? '' : `${one.time}${one.utc ? ' UTC' : ''}`);

/** Says a moment; the year is left out where `year` (the one being talked about) is the same. */
export function sayMomentShort(one: Moment, year = ''): string {
  const day = year !== '' && one.date.startsWith(year) ? sayDate(one.date).replace(/ \d{4}$/, '') : sayDate(one.date);
  return one.time === null ? day : `${day} at ${clock(one)}`;
}

export function sayRange(from: Moment, to: Moment): string {
  const bare = (one: Moment): string =>
    one.time === null || (from.time === '00:00' && to.time === '00:00') ? '' : one.time;
  const [left, right] = [bare(from), bare(to)];
  if (from.date === to.date)
    return left === right
      ? sayMomentShort({ ...from, time: left || null })
      : `${sayDate(from.date)}, ${left} to ${clock(to)}`;
  if (left || right) return `${sayMomentShort(from)} to ${sayMomentShort(to)}`;
  return joinDays(sayDate(from.date), sayDate(to.date));
}

function joinDays(left: string, right: string): string {
  const [a, b] = [left.split(' '), right.split(' ')];
  if (a.length !== 3 || b.length !== 3 || a[2] !== b[2]) return `${left} to ${right}`;
  return a[1] === b[1] ? `${a[0]} to ${right}` : `${a[0]} ${a[1]} to ${right}`;
}

const DAY = String.raw`\d{1,2} \p{Lu}\p{L}+ \d{4}`;
const SPAN = new RegExp(String.raw`(${DAY})(?: (\d{2}:\d{2}))? to (${DAY})(?: (\d{2}:\d{2}))?`, 'gu');

/** "8 June 2027 to 9 June 2027" inside a text → "8 to 9 June 2027". */
export const shortenRanges = (text: string): string =>
  text.replace(SPAN, (_all, from: string, at: string | undefined, to: string, until: string | undefined) => {
    if (from === to) return at && until ? `${from}, ${at} to ${until}` : from;
    return at || until ? `${from}${at ? `, ${at}` : ''} to ${to}${until ? `, ${until}` : ''}` : joinDays(from, to);
  });
