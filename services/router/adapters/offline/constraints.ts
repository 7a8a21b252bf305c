/**
 * Limits that the goal or a passage sets: "at most 40 EUR", "must not exceed EUR 1,400", "economy class only". Owns their
 * extraction, and which tool a passage's limit is about: it must share a topic word with the tool, in its sentence or,
 * where the sentence has no subject of its own, in the one before.
 */
import type { Passage } from '@tutti/contracts';
import type { LocalNow } from './calendar-math.ts';
import { FIELD_GROUPS } from './lexicon.ts';
import { type Comparator, findMentions } from './mentions.ts';
import { contentStems, sentencesOf, singular, stem, wordsOf } from './words.ts';

export interface Limit {
  /** Field group ("price") or the stem of the field's word. */
  readonly field: string;
  readonly comparator: Exclude<Comparator, null>;
  readonly value: number;
  readonly currency: string;
  /** Index into the passages, -1 for the goal itself. */
  readonly passage: number;
  readonly sentence: string;
}

/** A sentence that lays down a rule, with what it is about. */
export interface Rule {
  readonly sentence: string;
  readonly passage: number;
  readonly topics: ReadonlySet<string>;
  readonly limits: readonly Limit[];
}

const NORMATIVE =
  /\b(?:must|shall|may not|cannot|can't|not allowed|only|required?|requires|maximum|max|at most|no more than|not exceed|does not exceed|up to|limit(?:ed)?|ceiling|cap(?:ped)?|minimum|at least|always|never|prohibited|permitted|allowed|book(?:ed)? in|travel in|is set to|are set to|should|policy|class|tier|grade|category|standard)\b/i;
const GENERIC = new Set(
  [
    'total',
    'price',
    'cost',
    'fare',
    'amount',
    'rate',
    'fee',
    'sum',
    'value',
    'it',
    'they',
    'this',
    'that',
    'employee',
    'staff',
    'everyone',
    'user',
    'customer',
    'all',
    'any',
    'each',
    'maximum',
    'minimum',
    'max',
    'limit',
    'ceiling',
    'cap',
    'class',
    'round',
    'combined',
    'overall',
    'tax',
    'return',
  ].map(stem),
);
/** "EUR 2,000 above the ceiling", "20 more": no limit of its own. */
const RELATIVE = /^\s*(?:above|over|more|below|less|under|higher|lower|of the)\b/i;
const NEGATIVE_BEFORE =
  /(?:must|may|shall|can|should|do|does)\s*n[o']t\s+(?:\w+\s+){0,2}(?:exceed|be (?:more|higher|greater)|cost more|go (?:over|above))/i;

const groupOf = (word: string): string | null =>
  Object.entries(FIELD_GROUPS).find(([, words]) => words.has(word) || words.has(singular(word)))?.[0] ?? null;

/** What stands around an amount in a goal: enough to see "per night", too little to see everything else. */
const near = (text: string, mention: { start: number; end: number }): string =>
  text.slice(Math.max(0, mention.start - 25), mention.end + 16);

/** Numeric limits in one text. Money always bounds the price. */
export function limitsIn(text: string, now: LocalNow, passage: number): Limit[] {
  const limits: Limit[] = [];
  for (const mention of findMentions(text, now)) {
    // A percentage is relative to something that is not named here.
    if (mention.kind !== 'money' && mention.kind !== 'number') continue;
    if (passage >= 0 && RELATIVE.test(text.slice(mention.end, mention.end + 40))) continue;
    let comparator = mention.comparator;
    if (NEGATIVE_BEFORE.test(text.slice(0, mention.start))) comparator = '<=';
    if (
      !comparator &&
      passage >= 0 &&
      mention.kind === 'money' &&
      /\b(?:limit|ceiling|cap|maximum|max|budget|allowance)\b/i.test(text)
    )
      comparator = '<=';
    if (passage >= 0 && comparator === '>=' && !/\b(?:at least|minimum|no less than)\b/i.test(text)) continue;
    if (!comparator) continue;
    if (mention.kind === 'money')
      limits.push({
        field: 'price',
        comparator,
        value: mention.value,
        currency: mention.currency,
        passage,
        sentence: passage < 0 ? near(text, mention) : text,
      });
    else {
      const around = [
        ...wordsOf(text.slice(Math.max(0, mention.start - 40), mention.start))
          .slice(-6)
          .reverse(),
        ...wordsOf(text.slice(mention.end, mention.end + 20)).slice(0, 1),
      ];
      const after = wordsOf(text.slice(mention.end, mention.end + 20))[0] ?? '';
      const field =
        around.map(groupOf).find((group) => group !== null && group !== 'time') ??
        (mention.kind === 'number' && after ? stem(after) : null);
      if (field) limits.push({ field, comparator, value: mention.value, currency: '', passage, sentence: text });
    }
  }
  return limits;
}

/** The words before the modal verb: what the sentence is about. */
function subjectStems(sentence: string): string[] {
  // "For long trips the fare must …": the scope is not the subject.
  const plain = sentence.replace(/^(?:for|on|in|within|when|if|during)\b.*?(?:,|\bthe\b)/i, '');
  const cut = plain.search(/\b(?:must|shall|may|can|cannot|should|is|are|has|have|does|do|:)\b|:/i);
  return contentStems(cut > 0 ? plain.slice(0, cut) : '').filter((one) => !GENERIC.has(one));
}

/** Every rule in the passages; `known` are stems of the tools and the goal that a topic can be. */
export function rulesFrom(passages: readonly Passage[], now: LocalNow): Rule[] {
  const rules: Rule[] = [];
  passages.forEach((passage, index) => {
    const section = contentStems(passage.section ?? '');
    let carried = new Set(section.length > 0 ? section : contentStems(passage.title));
    for (const sentence of sentencesOf(passage.text)) {
      const subject = subjectStems(sentence);
      const own = new Set(contentStems(sentence));
      const topics = new Set([...own, ...section, ...(subject.length > 0 ? [] : carried)]);
      if (subject.length > 0) carried = own;
      if (NORMATIVE.test(sentence))
        rules.push({ sentence, passage: index, topics, limits: limitsIn(sentence, now, index) });
    }
  });
  return rules;
}

/** Whether a rule is about what these stems (a tool's nouns, its description, the goal) name. */
export function concerns(rule: Rule, nounStems: ReadonlySet<string>): boolean {
  return [...rule.topics].some((topic) => !GENERIC.has(topic) && nounStems.has(topic));
}
