/**
 * Changing or taking back what was done: by a tool that updates it, else anew and then the old one undone. Owns the
 * caution: nothing is undone that the user did not speak of, and where neither is possible nothing is touched.
 */
import { fillFromText } from './arguments.ts';
import { effectClauses, readGoal } from './goal.ts';
import type { Observation } from './results.ts';
import type { Amendment, Situation, Undo } from './situation.ts';
import { identified, standingEffects, undoOf } from './standing.ts';
import { toolOf } from './strangers.ts';
import { humanize, stem } from './words.ts';

/** "Cancel it" means what was done in this conversation; where nothing was, nothing may be guessed. */
export function undone(situation: Situation): Situation {
  const clause = effectClauses(situation.goal).find((one) => one.verbClass === 'undo');
  if (!clause || situation.tools.length === 0 || situation.goal.mentions.some((one) => one.kind === 'identifier'))
    return situation;
  const standing = standingEffects(situation);
  const nouns = new Set(clause.stems);
  const fitting = standing.filter((one) => toolOf(situation, one.tool).nouns.some((noun) => nouns.has(stem(noun))));
  if (standing.length > 1 && /\b(?:everything|both|all|them|those|these)\b/i.test(situation.said)) {
    const undos = standing.map((one) => undoOf(situation, one)).filter((one): one is Undo => one !== null);
    if (undos.length > 0) return { ...situation, undo: undos, readOnly: true };
  }
  for (const effect of [...fitting, ...standing]) {
    const undo = undoOf(situation, effect);
    if (undo) return { ...situation, amend: { tool: undo.tool, arguments: undo.arguments } };
  }
  if (standing.length > 0 || situation.past.some((one) => one.tool === 'earlier_answer')) return situation;
  const pronoun = /\b(?:it|that|this|them|those|these)\b/i.test(situation.said) && clause.stems.length === 0;
  return pronoun
    ? {
        ...situation,
        refusal:
          'There is nothing to take back: I have done nothing in this conversation that still stands. If you mean something else, tell me which.',
      }
    : { ...situation, background: null, usesPast: false };
}

const CHANGEABLE = new Set(['date', 'moment', 'time', 'duration']);

/** `explicit`: the user asked for what is there to be changed, and did not only mention a wish. */
export function amended(situation: Situation, kind: 'shift' | 'modify', explicit: boolean): Situation {
  const standing = standingEffects(situation);
  const effect = standing[0];
  // Without tools only an answer is wanted; what was decided has happened.
  if (!effect || situation.tools.length === 0) return situation;
  const amendment = kind === 'shift' || kind === 'modify' ? amendmentFor(situation, effect, kind) : null;
  if (amendment) return { ...situation, amend: amendment };
  if (!explicit)
    return {
      ...situation,
      refusal: `I have left everything as it is: ${humanize(effect.tool)} has been done already, and I have no tool here that changes this about it. Tell me to change it if I should cancel it and do it anew.`,
    };
  // What one turn did is redone as a whole, so all of it has to be taken back.
  const turn = situation.earlier.find((one) =>
    one.observations.some((each) => each.callId === effect.callId && each.index === effect.index),
  );
  const together = standing.filter(
    (one) => one === effect || turn?.observations.some((each) => each.index === one.index),
  );
  const undos = together.map((one) => undoOf(situation, one)).filter((one): one is Undo => one !== null);
  if (undos.length === together.length) return { ...situation, undo: undos };
  return {
    ...situation,
    refusal: `I have left everything as it is: ${humanize(effect.tool)} has been done already, and I have no tool here to change it or take it back. Doing it again would leave both in place.`,
  };
}

function amendmentFor(situation: Situation, effect: Observation, kind: 'shift' | 'modify'): Amendment | null {
  for (const tool of situation.tools) {
    if (!tool.effectful || tool.verbClass !== 'update') continue;
    const clause = situation.goal.clauses.find((one) => one.effect) ?? situation.goal.clauses[0] ?? null;
    const source =
      kind === 'shift'
        ? situation
        : { ...situation, goal: readGoal(situation.said, situation.now, situation.verbs), background: null };
    const filling = fillFromText(source, tool, kind === 'shift' ? clause : null);
    const changes = filling.filled.filter(
      (one) =>
        one.source !== 'default' &&
        one.source !== 'fact' &&
        one.parameter.kind !== 'id' &&
        (kind === 'shift'
          ? CHANGEABLE.has(one.parameter.kind)
          : !['query', 'body', 'title', 'person', 'place'].includes(one.parameter.kind)),
    );
    if (changes.length === 0) continue;
    const byPath = new Map(changes.map((one) => [one.parameter.path.join('/'), one.value]));
    const filled = identified(situation, tool, effect, (parameter) => byPath.get(parameter.path.join('/')));
    if (filled) return { tool, arguments: filled.arguments };
  }
  return null;
}
