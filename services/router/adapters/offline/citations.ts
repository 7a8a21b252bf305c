/**
 * Which sentences of the passages bear on a question: IDF-weighted overlap with coverage (after BM25, Robertson & Zaragoza
 * 2009), the sentence as the unit. Owns the threshold below which the documents count as silent.
 */
import type { Passage } from '@tutti/contracts';
import { contentStems, inverseDocumentFrequency, related, sentencesOf } from './words.ts';

export interface Evidence {
  readonly passage: number;
  readonly sentence: string;
  readonly score: number;
  readonly coverage: number;
}

const COVERAGE_MIN = 0.4;
const RELATED_WEIGHT = 0.6;
const TITLE_WEIGHT = 0.5;
const LENGTH_NORM = 14;
const B = 0.4;
const SENTENCES_MAX = 3;
const TOP_SHARE_MIN = 0.8;
const QUOTE_LENGTH_MAX = 320;

/** Sentences by relevance to the query, best first. */
export function rankSentences(passages: readonly Passage[], query: readonly string[]): Evidence[] {
  const units = passages.flatMap((passage, index) =>
    sentencesOf(passage.text).map((sentence) => ({
      passage: index,
      sentence,
      stems: contentStems(sentence),
      title: new Set(contentStems(`${passage.title} ${passage.section ?? ''}`)),
    })),
  );
  const idf = inverseDocumentFrequency(units.map((unit) => new Set(unit.stems)));
  const terms = [...new Set(query)];
  const total = terms.reduce((sum, term) => sum + idf(term), 0);
  if (total === 0) return [];
  return units
    .map((unit) => {
      const own = new Set(unit.stems);
      let score = 0;
      for (const term of terms) {
        const weight = own.has(term)
          ? 1
          : [...own].some((one) => related(one, term))
            ? RELATED_WEIGHT
            : unit.title.has(term)
              ? TITLE_WEIGHT
              : 0;
        score += weight * idf(term);
      }
      const length = 1 - B + (B * Math.max(unit.stems.length, 4)) / LENGTH_NORM;
      return { passage: unit.passage, sentence: unit.sentence, score: score / length, coverage: score / total };
    })
    .filter((one) => one.score > 0)
    .sort((left, right) => right.score - left.score || left.passage - right.passage);
}

/** The sentences that answer a question, or none where the support is too weak. */
export function answeringSentences(passages: readonly Passage[], query: readonly string[]): Evidence[] {
  const ranked = rankSentences(passages, query);
  const best = ranked[0];
  if (!best || best.coverage < COVERAGE_MIN) return [];
  return ranked
    .filter((one) => one.score >= best.score * TOP_SHARE_MIN && one.coverage >= COVERAGE_MIN)
    .slice(0, SENTENCES_MAX);
}

export function quote(text: string): string {
  const plain = text
    .replace(/\s+/g, ' ')
    .replace(/^#+\s*/, '')
    .replace(/\*\*/g, '')
    .trim();
  return plain.length > QUOTE_LENGTH_MAX ? `${plain.slice(0, QUOTE_LENGTH_MAX)}…` : plain;
}
