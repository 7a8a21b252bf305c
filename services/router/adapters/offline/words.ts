/**
 * Words: splitting text and identifiers, light stemming, synonym lookup, inverse document frequency.
 * Stemming strips common English suffixes (after Porter, "An algorithm for suffix stripping", 1980, much reduced): it need
 * only map the forms of one word onto each other, not onto a dictionary form.
 */
import { STOP_WORDS, SYNONYM_GROUPS } from './lexicon.ts';

const STEM_LENGTH_MIN = 3;
const CACHE_SIZE_MAX = 20_000;
const stemCache = new Map<string, string>();

export function stem(word: string): string {
  const known = stemCache.get(word);
  if (known !== undefined) return known;
  const result = stemUncached(word);
  if (stemCache.size < CACHE_SIZE_MAX) stemCache.set(word, result);
  return result;
}

function stemUncached(raw: string): string {
  let word = raw.toLowerCase().replace(/['’]s$/, '');
  if (word.length <= STEM_LENGTH_MIN) return word;
  if (word.endsWith('ies') && word.length > 4) word = `${word.slice(0, -3)}y`;
  else if (/(?:ss|x|ch|sh|z)es$/.test(word)) word = word.slice(0, -2);
  else if (/[^sui]s$/.test(word)) word = word.slice(0, -1);
  const suffixes: readonly [RegExp, string][] = [
    [/ability$/, 'abl'],
    [/ibility$/, 'ibl'],
    [/able$/, 'abl'],
    [/ations?$/, ''],
    [/ment$/, ''],
    [/ing$/, ''],
    [/ed$/, ''],
    [/ly$/, ''],
  ];
  for (const [pattern, replacement] of suffixes) {
    const next = word.replace(pattern, replacement);
    if (next !== word && next.length >= STEM_LENGTH_MIN && /[aeiouy]/.test(next)) {
      word = next;
      break;
    }
  }
  if (/([bcdfgklmnprtvz])\1$/.test(word) && word.length > STEM_LENGTH_MIN) word = word.slice(0, -1);
  if (word.endsWith('e') && word.length > STEM_LENGTH_MIN) word = word.slice(0, -1);
  if (word.endsWith('y') && word.length > STEM_LENGTH_MIN) word = `${word.slice(0, -1)}i`;
  return word;
}

/** Words of running text, lower case, in order. */
export function wordsOf(text: string): string[] {
  return (
    text
      .toLowerCase()
      .replace(/\bto-do(s?)\b/g, 'todo$1')
      .match(/[\p{L}\p{N}]+(?:['’][\p{L}]+)?/gu) ?? []
  );
}

/** Stems of the words that carry a topic. */
export function contentStems(text: string): string[] {
  return wordsOf(text)
    .map((word) => word.replace(/['’]s$/, '').replace(/['’]/g, ''))
    .filter((word) => !STOP_WORDS.has(word))
    .map(stem);
}

/** `searchOrdersV2`, `search_orders`, `orders.search` → ['search', 'orders', 'v2'] … */
export function splitIdentifier(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .split(/[^A-Za-z0-9]+/)
    .filter(Boolean)
    .map((part) => part.toLowerCase());
}

export const humanize = (name: string): string => splitIdentifier(name).join(' ');
export const normalizeKey = (name: string): string => splitIdentifier(name).join('');

export function singular(word: string): string {
  if (word.endsWith('ies') && word.length > 4) return `${word.slice(0, -3)}y`;
  if (/(?:ss|x|ch|sh|z)es$/.test(word)) return word.slice(0, -2);
  if (/[^sui]s$/.test(word)) return word.slice(0, -1);
  return word;
}

const groupsByStem: ReadonlyMap<string, ReadonlySet<string>> = (() => {
  const map = new Map<string, Set<string>>();
  for (const group of SYNONYM_GROUPS) {
    const stems = [...group].map(stem);
    for (const one of stems) {
      const set = map.get(one) ?? new Set<string>();
      for (const other of stems) set.add(other);
      map.set(one, set);
    }
  }
  return map;
})();

/** Forms of one root that stemming leaves apart: "dermatologist" and "dermatology", "assignee" and "assign". */
export function akin(left: string, right: string): boolean {
  if (left === right) return true;
  const shorter = Math.min(left.length, right.length);
  let shared = 0;
  while (shared < shorter && left[shared] === right[shared]) shared += 1;
  return shared >= 6 && left.length - shared <= 4 && right.length - shared <= 4;
}

/** Whether two stems share a meaning group (or are the same). */
export const related = (left: string, right: string): boolean =>
  left === right || (groupsByStem.get(left)?.has(right) ?? false);

export const overlapOf = (left: Iterable<string>, right: ReadonlySet<string>): string[] =>
  [...new Set(left)].filter((one) => right.has(one));

/** Inverse document frequency, BM25's form (Robertson & Zaragoza 2009, eq. 2.13 with +1 so that it stays positive). */
export function inverseDocumentFrequency(documents: readonly ReadonlySet<string>[]): (term: string) => number {
  const counts = new Map<string, number>();
  for (const document of documents) for (const term of document) counts.set(term, (counts.get(term) ?? 0) + 1);
  return (term) => {
    const containing = counts.get(term) ?? 0;
    return Math.log(1 + (documents.length - containing + 0.5) / (containing + 0.5));
  };
}

export const capitalize = (text: string): string => (text ? text[0]!.toUpperCase() + text.slice(1) : text);
export const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Sentences with their offsets; abbreviations and decimals do not end one. */
export function sentencesOf(text: string): string[] {
  return text
    .split(
      /(?<=[.!?])(?<!\b(?:Dr|Mr|Mrs|Ms|Prof|St|No|Nr|Jr|Sr|Inc|Ltd|vs|approx|\p{L}*str)\.)\s+(?=[\p{Lu}\p{N}"“(*-])|\n+/u,
    )
    .map((sentence) => sentence.replace(/^\s*(?:[-*•]|#+)\s*/, '').trim())
    .filter((sentence) => sentence.length > 0);
}

/** FNV-1a, 32 bits, as hex: ids must depend on content alone. */
export function hashText(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash ^= text.charCodeAt(index);
    hash = Math.imul(hash, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
