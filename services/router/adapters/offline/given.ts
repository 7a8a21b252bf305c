/** What a call asked for, as a person would say it: "Tokyo, 12 to 16 May 2027, at most EUR 220 per night". */

import { currencyIn, sideOf } from './bounds.ts';
import { cardOf, leavesIn } from './card.ts';
import type { Observation } from './results.ts';
import { isCode, isMoneyKey, sayMoney, sayNumber } from './say-value.ts';
import { isObject } from './schema.ts';
import { splitIdentifier } from './words.ts';

const GIVEN_LENGTH_MAX = 60;
/** Labels that add nothing to their value. */
const PLAIN_LABEL =
  /^(?:city|location|place|query|q|name|email|symbol|keywords?|text|search|term|service|metric|expression):? /;

export interface Given {
  /** Phrases in order of telling. */
  readonly phrases: readonly string[];
  /** The stretch of time, apart, for sentences that need it. */
  readonly when: string | null;
}

/** `bound` may word a maximum or minimum better than the call alone can. */
export function givenOf(one: Observation, bound: (key: string, value: number) => string | null = () => null): Given {
  const plain = Object.entries(one.arguments).filter(
    ([key, value]) =>
      sideOf(key, value) === null && (isObject(value) || (JSON.stringify(value) ?? '').length <= GIVEN_LENGTH_MAX),
  );
  const card = cardOf(leavesIn(Object.fromEntries(plain)));
  const rest = card.rest.map((phrase) => phrase.replace(PLAIN_LABEL, ''));
  const limits = Object.entries(one.arguments).flatMap(([key, value]) =>
    sideOf(key, value) === null
      ? []
      : [bound(key, value as number) ?? boundGiven(key, value as number, currencyIn(one))],
  );
  const slots = [card.title, card.who, card.way, ...rest, card.reference?.value, ...card.money, card.status, card.when];
  return { phrases: [...slots, ...limits].filter((phrase): phrase is string => !!phrase), when: card.when };
}

export function boundGiven(key: string, value: number, currency: string | null): string {
  const words = splitIdentifier(key).filter((word) => !/^(?:max|min)(?:imum)?$/.test(word));
  const side = sideOf(key, value) === '>=' ? 'at least' : 'at most';
  const money = isMoneyKey(words) && (currency !== null || words.some(isCode));
  return money ? `${side} ${sayMoney(words, value, currency)}` : `${words.join(' ')} ${side} ${sayNumber(value)}`;
}
