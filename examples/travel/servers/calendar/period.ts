/**
 * Periods of time from the two forms that callers write: dates (whole days, the last one included) and date-times, with
 * an offset or in the calendar's own zone. A period is [from, to) in Unix milliseconds. Pure.
 */
import { addDays, instantOf, isDate } from '../lib/zone.ts';

export type Period = { from: number; to: number };

const DATE_TIME = /^(\d{4}-\d{2}-\d{2})[T ]([01]\d|2[0-3]):([0-5]\d)(:[0-5]\d(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?$/;

/** @throws Error that says what is wrong, for the caller to read. */
export function periodOf(start: string, end: string, zone: string): Period {
  const from = instant('start', start, zone, 0);
  const to = instant('end', end, zone, 1);
  if (to <= from) throw new Error(`end: ${end} must be after start (${start}).`);
  return { from, to };
}

export const overlaps = (a: Period, b: Period) => a.from < b.to && b.from < a.to;

function instant(field: string, text: string, zone: string, daysLater: number): number {
  if (isDate(text)) return instantOf(addDays(text, daysLater), '00:00', zone);
  const match = DATE_TIME.exec(text);
  if (!match || !isDate(match[1]!)) {
    throw new Error(`${field}: "${text}" is no date (2027-05-12) and no date-time (2027-05-12T09:30:00+02:00).`);
  }
  if (match[6]) return Date.parse(text.replace(' ', 'T'));
  return instantOf(match[1]!, `${match[2]}:${match[3]}${(match[4] ?? ':00').slice(0, 3)}`, zone);
}
