/**
 * The limits that a list of results was really held against. Owns the rule that a limit counts as checked only where every row
 * that is left carries the value and keeps to it, or the row's tool was asked for it.
 */
import { allRules, limitsFor } from './applicable-rules.ts';
import { type Choice, choose, fieldValue, scalarsOf } from './choose.ts';
import type { Limit } from './constraints.ts';
import { joinWords } from './prose.ts';
import { mainList, type Observation } from './results.ts';
import { isMoneyKey, sayMoney, sayNumberFact } from './say-value.ts';
import { isObject } from './schema.ts';
import type { Situation } from './situation.ts';
import { toolOf } from './strangers.ts';
import { contentStems, splitIdentifier, stem } from './words.ts';

type Row = Record<string, unknown>;

export interface Bound {
  readonly text: string;
  /** Index into the passages; -1 where none says it. */
  readonly passage: number;
  readonly sentence: string;
  readonly value: number;
}

const clauseOf = (situation: Situation) => (situation.goal.clauses.length === 1 ? situation.goal.clauses[0]! : null);

export const rowsOf = (one: Observation): Row[] => mainList(one.data)?.filter(isObject) ?? [];

export const limitsOn = (situation: Situation, one: Observation): Limit[] =>
  limitsFor(situation, toolOf(situation, one.tool), clauseOf(situation));

export function choiceOf(situation: Situation, one: Observation): Choice | null {
  const rows = rowsOf(one);
  return rows.length === 0
    ? null
    : choose(rows, situation.goal, { limits: limitsOn(situation, one), background: situation.background });
}

/** Bounds that these rows were checked against: by the rules and the goal, or by the call itself. */
export function boundsOn(situation: Situation, one: Observation, rows: readonly Row[]): Bound[] {
  const ruled = limitsOn(situation, one)
    .filter((limit) => rows.length > 0 && rows.every((row) => keeps(row, limit)))
    .map((limit) => ({
      text: sayLimit(limit, rows[0]!),
      passage: limit.passage,
      sentence: limit.sentence,
      value: limit.value,
    }));
  const asked = askedBounds(one, rows).filter((bound) => !ruled.some((other) => other.value === bound.value));
  return [...ruled, ...asked];
}

function keeps(row: Row, limit: Limit): boolean {
  const value = fieldValue(row, limit.field, limit.sentence);
  const currency = currencyOf(row);
  if (value === null || (limit.currency && currency && limit.currency !== currency)) return false;
  return limit.comparator === '<=' ? value <= limit.value : value >= limit.value;
}

const currencyOf = (row: Row): string | null => {
  const hit = scalarsOf(row).find(
    ([key, value]) => splitIdentifier(key).at(-1) === 'currency' && typeof value === 'string',
  );
  return hit ? String(hit[1]).toUpperCase() : null;
};

/** "at most EUR 220 per night", "at most 4 stars": the row's own key says what the number is of. */
export function sayLimit(limit: Limit, row: Row | null): string {
  const value = row ? fieldValue(row, limit.field, limit.sentence) : null;
  const key = row && scalarsOf(row).find(([name, one]) => one === value && value !== null && isAbout(name, limit))?.[0];
  const words = key ? splitIdentifier(key) : [limit.field];
  const side = limit.comparator === '<=' ? 'at most' : 'at least';
  return limit.currency
    ? `${side} ${sayMoney(words, limit.value, limit.currency)}`
    : `${side} ${sayNumberFact(words, limit.value)}`;
}

const isAbout = (key: string, limit: Limit): boolean =>
  limit.currency !== '' ? isMoneyKey(splitIdentifier(key)) : !isMoneyKey(splitIdentifier(key));

/** Whether an argument bounds what may come back; read from its name, as tools of earlier runs are known by no more. */
export function sideOf(key: string, value: unknown): '<=' | '>=' | null {
  const words = splitIdentifier(key);
  if (typeof value !== 'number' || words.length < 2) return null;
  return words.some((word) => /^max(?:imum)?$/.test(word))
    ? '<='
    : words.some((word) => /^min(?:imum)?$/.test(word))
      ? '>='
      : null;
}

/** Maxima and minima that went out with the call and that the rows confirm. */
function askedBounds(one: Observation, rows: readonly Row[]): Bound[] {
  return Object.entries(one.arguments).flatMap(([key, value]) => {
    const comparator = sideOf(key, value);
    if (comparator === null || rows.length === 0) return [];
    const words = splitIdentifier(key).filter((word) => !/^(?:max|min)(?:imum)?$/.test(word));
    const money = isMoneyKey(words);
    const limit: Limit = {
      field: money ? 'price' : (words[0] ?? ''),
      comparator,
      value: value as number,
      currency: money ? (currencyOf(rows[0]!) ?? '') : '',
      passage: -1,
      sentence: words.join(' '),
    };
    return rows.every((row) => keeps(row, limit))
      ? [{ text: sayLimit(limit, rows[0]!), passage: -1, sentence: '', value: limit.value }]
      : [];
  });
}

export const cited = (passage: number): string => (passage >= 0 ? ` [${passage + 1}]` : '');
export const sayBounds = (bounds: readonly Bound[]): string =>
  joinWords(bounds.map((one) => `${one.text}${cited(one.passage)}`));

/** The rule that says how to choose among what fits, such as "the cheapest … is booked". */
export function choosingRule(
  situation: Situation,
  one: Observation,
  preference: string,
  verbs: ReadonlySet<string>,
): Bound | null {
  const word = new RegExp(`\\b${preference.replace(/[^a-z ]/gi, '')}\\b`, 'i');
  const things = new Set([...toolOf(situation, one.tool).nouns, ...listNames(one)].map(stem));
  const rule = allRules(situation).find((each) => {
    const stems = contentStems(each.sentence);
    return (
      each.limits.length === 0 &&
      word.test(each.sentence) &&
      !/\b(?:may|can|instead|unless|than the)\b/i.test(each.sentence) &&
      stems.some((term) => things.has(term)) &&
      stems.some((term) => verbs.has(term))
    );
  });
  return rule ? { text: '', passage: rule.passage, sentence: rule.sentence, value: 0 } : null;
}

/** Names that its lists go by in the result ("offers"). */
const listNames = (one: Observation): string[] =>
  isObject(one.data)
    ? Object.entries(one.data).flatMap(([key, value]) => (Array.isArray(value) ? splitIdentifier(key) : []))
    : [];

export const currencyIn = (one: Observation): string | null => {
  const row = rowsOf(one)[0] ?? (isObject(one.data) ? one.data : null);
  return row ? currencyOf(row) : null;
};
