/** Ids, places, people, zones and other names for parameters: the cue before a name decides which of them it is. */
import { beside, type Fit } from './fit-beside.ts';
import { STOP_WORDS, VERB_CLASS } from './lexicon.ts';
import type { Mention } from './mentions.ts';
import type { Parameter } from './parameters.ts';
import { matchesPattern } from './schema.ts';
import { related, splitIdentifier, stem } from './words.ts';

let zones: ReadonlyMap<string, string> | null = null;
/** City part of IANA names ("Europe/Paris" → paris). The list is the runtime's own. */
export function zoneOf(name: string): string | null {
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

export function fitZone(mention: Mention): Fit | null {
  if (!['name', 'phrase', 'identifier', 'code'].includes(mention.kind)) return null;
  const zone =
    zoneOf(mention.text) ??
    (mention.kind === 'identifier' && /^[A-Z][A-Za-z]+\/[A-Z]/.test(mention.text) ? mention.text : null);
  return zone ? { score: mention.kind === 'phrase' ? 0.8 : 0.9, value: zone, part: 'all' } : null;
}

const digitsIn = (text: string): boolean => /\d/.test(text);

export const shapeOf = (text: string): string =>
  text
    .replace(/\p{Lu}+/gu, 'A')
    .replace(/\p{Ll}+/gu, 'a')
    .replace(/\d+/g, '9');
/** Whether a text looks like the parameter's example: "e.g. AB-1000" and "XY-20". Letters alone prove nothing. */
function hasShapeOf(parameter: Parameter, text: string): boolean {
  if (!/\d/.test(text) || !/\p{L}/u.test(text)) return false;
  const listed = Array.isArray(parameter.item.examples) ? parameter.item.examples : [parameter.item.example];
  const described = parameter.description.match(
    /\b(?:e\.?g\.?|for example|such as|like|examples?:?)\s*:?\s*["'`]?([\w./-]+)/i,
  )?.[1];
  return [...listed, described].some(
    (one) =>
      typeof one === 'string' &&
      /\d/.test(one) &&
      /\p{L}/u.test(one) &&
      shapeOf(one.replace(/[.]+$/, '')) === shapeOf(text),
  );
}

const lastWordBefore = (mention: Mention): string => mention.before.at(-1) ?? '';

export function fitId(parameter: Parameter, mention: Mention): Fit | null {
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
  // "the deal to 5000": a number behind another cue is no id of what stands before it.
  const named = ['number', 'no', 'id', 'nr', 'ref', 'refer', 'code', entity];
  const direct = mention.kind !== 'number' || named.includes(previous) || related(previous, entity);
  const shaped = hasShapeOf(parameter, text);
  const prefix = text.match(/^([a-z]{2,})[-_]?\d/i)?.[1]?.toLowerCase();
  const prefixed =
    prefix !== undefined && entity.length > 2 && (parameter.entity.startsWith(prefix) || prefix.startsWith(entity));
  // "order ORD-1" is not the customer's id; nor is a code that belongs to another noun.
  const foreign =
    !close &&
    !prefixed &&
    !shaped &&
    !VERB_CLASS.has(lastWordBefore(mention)) &&
    previous !== '' &&
    previous !== 'id' &&
    previous.length > 3 &&
    !/^(?:with|from|that|cancel|delet|remov|pai|updat|show|track|clos|approv|reject|open|get|find|check|about|return|refund|restart|resolv|the|about)$/.test(
      previous,
    );
  const base: Partial<Record<Mention['kind'], number>> = {
    identifier: digitsIn(text) ? 0.66 : 0.42,
    number: close && direct ? 0.55 : 0.12,
    quoted: digitsIn(text) ? 0.5 : 0.1,
    code: 0.3,
    name: 0,
    url: 0.1,
    email: 0,
  };
  let score = base[mention.kind] ?? 0;
  if (patterned && matchesPattern(pattern, text) && mention.kind !== 'email') score = Math.max(score, 0.6) + 0.2;
  if (shaped) score = Math.max(score, 0.6) + 0.2;
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

export function fitPlace(parameter: Parameter, mention: Mention): Fit | null {
  if (mention.kind === 'number') return fitDigits(parameter, mention);
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

/** `first_name` and `surname` take their part of a full name. */
function nameHalf(parameter: Parameter, text: string): { value: string; part: string } {
  const words = text.split(/\s+/);
  const has = (pattern: RegExp): boolean => parameter.words.some((word) => pattern.test(word));
  if (words.length < 2) return { value: text, part: 'all' };
  if (has(/^(?:first|given|forename)$/)) return { value: words.slice(0, -1).join(' '), part: 'first' };
  if (has(/^(?:last|family|surname)$/)) return { value: words.at(-1)!, part: 'last' };
  return { value: text, part: 'all' };
}

/** "Italian restaurant", "Web team": a capitalised word right before a noun tells what kind, not who. */
const isAdjective = (mention: Mention): boolean =>
  mention.kind === 'name' &&
  !/\s/.test(mention.text) &&
  mention.next !== '' &&
  !STOP_WORDS.has(mention.next) &&
  !VERB_CLASS.has(mention.next) &&
  !DAY_WORD.test(mention.next);
const DAY_WORD =
  /^(?:today|tomorrow|tonight|yesterday|next|last|monday|tuesday|wednesday|thursday|friday|saturday|sunday|saying|please)$/;

export function fitPerson(parameter: Parameter, mention: Mention): Fit | null {
  const found = personFit(parameter, mention);
  return found && typeof found.value === 'string' ? { ...found, ...nameHalf(parameter, found.value) } : found;
}

function personFit(parameter: Parameter, mention: Mention): Fit | null {
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
  if (isAdjective(mention) && /^(?:|in|at|of|near)$/.test(mention.cue)) return null;
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
  return null;
}

/** Digits that are a code (a postal code): only where the schema's pattern takes them. */
function fitDigits(parameter: Parameter, mention: Mention): Fit | null {
  const pattern = parameter.item.pattern;
  if (mention.kind !== 'number' || typeof pattern !== 'string' || !matchesPattern(pattern, mention.text)) return null;
  const side = mention.cue === 'from' ? 'from' : /^(?:to|into)$/.test(mention.cue) ? 'to' : '';
  if (side !== '' && parameter.role !== '' && side !== parameter.role) return null;
  return { score: side !== '' && side === parameter.role ? 0.9 : 0.6, value: mention.text, part: 'all' };
}

export function fitNamed(parameter: Parameter, mention: Mention, extra: ReadonlySet<string>): Fit | null {
  if (mention.kind === 'number') return fitDigits(parameter, mention);
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
