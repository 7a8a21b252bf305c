/** Which mentions name somebody or something, and which of them a clause is about. */
import type { Clause, Goal } from './goal.ts';
import type { Mention } from './mentions.ts';
import type { Situation } from './situation.ts';

export const isNaming = (mention: Mention): boolean =>
  mention.kind === 'name' || mention.kind === 'phrase' || mention.kind === 'email' || mention.kind === 'quoted';

export const isInside = (mention: Mention, clause: Clause): boolean =>
  mention.start >= clause.start && mention.start < clause.end;

export const namesIn = (mentions: readonly Mention[], clause: Clause | null): Mention[] => {
  // A single capitalised word that opens a sentence may be any word.
  const names = mentions.filter(
    (one) =>
      one.kind === 'name' &&
      (one.cue !== '' || one.before.length > 0 || one.text.includes(' ') || one.after.length < 3),
  );
  const inside = clause ? names.filter((one) => isInside(one, clause)) : names;
  const pool = inside.length > 0 ? inside : names;
  const personal = pool.filter((one) => !/^(?:in|at|about|on|near)$/.test(one.cue));
  return personal.length > 0 ? personal : pool;
};

/** Somebody else than the user: a name or an address that no fact about the user holds. */
export function strangersIn(goal: Goal, clause: Clause | null, facts: readonly string[]): Mention[] {
  const known = facts.join('\n').toLowerCase();
  return goal.mentions.filter(
    (one) =>
      (one.kind === 'email' || (one.kind === 'name' && /^(?:for|of|to|by|on behalf of|whose|named)$/.test(one.cue))) &&
      (clause === null || isInside(one, clause)) &&
      !known.includes(one.text.toLowerCase()),
  );
}

/** "Book a flight to Tokyo": where a tool here takes a place, what such a word leads to is one, and nobody's name. */
export const namesAPlace = (situation: Situation, clause: Clause | null, mention: Mention): boolean =>
  PLACE_CUES.has(mention.cue) &&
  ['acquire', 'plan', 'find'].includes(clause?.verbClass ?? '') &&
  situation.tools.some((tool) => tool.parameters.some((one) => one.kind === 'place'));
const PLACE_CUES = new Set(['to', 'from', 'in', 'at', 'near', 'via', 'into']);
