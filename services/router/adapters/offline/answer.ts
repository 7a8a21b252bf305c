/**
 * The final answer, composed from what happened: what was done, why this option, what was found, what was not done and why,
 * and the clauses relied on. Owns the order; reads results, never intent alone.
 */
import { mainEffects, negativeResult, saidEffect } from './answer-done.ts';
import { findings } from './answer-found.ts';
import { withoutResults } from './answer-knowledge.ts';
import { notDone } from './answer-refused.ts';
import { choiceLines, reliedOn } from './answer-rules.ts';
import { mainList } from './results.ts';
import type { Situation } from './situation.ts';
import { toolOf } from './strangers.ts';

export { isDenial } from './answer-refused.ts';

export function answer(situation: Situation): string {
  const seen = situation.observations;
  if (seen.length === 0 && situation.notes.length === 0)
    return withinPassages(withoutResults(situation), situation.passages.length);
  const effects = seen.filter((one) => toolOf(situation, one.tool).effectful);
  const done = effects.filter((one) => !one.isError && !negativeResult(one));
  const reasons = choiceLines(situation, done);
  const said = mainEffects(situation, done).map((one, index) =>
    [saidEffect(situation, one), ...(index === 0 ? reasons : [])].join(' '),
  );
  const refused = notDone(situation, done, effects);
  // Where the main thing failed, what only prepared it comes after.
  const failed = effects.some((one) => !done.includes(one));
  const parts = [
    ...(failed ? [refused, ...said] : [...said, refused]),
    ...(said.length === 0 ? reasons : []),
    ...findings(situation, { done: done.length > 0, refused: refused !== null }),
  ].filter((one): one is string => !!one);
  if (parts.length === 0) return situation.notes.length > 0 ? situation.notes.join('\n\n') : withoutResults(situation);
  const relied = reliedOn(situation, effects.length > 0 || seen.some((one) => mainList(one.data) !== null));
  return withinPassages([...parts, ...(relied ? [relied] : [])].join('\n\n'), situation.passages.length);
}

/** Marks in what tools and users wrote that look like citations and are none. */
const withinPassages = (text: string, count: number): string =>
  text.replace(/\[(\d+)\]/g, (mark, digits: string) =>
    Number(digits) >= 1 && Number(digits) <= count ? mark : `(${digits})`,
  );
