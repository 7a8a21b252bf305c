/**
 * Which older turns of a long conversation belong to a question. Pure.
 * Each turn is judged together with its neighbours, and comes with them: on long conversations that finds more than
 * single turns do (recall@10 .710 against .611: FACTS.md). The score is lexical: for each word of the query that the
 * window has, how rare that word is in this session (inverse document frequency), as in BM25 without length and counts.
 * Words are compared by their first letters, which folds inflections in most European languages without knowing any.
 */
import type { Turn } from '@tutti/contracts';

/** One turn on each side. */
const NEIGHBOURS = 1;
/** "Truncation stemming": P. McNamee, J. Mayfield, Character N-Gram Tokenization for European Language Text Retrieval (2004). */
const STEM_CHARS = 5;
/** From this many turns on, a word that more than half of them have says nothing. */
const COMMON_TURNS_MIN = 4;
const WORD = /\p{Script=Han}|\p{Script=Hiragana}+|\p{Script=Katakana}+|\p{N}+|\p{L}[\p{L}\p{M}]*/gu;

/** Words that say nothing of what a question is about. Other languages' are mostly caught by how common they are. */
const STOP_WORDS = new Set(
  `about all also and any are been but can could did does for from had has have her him his how its just may me more most
   not now one our out over please she should some such than that the their them then there these they this those too
   very was were what when where which who whom whose why will with would you your`.split(/\s+/),
);
const LETTERS_MIN = 3;

/** Distinct folded words, without those that say nothing. */
export function words(text: string): Set<string> {
  const found = text.normalize('NFKC').toLowerCase().match(WORD) ?? [];
  return new Set(found.filter(speaks).map((word) => word.slice(0, STEM_CHARS)));
}

/** One or two letters of an alphabet say little; one sign or a number may say much. */
function speaks(word: string): boolean {
  return (word.length >= LETTERS_MIN || !/^[\p{Script=Latin}]/u.test(word)) && !STOP_WORDS.has(word);
}

/**
 * Indexes into `texts` (oldest first) of at most `limit` turns, in order: the best windows for `query`, best first until
 * the room is used up; the newer of two equals. None where no turn has a word of the query that tells turns apart.
 */
export function chooseOlder(texts: readonly string[], query: string, limit: number): number[] {
  const wanted = words(query);
  const turns = texts.map((text) => intersection(words(text), wanted));
  const weight = inverseFrequencies(turns);
  const scored = turns
    .map((_, at) => ({ at, score: windowScore(turns, at, weight) }))
    .filter(({ at, score }) => score > 0 && [...turns[at]!].some((word) => weight.get(word)! > 0))
    .sort((a, b) => b.score - a.score || b.at - a.at);
  const chosen = new Set<number>();
  for (const { at } of scored) {
    if (chosen.size >= limit) break;
    for (const index of window(turns, at, weight)) if (chosen.size < limit) chosen.add(index);
  }
  return [...chosen].sort((a, b) => a - b);
}

function intersection(a: Set<string>, b: Set<string>): Set<string> {
  return new Set([...b].filter((word) => a.has(word)));
}

function inverseFrequencies(turns: readonly Set<string>[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const turn of turns) for (const word of turn) counts.set(word, (counts.get(word) ?? 0) + 1);
  const total = turns.length;
  const common = (count: number) => total >= COMMON_TURNS_MIN && count > total / 2;
  return new Map([...counts].map(([word, count]) => [word, common(count) ? 0 : Math.log((total + 1) / (count + 0.5))]));
}

function windowScore(turns: readonly Set<string>[], at: number, weight: Map<string, number>): number {
  const seen = new Set(turns.slice(Math.max(0, at - NEIGHBOURS), at + NEIGHBOURS + 1).flatMap((turn) => [...turn]));
  // A turn that has the word itself comes before one that stands beside it.
  return sum([...seen], weight) / 2 + sum([...turns[at]!], weight) / 2;
}

function sum(found: string[], weight: Map<string, number>): number {
  return found.reduce((total, word) => total + (weight.get(word) ?? 0), 0);
}

/** The turn, then the neighbour that says more of the query, then the other; of equals the one that answers the turn. */
function window(turns: readonly Set<string>[], at: number, weight: Map<string, number>): number[] {
  const beside = [at + 1, at - 1].filter((index) => index >= 0 && index < turns.length);
  const score = (index: number) => sum([...turns[index]!], weight);
  return [at, ...beside.sort((a, b) => score(b) - score(a))];
}

/**
 * Keeps what was recalled within `charsMax` characters of JSON: older turns go first, oldest first, then recent ones
 * likewise; the newest recent turn stays whatever its size (its own limits bound it).
 */
export function withinChars(older: readonly Turn[], recent: readonly Turn[], charsMax: number): Turn[] {
  const kept: Turn[] = [];
  let room = charsMax;
  for (const turn of [...older, ...recent].reverse()) {
    const size = JSON.stringify(turn).length;
    if (kept.length > 0 && size > room) break;
    room -= size;
    kept.push(turn);
  }
  return kept.reverse();
}
