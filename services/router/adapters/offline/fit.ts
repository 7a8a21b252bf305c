/**
 * How well one mention serves one parameter (0 … 1) and the value it would give. Owns the roles: which cue makes a
 * place an origin, which comparator makes an amount a maximum, which neighbouring noun makes a number a count.
 */
import { addDays, addMinutes, type LocalNow, zonedDateTime } from './calendar-math.ts';
import { CURRENCY_CODES, STOP_WORDS } from './lexicon.ts';
import type { Mention } from './mentions.ts';
import type { Parameter } from './parameters.ts';
import { accepts, coerce, matchesPattern } from './schema.ts';
import { related, splitIdentifier, stem } from './words.ts';

export interface Fit {
  readonly score: number;
  readonly value: unknown;
  /** Which half of the mention is used up: a range serves a start and an end. */
  readonly part: string;
}

/** A meeting without a stated length. */
export const MEETING_MINUTES_DEFAULT = 60;

const near = (stems: readonly string[], parameter: Parameter, count: number, extra: ReadonlySet<string>): boolean =>
  stems
    .slice(-count)
    .some(
      (one) =>
        parameter.words.some(
          (word) => word.length > 1 && (stem(word) === one || (word.length > 3 && related(stem(word), one))),
        ) || extra.has(one),
    );
const beside = (mention: Mention, parameter: Parameter, extra: ReadonlySet<string>): boolean =>
  near(mention.before, parameter, 2, extra) || near(mention.after.slice(0, 2), parameter, 2, extra);

/** Best use of a mention for a parameter, or null. `extra` are stems of the tool's nouns. */
export function fit(parameter: Parameter, mention: Mention, now: LocalNow, extra: ReadonlySet<string>): Fit | null {
  const raw = rawFit(parameter, mention, now, extra);
  if (!raw || raw.score <= 0) return null;
  const value = coerce(raw.value, parameter.item);
  if (value === undefined || !accepts(value, parameter.item, parameter.item)) return null;
  return { ...raw, value };
}

function rawFit(parameter: Parameter, mention: Mention, now: LocalNow, extra: ReadonlySet<string>): Fit | null {
  switch (parameter.kind) {
    case 'date':
    case 'moment':
    case 'epoch':
      return fitDate(parameter, mention, now);
    case 'time':
      return fitTime(parameter, mention);
    case 'duration':
      return mention.kind === 'duration'
        ? { score: 0.9, value: inUnit(mention.minutes, parameter), part: 'all' }
        : mention.kind === 'number' && beside(mention, parameter, new Set())
          ? { score: 0.7, value: mention.value, part: 'all' }
          : null;
    case 'money':
      return fitMoney(parameter, mention);
    case 'count':
    case 'number':
      return fitNumber(parameter, mention, extra);
    case 'percent':
      return mention.kind === 'percent'
        ? { score: 0.9, value: mention.value, part: 'all' }
        : mention.kind === 'number' && beside(mention, parameter, new Set())
          ? { score: 0.6, value: mention.value, part: 'all' }
          : null;
    case 'coordinate':
      return mention.kind === 'number' && beside(mention, parameter, new Set())
        ? { score: 0.8, value: mention.value, part: 'all' }
        : null;
    case 'currency':
      return fitCurrency(parameter, mention);
    case 'email':
      return mention.kind === 'email'
        ? {
            score: /^(?:from|sender|reply|bcc)$/.test(parameter.words[0] ?? '')
              ? 0.2
              : /^cc$/.test(parameter.words[0] ?? '')
                ? 0.3
                : 0.9,
            value: mention.text,
            part: 'all',
          }
        : null;
    case 'url':
      return mention.kind === 'url' ? { score: 0.95, value: mention.text, part: 'all' } : null;
    case 'phone':
      return mention.kind === 'phone' ? { score: 0.95, value: mention.text, part: 'all' } : null;
    case 'zone':
      return fitZone(mention);
    case 'id':
      return fitId(parameter, mention);
    case 'place':
      return fitPlace(parameter, mention);
    case 'person':
      return fitPerson(parameter, mention);
    case 'named':
      return fitNamed(parameter, mention, extra);
    case 'query':
      return mention.kind === 'quoted' ? { score: 0.9, value: mention.text, part: 'all' } : null;
    default:
      return null;
  }
}

function inUnit(minutes: number, parameter: Parameter): number | string {
  if (parameter.item.type === 'string')
    return minutes % 1440 === 0 ? `P${minutes / 1440}D` : minutes % 60 === 0 ? `PT${minutes / 60}H` : `PT${minutes}M`;
  const per = { seconds: 1 / 60, minutes: 1, hours: 60, days: 1440, weeks: 10_080, months: 43_200 }[parameter.unit];
  const value = minutes / per;
  return parameter.item.type === 'integer' ? Math.round(value) : value;
}

function fitDate(parameter: Parameter, mention: Mention, now: LocalNow): Fit | null {
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

function fitTime(parameter: Parameter, mention: Mention): Fit | null {
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

function fitMoney(parameter: Parameter, mention: Mention): Fit | null {
  if (mention.kind !== 'money' && mention.kind !== 'number') return null;
  const wanted = parameter.role === 'max' ? '<=' : parameter.role === 'min' ? '>=' : null;
  const agrees = mention.comparator === wanted;
  const opposed = wanted !== null && mention.comparator !== null && !agrees;
  if (opposed) return null;
  if (mention.kind === 'money')
    return { score: agrees ? 0.95 : wanted ? 0.5 : 0.3, value: mention.value, part: 'amount' };
  if (
    mention.unit &&
    !near(mention.after.slice(0, 1), parameter, 1, new Set()) &&
    /^\p{L}{3,}/u.test(mention.unit) &&
    !beside(mention, parameter, new Set())
  )
    return null;
  const words = beside(mention, parameter, new Set());
  return {
    score: words ? (agrees ? 0.8 : 0.6) : agrees && wanted ? 0.6 : agrees ? 0.35 : 0.1,
    value: mention.value,
    part: 'amount',
  };
}

const PAGING = /^(?:limit|top|page|offset|size|max|results?)$/;

function fitNumber(parameter: Parameter, mention: Mention, extra: ReadonlySet<string>): Fit | null {
  if (mention.kind === 'money' || mention.kind === 'percent')
    return parameter.kind === 'number' ? { score: 0.35, value: mention.value, part: 'amount' } : null;
  if (mention.kind === 'duration')
    return parameter.words.some((word) => /^nights?$/.test(word)) && /night/i.test(mention.text)
      ? { score: 0.9, value: Math.round(mention.minutes / 1440), part: 'all' }
      : null;
  if (mention.kind !== 'number') return null;
  const paging =
    parameter.words.some((word) => PAGING.test(word)) &&
    parameter.role !== 'min' &&
    !(parameter.role === 'max' && mention.comparator === '<=');
  if (
    paging &&
    parameter.words.length <= 2 &&
    !parameter.words.some((word) => near(mention.after.slice(0, 1), { ...parameter, words: [word] }, 1, new Set()))
  )
    return /^(?:top|first|last|limit)$/.test(mention.before.at(-1) ?? '')
      ? { score: 0.9, value: mention.value, part: 'all' }
      : null;
  const own =
    near(mention.after.slice(0, 2), parameter, 2, new Set()) ||
    near(mention.before, parameter, 2, new Set()) ||
    mention.after.slice(0, 1).some((one) => parameter.stems.has(one));
  if (own) return { score: 0.92, value: mention.value, part: 'all' };
  const quantity = parameter.words.some((word) => /^(?:quantity|qty|count|units?|copies|amount|number)$/.test(word));
  if (quantity && (mention.unit || near(mention.after, parameter, 4, extra)) && !mention.comparator)
    return { score: 0.72, value: mention.value, part: 'all' };
  if (
    parameter.kind === 'count' &&
    /^(?:passengers?|guests?|adults?|people|persons?|participants|seats|size)$/.test(parameter.words.at(-1) ?? '')
  )
    return /^(?:people|person|guest|adult|passenger|travel|us)/.test(mention.unit) || /^(?:for)$/.test(mention.cue)
      ? { score: mention.unit ? 0.9 : 0.6, value: mention.value, part: 'all' }
      : null;
  return {
    score: /^(?:to|at|by)$/.test(mention.cue) ? 0.58 : parameter.kind === 'number' ? 0.5 : 0.38,
    value: mention.value,
    part: 'all',
  };
}

function fitCurrency(parameter: Parameter, mention: Mention): Fit | null {
  const lower = /lower-?case/i.test(parameter.description) || parameter.item.pattern === '^[a-z]{3}$';
  const style = (code: string): string => (lower ? code.toLowerCase() : code);
  if (mention.kind === 'money')
    return { score: parameter.role === 'to' ? 0.05 : 0.9, value: style(mention.currency), part: 'currency' };
  const code =
    mention.kind === 'currency'
      ? mention.code
      : mention.kind === 'code' && CURRENCY_CODES.has(mention.text)
        ? mention.text
        : null;
  if (!code) return null;
  const towards = /^(?:to|in|into|as)$/.test(mention.cue);
  return {
    score: parameter.role === 'to' ? (towards ? 0.95 : 0.5) : parameter.role === 'from' ? (towards ? 0.2 : 0.85) : 0.8,
    value: style(code),
    part: 'currency',
  };
}

let zones: ReadonlyMap<string, string> | null = null;
/** City part of IANA names ("Europe/Paris" → paris). The list is the runtime's own. */
function zoneOf(name: string): string | null {
  if (!zones) {
    const supported = Intl.supportedValuesOf('timeZone');
    zones = new Map([
      ...supported.map((zone) => [zone.toLowerCase(), zone] as const),
      ...supported.map((zone) => [zone.split('/').at(-1)!.replace(/_/g, ' ').toLowerCase(), zone] as const),
      ['utc', 'UTC'],
      ['gmt', 'UTC'],
    ]);
  }
  return zones.get(name.toLowerCase()) ?? null;
}

function fitZone(mention: Mention): Fit | null {
  if (!['name', 'phrase', 'identifier', 'code'].includes(mention.kind)) return null;
  const zone =
    zoneOf(mention.text) ??
    (mention.kind === 'identifier' && /^[A-Z][A-Za-z]+\/[A-Z]/.test(mention.text) ? mention.text : null);
  return zone ? { score: mention.kind === 'phrase' ? 0.8 : 0.9, value: zone, part: 'all' } : null;
}

const digitsIn = (text: string): boolean => /\d/.test(text);

function fitId(parameter: Parameter, mention: Mention): Fit | null {
  if (!['identifier', 'number', 'quoted', 'code', 'name', 'url', 'email'].includes(mention.kind)) return null;
  if (mention.kind === 'quoted' && /\s/.test(mention.text)) return null;
  const pattern = parameter.item.pattern;
  const patterned = typeof pattern === 'string';
  const entity = stem(parameter.entity);
  const text = mention.kind === 'number' ? String(mention.value) : mention.text;
  const previous = mention.before.at(-1) ?? '';
  const close = [...mention.before.slice(-3), ...mention.after.slice(0, 1)].some(
    (one) =>
      one === entity ||
      (entity.length > 3 && related(one, entity)) ||
      parameter.words.some((word) => word.length > 2 && stem(word) === one && word !== 'number'),
  );
  const prefix = text.match(/^([a-z]{2,})[-_]?\d/i)?.[1]?.toLowerCase();
  const prefixed =
    prefix !== undefined && entity.length > 2 && (parameter.entity.startsWith(prefix) || prefix.startsWith(entity));
  // "order ORD-1" is not the customer's id; nor is a code that belongs to another noun.
  const foreign =
    !close &&
    !prefixed &&
    previous !== '' &&
    previous !== 'id' &&
    previous.length > 3 &&
    !/^(?:with|from|that|cancel|delet|remov|pai|updat|show|track|clos|approv|reject|open|get|find|check|about|return|refund|restart|resolv|the|about)$/.test(
      previous,
    );
  const base: Partial<Record<Mention['kind'], number>> = {
    identifier: digitsIn(text) ? 0.66 : 0.42,
    number: close ? 0.55 : 0.12,
    quoted: digitsIn(text) ? 0.5 : 0.1,
    code: 0.3,
    name: 0,
    url: 0.1,
    email: 0,
  };
  let score = base[mention.kind] ?? 0;
  if (patterned && matchesPattern(pattern, text) && mention.kind !== 'email') score = Math.max(score, 0.6) + 0.2;
  if (score > 0) score += (close ? 0.25 : 0) + (prefixed ? 0.2 : 0) - (foreign ? 0.3 : 0);
  // Units make a number a quantity, not an id.
  if (
    (parameter.role === 'from' && /^(?:to|into)$/.test(mention.cue)) ||
    (parameter.role === 'to' && mention.cue === 'from')
  )
    return null;
  if (mention.kind === 'number' && mention.unit && (!close || !STOP_WORDS.has(mention.unit))) return null;
  // An account number of the international form is no other kind of id.
  if (
    /^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(text) &&
    !/iban|account ?number/i.test(`${parameter.words.join(' ')} ${parameter.description}`)
  )
    score *= 0.3;
  return score > 0
    ? {
        score: Math.min(score, 1),
        value: parameter.item.type === 'integer' || parameter.item.type === 'number' ? Number(text) : text,
        part: 'all',
      }
    : null;
}

function fitPlace(parameter: Parameter, mention: Mention): Fit | null {
  if (!['name', 'phrase', 'code', 'quoted'].includes(mention.kind)) return null;
  const cue = mention.cue;
  const strict = mention.kind === 'name' ? 0 : mention.kind === 'code' ? -0.02 : 0.12;
  let score: number;
  if (parameter.role === 'from') score = cue === 'from' ? 1 : 0;
  else if (parameter.role === 'to')
    score =
      cue === 'to' || cue === 'into'
        ? 0.98
        : /^(?:in|at|for|near|about)$/.test(cue)
          ? 0.55
          : cue === '' && mention.kind === 'name'
            ? 0.45
            : 0;
  else if (/^(?:in|at|near|around|of|for|to|on|about)$/.test(cue))
    score = cue === 'in' || cue === 'near' || cue === 'around' ? 0.92 : cue === 'about' || cue === 'on' ? 0.45 : 0.8;
  else
    score =
      cue === 'from'
        ? 0.35
        : /^(?:with|by|email|tell|named|called|titled|saying|whose)$/.test(cue)
          ? 0
          : mention.kind === 'name'
            ? 0.5
            : 0;
  if (score > 0 && mention.kind === 'code' && /IATA|\bcode\b/i.test(parameter.description)) score += 0.05;
  if (mention.kind === 'code' && !/IATA|\bcode\b/i.test(parameter.description) && !/^(?:to|from|in)$/.test(cue))
    return null;
  score -= strict;
  return score > 0 ? { score, value: mention.text, part: 'all' } : null;
}

function fitPerson(parameter: Parameter, mention: Mention): Fit | null {
  if (mention.kind === 'email' && /e-?mail/i.test(parameter.description))
    return { score: 0.8, value: mention.text, part: 'all' };
  if (mention.kind === 'quoted')
    return {
      score: /^(?:titl|call|entitl|subject|say|messag)/.test(mention.before.at(-1) ?? '') ? 0.1 : 0.4,
      value: mention.text,
      part: 'all',
    };
  // A name after "to" is a person only for a parameter that points there; else it is mostly a place.
  if (mention.kind === 'name' && /^(?:to|from|into)$/.test(mention.cue))
    return {
      score: parameter.role === (mention.cue === 'from' ? 'from' : 'to') ? 0.85 : 0.4,
      value: mention.text,
      part: 'all',
    };
  const linked =
    /^(?:for|with|by|email|call|contact|notify|message|tell|ask|invite|remind|of|named|called|between|is|whose|assign)$/.test(
      mention.cue,
    );
  if (mention.kind === 'name')
    return {
      score: linked
        ? 0.85
        : /^(?:in|at|near)$/.test(mention.cue)
          ? 0.15
          : mention.cue === 'about' || mention.cue === 'on'
            ? 0.3
            : 0.62,
      value: mention.text,
      part: 'all',
    };
  if (
    mention.kind === 'phrase' &&
    /^(?:email|call|contact|notify|message|tell|ask|invite|remind|named|called)$/.test(mention.cue)
  )
    return { score: 0.55, value: mention.text, part: 'all' };
  return mention.kind === 'phrase' && /^(?:with|to)$/.test(mention.cue) && parameter.required
    ? { score: 0.32, value: mention.text, part: 'all' }
    : null;
}

function fitNamed(parameter: Parameter, mention: Mention, extra: ReadonlySet<string>): Fit | null {
  if (!['name', 'phrase', 'identifier', 'quoted', 'code'].includes(mention.kind)) return null;
  const close = beside(mention, parameter, extra);
  // "#general" belongs to "channel": a cue of the same direction as the parameter's role counts as well.
  const directed =
    (parameter.role === 'from' && mention.cue === 'from') ||
    (parameter.role === 'to' && /^(?:to|into)$/.test(mention.cue));
  const against =
    (parameter.role === 'from' && /^(?:to|into)$/.test(mention.cue)) ||
    (parameter.role === 'to' && mention.cue === 'from');
  if (against) return null;
  const named = /^(?:named|called|titled)$/.test(mention.cue);
  if (
    mention.kind === 'quoted' &&
    /^(?:titl|call|nam|entitl|subject)/.test(mention.before.at(-1) ?? '') &&
    !parameter.words.some((word) => /^(?:name|title)$/.test(word))
  )
    return { score: 0.2, value: mention.text, part: 'all' };
  const base = { name: 0.52, phrase: 0.3, identifier: 0.58, quoted: 0.72, code: 0.4 }[mention.kind as 'name'] ?? 0;
  const typed =
    parameter.description &&
    splitIdentifier(parameter.description).some((word) => mention.after[0] === stem(word) && word.length > 3)
      ? 0.15
      : 0;
  return {
    score: Math.min(1, base + (close ? 0.34 : typed) + (directed ? 0.3 : 0) + (named ? 0.3 : 0)),
    value: mention.text,
    part: 'all',
  };
}
