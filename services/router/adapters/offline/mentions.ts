/**
 * What a text mentions: dates, amounts, codes, names, phrases after prepositions; each with its span and its cue (the
 * function word that links it to its role: "from Berlin" → from). Owns recognition only; roles are decided in `fit.ts`.
 */
import type { LocalNow } from './calendar-math.ts';
import { type DateMention, type DurationMention, findTemporal, type TimeMention } from './dates.ts';
import {
  CUES,
  CURRENCY_CODES,
  CURRENCY_NAMES,
  CURRENCY_SYMBOLS,
  NUMBER_WORDS,
  ORDINAL_WORDS,
  QUESTION_STARTS,
  STOP_WORDS,
  VERB_CLASS,
} from './lexicon.ts';
import { stem, wordsOf } from './words.ts';

export type Comparator = '<=' | '>=' | null;
interface Common {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Nearest function word before, '' where none. */
  readonly cue: string;
  /** The word right after it, '' where a number or a mark stands there. */
  readonly next: string;
  /** Stems of up to four words before and after. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}
export type Mention = Common &
  (
    | {
        readonly kind: 'date';
        readonly date: DateMention;
        readonly time: TimeMention | null;
        readonly duration: DurationMention | null;
      }
    | { readonly kind: 'time'; readonly time: TimeMention }
    | { readonly kind: 'duration'; readonly minutes: number }
    | { readonly kind: 'number'; readonly value: number; readonly comparator: Comparator; readonly unit: string }
    | { readonly kind: 'money'; readonly value: number; readonly comparator: Comparator; readonly currency: string }
    | { readonly kind: 'percent'; readonly value: number; readonly comparator: Comparator }
    | { readonly kind: 'currency'; readonly code: string }
    | { readonly kind: 'ordinal'; readonly value: number }
    | { readonly kind: 'email' | 'url' | 'quoted' | 'identifier' | 'code' | 'name' | 'phrase' | 'phone' }
  );
export type MentionKind = Mention['kind'];

const CONTEXT_WORDS = 4;
const PHRASE_WORDS_MAX = 5;
const TEXT_LENGTH_MAX = 20_000;
const BLANK = '\u0001';

const AMOUNT = "(\\d{1,3}(?:[,'’ ]\\d{3})+(?:\\.\\d+)?|\\d+(?:\\.\\d+)?)";
const LESS =
  /(?:under|below|less than|up to|at most|no more than|not (?:more than|exceed(?:ing)?|over)|max(?:imum)?(?: of)?|within|cheaper than|budget(?: of| is)?|limit(?: of)?|not above|capped at|shorter than|fewer than|exceed|ceiling(?: of| is)?|<=?|before)[\s:]*(?:a |an |the |total |budget |of )*$/i;
const MORE =
  /(?:over|above|more than|at least|no less than|min(?:imum)?(?: of)?|from|starting at|greater than|higher than|exceeding|longer than|not below|>=?)[\s:]*(?:a |an |the )*$/i;

const parseAmount = (text: string): number => Number(text.replace(/[,'’ ](?=\d{3})/g, ''));

export function comparatorBefore(text: string, start: number): Comparator {
  const before = text.slice(Math.max(0, start - 40), start);
  if (LESS.test(before)) return '<=';
  return MORE.test(before) && !/\bfrom\s*$/i.test(before) ? '>=' : null;
}

function comparatorAround(text: string, start: number, end: number): Comparator {
  const after = text.slice(end, end + 24);
  if (/^\s*(?:or (?:less|cheaper|fewer|below|under)|max(?:imum)?\b|at most|tops)/i.test(after)) return '<=';
  if (/^\s*(?:or (?:more|above|higher|better)|\+|min(?:imum)?\b|at least|and up)/i.test(after)) return '>=';
  return comparatorBefore(text, start);
}

class Scanner {
  readonly text: string;
  rest: string;
  readonly found: Mention[] = [];

  constructor(text: string) {
    this.text = text;
    this.rest = text;
  }

  common(start: number, end: number): Common {
    const beforeWords = wordsOf(this.text.slice(Math.max(0, start - 60), start));
    const afterWords = wordsOf(this.text.slice(end, end + 60));
    const near = beforeWords.slice(-CONTEXT_WORDS);
    // Articles and the like may stand between the cue and the value: "to the", "with my colleague".
    let cue = '';
    for (let index = near.length - 1, passed = 0; index >= 0 && passed < 3; index -= 1, passed += 1)
      if (CUES.has(near[index]!)) {
        cue = near[index]!;
        break;
      }
    return {
      start,
      end,
      text: this.text.slice(start, end),
      cue,
      next: this.text.slice(end).match(/^\s+(\p{Ll}[\p{L}-]*)/u)?.[1] ?? '',
      before: near.map(stem),
      after: afterWords.slice(0, CONTEXT_WORDS).map(stem),
    };
  }

  add(mention: Mention, masks = true): void {
    this.found.push(mention);
    if (masks)
      this.rest =
        this.rest.slice(0, mention.start) + BLANK.repeat(mention.end - mention.start) + this.rest.slice(mention.end);
  }

  each(pattern: RegExp, visit: (match: RegExpMatchArray & { index: number }) => void): void {
    for (const match of this.rest.matchAll(pattern)) visit(match as RegExpMatchArray & { index: number });
  }
}

/** All mentions in reading order. Deterministic; bounded by the text's length. */
export function findMentions(source: string, now: LocalNow): Mention[] {
  const scanner = new Scanner(source.slice(0, TEXT_LENGTH_MAX));
  scanLiterals(scanner);
  scanTemporal(scanner, now);
  scanQuantities(scanner);
  scanCodes(scanner);
  scanNames(scanner);
  scanPhrases(scanner);
  return scanner.found.sort((left, right) => left.start - right.start || right.end - left.end);
}

function scanLiterals(scanner: Scanner): void {
  scanner.each(/\bhttps?:\/\/[^\s<>"')]+[^\s<>"').,;:!?]/gi, (m) =>
    scanner.add({ ...scanner.common(m.index, m.index + m[0].length), kind: 'url' }),
  );
  scanner.each(/[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*\.\p{L}{2,}/gu, (m) =>
    scanner.add({ ...scanner.common(m.index, m.index + m[0].length), kind: 'email' }),
  );
  scanner.each(
    /"([^"]{1,2000})"|“([^”]{1,2000})”|«([^»]{1,2000})»|(?<![\p{L}\p{N}])'([^']{2,2000})'(?![\p{L}\p{N}])|`([^`]{1,500})`/gu,
    (m) => {
      const inner = (m[1] ?? m[2] ?? m[3] ?? m[4] ?? m[5])!;
      const common = scanner.common(m.index, m.index + m[0].length);
      scanner.add({ ...common, text: inner, kind: 'quoted' });
    },
  );
  scanner.each(/(?<![\w.])\+\d[\d ()-]{6,18}\d/g, (m) =>
    scanner.add({ ...scanner.common(m.index, m.index + m[0].length), kind: 'phone' }),
  );
}

function scanTemporal(scanner: Scanner, now: LocalNow): void {
  const found = findTemporal(scanner.rest, now);
  const times = found.filter((one) => one.kind === 'time');
  const durations = found.filter((one) => one.kind === 'duration');
  const dates = found.filter((one) => one.kind === 'date');
  for (const one of found) {
    const common = scanner.common(one.start, one.end);
    if (one.kind === 'date') {
      const nearest =
        [...times].sort((a, b) => Math.abs(a.start - one.start) - Math.abs(b.start - one.start))[0] ?? null;
      const duration = durations.find((each) => each.minutes < 1440) ?? null;
      scanner.add({
        ...common,
        kind: 'date',
        date: one,
        time: dates.length === 1 || (nearest && Math.abs(nearest.start - one.end) < 25) ? nearest : null,
        duration,
      });
    } else if (one.kind === 'time') scanner.add({ ...common, kind: 'time', time: one });
    else scanner.add({ ...common, kind: 'duration', minutes: one.minutes });
  }
}

function scanQuantities(scanner: Scanner): void {
  const symbols = Object.keys(CURRENCY_SYMBOLS)
    .map((symbol) => (symbol === '$' ? '\\$' : symbol))
    .join('|');
  const names = Object.keys(CURRENCY_NAMES).join('|');
  const codes = [...CURRENCY_CODES].join('|');
  const codeOf = (word: string): string =>
    CURRENCY_SYMBOLS[word] ?? CURRENCY_NAMES[word.toLowerCase()] ?? word.toUpperCase();
  const money = new RegExp(
    `(${symbols}|\\b(?:${codes})(?=\\s?\\d))\\s?${AMOUNT}(\\s?[kKmM]\\b)?|(?<![\\w.-])${AMOUNT}(\\s?[kKmM]\\b)?\\s?(${symbols}|(?:${codes}|${names})\\b)`,
    'gi',
  );
  scanner.each(money, (m) => {
    const factor = /k/i.test(m[3] ?? m[5] ?? '') ? 1000 : /m/i.test(m[3] ?? m[5] ?? '') ? 1_000_000 : 1;
    const [start, end] = [m.index, m.index + m[0].length];
    scanner.add({
      ...scanner.common(start, end),
      kind: 'money',
      value: parseAmount((m[2] ?? m[4])!) * factor,
      currency: codeOf((m[1] ?? m[6])!),
      comparator: comparatorAround(scanner.text, start, end),
    });
  });
  scanner.each(new RegExp(`(?<![\\w.])(-?)${AMOUNT}\\s?(?:%|percent\\b|per cent\\b)`, 'gi'), (m) => {
    const [start, end] = [m.index, m.index + m[0].length];
    scanner.add({
      ...scanner.common(start, end),
      kind: 'percent',
      value: parseAmount(m[2]!) * (m[1] ? -1 : 1),
      comparator: comparatorAround(scanner.text, start, end),
    });
  });
  scanner.each(new RegExp(`\\b(?:${[...CURRENCY_CODES].join('|')})\\b`, 'g'), (m) =>
    scanner.add({ ...scanner.common(m.index, m.index + 3), kind: 'currency', code: m[0] }),
  );
  scanner.each(new RegExp(`\\b(?:${names})\\b|(?:${symbols})`, 'gi'), (m) => {
    if (m[0].toLowerCase() !== 'real' && m[0].toLowerCase() !== 'won')
      scanner.add({ ...scanner.common(m.index, m.index + m[0].length), kind: 'currency', code: codeOf(m[0]) });
  });
  scanner.each(
    new RegExp(
      `\\b(${Object.keys(ORDINAL_WORDS)
        .filter((word) => word !== 'last')
        .join('|')}|\\d{1,2}(?:st|nd|rd|th)|last(?= (?:one|option|result|item)))\\b`,
      'gi',
    ),
    (m) => {
      const lower = m[1]!.toLowerCase();
      scanner.add(
        {
          ...scanner.common(m.index, m.index + m[0].length),
          kind: 'ordinal',
          value: ORDINAL_WORDS[lower] ?? Number.parseInt(lower, 10),
        },
        false,
      );
    },
  );
  scanner.each(new RegExp(`(?<![\\w.#/-])(-?)${AMOUNT}(k\\b)?(?![\\w%/]|[.-]\\w)`, 'gi'), (m) => {
    const [start, end] = [m.index, m.index + m[0].length];
    const unit = scanner.text.slice(end).match(/^\s*([\p{L}°]+)/u)?.[1] ?? '';
    scanner.add({
      ...scanner.common(start, end),
      kind: 'number',
      value: parseAmount(m[2]!) * (m[1] ? -1 : 1) * (m[3] ? 1000 : 1),
      comparator: comparatorAround(scanner.text, start, end),
      unit: unit.toLowerCase(),
    });
  });
  const words = Object.keys(NUMBER_WORDS)
    .filter((word) => word !== 'one')
    .join('|');
  scanner.each(new RegExp(`\\b(?:${words}|one(?=\\s+[\\p{L}]{3,}))\\b`, 'giu'), (m) => {
    const [start, end] = [m.index, m.index + m[0].length];
    const unit = scanner.text.slice(end).match(/^\s*([\p{L}]+)/u)?.[1] ?? '';
    scanner.add({
      ...scanner.common(start, end),
      kind: 'number',
      value: NUMBER_WORDS[m[0].toLowerCase()]!,
      comparator: comparatorAround(scanner.text, start, end),
      unit: unit.toLowerCase(),
    });
  });
}

function scanCodes(scanner: Scanner): void {
  // File names.
  scanner.each(
    /(?<![\p{L}\p{N}_.@-])[\p{L}\p{N}][\p{L}\p{N}_-]+\.\p{Ll}[\p{Ll}\d]{1,4}(?![\p{L}\p{N}_@]|\.\p{L})/gu,
    (m) => scanner.add({ ...scanner.common(m.index, m.index + m[0].length), kind: 'identifier' }),
  );
  // Letters joined with digits, dashes, underscores, dots or slashes, and #numbers: ids, versions, slugs, host and zone names.
  scanner.each(
    /(?<![\p{L}\p{N}_])#?(?=[\p{L}\p{N}]*[\d_/-])[\p{L}\p{N}]+(?:[-_./:][\p{L}\p{N}]+)*(?![\p{L}\p{N}_])|#\d+/gu,
    (m) => {
      const text = m[0].replace(/^#/, '');
      const joined = /[\d_/]/.test(text) || /^[\p{Ll}\d]+(?:-[\p{Ll}\d]+)+$/u.test(text);
      if (!joined || /^\d{1,2}(?:st|nd|rd|th)$/i.test(text)) return;
      scanner.add(
        { ...scanner.common(m.index, m.index + m[0].length), text, kind: 'identifier' },
        /\d|_|\//.test(text),
      );
    },
  );
  scanner.each(/(?<![\p{L}\p{N}-])\p{Lu}{2,6}(?![\p{L}\p{N}-])/gu, (m) =>
    scanner.add({ ...scanner.common(m.index, m.index + m[0].length), kind: 'code' }, false),
  );
}

const sentenceStart = (text: string, index: number): boolean =>
  /(?:^|[.!?:;\n–—-]\s*|["“(]\s*)$/.test(text.slice(0, index));

const ORDER_FOLLOWERS =
  /^\s+(?:a|an|the|to|my|our|your|it|me|us|him|them|this|that|these|those|all|every|any|some|another)\b/;

function scanNames(scanner: Scanner): void {
  const pattern =
    /\p{Lu}[\p{L}\p{N}'’.&-]*(?:\s+(?:(?:of|de|da|del|la|le|van|von|der|den|du|di|al|bin|&)\s+)*\p{Lu}[\p{L}\p{N}'’&-]*)*/gu;
  scanner.each(pattern, (m) => {
    let start = m.index;
    let text = m[0].replace(/[.'’-]+$/, '');
    // A capital at a sentence's start says nothing; drop leading words that are verbs or function words.
    for (;;) {
      const head = text.match(/^(\S+)\s+/);
      const word = (head ? head[1]! : text).toLowerCase().replace(/['’].*$/, '');
      const known =
        STOP_WORDS.has(word) ||
        QUESTION_STARTS.has(word) ||
        (VERB_CLASS.has(word) && sentenceStart(scanner.text, start)) ||
        /^(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|i|january|february|march|april|june|july|august|september|october|november|december)$/.test(
          word,
        );
      if (!known) break;
      if (!head) return;
      start += head[0].length;
      text = text.slice(head[0].length);
    }
    text = text.replace(/['’]s$/, '');
    if (text.length < 2) return;
    // "Take a …", "Keep to …": what opens a sentence before such a word is a verb that no list knows.
    if (
      !/\s/.test(text) &&
      sentenceStart(scanner.text, start) &&
      ORDER_FOLLOWERS.test(scanner.text.slice(start + text.length))
    )
      return;
    const common = scanner.common(start, start + text.length);
    const previous = scanner.found.filter((one) => one.kind === 'name' && one.end <= start).at(-1);
    const joined = previous && /^(?:,|\s*and|\s*&|,\s*and|\s*or)\s*$/i.test(scanner.text.slice(previous.end, start));
    scanner.add({ ...common, text, cue: joined && previous ? previous.cue : common.cue, kind: 'name' }, false);
  });
}

const BOUNDARY = new Set(
  'of is are to from in at for with about on near by into via regarding concerning under over below above between and or until till since after before then but if when called named titled saying that which who using within through as because please'.split(
    ' ',
  ),
);

/** Lower-case values after a preposition ("in paris", "about the launch delay"). */
function scanPhrases(scanner: Scanner): void {
  const tokens = [...scanner.rest.matchAll(/[\p{L}\p{N}'’&-]+|[^\s\p{L}\p{N}]/gu)];
  tokens.forEach((token, index) => {
    const cue = token[0].toLowerCase();
    if (
      !CUES.has(cue) ||
      /^(?:and|is|are|than|as|id|number|worth|whose|saying|under|over|below|above|between|until|till|since|after|before|per|assign)$/.test(
        cue,
      )
    )
      return;
    const words: RegExpMatchArray[] = [];
    for (let at = index + 1; at < tokens.length && words.length < PHRASE_WORDS_MAX; at += 1) {
      const word = tokens[at]![0];
      if (!/^[\p{L}\p{N}]/u.test(word) || BOUNDARY.has(word.toLowerCase())) break;
      words.push(tokens[at]!);
    }
    while (words.length && STOP_WORDS.has(words[0]![0].toLowerCase())) words.shift();
    while (words.length && STOP_WORDS.has(words.at(-1)![0].toLowerCase())) words.pop();
    if (words.length === 0) return;
    const start = words[0]!.index!;
    const end = words.at(-1)!.index! + words.at(-1)![0].length;
    scanner.add({ ...scanner.common(start, end), cue, kind: 'phrase' }, false);
  });
}
