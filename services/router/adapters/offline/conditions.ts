/**
 * "If there are seats left, enrol her": an act asked for under a condition waits for what tells whether it holds. Owns the
 * verdict: true lets the act go on, false stops it, and where results do not tell, the user is asked.
 */

import { wantedBy } from './blocked.ts';
import { type Blocker, blockersIn } from './blockers.ts';
import type { Builder } from './builder.ts';
import { fieldValue, scalarsOf } from './choose.ts';
import type { Clause, Condition } from './goal.ts';
import { GO_FLAGS, STOP_FLAGS, STOP_WORDS } from './lexicon.ts';
import { isEmptyResult, mainList, type Observation } from './results.ts';
import { isObject } from './schema.ts';
import { selectReads } from './select-tools.ts';
import type { Situation } from './situation.ts';
import { isOver, type Step } from './step.ts';
import { toolOf } from './strangers.ts';
import { contentStems, related, splitIdentifier, stem, wordsOf } from './words.ts';

const READS_MAX = 2;

export const conditionOf = (situation: Situation, step: Step): Condition | null =>
  step.clause?.under ??
  (situation.background && step.clause ? (situation.goal.clauses.find((one) => one.under)?.under ?? null) : null);

/** Lookups that tell whether the condition holds; the act waits for them. */
export function conditionSteps(builder: Builder, step: Step): Step[] {
  const { situation } = builder;
  const condition = conditionOf(situation, step);
  if (!condition) return [];
  const asking: Clause = {
    text: condition.text,
    start: condition.start,
    end: condition.end,
    verb: '',
    verbClass: 'get',
    effect: false,
    question: true,
    negated: false,
    condition: false,
    under: null,
    stems: contentStems(condition.text),
  };
  return selectReads(situation, asking)
    .slice(0, READS_MAX)
    .map(({ tool }) => builder.resolve(tool, asking, 'check'))
    .filter((one) => one.missing.length === 0 && one !== step);
}

export type Verdict =
  | { readonly kind: 'holds' }
  | { readonly kind: 'fails'; readonly blocker: Blocker }
  | { readonly kind: 'unknown'; readonly question: string };

/** null while the lookups are under way, or where the act is asked for without a condition. */
export function verdictOn(builder: Builder, step: Step): Verdict | null {
  const { situation } = builder;
  const condition = conditionOf(situation, step);
  if (!condition || step.done) return null;
  const waiting = step.after.some((one) => !one.tool.effectful && !isOver(one) && !one.obstacle);
  if (waiting) return null;
  const told = situation.observations.filter((one) => !one.isError && !toolOf(situation, one.tool).effectful);
  for (const observation of [...told].reverse()) {
    const held = holds(situation, builder, step, condition, observation);
    if (held === null) continue;
    if (held !== condition.inverted) return { kind: 'holds' };
    const text = `it was to be done only ${condition.inverted ? 'unless' : 'if'} ${plain(condition.text)}`;
    return { kind: 'fails', blocker: { observation, text, details: [] } };
  }
  const word = condition.inverted ? 'unless' : 'if';
  return {
    kind: 'unknown',
    question: `You want this only ${word} ${plain(condition.text)}, and I cannot tell whether that is so. Should I do it?`,
  };
}

const plain = (text: string): string => text.replace(/[\s.,;!?]+$/, '');

const NEGATIVE = /\b(?:no|not|none|nothing|isn['’]t|aren['’]t|doesn['’]t|don['’]t|never|without)\b/i;
const AVAILABLE =
  /\b(?:available|availability|free|left|in stock|vacan\w*|possible|open|allowed|eligible|enough|sufficient|bookable)\b/i;

/** Whether one result says that the condition holds; null where it does not say. */
function holds(
  situation: Situation,
  builder: Builder,
  step: Step,
  condition: Condition,
  observation: Observation,
): boolean | null {
  const { text } = condition;
  const negated = NEGATIVE.test(text);
  const compared = comparison(situation, condition, observation);
  if (compared !== null) return compared;
  const stated = statedValue(text, observation);
  if (stated !== null) return negated ? !stated : stated;
  const tool = toolOf(situation, observation.tool);
  if (AVAILABLE.test(text) && (tool.checks || step.after.some((one) => one.done === observation))) {
    if (isEmptyResult(observation)) return negated;
    const blocker = blockersIn(observation, tool, wantedBy(step, builder));
    return negated ? blocker !== null : blocker === null;
  }
  if (/^\s*(?:there (?:is|are)|(?:i|we|he|she|they) (?:have|has)|any)\b/i.test(text) && isOwn(step, observation))
    return (mainList(observation.data)?.length ?? (isEmptyResult(observation) ? 0 : 1)) > 0 ? !negated : negated;
  return null;
}

const isOwn = (step: Step, observation: Observation): boolean => step.after.some((one) => one.done === observation);

/** "the balance is over 1000" against the one number that the words name. */
function comparison(situation: Situation, condition: Condition, observation: Observation): boolean | null {
  const goal = situation.goal.text.includes(condition.text) ? situation.goal : situation.background;
  const bound = goal?.mentions.find(
    (one) =>
      (one.kind === 'money' || one.kind === 'number' || one.kind === 'percent') &&
      one.comparator !== null &&
      one.start >= condition.start &&
      one.start < condition.end,
  );
  if (!bound || !('comparator' in bound) || !('value' in bound) || !isObject(observation.data)) return null;
  const stems = contentStems(condition.text);
  const numbers = scalarsOf(observation.data).filter(
    (one): one is [string, number] => typeof one[1] === 'number' && !/id$/i.test(one[0]),
  );
  const named = numbers.filter(([key]) =>
    splitIdentifier(key).some((part) => stems.some((one) => one === stem(part) || related(one, stem(part)))),
  );
  const pool = named.length > 0 ? named : numbers;
  if (pool.length !== 1) return null;
  const [key, raw] = pool[0]!;
  const value = /cents|minor/i.test(key) ? raw / 100 : (fieldValue({ [key]: raw }, key) ?? raw);
  const strict = /\b(?:over|above|more than|under|below|less than|greater|fewer)\b/i.test(condition.text);
  if (strict && value === bound.value) return false;
  return bound.comparator === '<=' ? value <= bound.value : value >= bound.value;
}

/** "it is open", "the lamp is on": a state or a flag of the result that the words name. */
function statedValue(text: string, observation: Observation): boolean | null {
  if (!isObject(observation.data)) return null;
  const predicate = wordsOf(
    text.match(/\b(?:is|are|was|were|has been|been|still|already)\b(?!.*\b(?:is|are|was|were)\b)\s*(.*)$/i)?.[1] ?? '',
  ).filter((word) => word === 'on' || word === 'off' || !STOP_WORDS.has(word));
  if (predicate.length === 0) return null;
  const stems = predicate.map(stem);
  for (const [key, value] of scalarsOf(observation.data)) {
    const words = splitIdentifier(key);
    if (
      typeof value === 'boolean' &&
      words.some((word) => stems.includes(stem(word))) &&
      (GO_FLAGS.has(words.join('')) || STOP_FLAGS.has(words.join('')) || words[0] === 'is')
    )
      return value;
    if (typeof value !== 'string' || !/^(?:status|state|condition|stage|mode)$/.test(words.at(-1)!)) continue;
    return stems.includes(stem(value.toLowerCase())) || stems.includes(stem(value.toLowerCase().split(/[ _-]/)[0]!));
  }
  return null;
}
