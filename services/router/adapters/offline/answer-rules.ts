/**
 * Why this option, and the clauses that the act or the refusal rests on. Owns relevance: a clause is named where its limit was
 * checked, its value went into a call, it says how to choose, or it speaks of the very steps that were taken.
 */

import { mainEffects } from './answer-done.ts';
import { isNothing, nounOf } from './answer-found.ts';
import { blockersSeen } from './answer-refused.ts';
import { rulesFor } from './applicable-rules.ts';
import { type Bound, boundsOn, choiceOf, choosingRule, cited, rowsOf, sayBounds } from './bounds.ts';
import { answeringSentences, quote, stepsRule } from './citations.ts';
import { flatValues, identifies } from './links.ts';
import { sayRecord } from './prose.ts';
import type { Observation } from './results.ts';
import { pluralOf } from './say-value.ts';
import { enumOf } from './schema.ts';
import type { Situation } from './situation.ts';
import { toolOf } from './strangers.ts';
import { contentStems, escapeRegExp, stem } from './words.ts';

const RULES_MAX = 4;
const VALUE_LENGTH_MIN = 4;

interface Taken {
  readonly observation: Observation;
  readonly row: Record<string, unknown>;
}

/** Rows of lists that a later call took. */
function takenRows(situation: Situation): Taken[] {
  return situation.observations.flatMap((one) => {
    const rows = one.isError || toolOf(situation, one.tool).effectful ? [] : rowsOf(one);
    const row = rows.find((each) =>
      situation.observations.some((later) => later.index > one.index && identifies(each, later)),
    );
    return rows.length > 1 && row ? [{ observation: one, row }] : [];
  });
}

/** Which option was taken of several, and why that one. */
export function choiceLines(situation: Situation, done: readonly Observation[]): string[] {
  const taken = takenRows(situation);
  return taken.flatMap((one) => {
    const choice = choiceOf(situation, one.observation);
    const same = choice?.chosen !== null && JSON.stringify(choice?.chosen) === JSON.stringify(one.row);
    if (done.length === 0 && !same) return [];
    const noun = nounOf(toolOf(situation, one.observation.tool));
    const total = rowsOf(one.observation).length;
    const what = taken.length > 1 || done.length === 0 ? sayRecord(one.row, { fieldsMax: 2 }) : 'it';
    const verb = done.length === 0 ? 'I would take' : 'I chose';
    if (!same || !choice) return [`${verb} ${what} out of ${total} ${pluralOf(noun, total)}.`];
    const fitting = total - choice.rejected.length;
    const bounds = boundsOn(situation, one.observation, [one.row]);
    const of =
      fitting < total
        ? `the ${fitting} that fit, out of ${total} ${pluralOf(noun, total)}`
        : `${total} ${pluralOf(noun, total)}`;
    const rule = choosingRule(situation, one.observation, choice.preference, verbsOf(situation));
    return [
      `${verb} ${what} as ${reason(choice.preference, of)}${cited(rule?.passage ?? -1)}${bounds.length > 0 ? `, within the limit: ${sayBounds(bounds)}` : ''}.`,
    ];
  });
}

function reason(preference: string, of: string): string {
  if (preference === 'first in the list') return `the first of ${of}`;
  if (preference === 'best match') return `the best match of ${of}`;
  if (/^number \d/.test(preference)) return `${preference}, as you asked`;
  return /^the /.test(preference) ? `${preference} of ${of}` : `the ${preference} of ${of}`;
}

/** Stems of the verbs of what was carried out. */
const verbsOf = (situation: Situation): Set<string> =>
  new Set(carriedOut(situation).map((one) => stem(toolOf(situation, one.tool).verb)));

/** Effects that stand for themselves; what only prepared one is not among them. */
const carriedOut = (situation: Situation): Observation[] =>
  mainEffects(
    situation,
    situation.observations.filter((one) => !one.isError && toolOf(situation, one.tool).effectful),
  );

/** Rules and passages that the act, the refusal or the question rests on, each with its clause. */
export function reliedOn(situation: Situation, acted: boolean): string | null {
  if (situation.passages.length === 0) return null;
  const found = acted ? actRules(situation) : questionRules(situation);
  const lines = new Map(found.map((one) => [one.sentence, `- ${quote(one.sentence)} [${one.passage + 1}]`]));
  return lines.size > 0
    ? `${acted ? 'Rules that I relied on' : 'What the documents say about this'}:\n${[...lines.values()].slice(0, RULES_MAX).join('\n')}`
    : null;
}

type Source = Pick<Bound, 'sentence' | 'passage'>;

const questionRules = (situation: Situation): Source[] =>
  answeringSentences(situation.passages, contentStems(situation.goal.text), situation.goal.text).slice(0, 2);

function actRules(situation: Situation): Source[] {
  const calls = situation.observations.filter(
    (one) => !one.isError && toolOf(situation, one.tool).verbClass !== 'undo',
  );
  const main = calls.filter((one) => isMain(situation, one));
  return [
    ...main.flatMap((one) => limitRules(situation, one)),
    ...main.flatMap((one) => valueRules(situation, one)),
    ...takenRows(situation).flatMap((one) => {
      const preference = choiceOf(situation, one.observation)?.preference;
      const rule = preference ? choosingRule(situation, one.observation, preference, verbsOf(situation)) : null;
      return rule ? [rule] : [];
    }),
    ...stepRules(situation),
  ];
}

/** Calls that the outcome hangs on: where an effect was made, what fed it; else all. */
function isMain(situation: Situation, one: Observation): boolean {
  const effects = situation.observations.filter(
    (each) =>
      !each.isError && toolOf(situation, each.tool).effectful && toolOf(situation, each.tool).verbClass !== 'undo',
  );
  if (effects.length === 0 || effects.includes(one)) return true;
  return rowsOf(one).length === 0
    ? false
    : takenRows(situation).some((each) => each.observation === one) ||
        rowsOf(one).some((row) => effects.some((each) => identifies(row, each)));
}

/** Limits that the rows were held against; where none was left or found, those that ruled them out. */
function limitRules(situation: Situation, one: Observation): Source[] {
  const rules = rulesFor(situation, toolOf(situation, one.tool), situation.goal.clauses[0] ?? null);
  if (isNothing(one)) {
    const given = flatValues(one.arguments);
    const asked = rules.filter((rule) => rule.limits.some((limit) => given.includes(limit.value)));
    const named = asked.filter((rule) => namesGoal(situation, rule.sentence));
    return named.length > 0 ? named : asked.slice(0, 1);
  }
  const choice = choiceOf(situation, one);
  if (choice && choice.chosen === null) {
    const broken = new Set(choice.limits.map((limit) => limit.sentence));
    return rules.filter((rule) => broken.has(rule.sentence));
  }
  return boundsOn(
    situation,
    one,
    rowsOf(one).filter((row) => !choice?.rejected.some((each) => each.row === row)),
  ).filter((bound) => bound.passage >= 0);
}

const namesGoal = (situation: Situation, sentence: string): boolean =>
  [...situation.goal.mentions, ...(situation.background?.mentions ?? [])].some(
    (one) => one.kind === 'name' && sentence.toLowerCase().includes(one.text.toLowerCase()),
  );

/** The rule prescribes a value that the call was made with: as that very value, not as a part of a longer one. */
function valueRules(situation: Situation, one: Observation): Source[] {
  const tool = toolOf(situation, one.tool);
  return rulesFor(situation, tool, situation.goal.clauses[0] ?? null).filter(
    (rule) =>
      rule.limits.length === 0 && !/\b(?:may|can|never)\b/i.test(rule.sentence) && bears(situation, rule.sentence, one),
  );
}

function bears(situation: Situation, rule: string, one: Observation): boolean {
  return toolOf(situation, one.tool).parameters.some((parameter) => {
    const value = one.arguments[parameter.name];
    const options = enumOf(parameter.item);
    if (!options || typeof value !== 'string' || value.length < VALUE_LENGTH_MIN) return false;
    const longer = options.filter(
      (each): each is string => typeof each === 'string' && each !== value && each.includes(value),
    );
    const rest = longer.reduce((text, each) => text.replace(wordsAs(each), ' '), rule);
    return wordsAs(value).test(rest);
  });
}

const wordsAs = (value: string): RegExp =>
  new RegExp(
    `\\b${value
      .split(/[_\s-]+/)
      .map(escapeRegExp)
      .join('[\\s_-]+')}\\b`,
    'gi',
  );

/** A clause on the very steps: on what stands in the way, or on doing one thing and taking back another. */
function stepRules(situation: Situation): Source[] {
  const effects = carriedOut(situation).map((one) => toolOf(situation, one.tool));
  const blocker = blockersSeen(situation)[0];
  const asked = [...situation.goal.clauses, ...(situation.background?.clauses ?? [])].filter((clause) => clause.effect);
  const verbs = effects.map((tool) => tool.verb);
  const rule =
    blocker && effects.length === 0
      ? stepsRule(
          situation.passages,
          [...toolOf(situation, blocker.observation.tool).descriptionStems],
          asked.map((clause) => clause.verb),
        )
      : effects.some((tool) => tool.verbClass === 'undo') && new Set(verbs).size > 1
        ? stepsRule(situation.passages, [...verbs, ...contentStems(situation.said)], verbs)
        : null;
  return rule ? [rule] : [];
}
