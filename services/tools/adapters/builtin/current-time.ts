/** The time now, in words that a model can reckon with. */
import type { SourceTool, ToolResult } from '../../ports/tool-source.ts';

export const currentTimeTool: SourceTool = {
  name: 'current_time',
  description:
    'Tells the date, the time and the day of the week right now in a time zone. Use it before working with relative ' +
    'dates such as "tomorrow" or "next Friday".',
  parameters: {
    type: 'object',
    additionalProperties: false,
    properties: {
      timeZone: {
        type: 'string',
        description: 'IANA time zone; UTC where it is left out.',
        examples: ['Europe/Berlin', 'America/New_York'],
        default: 'UTC',
      },
    },
  },
  returns: {
    type: 'object',
    required: ['iso', 'date', 'time', 'weekday', 'timeZone'],
    properties: {
      iso: { type: 'string', format: 'date-time', description: 'The instant in UTC.' },
      date: { type: 'string', format: 'date', description: 'The date in the time zone, YYYY-MM-DD.' },
      time: { type: 'string', description: 'The time of day in the time zone, HH:MM:SS.' },
      weekday: { type: 'string', description: 'The day of the week in English.' },
      timeZone: { type: 'string' },
    },
  },
  effect: 'pure',
};

export function currentTime(args: Record<string, unknown>, now: Date): ToolResult {
  const timeZone = typeof args.timeZone === 'string' ? args.timeZone : 'UTC';
  const options = { timeZone, hourCycle: 'h23' } as const;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-GB', {
      ...options,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      weekday: 'long',
    });
  } catch {
    return {
      content: `"${timeZone}" is not a time zone. Use an IANA name such as "Europe/Berlin" or "UTC".`,
      isError: true,
    };
  }
  const part = Object.fromEntries(format.formatToParts(now).map(({ type, value }) => [type, value]));
  const data = {
    iso: now.toISOString(),
    date: `${part.year}-${part.month}-${part.day}`,
    time: `${part.hour}:${part.minute}:${part.second}`,
    weekday: part.weekday,
    timeZone,
  };
  return { content: JSON.stringify(data), isError: false, data };
}
