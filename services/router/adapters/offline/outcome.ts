/**
 * What of a goal tells how things shall be, and what tells which things are meant. Owns that split: "cancel", "close" and
 * "mark … as won" bring something about, so that they must not be taken for the state of what is searched.
 */
import type { Clause, Goal } from './goal.ts';
import { PRONOUNS } from './lexicon.ts';
import { escapeRegExp, wordsOf } from './words.ts';

const blank = (text: string): string => text.replace(/\S/g, ' ');

/** The text, offsets kept, without the acts' verbs and what they bring about. */
export function withoutOutcome(goal: Goal, text: string): string {
  // A task's text names its tools, which say nothing about their objects.
  let rest = text.replace(/^[^.(]*\([\w-]+(?:, then [\w-]+)*\)/, blank);
  for (const clause of goal.clauses.filter((one) => one.effect)) {
    const verb = clause.verb.split(' ')[0]!;
    if (verb) rest = rest.replace(new RegExp(`\\b${escapeRegExp(verb)}\\b`, 'gi'), blank);
    if (clause.verbClass === 'update' || clause.verbClass === 'operate')
      rest = rest.replace(/\b(?:to|as|into)\s+(?:the\s+)?[\p{L}_-]+(?:\s+[\p{L}_-]+)?/giu, blank);
  }
  return rest;
}

const pointsBack = (clause: Clause): boolean =>
  clause.stems.length === 0 ||
  wordsOf(clause.text).some((word) => PRONOUNS.has(word) && !/^(?:all|both|this)$/.test(word));

/** The goal as far as it speaks of one act: other acts' words are blanked, unless this one points back at them. */
export function goalOf(goal: Goal, clause: Clause | null): Goal {
  const others = clause
    ? goal.clauses.filter((one) => one.effect && one !== clause && !(pointsBack(clause) && one.start < clause.start))
    : [];
  if (others.length === 0) return goal;
  const hidden = (at: number): boolean => others.some((one) => at >= one.start && at < one.end);
  const text = others.reduce(
    (rest, one) => rest.slice(0, one.start) + blank(rest.slice(one.start, one.end)) + rest.slice(one.end),
    goal.text,
  );
  return {
    ...goal,
    text,
    clauses: goal.clauses.filter((one) => !others.includes(one)),
    mentions: goal.mentions.filter((one) => !hidden(one.start)),
  };
}
