/** Reckoning with dates by the calendar and the rules of time zones (Temporal). */
import { Temporal } from 'temporal-polyfill';
import type { SourceTool, ToolResult } from '../../ports/tool-source.ts';

const UNITS = ['years', 'months', 'weeks', 'days', 'hours', 'minutes', 'seconds'] as const;
const AMOUNT_MAX = 1_000_000;

export const dateMathTool: SourceTool = {
  name: 'date_math',
  description:
    'Reckons with dates: adds or subtracts time, tells what lies between two dates, converts to another time zone, and ' +
    'gives the day of the week. Knows leap years and changes of the clock. Use it instead of counting yourself.',
  parameters: {
    type: 'object',
    additionalProperties: false,
    required: ['start'],
    properties: {
      start: {
        type: 'string',
        description: 'A date (2027-03-28), or date and time (2027-03-28T01:30, or with an offset or Z).',
        examples: ['2027-03-28', '2027-03-28T01:30:00'],
      },
      timeZone: { type: 'string', description: 'IANA time zone of `start`; UTC where it is left out.' },
      add: {
        type: 'object',
        additionalProperties: false,
        description: 'What to add; negative numbers subtract. The result is `result`.',
        properties: Object.fromEntries(
          UNITS.map((unit) => [unit, { type: 'integer', minimum: -AMOUNT_MAX, maximum: AMOUNT_MAX }]),
        ),
      },
      until: { type: 'string', description: 'Another date: the time from `start` (with `add`) to it is `difference`.' },
      toTimeZone: { type: 'string', description: 'The same moment in this time zone is `converted`.' },
    },
  },
  returns: {
    type: 'object',
    required: ['result', 'weekday'],
    properties: {
      result: { type: 'string', description: 'Date and time with offset.' },
      weekday: { type: 'string' },
      dayOfYear: { type: 'integer' },
      week: { type: 'integer', description: 'ISO week.' },
      difference: {
        type: 'object',
        properties: { days: { type: 'integer' }, calendar: { type: 'string' }, hours: { type: 'number' } },
      },
      converted: { type: 'string' },
    },
  },
  effect: 'pure',
};

export function dateMath(args: Record<string, unknown>): ToolResult {
  try {
    const zone = typeof args.timeZone === 'string' ? args.timeZone : 'UTC';
    const start = moment(String(args.start), zone);
    const end = args.add ? start.add(args.add as Temporal.DurationLikeObject) : start;
    const until = typeof args.until === 'string' ? moment(args.until, zone) : undefined;
    const data = {
      result: end.toString({ timeZoneName: 'never' }),
      weekday: end.toLocaleString('en', { weekday: 'long' }),
      dayOfYear: end.dayOfYear,
      week: end.weekOfYear,
      ...(until ? { difference: between(end, until) } : {}),
      ...(typeof args.toTimeZone === 'string'
        ? { converted: end.withTimeZone(args.toTimeZone).toString({ timeZoneName: 'never' }) }
        : {}),
    };
    return { content: JSON.stringify(data), isError: false, data };
  } catch (error) {
    return { content: `This cannot be reckoned: ${(error as Error).message}.`, isError: true };
  }
}

/** A time with an offset is a moment whatever the zone; a time without one is read on the zone's clocks. */
function moment(text: string, zone: string): Temporal.ZonedDateTime {
  if (/(Z|[+-]\d\d:?\d\d)$/i.test(text) && text.includes('T'))
    return Temporal.Instant.from(text).toZonedDateTimeISO(zone);
  return Temporal.PlainDateTime.from(text).toZonedDateTime(zone);
}

function between(from: Temporal.ZonedDateTime, to: Temporal.ZonedDateTime) {
  return {
    days: from.until(to, { largestUnit: 'day' }).days,
    calendar: from.until(to, { largestUnit: 'year' }).toString(),
    hours: from.until(to).total('hour'),
  };
}
