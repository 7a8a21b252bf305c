/**
 * Text into index terms: unicode fold, tokens, English stop words out, Porter stems; bigrams where a script writes
 * without spaces. Documents and queries go through the same function, so that they meet.
 */
import { stem } from './stem.ts';
import { STOP_WORDS } from './stop-words.ts';

/** Longer runs (base64, hashes) are cut: nobody types them in full. */
export const TERM_CHARS_MAX = 64;
const TOKENS_KNOWN_MAX = 100_000;

const ASCII = /^[^\u0080-\uffff]*$/;
/** Numbers with separators stay one token, so that "3.2" finds clause 3.2. */
const TOKEN_ASCII = /\d+(?:[.,]\d+)+|[a-z0-9]+(?:'[a-z]+)*/g;
const TOKEN = /\d+(?:[.,]\d+)+|[\p{L}\p{N}\p{M}]+(?:['’]\p{L}+)*/gu;
const THOUSANDS = /^\d{1,3}(?:,\d{3})+(?:\.\d+)?$/;
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー]/u;
const UNSPACED_RUNS = /([\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー]+)/u;

/** Case, accents, ligatures and width do not matter: "Flüge", "FLUGE" and "ﬂuge" are the same. */
export function fold(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  return text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC')
    .toLowerCase()
    .replaceAll('ß', 'ss');
}

export type Analyzer = (text: string) => string[];

/** The analyzer remembers what became of a token, up to a bound; what it returns depends on the text alone. */
export function createAnalyzer(): Analyzer {
  const known = new Map<string, string>();
  function termOf(token: string): string {
    let term = known.get(token);
    if (term === undefined) {
      const word = normalise(token);
      term = STOP_WORDS.has(word) ? '' : stem(word);
      if (known.size >= TOKENS_KNOWN_MAX) known.clear();
      known.set(token, term);
    }
    return term;
  }
  return (text) => {
    const folded = fold(text);
    const isAscii = ASCII.test(folded);
    const terms: string[] = [];
    for (const token of folded.match(isAscii ? TOKEN_ASCII : TOKEN) ?? []) {
      if (!isAscii && UNSPACED.test(token)) terms.push(...bigrams(token));
      else {
        const term = termOf(token);
        if (term) terms.push(term);
      }
    }
    return terms;
  };
}

function normalise(token: string): string {
  let word = token;
  if (THOUSANDS.test(word)) word = word.replaceAll(',', '');
  else if (/['’]/.test(word)) word = word.replace(/['’]s$/, '').replace(/['’]/g, '');
  return word.length > TERM_CHARS_MAX ? word.slice(0, TERM_CHARS_MAX) : word;
}

/** As Lucene's CJK analyzer does: 東京駅 → 東京, 京駅. */
function bigrams(token: string): string[] {
  return token.split(UNSPACED_RUNS).flatMap((run) => {
    if (!run) return [];
    if (!UNSPACED.test(run)) return [run.slice(0, TERM_CHARS_MAX)];
    const chars = [...run];
    if (chars.length === 1) return chars;
    return chars.slice(1).map((char, i) => chars[i]! + char);
  });
}
