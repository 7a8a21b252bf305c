/**
 * From candidates to the few passages that go to a model: no repeats, every collection heard, every part of a long goal
 * covered. Owns the rules of fairness and diversity; scores themselves come from BM25 and are not changed here.
 * The result is a function of the candidates alone: their order, and so which replica answers, does not matter.
 */
import { fold } from './analyze.ts';

/** Of `limit` passages this share is dealt out evenly between the collections; the rest goes to whoever scores best. */
export const FAIR_SHARE = 0.5;
/** A passage takes a guaranteed place only with this part of the best score: fairness does not bring in the irrelevant. */
export const FAIR_SCORE_MIN = 0.15;
/** Nothing below this part of the best score is returned at all. */
export const SCORE_MIN = 0.08;
/**
 * What a query word is still worth, in a collection, after a chosen passage of it has the word: the next one should answer
 * another part of the goal. By collection, because notes on a city do not cover what a policy says of it.
 */
export const COVERED_WORTH = 0.75;
/** However often it is covered: else what hardly matches in another collection would look like news. */
export const COVERED_WORTH_MIN = 0.4;
/** What a passage is still worth after another one of the same section was chosen. */
export const SAME_SECTION_WORTH = 0.6;

export interface Candidate {
  /** `<collection>/<document>#<chunk>`, unique. */
  id: string;
  collection: string;
  document: string;
  section: string | undefined;
  text: string;
  score: number;
  /** The score by query term. */
  parts: Float64Array;
}

export function selectPassages<C extends Candidate>(candidates: readonly C[], limit: number): C[] {
  const pool = withoutRepeats([...candidates].sort(byScore));
  const best = pool[0]?.score ?? 0;
  const selection = new Selection(pool.filter((candidate) => candidate.score >= best * SCORE_MIN));
  for (const collection of guaranteed(pool, best, limit))
    selection.take((candidate) => candidate.collection === collection && candidate.score >= best * FAIR_SCORE_MIN);
  while (selection.chosen.length < limit && selection.take(() => true));
  return selection.chosen.sort(byScore);
}

function byScore(a: Candidate, b: Candidate): number {
  return b.score - a.score || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/** The same text twice is one passage: the better placed one. */
function withoutRepeats<C extends Candidate>(sorted: C[]): C[] {
  const seen = new Set<string>();
  return sorted.filter((candidate) => {
    const key = fold(candidate.text).replace(/\s+/g, ' ').trim();
    return !seen.has(key) && seen.add(key);
  });
}

/** Whose turn it is, for each guaranteed place: round and round, the collection with the best passage first. */
function guaranteed(sorted: readonly Candidate[], best: number, limit: number): string[] {
  const fit = sorted.filter((candidate) => candidate.score >= best * FAIR_SCORE_MIN);
  const collections = [...new Set(fit.map((candidate) => candidate.collection))].slice(0, limit);
  if (collections.length < 2) return [];
  const rounds = Math.max(1, Math.floor((limit * FAIR_SHARE) / collections.length));
  return Array.from({ length: rounds }, () => collections).flat();
}

/** Greedy choice with diminishing returns, after maximal marginal relevance (Carbonell & Goldstein 1998) over query words. */
class Selection<C extends Candidate> {
  readonly chosen: C[] = [];
  readonly #left: C[];
  readonly #worth = new Map<string, number[]>();
  readonly #sections = new Map<string, number>();
  constructor(sorted: C[]) {
    this.#left = sorted;
    for (const { collection, parts } of sorted)
      this.#worth.set(
        collection,
        Array.from(parts, () => 1),
      );
  }

  /** Takes the most useful of those that are allowed; false when there is none. */
  take(isAllowed: (candidate: C) => boolean): boolean {
    let best = -1;
    let bestGain = Number.NEGATIVE_INFINITY;
    for (const [at, candidate] of this.#left.entries()) {
      if (!isAllowed(candidate)) continue;
      const gain = this.#gain(candidate);
      if (gain > bestGain) [best, bestGain] = [at, gain];
    }
    if (best < 0) return false;
    this.#choose(this.#left.splice(best, 1)[0]!);
    return true;
  }

  #gain(candidate: C): number {
    const worth = this.#worth.get(candidate.collection)!;
    let sum = 0;
    for (let i = 0; i < candidate.parts.length; i++) sum += candidate.parts[i]! * worth[i]!;
    return sum * SAME_SECTION_WORTH ** (this.#sections.get(sectionKey(candidate)) ?? 0);
  }

  #choose(candidate: C): void {
    this.chosen.push(candidate);
    const worth = this.#worth.get(candidate.collection)!;
    for (let i = 0; i < candidate.parts.length; i++)
      if (candidate.parts[i]! > 0) worth[i] = Math.max(COVERED_WORTH_MIN, worth[i]! * COVERED_WORTH);
    const key = sectionKey(candidate);
    this.#sections.set(key, (this.#sections.get(key) ?? 0) + 1);
  }
}

function sectionKey(candidate: Candidate): string {
  return `${candidate.collection}/${candidate.document}\n${candidate.section ?? ''}`;
}
