/** Dates, moments and times for parameters: which end of a range a parameter takes, and in which form it wants it. */
import { addDays, addMinutes, type LocalNow, zonedDateTime } from './calendar-math.ts';
import type { Fit } from './fit-beside.ts';
import type { Mention } from './mentions.ts';
import type { Parameter } from './parameters.ts';
import { stem } from './words.ts';

/** A meeting without a stated length. */
export const MEETING_MINUTES_DEFAULT = 60;

export function inUnit(minutes: number, parameter: Parameter): number | string {
  if (parameter.item.type === 'string')
    return minutes % 1440 === 0 ? `P${minutes / 1440}D` : minutes % 60 === 0 ? `PT${minutes / 60}H` : `PT${minutes}M`;
  const per = { seconds: 1 / 60, minutes: 1, hours: 60, days: 1440, weeks: 10_080, months: 43_200 }[parameter.unit];
  const value = minutes / per;
  return parameter.item.type === 'integer' ? Math.round(value) : value;
}

const PLAIN_DATE_WORD =
  /^(?:date|day|time|at|on|in|start|starts|end|ends|from|to|until|till|since|begin|due|deadline|when|check|checkin|checkout|out|after|before|max|min|first|last|new|preferred|requested|scheduled|execution|delivery|pickup|dropoff|return|departure|arrival|departing|depart|outbound|inbound|travel|event|expected|target)$/;

/**
 * A date of birth is no day in the future that merely stands in the goal; and an optional date of a kind of its own
 * ("expiry", "invoice date") is taken only where the words speak of it.
 */
function isDateFor(parameter: Parameter, mention: Mention & { kind: 'date' }, now: LocalNow): boolean {
  const birth = parameter.words.some((word) => /^(?:birth|birthday|dob|born)$/.test(word));
  if (birth && mention.date.from >= now.date) return false;
  const special = parameter.words.filter((word) => word.length > 2 && !PLAIN_DATE_WORD.test(word));
  if (special.length === 0 || (parameter.required && !birth)) return true;
  const around = [...mention.before, ...mention.after];
  return special.some((word) => around.includes(stem(word))) || (birth && around.includes('born'));
}

export function fitDate(parameter: Parameter, mention: Mention, now: LocalNow): Fit | null {
  if (mention.kind === 'time' && parameter.kind === 'moment') {
    const date = mention.time.from < now.time ? addDays(now.date, 1) : now.date;
    const time =
      parameter.role === 'to'
        ? (mention.time.to ?? addMinutes(date, mention.time.from, MEETING_MINUTES_DEFAULT).time)
        : mention.time.from;
    return { score: 0.31, value: zonedDateTime(date, time, now.timeZone), part: parameter.role };
  }
  if (mention.kind !== 'date') return null;
  const { date, time, duration } = mention;
  if (!isDateFor(parameter, mention, now)) return null;
  const near = [...mention.before, ...mention.after].some((one) => parameter.words.some((word) => stem(word) === one))
    ? 0.08
    : 0;
  // A due date is a single day, not the end of a range.
  const ending =
    parameter.role === 'to' &&
    !(date.to === undefined && parameter.words.some((word) => /^(?:due|deadline|expiry|expires)$/.test(word)));
  const deadline = /^(?:by|until|till|before)$/.test(mention.cue);
  // A moment that starts something ends it as well: after its duration, or a usual meeting's.
  const timed = parameter.kind === 'moment' && (time !== null || date.fromTime !== undefined);
  const score = ending
    ? date.to
      ? 0.9
      : deadline
        ? 0.88
        : timed
          ? 0.6
          : 0.35
    : parameter.role === 'from'
      ? deadline && !date.to
        ? 0.3
        : 0.9
      : date.to
        ? 0.7
        : 0.85;
  const day = ending ? (date.to ?? date.from) : date.from;
  const part = ending && (date.to || !deadline) ? 'to' : 'from';
  if (parameter.kind === 'date') return { score: score + near, value: day, part };
  if (date.exact && !ending) return { score: score + near, value: date.exact, part };
  let clock = ending ? (date.toTime ?? (date.to ? '23:59:59' : null)) : (date.fromTime ?? time?.from ?? '00:00');
  let onDay = day;
  if (ending && clock === null) {
    const start = date.fromTime ?? time?.from ?? null;
    if (time?.to) clock = time.to;
    else if (start) {
      const after = addMinutes(day, start, duration?.minutes ?? MEETING_MINUTES_DEFAULT);
      clock = after.time;
      onDay = after.date;
    } else clock = '23:59:59';
  }
  // Where the tool takes plain days as well, a day without a time stays one.
  if (
    parameter.kind === 'moment' &&
    parameter.item.format === undefined &&
    !timed &&
    date.fromTime === undefined &&
    date.toTime === undefined &&
    /\b(?:as )?a date\b|date or date-?time|YYYY-MM-DD/i.test(parameter.description)
  )
    return { score: score + near, value: day, part };
  const text = zonedDateTime(onDay, clock ?? '00:00', now.timeZone);
  const localStyle = /(?:local time|no (?:zone|offset)|without (?:zone|offset))/i.test(parameter.description)
    ? text.replace(/(?:Z|[+-]\d{2}:\d{2})$/, '')
    : text;
  if (parameter.kind === 'epoch')
    return {
      score: score + near,
      value: Math.floor(Date.parse(text) / (/milli|ms\b/i.test(parameter.description) ? 1 : 1000)),
      part,
    };
  return { score: score + near, value: localStyle, part };
}

export function fitTime(parameter: Parameter, mention: Mention): Fit | null {
  const time =
    mention.kind === 'time'
      ? mention.time
      : mention.kind === 'date' && mention.date.fromTime
        ? { from: mention.date.fromTime, to: mention.date.toTime }
        : null;
  if (!time) return null;
  const value = parameter.role === 'to' ? time.to : time.from;
  return value
    ? {
        score: 0.9,
        value: parameter.item.format === 'time' ? `${value}:00` : value,
        part: parameter.role === 'to' ? 'to' : 'from',
      }
    : null;
}
