/** What earlier turns did and still stands, and the calls that would take it back. */
import type { Parameter } from './parameters.ts';
import { candidatesIn, candidatesInText, type Observation, recordsOf } from './results.ts';
import { accepts, setAt } from './schema.ts';
import type { Situation, Undo } from './situation.ts';
import { toolOf } from './strangers.ts';
import type { Tool } from './toolbox.ts';

/** Answers of earlier turns whose calls are not in the conversation: their text is all that is known. */
export function saidResults(situation: Situation): Observation[] {
  return situation.earlier.flatMap((turn, index) =>
    turn.answer &&
    !/\b(?:did not|could not|didn't|couldn't|have not|not done|left)\b/i.test(turn.answer) &&
    !turn.observations.some((one) => !one.isError && toolOf(situation, one.tool).effectful)
      ? [
          {
            callId: `turn-${index}`,
            tool: 'earlier_answer',
            arguments: {},
            data: null,
            text: turn.answer,
            isError: false,
            past: true,
            index: index - 1_000,
          },
        ]
      : [],
  );
}

/** Effects of earlier turns that still stand, the latest first, without those that only prepared another. */
export function standingEffects(situation: Situation): Observation[] {
  const effects = situation.past.filter(
    (one) => !one.isError && one.tool !== 'earlier_answer' && toolOf(situation, one.tool).effectful,
  );
  const given = (one: Observation): string => JSON.stringify(one.arguments);
  const values = (one: Observation): string[] =>
    recordsOf(one, toolOf(situation, one.tool))
      .flatMap((record) => Object.entries(record.value))
      .filter(
        ([key, value]) =>
          /id$|reference|number|code/i.test(key) && (typeof value === 'string' || typeof value === 'number'),
      )
      .map(([, value]) => JSON.stringify(value));
  return effects
    .filter(
      (one) =>
        !undoes(situation, one.tool) &&
        !effects.some(
          (later) =>
            later.index > one.index &&
            values(one).some((value) => given(later).includes(value) && !given(one).includes(value)),
        ),
    )
    .reverse();
}

function idFrom(
  situation: Situation,
  parameter: Parameter,
  effect: Observation,
): { value: unknown; score: number } | null {
  const tool = toolOf(situation, effect.tool);
  const found = [
    ...recordsOf(effect, tool).flatMap((record) => candidatesIn(record, parameter, tool.nouns)),
    ...candidatesInText(effect, parameter, tool),
  ].sort((left, right) => right.score - left.score)[0];
  return found && found.score >= 0.6 ? { value: found.value, score: found.score } : null;
}

/** Whether a tool takes something back: by what the bundle says, else by its verb. */
const undoes = (situation: Situation, name: string): boolean =>
  toolOf(situation, name).verbClass === 'undo' || situation.tools.some((one) => one.definition.undo === name);

/**
 * The call that takes an effect back, with the id that the effect's own result gives. What the bundle declares is the only
 * candidate where it does; else any undoing tool that takes such an id.
 */
export function undoOf(situation: Situation, effect: Observation): Undo | null {
  const declared = situation.toolByName.get(effect.tool)?.definition.undo;
  const named = declared ? situation.toolByName.get(declared) : undefined;
  const candidates = named ? [named] : situation.tools.filter((tool) => tool.effectful && tool.verbClass === 'undo');
  let best: { undo: Undo; score: number } | null = null;
  for (const tool of candidates) {
    const filled = identified(situation, tool, effect, (parameter) =>
      parameter.kind === 'reason' || parameter.kind === 'body' ? situation.said : undefined,
    );
    if (filled && (!best || filled.score > best.score))
      best = { undo: { tool, arguments: filled.arguments, undoes: effect }, score: filled.score };
  }
  return best?.undo ?? null;
}

export function identified(
  situation: Situation,
  tool: Tool,
  effect: Observation,
  other: (parameter: Parameter) => unknown,
): { arguments: Record<string, unknown>; score: number } | null {
  const given: Record<string, unknown> = {};
  let score = 0;
  for (const parameter of tool.parameters) {
    if (parameter.kind === 'id' && (parameter.required || score === 0)) {
      const id = idFrom(situation, parameter, effect);
      if (id) {
        setAt(given, parameter.path, id.value);
        score = Math.max(score, id.score);
        continue;
      }
    }
    const value = other(parameter);
    if (value !== undefined && accepts(value, parameter.schema, parameter.schema)) setAt(given, parameter.path, value);
    else if (parameter.required) return null;
  }
  return score > 0 ? { arguments: given, score } : null;
}
