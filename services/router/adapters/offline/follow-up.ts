/**
 * Follow-ups: "move it one week later", "make it direct", "and from Munich?", "book the second one", a bare answer. Each is
 * rewritten into a goal that is complete in itself, so that everything else need not know about conversations. Owns which
 * kind of follow-up a message is; the rewriting is in `rewrite-goal.ts`, what was done and may be undone in `amend.ts`.
 */

import { amended, undone } from './amend.ts';
import { effectClauses, type Goal, readGoal } from './goal.ts';
import type { Parameter } from './parameters.ts';
import { modifierOf, shiftOf, substitute, withModifier } from './rewrite-goal.ts';
import type { Situation, Turn } from './situation.ts';
import { saidResults } from './standing.ts';
import { escapeRegExp, humanize, wordsOf } from './words.ts';

type Kind = 'fresh' | 'answer' | 'shift' | 'modify' | 'substitute' | 'refer' | 'decline';
interface Rewrite {
  readonly kind: Kind;
  readonly text: string;
  readonly explicit?: boolean;
}

/** Parameters that a goal still lacks, asked of the planner itself. */
export type MissingOf = (situation: Situation, goal: Goal) => readonly Parameter[];

const ANSWER_WORDS_MAX = 16;
const MODIFIER_WORDS_MAX = 14;
const REFERENCE =
  /\b(?:it|that one|this one|them|those|these|that|the (?:first|second|third|fourth|fifth|last|cheapest|other|same|\d(?:st|nd|rd|th)) (?:one|option|result)?|(?:first|second|third|fourth|fifth|last) one|the (?:booking|order|reservation|meeting|appointment|ticket|event|invoice|payment|reminder|incident|request|hold|subscription))\b/i;

/** "… that we have a dog": no pronoun. */
const CONJUNCTION = /\bthat\s+(?:we|i|you|he|she|they|it|the|there|my|our)\b/gi;

const YES = /^(?:yes|yep|yeah|sure|ok|okay|go ahead|please do|do it|correct|right)\b[^a-z]*$/i;

export function resolveFollowUp(situation: Situation, missingOf: MissingOf): Situation {
  // A sub-task's text is complete in itself.
  if (situation.background || situation.earlier.length === 0) return situation;
  let previous: string | null = null;
  let answered = '';
  const turns: readonly Turn[] = [...situation.earlier, { user: situation.said, observations: [], answer: '' }];
  let last: Rewrite = { kind: 'fresh', text: situation.said };
  let base: string | null = null;
  for (const turn of turns) {
    base = previous;
    last =
      previous === null
        ? { kind: 'fresh', text: turn.user }
        : rewrite(situation, previous, answered, turn.user, missingOf);
    // What was only looked up or cancelled in between does not replace the goal that "it" means.
    previous =
      last.kind === 'decline'
        ? previous
        : last.kind === 'refer' &&
            previous !== null &&
            effectClauses(readGoal(turn.user, situation.now, situation.verbs)).every(
              (one) => one.verbClass === 'undo',
            ) &&
            effectClauses(readGoal(turn.user, situation.now, situation.verbs)).length > 0
          ? previous
          : last.text;
    answered = turn.answer;
  }
  const past = [...situation.past, ...saidResults(situation)].sort((left, right) => left.index - right.index);
  const goal = readGoal(last.text, situation.now, situation.verbs);
  const next: Situation = { ...situation, past, goal };
  switch (last.kind) {
    case 'fresh':
      return next;
    case 'answer':
      return { ...next, usesPast: false, affirmed: YES.test(situation.said.trim()) };
    case 'decline':
      return { ...next, readOnly: true, refusal: 'All right, I have not done anything.' };
    case 'refer':
      return undone({
        ...next,
        usesPast: true,
        background: base ? readGoal(base, situation.now, situation.verbs) : null,
      });
    case 'substitute':
      return { ...next, readOnly: isAsking(situation.said) };
    case 'shift':
    case 'modify':
      return amended(next, last.kind, last.explicit ?? true);
  }
}

const isAsking = (text: string): boolean => /\?\s*$/.test(text) || /^\s*(?:and|what about|how about)\b/i.test(text);

function rewrite(
  situation: Situation,
  previous: string,
  answered: string,
  said: string,
  missingOf: MissingOf,
): Rewrite {
  const goal = readGoal(said, situation.now, situation.verbs);
  const words = wordsOf(said);
  const fresh: Rewrite = { kind: 'fresh', text: said };
  const asked = /\?[^?]{0,240}$/.test(answered);
  const effects = effectClauses(goal);
  const plainAnswer =
    goal.clauses.every((clause) => clause.verb === '' && !clause.question) && words.length <= ANSWER_WORDS_MAX;
  if (asked && /^\s*(?:no|nope|no thanks?|don['’]?t|never ?mind|forget it|stop)\b[^a-z]*$/i.test(said))
    return { kind: 'decline', text: said };
  if (asked && plainAnswer && !/^\s*(?:and|what about|how about)\b/i.test(said))
    return { kind: 'answer', text: withAnswer(situation, previous, said, missingOf) };
  const shifted = shiftOf(situation, previous, said, goal);
  if (shifted) return { kind: 'shift', text: shifted };
  const modifier = modifierOf(said);
  if (modifier && words.length <= MODIFIER_WORDS_MAX)
    return { kind: 'modify', text: withModifier(situation, previous, modifier.text), explicit: modifier.explicit };
  if (
    words.length <= MODIFIER_WORDS_MAX &&
    /^\s*(?:and|what about|how about|or)\b/i.test(said) &&
    effects.length === 0
  ) {
    const substituted = substitute(
      situation,
      previous,
      said.replace(/^\s*(?:and|or)?\s*(?:what about|how about)?\s*/i, '').replace(/\?+\s*$/, ''),
    );
    if (substituted) return { kind: 'substitute', text: substituted };
  }
  if (REFERENCE.test(said.replace(CONJUNCTION, ' ')) && words.length <= 40 && !selfContained(goal))
    return { kind: 'refer', text: said };
  return fresh;
}

/** A pronoun whose noun stands in the same message ("find X and order it") refers to that. */
function selfContained(goal: Goal): boolean {
  const index = goal.clauses.findIndex((clause) => REFERENCE.test(clause.text));
  return (
    index > 0 &&
    goal.clauses.slice(0, index).some((clause) => clause.stems.length > 0) &&
    !/\b(?:booking|order|reservation|second|third|first|last) one\b/i.test(goal.clauses[index]!.text)
  );
}

function withAnswer(situation: Situation, previous: string, said: string, missingOf: MissingOf): string {
  const plain = said.trim().replace(/[.!]+$/, '');
  if (YES.test(plain)) return previous;
  const before = readGoal(previous, situation.now, situation.verbs);
  // "Which Maria?" – "Maria Lopez": the fuller name takes the place of the shorter.
  for (const mention of before.mentions)
    if (
      mention.kind === 'name' &&
      plain.toLowerCase().includes(mention.text.toLowerCase()) &&
      plain.length > mention.text.length &&
      plain.length < 60
    )
      return previous.replace(new RegExp(`\\b${escapeRegExp(mention.text)}\\b`), plain);
  const missing = missingOf(situation, before);
  const answerMentions = readGoal(plain, situation.now, situation.verbs).mentions;
  const temporal = answerMentions.some((one) => one.kind === 'date' || one.kind === 'time');
  const labels: string[] = [];
  let rest = plain;
  if (temporal) {
    for (const mention of answerMentions)
      if (mention.kind === 'date' || mention.kind === 'time') rest = rest.replace(mention.text, ' ');
    rest = rest
      .replace(/\b(?:from|on|to|at|between|and)\b/gi, ' ')
      .replace(/[\s,]+/g, ' ')
      .trim();
  }
  const dates = new Set(['date', 'moment', 'time', 'epoch']);
  const first = missing.find((one) => !dates.has(one.kind)) ?? (temporal ? undefined : missing[0]);
  const bare = rest.replace(/^(?:it'?s|it is|to|from|in|for|the|at|use|my|is)\s+/i, '').trim();
  if (first && bare) labels.push(`${humanize(first.name)}: ${bare.includes(';') ? JSON.stringify(bare) : bare}`);
  return [previous.replace(/[.!?]+\s*$/, ''), ...(temporal || !first ? [plain] : []), ...labels].join('; ');
}
