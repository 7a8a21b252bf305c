/** How far an argument or an earlier call can be relied upon while a step is resolved. Owns the thresholds. */
import type { Filled } from './filling.ts';
import type { Observation } from './results.ts';
import type { Step } from './step.ts';
import { isGeneric } from './verbs.ts';

/** Below this, words in the text are a weaker sign than what a lookup tool would return. */
const TRUSTED_SCORE = 0.5;
/** A code that stands alone may be a name of the thing instead of its id: where a list of them can be had, it decides. */
const CODE_TRUSTED_SCORE = 0.7;

/** Two fillings with the same values. */
export const keyOf = (filled: readonly Filled[]): string =>
  JSON.stringify(filled.map((one) => [one.parameter.name, one.value]).sort());

/** An update that only says of what: there is nothing in it that the user asked for. */
export const changesNothing = (step: Step): boolean =>
  step.tool.effectful &&
  step.purpose === 'effect' &&
  step.tool.verbClass === 'update' &&
  isGeneric(step.tool.verb, 'update') &&
  step.needs.length === 0 &&
  step.obstacle === null &&
  step.tool.parameters.some((one) => !one.required && one.kind !== 'id') &&
  step.tool.parameters.every((one) => (one.required ? one.kind === 'id' : valueAt(step.args, one.path) === undefined));

const valueAt = (args: Record<string, unknown>, path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[part] : undefined,
    args,
  );

export const isCode = (one: Filled): boolean => one.mention?.kind === 'identifier' || one.mention?.kind === 'code';

/** Words that only might be an id give way to a lookup; an address that the goal implies by a name is looked up too. */
export const isWeak = (one: Filled): boolean =>
  one.parameter.required &&
  one.source === 'text' &&
  ['id', 'email'].includes(one.parameter.kind) &&
  (one.score < TRUSTED_SCORE ||
    (one.parameter.kind === 'id' && isCode(one) && (one.score < CODE_TRUSTED_SCORE || !/\d/.test(String(one.value)))));

export const mended = (call: Observation, step: Step): boolean =>
  Object.keys(call.arguments).filter((key) => JSON.stringify(call.arguments[key]) !== JSON.stringify(step.args[key]))
    .length <= 1;
