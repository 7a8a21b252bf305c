/** What stands in the way of an effect in this run, and which candidates a check has ruled out. */
import { type Blocker, blockersIn, type Wanted } from './blockers.ts';
import { chainOf } from './checks.ts';
import { isMinorUnit } from './fit-number.ts';
import type { Parameter } from './parameters.ts';
import { ID_LIKE, isEmptyResult, type Observation } from './results.ts';
import type { Situation } from './situation.ts';
import type { Step } from './step.ts';
import { toolOf } from './strangers.ts';
import { normalizeKey, splitIdentifier, stem } from './words.ts';

/** After so many candidates that a check said no to, the first one's "no" stands. */
const CANDIDATES_TRIED_MAX = 4;
const MINOR_PER_UNIT = 100;

/** What stands in an effect's way: its checks' outcomes and any failed or negative check in the run so far. */
export function blockersOf(
  step: Step,
  situation: Situation,
  builder: { quantityOf(step: Step): number | null },
): Blocker[] {
  if (!step.tool.effectful) return [];
  const wanted = wantedBy(step, builder);
  const checks = new Set(step.after.flatMap((one) => (one.done && !one.tool.effectful ? [one.done] : [])));
  return situation.observations.flatMap((observation) => {
    const tool = toolOf(situation, observation.tool);
    if (tool.effectful || (observation.isError && step.failed === observation)) return [];
    if (observation.isError && !step.after.some((one) => one.failed === observation)) return [];
    if (isEmptyResult(observation) && !checks.has(observation)) return [];
    if (isAboutAnother(step, observation)) return [];
    const blocker = blockersIn(observation, tool, wanted);
    return blocker ? [blocker] : [];
  });
}

/** A "no" to a candidate that has been given up says nothing about the one that is taken now. */
function isAboutAnother(step: Step, observation: Observation): boolean {
  const own = JSON.stringify(chainOf(step).map((one) => [one.args, one.done?.arguments ?? {}]));
  const rivals = chainOf(step).flatMap((one) =>
    one.choices.flatMap((each) => each.choice.passedOver.map((row) => JSON.stringify(row))),
  );
  return idsIn(observation).some(
    ([, value]) => !own.includes(JSON.stringify(value)) && rivals.some((row) => row.includes(JSON.stringify(value))),
  );
}

/** Ids among the arguments, known by their names alone: the check's tool need not be at hand any more. */
const idsIn = (observation: Observation): [string, unknown][] =>
  Object.entries(observation.arguments).filter(
    ([key, value]) =>
      (typeof value === 'string' || typeof value === 'number') && ID_LIKE.has(splitIdentifier(key).at(-1)!),
  );

const isFor = (key: string, parameter: Parameter): boolean => {
  const words = splitIdentifier(key).filter((word) => !ID_LIKE.has(word));
  return words.length > 0
    ? stem(words.at(-1)!) === stem(parameter.entity)
    : normalizeKey(key) === normalizeKey(parameter.name);
};

/** Values of a parameter that a check of this run said no to. */
export function ruledOutFor(situation: Situation, parameter: Parameter): ReadonlySet<unknown> {
  const values = new Set<unknown>();
  for (const observation of situation.observations) {
    const tool = toolOf(situation, observation.tool);
    if (observation.isError || !tool.checks || tool.effectful) continue;
    const about = idsIn(observation).filter(([key]) => isFor(key, parameter));
    if (about.length > 0 && blockersIn(observation, tool, wantedIn(situation)))
      for (const [, value] of about) values.add(value);
  }
  return values.size >= CANDIDATES_TRIED_MAX ? new Set() : values;
}

/** How many the goal speaks of, before any step is known. */
function wantedIn(situation: Situation): Wanted {
  const goal = situation.background ?? situation.goal;
  const number = goal.mentions.find((one) => one.kind === 'number' && one.unit !== '' && !one.comparator);
  const quantity = number?.kind === 'number' && number.value > 0 && number.value < 10_000 ? number.value : null;
  return { quantity, amount: null, from: null, to: null };
}

export function wantedBy(step: Step, builder: { quantityOf(step: Step): number | null }): Wanted {
  const amount = step.filled.find(
    (one) => one.parameter.kind === 'money' && one.parameter.role === '' && typeof one.value === 'number',
  );
  const dates = [...step.filled, ...step.after.flatMap((one) => one.filled)].filter(
    (one) => (one.parameter.kind === 'date' || one.parameter.kind === 'moment') && typeof one.value === 'string',
  );
  const minor = amount !== undefined && isMinorUnit(amount.parameter.words, amount.parameter.description);
  return {
    quantity: builder.quantityOf(step),
    amount: amount ? (amount.value as number) / (minor ? MINOR_PER_UNIT : 1) : null,
    from: (dates.find((one) => one.parameter.role !== 'to')?.value as string | undefined) ?? null,
    to: (dates.find((one) => one.parameter.role === 'to')?.value as string | undefined) ?? null,
  };
}
