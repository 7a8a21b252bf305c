/**
 * Finding a parameter's value in results that are already there. Owns the order of trust (best key match, then latest
 * result) and the hand-over to `choose.ts` where the value sits in a list.
 */

import { limitsFor } from './applicable-rules.ts';
import { type Choice, choose } from './choose.ts';
import type { Clause } from './goal.ts';
import type { Parameter } from './parameters.ts';
import { candidatesIn, candidatesInText, isEmptyResult, type Observation, recordsOf } from './results.ts';
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
  readonly clause: Clause | null;
  readonly except?: string;
}

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
  let best: Lookup | null = null;
  let bestScore = 0;
  const usable = sources.filter((one) => !one.isError && one.tool !== options.except && !isEmptyResult(one));
  const related = subject ? usable.filter((one) => about(one, subject)) : [];
  for (const observation of [...(related.length > 0 ? related : usable)].reverse()) {
    const tool = toolOf(situation, observation.tool);
    const records = recordsOf(observation, tool);
    const found = [
      ...records.flatMap((record) =>
        candidatesIn(record, parameter, tool.nouns).map((one) => ({ ...one, score: one.score - record.depth * 0.001 })),
      ),
      ...candidatesInText(observation, parameter, tool),
    ];
    const top = found.sort((left, right) => right.score - left.score)[0];
    if (!top || top.score < KEY_SCORE_MIN || top.score <= bestScore + 0.005) continue;
    const siblings = top.record.siblings;
    if (siblings.length === 0) {
      best = { kind: 'value', value: top.value, score: top.score, observation, choice: null };
      bestScore = top.score;
      continue;
    }
    // A list found by an exact lookup (by id, by e-mail) holds the subject already; by name it may hold namesakes.
    const choice = choose(siblings, situation.goal, {
      limits: limitsFor(situation, tool, options.clause),
      quantity: options.quantity ?? 1,
      subject,
      decisive: options.decisive,
      background: situation.background,
    });
    bestScore = top.score;
    if (choice.ambiguous.length > 1) best = { kind: 'ambiguous', observation, rows: choice.ambiguous };
    // Cancelling or changing "the first of the list" would be a guess about somebody's property.
    else if (options.existing && choice.guess)
      best = { kind: 'ambiguous', observation, rows: siblings.slice(0, ROWS_ASKED_MAX) };
    else if (!choice.chosen) best = { kind: 'none-fits', observation, choice };
    else {
      const value = candidatesIn({ ...top.record, value: choice.chosen }, parameter, tool.nouns)[0]?.value;
      best =
        value === undefined
          ? { kind: 'none-fits', observation, choice }
          : { kind: 'value', value, score: top.score, observation, choice };
    }
  }
  return best;
}
