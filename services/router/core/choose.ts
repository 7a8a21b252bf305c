/**
 * Which models may answer a request, in which order, and why the others may not. Pure: the same question has the same
 * answer. Invariant: every catalogue entry that was considered is in the result, kept or dropped, with a reason.
 */
import type { Ability, ModelEntry } from './model.ts';

export const AUTO = 'auto';

/** `blocked`: why no request may go to the model now (an open circuit, a cool-down). */
export type Health = ReadonlyMap<string, { blocked: string } | undefined>;

export interface Question {
  /** A model's id, or `auto`. */
  model: string;
  needs: readonly Ability[];
  /** May the last resort step in where a better model was asked for? */
  fallback: boolean;
}

export interface Candidate {
  entry: ModelEntry;
  kept: boolean;
  reason: string;
}

/** Undefined: no model has this name. */
export function choose(question: Question, catalogue: readonly ModelEntry[], health: Health): Candidate[] | undefined {
  const ordered = order(question, catalogue);
  return ordered?.map(({ entry, why }) => {
    const against = reasonAgainst(entry, question, health);
    return { entry, kept: against === undefined, reason: against ?? why };
  });
}

function order(question: Question, catalogue: readonly ModelEntry[]): { entry: ModelEntry; why: string }[] | undefined {
  const better = catalogue.filter((entry) => !entry.lastResort);
  const resort = catalogue
    .filter((entry) => entry.lastResort)
    .map((entry) => ({
      entry,
      why: better.length ? 'last resort when every better model fails' : 'the only model there is',
    }));
  if (question.model === AUTO) {
    const first = better.map((entry, index) => ({
      entry,
      why: index === 0 ? 'first in the catalogue' : 'next in the catalogue',
    }));
    return [...first, ...(better.length === 0 || question.fallback ? resort : [])];
  }
  const named = catalogue.find((entry) => entry.id === question.model);
  if (!named) return undefined;
  const asked = { entry: named, why: 'asked for by name' };
  return [asked, ...(question.fallback && !named.lastResort ? resort : [])];
}

function reasonAgainst(entry: ModelEntry, question: Question, health: Health): string | undefined {
  const lacking = question.needs.filter((ability) => !entry.abilities.includes(ability));
  if (lacking.length) return `cannot do ${lacking.join(' and ')}`;
  return health.get(entry.id)?.blocked;
}
