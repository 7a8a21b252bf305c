/**
 * Values from what is remembered about the user ("home office is Berlin", "e-mail: …"). Owns the rule that facts fill
 * only the user's own side of a call (origin, own name, own address), never the other party's.
 */
import type { LocalNow } from './calendar-math.ts';
import { enumFrom } from './free-text.ts';
import { findMentions, type Mention } from './mentions.ts';
import type { Parameter } from './parameters.ts';
import { accepts, coerce, enumOf } from './schema.ts';
import { contentStems, splitIdentifier, stem } from './words.ts';

const HOME =
  /\b(?:home|based|base|lives?|living|located|resid\w+|headquarter\w*|office|works? (?:in|at|from)|depart\w*|from)\b/i;
const OTHER_PARTY =
  /^(?:to|recipient|attendee|cc|bcc|invitee|assignee|contact|participant|patient|beneficiary|payee|destination|target|colleague|manager|approver|dest|search|query|receiver|owner|artist|author)s?$/;
const OWN_NAME =
  /\b(?:(?:user|traveler|traveller|customer|employee|my|full)(?:['’]s)?\s+(?:full\s+)?name|name)\s*(?:is|:|=)\s*(?:["“])?(\p{Lu}[\p{L}'’.-]*(?:\s+\p{Lu}[\p{L}'’.-]*)*)|\b(?:the user|user|customer|employee)\s+(?:is|:)\s*(\p{Lu}[\p{L}'’.-]*(?:\s+\p{Lu}[\p{L}'’.-]*)+)/u;

export interface FactValue {
  readonly value: unknown;
  readonly fact: string;
}

/** `self`: the request speaks of "me" or "my", so that a patient or a guest may be the user. */
export function valueFromFacts(
  facts: readonly string[],
  parameter: Parameter,
  now: LocalNow,
  self = false,
): FactValue | null {
  for (const fact of facts) {
    const value = coerceFact(readFact(fact, parameter, now, self), parameter);
    if (value !== undefined) return { value, fact };
  }
  return null;
}

const coerceFact = (raw: unknown, parameter: Parameter): unknown => {
  if (raw === null || raw === undefined) return undefined;
  const value = coerce(raw, parameter.item);
  return value !== undefined && accepts(value, parameter.item, parameter.item) ? value : undefined;
};

/** A "contact e-mail" is where the user is reached. */
const isReachable = (word: string, parameter: Parameter): boolean =>
  /^(?:contact|owner)$/.test(word) && (parameter.kind === 'email' || parameter.kind === 'phone');

function readFact(fact: string, parameter: Parameter, now: LocalNow, self: boolean): unknown {
  const holders = parameter.path.flatMap((part) => (typeof part === 'string' ? splitIdentifier(part) : []));
  const own = (word: string): boolean => self && /^(?:patient|participant|owner|attendee)s?$/.test(word);
  if (
    [...parameter.words, ...holders].some(
      (word) => OTHER_PARTY.test(word) && !own(word) && !isReachable(word, parameter),
    )
  )
    return null;
  const mentions = (): Mention[] => findMentions(fact, now);
  switch (parameter.kind) {
    case 'place': {
      if (parameter.role !== 'from' || !HOME.test(fact)) return null;
      const places = mentions().filter((one) => one.kind === 'name' || one.kind === 'code');
      const code = places.find((one) => one.kind === 'code');
      if (code && /IATA|\bcode\b/i.test(parameter.description) && typeof parameter.item.pattern === 'string')
        return code.text;
      return places.filter((one) => one.kind === 'name').at(-1)?.text ?? code?.text ?? null;
    }
    case 'person': {
      const match = fact.match(OWN_NAME);
      const plain = /\b(?:office|home|city|airport|based|lives?|manager|boss)\b/i.test(fact)
        ? null
        : fact.match(/^\W*(?:the\s+|my\s+)?\p{Ll}+\s+is\s+(\p{Lu}[\p{L}'’-]+(?:\s+\p{Lu}[\p{L}'’-]+)+)/iu);
      const found = match ? (match[1] ?? match[2])! : plain && /^\p{Lu}/u.test(plain[1]!) ? plain[1]! : null;
      return found ? found.replace(/[.'’-]+$/, '') : null;
    }
    case 'email':
      return mentions().find((one) => one.kind === 'email')?.text ?? null;
    case 'phone':
      return mentions().find((one) => one.kind === 'phone')?.text ?? null;
    case 'zone':
      return fact.match(/\b[A-Z][a-z]+\/[A-Z][A-Za-z_]+\b/)?.[0] ?? null;
    case 'currency':
      return /\bcurrency\b/i.test(fact)
        ? (mentions().find((one) => one.kind === 'currency') as { code: string } | undefined)?.code
        : null;
    case 'enum': {
      const options = enumOf(parameter.item);
      const named = options ? enumFrom(fact, options, parameter) : null;
      const speaksOfIt =
        parameter.words.some((word) => contentStems(fact).includes(stem(word))) || /\bprefer|always|usual/i.test(fact);
      return named && named.score >= 0.75 && speaksOfIt ? named.value : null;
    }
    case 'id':
    case 'named':
    case 'number':
    case 'count': {
      const words = parameter.words.filter((word) => word.length > 1);
      const own = words.length > 1 ? words : parameter.entity ? [...words, parameter.entity] : words;
      const stems = contentStems(fact);
      if (own.length < 2 || !own.every((word) => stems.includes(stem(word)) || word === 'id' || word === 'number'))
        return null;
      const whole = fact.match(/(?:\bis\b|:|=)\s*["“]?([^"”]{1,40}?)["”]?[.]?\s*$/)?.[1];
      if (whole && typeof parameter.item.pattern === 'string' && accepts(whole, parameter.item, parameter.item))
        return whole;
      const found = fact.match(/(?:is|:|=)\s*["“]?#?([^\s,;"”]+?)["”]?[.]?\s*$/)?.[1] ?? null;
      // An id has a digit in it; "… is booked" is none.
      return found && (parameter.kind !== 'id' || /\d/.test(found)) ? found : null;
    }
    default:
      return null;
  }
}
