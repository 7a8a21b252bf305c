/**
 * Which sentences of the passages bear on a question: IDF-weighted coverage with a bonus for words that stand together (after
 * BM25, Robertson & Zaragoza 2009, and its term-proximity variants), the sentence as the unit, its headings as context. Owns the
 * threshold below which the documents count as silent.
 */
import type { Passage } from '@tutti/contracts';
import { contentStems, inverseDocumentFrequency, related, sentencesOf, stem } from './words.ts';

export interface Evidence {
  readonly passage: number;
  readonly sentence: string;
  readonly score: number;
  /** Share of the question's weight that the sentence (and its headings) covers, 0 … 1. */
  readonly coverage: number;
  /** Terms of the question that it speaks of. */
  readonly covers: readonly string[];
}

interface Unit {
  readonly passage: number;
  readonly sentence: string;
  readonly stems: readonly string[];
  readonly title: readonly string[];
}

const COVERAGE_MIN = 0.4;
const FORM_WEIGHT = 0.9;
const RELATED_WEIGHT = 0.6;
const TITLE_WEIGHT = 0.5;
const PAIR_BONUS = 0.25;
const PAIR_COVERAGE = 0.12;
const KIND_BONUS = 1.25;
/** A sentence that cannot hold what was asked for ("how much" without a figure). */
const KIND_MISSED = 0.8;
const VERB_WEIGHT = 0.5;
const LENGTH_NORM = 14;
const B = 0.25;
const SENTENCES_MAX = 2;
const SECOND_SHARE_MIN = 0.5;
const QUOTE_LENGTH_MAX = 320;
const FORM_LENGTH_MIN = 4;
const SUFFIX = /^(?:s|es|al|er|or|ion|ing|ly|y|i|e)$/;
const STEPS_MIN = 2;

/** Sentences; an initial ("John F.") does not end one. */
function unitsOf(passages: readonly Passage[]): Unit[] {
  return passages.flatMap((passage, index) => {
    const whole: string[] = [];
    for (const part of sentencesOf(passage.text)) {
      const before = whole.at(-1);
      if (before !== undefined && /(?:^|\s)\p{Lu}\.$/u.test(before)) whole[whole.length - 1] = `${before} ${part}`;
      else whole.push(part);
    }
    const title = contentStems(`${passage.title} ${passage.section ?? ''}`);
    return whole.map((sentence) => ({ passage: index, sentence, stems: contentStems(sentence), title }));
  });
}

/** Two forms of one word that stemming leaves apart: "approval" and "approves". */
function sameWord(left: string, right: string): boolean {
  const [short, long] = left.length <= right.length ? [left, right] : [right, left];
  return short.length >= FORM_LENGTH_MIN && long.startsWith(short) && SUFFIX.test(long.slice(short.length));
}

const LIMIT_TERMS = new Set(['limit', 'maximum', 'max', 'ceiling', 'cap', 'most', 'minimum'].map(stem));
const LIMIT_SAID =
  /\b(?:must not exceed|not exceed|at most|at least|no more than|up to|maximum|minimum|limit(?:ed)?|ceiling|cap(?:ped)?|within)\b/i;
const COST_TERMS = new Set(['cost', 'price', 'fare', 'fee', 'amount', 'charge', 'pay'].map(stem));
const MONEY_SAID = /\b[A-Z]{3} ?\d|[€$£¥]\s?\d|\d\s?(?:€|euros?|dollars?)/;

/** How well a sentence covers one term of the question, 0 … 1. */
function weightOf(term: string, unit: Unit, own: ReadonlySet<string>): number {
  if (own.has(term)) return 1;
  if (LIMIT_TERMS.has(term) && /\d|\bmust\b/.test(unit.sentence) && LIMIT_SAID.test(unit.sentence)) return FORM_WEIGHT;
  if (COST_TERMS.has(term) && MONEY_SAID.test(unit.sentence)) return FORM_WEIGHT;
  if (unit.stems.some((one) => sameWord(one, term))) return FORM_WEIGHT;
  if (unit.stems.some((one) => related(one, term))) return RELATED_WEIGHT;
  return unit.title.some((one) => one === term || sameWord(one, term)) ? TITLE_WEIGHT : 0;
}

/** Neighbouring words of the question that are neighbours in the sentence too ("hotel ceiling"). */
function pairsIn(query: readonly string[], stems: readonly string[]): number {
  const near = (left: string, right: string): boolean =>
    stems.some((one, index) => one === left && stems[index + 1] === right);
  return query.slice(1).filter((term, index) => near(query[index]!, term)).length;
}

/** What kind of thing the question asks for, as a test of the sentence; null where any will do. */
function kindOf(question: string): RegExp | null {
  if (/^\W*(?:who|whom|whose)\b/i.test(question))
    return /\bby (?:the|a|an|your|their|\p{Lu})|\b(?:manager|head|director|officer|team|desk|owner|lead|department|board)\b/iu;
  if (
    /\bhow (?:much|many|long|far|often|old|big|large|late|early)\b|\b(?:limit|maximum|minimum|ceiling|price|cost|rate|number)\b/i.test(
      question,
    )
  )
    return /\d/;
  if (/^\W*(?:when|since when|until when|what time|which day)\b/i.test(question))
    return /\d|\b(?:before|after|within|until|during|day|week|month|year)\b/i;
  if (/^\W*(?:may|can|could|should|must|is it|are|am i|do i|does)\b/i.test(question))
    return /\b(?:not|never|only|may|must|can|allowed|permitted|reimbursed|required|needs?|shall|cannot|unless|except)\b/i;
  if (/^\W*(?:why|how come)\b/i.test(question)) return /\b(?:because|since|so that|in order|due to|reason)\b/i;
  return null;
}

/** "Can I fly …?", "How do we file …?": what the asker wants to do tells less than what it is about. */
const askersVerb = (question: string): string =>
  stem(
    question
      .toLowerCase()
      .match(
        /\b(?:can|may|could|should|must|do|does|will)\s+(?:i|we|you|one|an?\s+\p{L}+|the\s+\p{L}+|employees|people)\s+(\p{L}+)/u,
      )?.[1] ?? '',
  );

/** Sentences by relevance to the query, best first. `question` is its wording, where there is one. */
export function rankSentences(passages: readonly Passage[], query: readonly string[], question = ''): Evidence[] {
  const units = unitsOf(passages);
  const idf = inverseDocumentFrequency(units.map((unit) => new Set(unit.stems)));
  const terms = [...new Set(query)];
  const verb = askersVerb(question);
  const worth = (term: string): number => idf(term) * (term === verb ? VERB_WEIGHT : 1);
  const total = terms.reduce((sum, term) => sum + worth(term), 0);
  if (total === 0) return [];
  const kind = kindOf(question);
  return units
    .map((unit) => {
      const own = new Set(unit.stems);
      const covered = terms.reduce((sum, term) => sum + weightOf(term, unit, own) * worth(term), 0);
      const pairs = pairsIn(query, unit.stems);
      const length = 1 - B + (B * Math.max(unit.stems.length, LENGTH_NORM / 2)) / LENGTH_NORM;
      const fits = kind === null ? 1 : kind.test(unit.sentence) ? KIND_BONUS : KIND_MISSED;
      return {
        passage: unit.passage,
        sentence: unit.sentence,
        score: (covered * (1 + PAIR_BONUS * pairs) * fits) / length,
        covers: terms.filter((term) => weightOf(term, unit, own) > TITLE_WEIGHT),
        coverage: Math.min(1, covered / total + (covered > 0 ? PAIR_COVERAGE * pairs : 0)),
      };
    })
    .filter((one) => one.score > 0)
    .sort((left, right) => right.score - left.score || left.passage - right.passage);
}

/** The sentences that answer a question, or none where the support is too weak: the best, and one that adds what it lacks. */
export function answeringSentences(passages: readonly Passage[], query: readonly string[], question = ''): Evidence[] {
  const ranked = rankSentences(passages, query, question).filter((one) => one.coverage >= COVERAGE_MIN);
  const best = ranked[0];
  if (!best) return [];
  const adds = (one: Evidence): boolean =>
    one.sentence !== best.sentence &&
    one.score >= best.score * SECOND_SHARE_MIN &&
    one.covers.some((term) => !best.covers.includes(term));
  return [best, ...(best.coverage < 1 ? ranked.filter(adds) : [])].slice(0, SENTENCES_MAX);
}

/** The sentence that speaks of the most of these steps; of all of them, `needed` must occur. null where none names two. */
export function stepsRule(
  passages: readonly Passage[],
  steps: readonly string[],
  needed: readonly string[],
): { passage: number; sentence: string } | null {
  const wanted = [...new Set(steps.map(stem))];
  const verbs = needed.map((one) => stem(one)).filter(Boolean);
  const scored = unitsOf(passages).map((unit) => {
    const has = (term: string): boolean => unit.stems.some((one) => one === term || sameWord(one, term));
    const all = verbs.every((verb) => has(verb));
    return { unit, hits: all ? wanted.filter(has).length : 0 };
  });
  const best = scored.sort(
    (left, right) => right.hits - left.hits || left.unit.stems.length - right.unit.stems.length,
  )[0];
  return best && best.hits >= STEPS_MIN ? { passage: best.unit.passage, sentence: best.unit.sentence } : null;
}

export function quote(text: string): string {
  const plain = text
    .replace(/\s+/g, ' ')
    .replace(/^#+\s*/, '')
    .replace(/\*\*/g, '')
    // A footnote mark of the document is no citation of ours.
    .replace(/\[(\d+)\]/g, '($1)')
    .trim();
  return plain.length > QUOTE_LENGTH_MAX ? `${plain.slice(0, QUOTE_LENGTH_MAX)}…` : plain;
}
