/** Which terms stand for a chunk and for a query, and how much each counts. */
import { type Analyzer, createAnalyzer } from './analyze.ts';
import type { Chunk } from './chunk.ts';
import { FREQUENCY_MAX, inverseDocumentFrequency, type LexicalIndex, type QueryTerm } from './lexical-index.ts';
import { REQUEST_WORDS } from './stop-words.ts';

/** A word of the document's title or of the section path counts as often as this many words of the text. */
export const TITLE_WEIGHT = 2;
export const SECTION_WEIGHT = 2;
/**
 * In a goal of many words ("Plan a trip from 12 to 16 May and book …") numbers are dates and counts, and some words are
 * those of any request: rare in documents, and yet not what the goal is about.
 */
export const INCIDENTAL_WEIGHT = 0.3;
const LONG_QUERY_TERMS = 3;
const REQUEST_TERMS: ReadonlySet<string> = new Set(createAnalyzer()(REQUEST_WORDS));

export interface ChunkWords {
  /** Term → weighted frequency. */
  frequencies: ReadonlyMap<string, number>;
  /** Number of words. */
  length: number;
}

export function chunkWords(title: string, chunk: Chunk, analyze: Analyzer): ChunkWords {
  const frequencies = new Map<string, number>();
  let length = 0;
  const count = (text: string, weight: number) => {
    for (const term of analyze(text)) {
      frequencies.set(term, (frequencies.get(term) ?? 0) + weight);
      length += 1;
    }
  };
  count(chunk.text, 1);
  count(title, TITLE_WEIGHT);
  if (chunk.section) count(chunk.section, SECTION_WEIGHT);
  return { frequencies, length };
}

/** As LexicalIndex takes it. `numberOf` names a term by its number. */
export function encodeTerms(words: ChunkWords, numberOf: (term: string) => number): Uint32Array {
  const encoded = new Uint32Array(words.frequencies.size);
  let at = 0;
  for (const [term, frequency] of words.frequencies)
    encoded[at++] = numberOf(term) * (FREQUENCY_MAX + 1) + Math.min(frequency, FREQUENCY_MAX);
  return encoded;
}

/** Decides between chunks of equal score. `document` and `number` (from 1) name the chunk within its collection. */
export function tieBreakOf(document: string, number: number): number {
  return fnv1a(`${document}#${number}`);
}

/**
 * The query's terms with their weights, heaviest first. Statistics are taken over all searched collections together:
 * only then may scores from different collections be compared. Of a very long query the rarest `termsMax` are taken.
 */
export function queryTerms(
  query: string,
  indexes: readonly LexicalIndex[],
  analyze: Analyzer,
  numberOf: (term: string) => number | undefined,
  termsMax: number,
): QueryTerm[] {
  const counts = new Map<string, number>();
  for (const word of analyze(query)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const chunks = indexes.reduce((sum, index) => sum + index.size, 0);
  const isLong = counts.size > LONG_QUERY_TERMS;
  const terms: (QueryTerm & { word: string })[] = [];
  for (const [word, count] of counts) {
    const term = numberOf(word);
    const frequency = term === undefined ? 0 : indexes.reduce((sum, index) => sum + index.frequency(term), 0);
    if (term === undefined || frequency === 0) continue;
    const emphasis = (1 + Math.log(count)) * (isLong && isIncidental(word) ? INCIDENTAL_WEIGHT : 1);
    terms.push({ word, term, weight: inverseDocumentFrequency(chunks, frequency) * emphasis });
  }
  // By word, not by number: numbers differ between replicas, and sums of floats depend on their order.
  return terms.sort((a, b) => b.weight - a.weight || (a.word < b.word ? -1 : 1)).slice(0, termsMax);
}

/** `word`: as the analyzer gives it. Clause numbers such as 3.2 are no incident. */
function isIncidental(word: string): boolean {
  return /^\d+$/.test(word) || REQUEST_TERMS.has(word);
}

/** FNV-1a, 32 bits: spreads names evenly and is the same everywhere. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
