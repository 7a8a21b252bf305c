/**
 * How much of an answer its evidence says, by words alone: each sentence's share of words, weighted by how telling they
 * are (IDF over the evidence), that one piece of the evidence has too. Numbers have to be there as they are. It tells
 * what is supported from what is not; it cannot tell what is contradicted, so it never says so.
 */
import { contentTerms, numbersOf, sentencesOf } from './words.ts';

/** A sentence below this counts as unsupported. */
export const SENTENCE_SUPPORT_MIN = 0.5;
/** What a sentence with a number that nobody gave is worth at most. */
const FOREIGN_NUMBER_SUPPORT = 0.2;
/** Sentences with fewer telling words say nothing that could be checked. */
const TERMS_MIN = 3;
const UNSUPPORTED_SHOWN_MAX = 8;
const UNSUPPORTED_CHARS_MAX = 300;
const NO_KNOWLEDGE =
  /\b(?:do(?:es)? not|don't|doesn't|did not|could not|couldn't|cannot|can't|no) (?:\w+ ){0,3}(?:know|say|mention|contain|state|specify|find|information|found|sources?|documents?)\b|\bnot (?:mentioned|stated|specified|covered|found)\b/i;

export interface Groundedness {
  /** 0 to 1; 1 where the answer says nothing that could be checked. */
  score: number;
  sentences: number;
  unsupported: string[];
}

/** `evidence`: passages, tool results and whatever else the answer may rest on, the question included. */
export function groundednessOf(answer: string, evidence: readonly string[]): Groundedness {
  const pieces = evidence.map((text) => new Set(contentTerms(text)));
  const numbers = new Set(evidence.flatMap(numbersOf));
  const idf = idfOver(pieces);
  let weights = 0;
  let supported = 0;
  let sentences = 0;
  const unsupported: string[] = [];
  for (const sentence of sentencesOf(answer)) {
    const terms = [...new Set(contentTerms(sentence))];
    const figures = numbersOf(sentence);
    if (terms.length + figures.length < TERMS_MIN || NO_KNOWLEDGE.test(sentence)) continue;
    const weight = terms.reduce((sum, term) => sum + idf(term), 0) || 1;
    const best = pieces.reduce((max, piece) => Math.max(max, coverage(terms, piece, idf, weight)), 0);
    const foreign = figures.some((figure) => !numbers.has(figure));
    const support = foreign ? Math.min(best, FOREIGN_NUMBER_SUPPORT) : best;
    sentences += 1;
    weights += weight;
    supported += weight * support;
    if (support < SENTENCE_SUPPORT_MIN) unsupported.push(sentence.slice(0, UNSUPPORTED_CHARS_MAX));
  }
  return {
    score: weights === 0 ? 1 : supported / weights,
    sentences,
    unsupported: unsupported.slice(0, UNSUPPORTED_SHOWN_MAX),
  };
}

function coverage(
  terms: readonly string[],
  piece: ReadonlySet<string>,
  idf: (term: string) => number,
  weight: number,
): number {
  let covered = 0;
  for (const term of terms) if (piece.has(term)) covered += idf(term);
  return terms.length === 0 ? 1 : covered / weight;
}

function idfOver(pieces: readonly ReadonlySet<string>[]): (term: string) => number {
  const frequency = new Map<string, number>();
  for (const piece of pieces) for (const term of piece) frequency.set(term, (frequency.get(term) ?? 0) + 1);
  return (term) => Math.log(1 + (pieces.length + 1) / ((frequency.get(term) ?? 0) + 0.5));
}
