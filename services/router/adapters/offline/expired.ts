/**
 * An intermediate that has gone while something waited (a hold that expired before it was approved): the call that gave
 * it is made once more, and the act tried again with the new value. Owns the bound: once per value, and never for a call
 * that may not be repeated.
 */
import type { Observation } from './results.ts';
import { sameArguments } from './same-call.ts';
import type { Situation } from './situation.ts';
import type { Step } from './step.ts';
import { splitIdentifier, stem, wordsOf } from './words.ts';

const GONE =
  /\b(?:expired|has (?:lapsed|ended)|lapsed|no longer (?:valid|available|exists?|active|held|there)|timed[ -]?out|stale|gone|not found|does not exist|unknown|invalid|404|410)\b/i;
const SURELY_GONE = /\b(?:expired|lapsed|no longer|stale|gone|410)\b/i;

export const isGone = (failed: Observation): boolean => failed.isError && GONE.test(failed.text.replace(/_/g, ' '));

/** The earlier call whose result gave the value that is gone; null where none may be made again. */
export function sourceOf(situation: Situation, step: Step): Observation | null {
  const { failed } = step;
  if (!failed || !isGone(failed)) return null;
  const text = failed.text.replace(/_/g, ' ').toLowerCase();
  const said = new Set(wordsOf(text).map(stem));
  const given = Object.entries(failed.arguments).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1].length > 2,
  );
  const named = given.filter(
    ([key, value]) =>
      text.includes(value.toLowerCase()) || splitIdentifier(key).some((part) => part !== 'id' && said.has(stem(part))),
  );
  // "Not found" alone may mean what the user named: only a value that the words point at, or that surely has gone.
  const suspects = named.length > 0 ? named : SURELY_GONE.test(text) ? given : [];
  const sources = suspects.flatMap(([, value]) =>
    situation.observations.filter(
      (one) =>
        one.index < failed.index &&
        !one.isError &&
        !JSON.stringify(one.arguments).includes(JSON.stringify(value)) &&
        one.text.includes(value) &&
        mayRepeat(situation, one),
    ),
  );
  // What prepared the act is what runs out; else the latest that told the value.
  const effects = sources.filter((one) => situation.toolByName.get(one.tool)?.effectful);
  return (effects.length > 0 ? effects : sources).sort((left, right) => right.index - left.index)[0] ?? null;
}

const mayRepeat = (situation: Situation, one: Observation): boolean => {
  const effect = situation.toolByName.get(one.tool)?.definition.effect;
  return effect === 'pure' || effect === 'keyed';
};

/** What is to be done about a value that has gone: make its source's call again, then the act with what that gave. */
export function renewal(
  situation: Situation,
  step: Step,
): { readonly call: Observation } | { readonly again: true } | null {
  const { failed } = step;
  if (!failed || !isGone(failed)) return null;
  const failures = situation.observations.filter((one) => one.tool === step.tool.name && one.isError);
  if (failures.length > 1) return null;
  const renewed = situation.observations.some(
    (one) =>
      one.index > failed.index &&
      !one.isError &&
      situation.observations.some(
        (old) => old.index < failed.index && old.tool === one.tool && sameArguments(old.arguments, one.arguments),
      ),
  );
  if (renewed) return sameArguments(step.args, failed.arguments) ? null : { again: true };
  const source = sourceOf(situation, step);
  if (!source) return null;
  const repeated = situation.observations.filter(
    (one) => one.tool === source.tool && sameArguments(one.arguments, source.arguments),
  );
  return repeated.length > 1 ? null : { call: source };
}
