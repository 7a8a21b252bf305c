/**
 * Reading a goal: clauses, the verb of each, and whether it asks for an effect. Owns the rule that only an imperative
 * (or an explicit wish to act) asks for an effect; a question, a condition or a negation never does.
 */
import type { LocalNow } from './calendar-math.ts';
import { POLITE_STARTS, QUESTION_STARTS, READ_CLASSES, VERB_CLASS, type VerbClass } from './lexicon.ts';
import { findMentions, type Mention } from './mentions.ts';
import { contentStems, sentencesOf, stem, wordsOf } from './words.ts';

export interface Clause {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** Base form as written by the user, '' where the clause has none. */
  readonly verb: string;
  readonly verbClass: VerbClass;
  readonly effect: boolean;
  readonly question: boolean;
  readonly negated: boolean;
  readonly condition: boolean;
  /** The condition that the act is asked for under, null where it is asked for as it is. */
  readonly under: Condition | null;
  /** Topic stems without the verb. */
  readonly stems: readonly string[];
}

export interface Condition {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** "unless" */
  readonly inverted: boolean;
}

/** Verbs that only the tools at hand know, by stem: `reorder`, or `comment` where there is an `add_comment`. */
export interface ToolVerbs {
  readonly coined: ReadonlyMap<string, VerbClass>;
  readonly fromNouns: ReadonlyMap<string, VerbClass>;
}
const NO_VERBS: ToolVerbs = { coined: new Map(), fromNouns: new Map() };

export interface Goal {
  readonly text: string;
  readonly clauses: readonly Clause[];
  readonly mentions: readonly Mention[];
  readonly stems: ReadonlySet<string>;
}

/** Verbs that a person uses for mere preparation, though a tool of that name would act. */
const USER_CLASS: Record<string, VerbClass> = {
  prepare: 'plan',
  quote: 'get',
  preview: 'get',
  issue: 'create',
  pick: 'find',
  choose: 'find',
  remember: 'create',
  index: 'list',
  contact: 'send',
  pull: 'get',
  compare: 'get',
};
const NOT_USER_VERBS = new Set(
  'all current detail details index image stage issue2 sum record2 settle turn2 like have need want do be is are point room'.split(
    ' ',
  ),
);
/** What may follow a word that is a noun here rather than a verb: "email of …", "order status". */
const NOUN_FOLLOWERS =
  /^(?:of|is|are|was|were|will|has|had|address(?:es)?|numbers?|status|history|ids?|and|or|lists?|details?|policy|policies|rules?|date|time|total|count|form|value|price|confirmation|[a-z]+ed)$/i;
const OBJECT_STARTERS =
  /^(?:the|a|an|it|them|me|us|my|our|his|her|their|this|that|these|those|one|two|three|all|each|another|some|him|\d|["“'#]|\p{Lu}|\S+[@_\d])/u;
/** Verbs of two words and what they mean in one. */
const PHRASAL: readonly [RegExp, string, VerbClass][] = [
  [/^sign\s+(?:\S+\s+){0,4}?up\b/i, 'enrol', 'create'],
  [/^call\s+(?:\S+\s+){0,3}?off\b/i, 'cancel', 'undo'],
  [/^put\s+(?:\S+\s+){0,3}?off\b/i, 'postpone', 'update'],
  [/^push\s+(?:\S+\s+){0,3}?back\b/i, 'postpone', 'update'],
  [/^bring\s+(?:\S+\s+){0,3}?forward\b/i, 'move', 'update'],
  [/^get rid of\b/i, 'delete', 'undo'],
  [/^check[\s-](?:in|out)\b(?![^,;]{0,20}:)/i, 'check', 'operate'],
  [
    /^take\s+(?!(?:a )?(?:look|care|note|part|place|time|over|off|out|into|it|that|this|them|me|us)\b)/i,
    'take',
    'create',
  ],
];
const NO_VERB = /^(?:pick up|look after|look forward|set aside)\b/i;
const MESSAGE_MARK =
  /\b(?:saying|that says|which says|reading|with (?:the )?(?:message|text|body|content)|body|message|text|telling (?:him|her|them))\b\s*:?\s+\S/i;
const POLITE = new RegExp(`^${POLITE_STARTS}+`, 'i');
const ACT_NOUNS: Record<string, VerbClass> = {
  booking: 'acquire',
  reservation: 'acquire',
  order: 'acquire',
  purchase: 'acquire',
  payment: 'pay',
  transfer: 'pay',
  appointment: 'schedule',
  change: 'update',
  call: 'schedule',
};

interface VerbReading {
  readonly verb: string;
  readonly verbClass: VerbClass;
  readonly negated: boolean;
}

/** The leading verb of a clause, or null. `strict` asks for a clear object behind words that are also nouns. */
function leadingVerb(clause: string, strict: boolean, verbs: ToolVerbs = NO_VERBS): VerbReading | null {
  let text = clause.trim();
  let negated = false;
  for (let pass = 0; pass < 3; pass += 1) {
    const negation = text.match(
      /^(?:(?:please|but|and|also)\s+)?(?:don['’]?t|do not|never|no need to|without|not)\s+(?:yet\s+|actually\s+)?/i,
    );
    if (negation && !/^don['’]?t forget/i.test(text)) {
      negated = true;
      text = text.slice(negation[0].length);
    }
    const polite = text.match(POLITE);
    if (polite) text = text.slice(polite[0].length);
  }
  const words = text.match(/[\p{L}\p{N}'’-]+|[^\s]/gu) ?? [];
  const first = words[0]?.toLowerCase() ?? '';
  if (!first) return null;
  const next = words[1] ?? '';
  if (NO_VERB.test(text)) return null;
  const phrasal = PHRASAL.find(([pattern]) => pattern.test(text));
  if (phrasal) return { verb: phrasal[1], verbClass: phrasal[2], negated };
  if (/^(?:let)$/.test(first) && /\bknow\b/i.test(text) && !/^let (?:me|us)\b/i.test(text))
    return { verb: 'tell', verbClass: 'send', negated };
  if (first === 'tell' && next && !/^(?:me|us)$/i.test(next)) return { verb: 'tell', verbClass: 'send', negated };
  if (first === 'set' && next === 'up')
    return { verb: 'set up', verbClass: /\b(?:meeting|call|appointment)/i.test(text) ? 'schedule' : 'create', negated };
  if (/^(?:place|make|put)$/.test(first)) {
    const noun = wordsOf(text)
      .slice(1, 5)
      .find((word) => Object.hasOwn(ACT_NOUNS, word));
    if (noun)
      return {
        verb: noun === 'booking' ? 'book' : noun === 'reservation' ? 'reserve' : noun === 'payment' ? 'pay' : noun,
        verbClass: ACT_NOUNS[noun]!,
        negated,
      };
    if (first === 'place') return null;
  }
  const base =
    VERB_CLASS.has(first) || Object.hasOwn(USER_CLASS, first)
      ? first
      : negated && VERB_CLASS.has(stem(first))
        ? stem(first)
        : gerund(first, negated);
  if (!base) return coinedVerb(first, next, strict, negated, verbs);
  if (NOT_USER_VERBS.has(base)) return null;
  if (
    next === ':' ||
    NOUN_FOLLOWERS.test(next) ||
    (strict && (!next || !OBJECT_STARTERS.test(next)) && !READ_CLASSES.has(VERB_CLASS.get(base) ?? 'get'))
  )
    return null;
  return { verb: base, verbClass: USER_CLASS[base] ?? VERB_CLASS.get(base)!, negated };
}

function coinedVerb(
  first: string,
  next: string,
  strict: boolean,
  negated: boolean,
  verbs: ToolVerbs,
): VerbReading | null {
  if (!next || next === ':' || NOUN_FOLLOWERS.test(next)) return null;
  const coined = verbs.coined.get(stem(first));
  if (coined && (!strict || OBJECT_STARTERS.test(next))) return { verb: first, verbClass: coined, negated };
  // A noun is a verb only before what it would act upon: "comment on …", "invoice the customer"; not "ticket 12".
  const noun = verbs.fromNouns.get(stem(first));
  return noun && /^(?:on|the|a|an|my|our|this|that|him|her|them|it|\p{Lu}\p{Ll}+)$/u.test(next)
    ? { verb: first, verbClass: noun, negated }
    : null;
}

function gerund(word: string, allowed: boolean): string | null {
  if (!allowed || !word.endsWith('ing')) return null;
  const root = word.slice(0, -3);
  return [root, `${root}e`, root.slice(0, -1)].find((form) => VERB_CLASS.has(form)) ?? null;
}

const isQuestion = (text: string): boolean => {
  const stripped = text.trim().replace(POLITE, '');
  const first = wordsOf(stripped)[0] ?? '';
  if (QUESTION_STARTS.has(first.replace(/['’]s$/, ''))) return true;
  return /^(?:can|could|may|will|would|shall)\s+(?!you\b)/i.test(stripped);
};

interface Piece {
  readonly text: string;
  readonly start: number;
  /** Number of its sentence. */
  readonly sentence: number;
}

function splitSentence(sentence: string, offset: number, number: number, verbs: ToolVerbs): Piece[] {
  const pieces: Piece[] = [];
  const question = isQuestion(sentence);
  const conditional = /^\s*(?:if|unless|when|once|as soon as|in case|provided)\b/i.test(sentence);
  const stop = sentence.match(MESSAGE_MARK)?.index ?? sentence.length;
  const quoted = [...sentence.matchAll(/"[^"]*"|“[^”]*”|(?<![\p{L}\p{N}])'[^']*'(?![\p{L}\p{N}])/gu)].map(
    (one) => [one.index, one.index + one[0].length] as const,
  );
  let from = 0;
  for (const match of sentence.matchAll(
    /;\s+|,?\s+(?:and\s+then|and\s+also|and|then|but|afterwards)\s+|,\s+|\s+[–—-]\s+|,?\s+(?=(?:but\s+)?(?:only\s+)?(?:if|unless)\s)|\s+(?=without\s+\p{L}+ing\b)/gu,
  )) {
    const at = match.index;
    if (at >= stop || at < from || quoted.some(([start, end]) => at >= start && at < end)) continue;
    const rest = sentence.slice(at + match[0].length);
    const opens =
      leadingVerb(rest, (question || /^[,;]|^\s+[–—-]/.test(match[0])) && !conditional, verbs) !== null ||
      isQuestion(rest) ||
      CONDITION_STARTS.test(rest) ||
      /^without\s/i.test(rest);
    if (!opens) continue;
    pieces.push({ text: sentence.slice(from, at), start: offset + from, sentence: number });
    from = at + match[0].length;
  }
  pieces.push({ text: sentence.slice(from), start: offset + from, sentence: number });
  return pieces.filter((piece) => piece.text.trim().length > 0);
}

/** Offsets of what {@link sentencesOf} finds, without touching message contents. */
function piecesOf(text: string, verbs: ToolVerbs): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const [number, sentence] of sentencesOf(text).entries()) {
    const start = Math.max(at, text.indexOf(sentence, at));
    pieces.push(...splitSentence(sentence, start, number, verbs));
    at = start + sentence.length;
    const mark = sentence.match(/\b(?:saying|that says|with (?:the )?(?:message|text|body))\b\s*:?\s*(.)/i);
    // Unquoted message text runs on: what it says must not be taken for orders.
    if (mark && !/["“'‘]/.test(mark[1]!)) break;
  }
  return pieces;
}

/**
 * Spans of `; name: value` and of the labels behind a task's tool names: they belong to the parameter of that name alone.
 */
function labelSpans(text: string): [number, number][] {
  const value = '(?:"(?:[^"\\\\]|\\\\.)*"|[^;\\n"])*';
  const spans: [number, number][] = [];
  for (const match of text.matchAll(new RegExp(`;\\s*\\p{L}[\\p{L}\\d _-]{0,40}:\\s+${value}`, 'gu')))
    spans.push([match.index, match.index + match[0].length]);
  const head = text.match(new RegExp(`\\([\\w-]+(?:, then [\\w-]+)*\\):\\s+${value}`, 'u'));
  if (head?.index !== undefined) spans.push([head.index, head.index + head[0].length]);
  // The last label ends with its sentence.
  return spans.map(([start, end], index) => {
    const cut = text.slice(start, end).search(/\.\s+(?=\p{Lu})/u);
    return index < spans.length && cut >= 0 && !text.slice(start, end).includes('"')
      ? [start, start + cut]
      : [start, end];
  });
}

export function readGoal(text: string, now: LocalNow, verbs: ToolVerbs = NO_VERBS): Goal {
  const clauses: Clause[] = [];
  let askedAs = false;
  const pieces = piecesOf(text, verbs);
  for (const [index, piece] of pieces.entries()) {
    const condition = isCondition(piece.text);
    const question = !condition && isQuestion(piece.text);
    const reading = condition || question ? null : leadingVerb(piece.text, askedAs, verbs);
    const wish = !reading && !question && !condition ? passiveWish(piece.text) : null;
    const verbClass = reading?.verbClass ?? wish?.verbClass ?? (question ? 'get' : 'find');
    const verb = reading?.verb ?? wish?.verb ?? '';
    askedAs = question;
    clauses.push({
      text: piece.text.trim(),
      start: piece.start,
      end: piece.start + piece.text.length,
      verb,
      verbClass,
      question,
      condition,
      under: condition ? null : conditionOf(pieces, index),
      negated: reading?.negated ?? false,
      effect: (reading !== null || wish !== null) && !READ_CLASSES.has(verbClass) && !reading?.negated,
      stems: contentStems(piece.text).filter((one) => one !== stem(verb)),
    });
  }
  const labels = labelSpans(text);
  const mentions = findMentions(text, now).filter(
    (one) => !labels.some(([start, end]) => one.start >= start && one.start < end),
  );
  return { text, clauses, mentions, stems: new Set(contentStems(text)) };
}

const CONDITION_STARTS = /^\s*(?:but\s+)?(?:only\s+)?(?:if|unless|when|once|as soon as|in case|provided)\b/i;
const isCondition = (text: string): boolean =>
  CONDITION_STARTS.test(text) && !/^\s*when\s+(?:is|are|do|does|did|will|was|were|can)\b/i.test(text);
/** Courtesies that look like conditions. */
const COURTESY =
  /^\s*(?:if (?:you can|you could|you like|you please|possible|necessary|needed|so|not|at all possible|you don['’]t mind)|when you can|when possible)\b[\s,.!]*$/i;

/**
 * What an act is asked for under: the "if …" that opens its sentence, or the one that follows it ("…, but only if …", also
 * as a sentence of its own). A condition between two acts belongs to the one before, unless it opens the sentence.
 */
function conditionOf(pieces: readonly Piece[], index: number): Condition | null {
  const own = pieces[index]!;
  const asCondition = (piece: Piece | undefined): Condition | null =>
    piece && isCondition(piece.text) && !COURTESY.test(piece.text)
      ? {
          text: piece.text
            .trim()
            .replace(/^(?:but\s+)?(?:only\s+)?(?:if|unless|when|once|as soon as|in case|provided(?: that)?)\s+/i, ''),
          start: piece.start,
          end: piece.start + piece.text.length,
          inverted: /^\s*(?:but\s+)?(?:only\s+)?unless\b/i.test(piece.text),
        }
      : null;
  const sentence = pieces.filter((one) => one.sentence === own.sentence);
  const opening = asCondition(sentence[0]);
  if (opening) return opening;
  const following = asCondition(pieces[index + 1]);
  if (following && (pieces[index + 1]!.sentence === own.sentence || /^\s*only\b/i.test(pieces[index + 1]!.text)))
    return following;
  const last = asCondition(sentence.at(-1));
  return last && sentence.indexOf(own) < sentence.length - 1 ? last : null;
}

/** "I need a table booked", "I want it cancelled": a wish with the act as a participle. */
function passiveWish(text: string): VerbReading | null {
  const match = text.match(
    /^\s*(?:please\s+)?(?:i\s+(?:need|want|would like)|i'd like|have|get)\s+(?:.{1,60}?)\s(\p{L}+ed|sent|paid|bought|made)\b/iu,
  );
  if (!match) return null;
  const form = match[1]!.toLowerCase();
  const irregular: Record<string, string> = { sent: 'send', paid: 'pay', bought: 'buy', made: 'make' };
  const base =
    irregular[form] ?? [form.slice(0, -2), form.slice(0, -1), form.slice(0, -3)].find((one) => VERB_CLASS.has(one));
  const verbClass = base ? VERB_CLASS.get(base) : undefined;
  return base && verbClass && !READ_CLASSES.has(verbClass) ? { verb: base, verbClass, negated: false } : null;
}

export const effectClauses = (goal: Goal): Clause[] => goal.clauses.filter((clause) => clause.effect);

/** Splits the frame that sub-tasks are given in. */
export function splitTask(text: string): { task: string; overall: string | null } {
  const match = text.match(/^\s*Overall goal:\s*([\s\S]*?)\n\s*\n?\s*Your task:\s*([\s\S]*)$/i);
  return match ? { task: match[2]!.trim(), overall: match[1]!.trim() } : { task: text.trim(), overall: null };
}
