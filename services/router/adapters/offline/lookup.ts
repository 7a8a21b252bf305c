/**
 * Finding a parameter's value in results that are already there. Owns the order of trust (best key match, then latest
 * result) and the hand-over to `choose.ts` where the value sits in a list.
 */

import { limitsFor } from './applicable-rules.ts';
import { type Choice, choose } from './choose.ts';
import { shapeOf } from './fit-name.ts';
import type { Clause, Goal } from './goal.ts';
import type { Parameter } from './parameters.ts';
import { carries, isCalled, type Pointing } from './pointing.ts';
import {
  type Candidate,
  candidatesIn,
  candidatesInText,
  isEmptyResult,
  type Observation,
  recordsOf,
} from './results.ts';
import type { Situation } from './situation.ts';
import { toolOf } from './strangers.ts';
import { wordsOf } from './words.ts';

const KEY_SCORE_MIN = 0.6;
const ROWS_ASKED_MAX = 6;

export type Lookup =
  | {
      readonly kind: 'value';
      readonly value: unknown;
      readonly score: number;
      readonly observation: Observation;
      readonly choice: Choice | null;
    }
  | { readonly kind: 'none-fits'; readonly observation: Observation; readonly choice: Choice }
  | {
      readonly kind: 'ambiguous';
      readonly observation: Observation;
      readonly rows: readonly Record<string, unknown>[];
    };

export interface LookupOptions {
  readonly subject?: string | null;
  readonly quantity?: number | null;
  readonly decisive?: boolean;
  /** The value names an existing thing that is about to be changed. */
  readonly existing?: boolean;
  readonly pointing: Pointing;
  /** Values that a check has said no to. */
  readonly ruledOut: ReadonlySet<unknown>;
  /** The goal, and what it is part of, as far as they speak of the step. */
  readonly goals: { readonly goal: Goal; readonly background: Goal | null };
  readonly clause: Clause | null;
  readonly except?: string;
}

type Row = Record<string, unknown>;

function about(observation: Observation, subject: string): boolean {
  const given = JSON.stringify(observation.arguments).toLowerCase();
  return wordsOf(subject).every((word) => given.includes(word));
}

export function lookUp(
  situation: Situation,
  parameter: Parameter,
  sources: readonly Observation[],
  options: LookupOptions,
): Lookup | null {
  const subject = options.subject ?? null;
  const usable = sources.filter((one) => !one.isError && one.tool !== options.except && !isEmptyResult(one));
  const related = subject ? usable.filter((one) => about(one, subject)) : [];
  return (
    (related.length > 0 ? bestOf(situation, parameter, related, options) : null) ??
    bestOf(situation, parameter, usable, options)
  );
}

function bestOf(
  situation: Situation,
  parameter: Parameter,
  sources: readonly Observation[],
  options: LookupOptions,
): Lookup | null {
  let best: { lookup: Lookup; score: number; pointed: boolean } | null = null;
  for (const observation of [...sources].reverse()) {
    const top = bestCandidate(situation, observation, parameter);
    if (!top || top.score < KEY_SCORE_MIN) continue;
    const lookup = read(situation, observation, parameter, top, options);
    if (!lookup) continue;
    // Of equally fitting results the one that holds what the user points at counts, else the latest.
    const pointed = lookup.kind === 'value' && lookup.choice !== null && !lookup.choice.guess;
    const better =
      !best || top.score > best.score + 0.005 || (pointed && !best.pointed && top.score > best.score - 0.005);
    if (better) best = { lookup, score: top.score, pointed };
  }
  return best?.lookup ?? null;
}

function bestCandidate(situation: Situation, observation: Observation, parameter: Parameter): Candidate | null {
  const tool = toolOf(situation, observation.tool);
  const found = [
    ...recordsOf(observation, tool).flatMap((record) =>
      candidatesIn(record, parameter, tool.nouns).map((one) => ({ ...one, score: one.score - record.depth * 0.001 })),
    ),
    ...candidatesInText(observation, parameter, tool),
  ];
  return found.sort((left, right) => right.score - left.score)[0] ?? null;
}

/** The value in one result; null where the user gave a code for the value itself that no record here carries. */
function read(
  situation: Situation,
  observation: Observation,
  parameter: Parameter,
  top: Candidate,
  options: LookupOptions,
): Lookup | null {
  const { siblings } = top.record;
  const { names, literal } = options.pointing;
  if (siblings.length === 0)
    return literal && !carries(top.record.value, names[0]!)
      ? null
      : { kind: 'value', value: top.value, score: top.score, observation, choice: null };
  const { hints } = options.pointing;
  const byName = siblings.filter((row) => names.some((name) => carries(row, name)));
  const named = byName.length > 0 ? byName : siblings.filter((row) => hints.some((name) => carries(row, name)));
  const valueIn = (row: Row): unknown =>
    candidatesIn({ ...top.record, value: row }, parameter, toolOf(situation, observation.tool).nouns)[0]?.value;
  if (literal && named.length === 0)
    return unlisted(observation, parameter, siblings.map(valueIn), siblings, names[0]!);
  const choice = chooseAmong(
    situation,
    observation,
    named.length > 0 ? named : siblings,
    siblings,
    options,
    valueIn,
    named.length > 0,
  );
  if (choice.ambiguous.length > 1) return { kind: 'ambiguous', observation, rows: choice.ambiguous };
  if (!choice.chosen) return { kind: 'none-fits', observation, choice };
  if (isDoubtful(choice, observation, situation, options, named.length > 0))
    return { kind: 'ambiguous', observation, rows: siblings.slice(0, ROWS_ASKED_MAX) };
  const value = valueIn(choice.chosen);
  return value === undefined
    ? { kind: 'none-fits', observation, choice }
    : { kind: 'value', value, score: top.score, observation, choice };
}

/** A code that no record carries may be an id of its kind; where ids look otherwise, it is the name of nothing here. */
function unlisted(
  observation: Observation,
  parameter: Parameter,
  values: readonly unknown[],
  rows: readonly Row[],
  code: string,
): Lookup | null {
  const alike = values.some((value) => shapeOf(String(value)) === shapeOf(code));
  return alike || parameter.kind !== 'id'
    ? null
    : { kind: 'ambiguous', observation, rows: rows.slice(0, ROWS_ASKED_MAX) };
}

/** Chooses, and again without what a check said no to, unless the user pointed at just that one. */
function chooseAmong(
  situation: Situation,
  observation: Observation,
  rows: readonly Row[],
  all: readonly Row[],
  options: LookupOptions,
  valueIn: (row: Row) => unknown,
  named: boolean,
): Choice {
  const tool = toolOf(situation, observation.tool);
  const pick = (from: readonly Row[]): Choice =>
    choose(from, options.goals.goal, {
      limits: limitsFor(situation, tool, options.clause),
      quantity: options.quantity ?? 1,
      subject: options.subject ?? null,
      decisive: options.decisive,
      background: options.goals.background,
    });
  const first = pick(rows);
  const choice: Choice = named ? { ...first, guess: first.guess && rows.length > 1, total: all.length } : first;
  const pointedAt = (named && rows.length === 1) || options.existing || choice.preference.startsWith('number ');
  if (!choice.chosen || pointedAt || !options.ruledOut.has(valueIn(choice.chosen))) return choice;
  const out = choice.peers.filter((row) => options.ruledOut.has(valueIn(row)));
  const next = pick(choice.peers.filter((row) => !out.includes(row)));
  return next.chosen ? { ...next, total: all.length, passedOver: out } : choice;
}

/** Cancelling or changing "the first of the list" would be a guess about somebody's property. */
function isDoubtful(
  choice: Choice,
  observation: Observation,
  situation: Situation,
  options: LookupOptions,
  named: boolean,
): boolean {
  const { names } = options.pointing;
  const told = situation.observations.some(
    (one) => one !== observation && names.some((name) => one.text.toLowerCase().includes(name.toLowerCase())),
  );
  // The user names one, and it is not among these nor anywhere else.
  if (
    names.length > 0 &&
    !named &&
    !told &&
    (options.existing || options.decisive) &&
    choice.preference !== 'best match'
  )
    return true;
  if (!options.existing) return false;
  if (choice.guess && !named) return true;
  return choice.chosen !== null && !isCalled(choice.chosen, options.pointing);
}
