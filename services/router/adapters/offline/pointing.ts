/**
 * Which one of several the user means. Owns the caution: what somebody has (to cancel, change, pay, read out) is never
 * picked at a guess, and a name or a distinguishing word that no record carries picks none.
 */
import type { Filled } from './filling.ts';
import { objectPhrase } from './free-text.ts';
import type { Clause, Goal } from './goal.ts';
import { PERSON_WORDS, STOP_WORDS } from './lexicon.ts';
import type { Mention } from './mentions.ts';
import { isInside } from './names.ts';
import { goalOf } from './outcome.ts';
import type { Parameter } from './parameters.ts';
import { effectScore, objectStemsOf } from './select-tools.ts';
import type { Situation } from './situation.ts';
import type { Step } from './step.ts';
import { akin, related, stem, wordsOf } from './words.ts';

export interface Pointing {
  /** Names and codes of which the record must carry one. */
  readonly names: readonly string[];
  /** Words that tell the thing from others of its kind; the record must carry all of them. */
  readonly modifiers: readonly string[];
  /** Names that a record may carry: of several, one that does is meant. */
  readonly hints: readonly string[];
  /** Words of which the record must carry one where it carries no modifier: the thing is called by them. */
  readonly heads: readonly string[];
  /** The names are what the user gave for the value itself: it may be the value although no record has it. */
  readonly literal: boolean;
}

/** The effect clause that asked for this step: its own, or the one of the whole goal that a sub-task stems from. */
export function askedBy(situation: Situation, step: Step): { goal: Goal; clause: Clause | null } {
  const { background, goal } = situation;
  if (!background) return { goal, clause: step.clause };
  if (!step.tool.effectful) return { goal: background, clause: null };
  const scored = background.clauses
    .filter((clause) => clause.effect)
    .map((clause) => ({
      clause,
      score: effectScore(situation, step.tool, clause, objectStemsOf({ ...situation, goal: background }, clause)),
    }))
    .filter((one) => one.score !== null)
    .sort((left, right) => right.score! - left.score!);
  return { goal: background, clause: scored[0]?.clause ?? null };
}

/** The goals as far as they speak of this step. */
export function scopedGoals(situation: Situation, step: Step): { goal: Goal; background: Goal | null } {
  const asked = askedBy(situation, step);
  return situation.background
    ? { goal: situation.goal, background: goalOf(asked.goal, asked.clause) }
    : { goal: goalOf(situation.goal, step.clause), background: null };
}

/** Acts that take one of many offers; all others are about something that is there and that the user has in mind. */
const takesAny = (step: Step, clause: Clause | null): boolean =>
  [step.tool.verbClass, clause?.verbClass].some(
    (one) => one === 'acquire' || one === 'prepare' || one === 'schedule',
  ) ||
  [...step.tool.ownVerbs, clause?.verb ?? ''].some((verb) =>
    /^(?:enrol+|register|join|subscribe|reorder|borrow)$/.test(verb),
  );

/** Whether the value stands for something that exists and must not be guessed. */
export function isExisting(situation: Situation, step: Step, parameter: Parameter): boolean {
  if (parameter.kind !== 'id' && parameter.kind !== 'named') return false;
  if (PERSON_WORDS.has(parameter.entity)) return step.tool.effectful && !isOffered(step, parameter);
  return step.tool.effectful && !takesAny(step, askedBy(situation, step).clause);
}

/** "Book any of the guides": people among offers are said by the clause itself. */
const isOffered = (step: Step, parameter: Parameter): boolean =>
  step.clause?.verbClass === 'acquire' && step.clause.stems.includes(stem(parameter.entity));

const POINTING_CUES = /^(?:|to|at|of|with|from|named|called|whose|by)$/;
const GENERIC_MODIFIERS =
  /^(?:new|old|next|last|latest|current|upcoming|existing|whole|entire|same|first|second|third|other|single|own|real|following|previous|recent|earliest|oldest|newest|cheapest|best)$/;

const NOTHING: Pointing = { names: [], hints: [], modifiers: [], heads: [], literal: false };

export function pointingOf(situation: Situation, step: Step, parameter: Parameter, weak: Filled | null): Pointing {
  if (weak && typeof weak.value === 'string' && weak.parameter.kind === 'id')
    return { ...NOTHING, names: [weak.value], literal: true };
  const { goal, clause } = askedBy(situation, step);
  const scope = clause ?? (situation.background ? null : (goal.clauses[0] ?? null));
  if (!scope) return NOTHING;
  const given = JSON.stringify([
    step.args,
    step.filled.map((one) => one.value),
    situation.observations.map((one) => one.arguments),
  ]).toLowerCase();
  const told = situation.observations.map((one) => one.text.toLowerCase()).join('\n');
  const names = goal.mentions
    .filter(
      (one) => isInside(one, scope) && isPointer(one) && isFor(one, parameter) && !isPersons(one, step, parameter),
    )
    .filter((one) => !given.includes(one.text.toLowerCase()) || told.includes(one.text.toLowerCase()))
    .map((one) => one.text);
  const hints = goal.mentions
    .filter(
      (one) => one.kind === 'name' && one.cue === 'for' && isInside(one, scope) && !isPersons(one, step, parameter),
    )
    .map((one) => one.text);
  return { names: [...new Set(names)], hints, ...wordsFor(step, parameter, scope, given), literal: false };
}

const isPointer = (one: Mention): boolean =>
  one.kind === 'identifier' ||
  (one.kind === 'quoted' && one.text.length < 60 && /^(?:named|called|)$/.test(one.cue)) ||
  (one.kind === 'name' && POINTING_CUES.test(one.cue));

/** "from" points at what it is taken from, "to" at where it goes. */
const isFor = (one: Mention, parameter: Parameter): boolean =>
  parameter.role === 'from' ? one.cue === 'from' : parameter.role === 'to' ? one.cue !== 'from' : true;

/** "Assign it to Ann": a name behind such a cue is for the parameter that stands for a person. */
const isPersons = (one: Mention, step: Step, parameter: Parameter): boolean =>
  one.kind === 'name' &&
  /^(?:to|with|for|by)$/.test(one.cue) &&
  !PERSON_WORDS.has(parameter.entity) &&
  step.tool.parameters.some((other) => other !== parameter && PERSON_WORDS.has(other.entity));

/** What the object is called: "slow query" has the modifier "slow"; "query" counts where the tool speaks of no queries. */
function wordsFor(
  step: Step,
  parameter: Parameter,
  clause: Clause,
  given: string,
): { modifiers: string[]; heads: string[] } {
  const phrase = (clause.effect ? objectPhrase(clause) : '').split(
    /\s(?:of|called|named|label+ed|titled)\s|["“'#]/,
  )[0]!;
  const words = wordsOf(phrase);
  const head = words.at(-1) ?? '';
  const own = [...step.tool.nouns, ...parameter.words, parameter.entity].map(stem);
  const isOwn = (word: string): boolean => own.some((one) => one === stem(word) || related(one, stem(word)));
  // "Assign the slow query to Ann": the object's words tell which query, not which person.
  if (PERSON_WORDS.has(parameter.entity) && !related(stem(head), stem(parameter.entity)))
    return { modifiers: [], heads: [] };
  const tells = (word: string): boolean =>
    word.length > 2 &&
    !/^\d/.test(word) &&
    !STOP_WORDS.has(word) &&
    !GENERIC_MODIFIERS.test(word) &&
    !isOwn(word) &&
    !given.includes(`"${word}`);
  const known = step.tool.descriptionStems.has(stem(head)) || step.tool.acronyms.has(stem(head));
  return { modifiers: words.slice(0, -1).filter(tells), heads: tells(head) && !known ? [head] : [] };
}

type Row = Record<string, unknown>;

const textOf = (row: Row): string => JSON.stringify(row).toLowerCase();

/** Whether a record carries a name: whole, or one of its longer words. */
export function carries(row: Row, name: string): boolean {
  const text = textOf(row);
  if (text.includes(name.toLowerCase())) return true;
  if (/\d/.test(name) || !/\s/.test(name)) return false;
  const words = new Set(wordsOf(text));
  return wordsOf(name).some((word) => word.length > 2 && words.has(word));
}

/** Whether a record is what the words call: by all that tells it from others, else by its own name. */
export function isCalled(row: Row, pointing: Pointing): boolean {
  if (pointing.modifiers.length > 0) return carriesAll(row, pointing.modifiers);
  return carriesAll(row, pointing.heads);
}

function carriesAll(row: Row, modifiers: readonly string[]): boolean {
  const stems = wordsOf(textOf(row).replace(/[_-]/g, ' ')).map(stem);
  return modifiers.every((word) =>
    stems.some((one) => one === stem(word) || related(one, stem(word)) || akin(one, stem(word))),
  );
}
