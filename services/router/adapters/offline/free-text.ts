/**
 * Values that are not one mention: search words, titles, message bodies, reasons, expressions, choices and yes/no.
 * Owns taking them out of a clause word for word; it rephrases nothing, so that nothing is invented.
 */
import type { Clause } from './goal.ts';
import { PREFERENCES, STOP_WORDS, VERB_CLASS } from './lexicon.ts';
import type { Mention } from './mentions.ts';
import type { Parameter } from './parameters.ts';
import {
  akin,
  capitalize,
  contentStems,
  escapeRegExp,
  humanize,
  related,
  splitIdentifier,
  stem,
  wordsOf,
} from './words.ts';

const LABEL_VALUE_LENGTH_MAX = 4_000;

/** `name: value` or `name = value` in the text, for the parameter's own name; the form that plans are written in. */
export function labelled(text: string, parameter: Parameter): string | null {
  const names = [parameter.name, humanize(parameter.name), parameter.words.join('-')];
  for (const name of new Set(names)) {
    if (name.length < 1) continue;
    const match = text.match(
      new RegExp(
        `(?:^|[\\s;,(])${escapeRegExp(name)}\\s*[:=]\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\n]{1,${LABEL_VALUE_LENGTH_MAX}}))`,
        'i',
      ),
    );
    if (!match) continue;
    if (match[1] !== undefined) return match[1].replace(/\\(["\\])/g, '$1').replace(/\\n/g, '\n');
    const value = match[2]!
      .replace(/[.)]*\s*$/, '')
      .trim()
      .split(/\.\s+(?=\p{Lu})/u)[0]!;
    if (value) return value;
  }
  return null;
}

/** Enum member that the text names: the value itself, its words, or a word of the same stem. */
export function enumFrom(
  text: string,
  options: readonly unknown[],
  parameter: Parameter,
): { value: unknown; score: number; next: string } | null {
  const lower = ` ${text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, ' ')} `;
  const stems = new Set(wordsOf(text).map(stem));
  let best: { value: unknown; score: number; at: number; next: string } | null = null;
  for (const option of options) {
    if (option === null || typeof option === 'object') continue;
    const words = splitIdentifier(String(option));
    if (words.length === 0) continue;
    const phrase = words.join(' ');
    const at = lower.lastIndexOf(` ${phrase} `);
    let score = 0;
    if (at >= 0)
      score =
        phrase.length > 1
          ? 0.9 + Math.min(words.length, 3) * 0.02
          : parameter.words.some((word) => lower.includes(` ${word} ${phrase} `))
            ? 0.8
            : 0;
    else if (words.every((word) => word.length > 2 && stems.has(stem(word)))) score = 0.75;
    else if (words.length === 1 && [...stems].some((one) => akin(one, stem(phrase)))) score = 0.75;
    if (score > 0 && /\b(?:not|no|non|without|except|avoid)\s$/.test(lower.slice(0, Math.max(0, at + 1)))) score = 0;
    // A number or a one-letter value needs its parameter named beside it.
    if (
      typeof option === 'number' &&
      !parameter.words.some((word) => lower.includes(` ${word} `) || lower.includes(` ${word}s `))
    )
      score = 0;
    if (score > 0 && (!best || score > best.score))
      best = {
        value: option,
        score,
        at,
        next: at >= 0 ? wordBehind(text, words) : '',
      };
  }
  return best;
}

/** The word right behind a phrase's last place in the text; '' where a mark stands between. */
function wordBehind(text: string, words: readonly string[]): string {
  const phrase = new RegExp(`\\b${words.map(escapeRegExp).join('[^\\p{L}\\p{N}]+')}(?:\\s+([\\p{L}\\p{N}]+))?`, 'giu');
  return [...text.matchAll(phrase)].at(-1)?.[1]?.toLowerCase() ?? '';
}

/** A yes/no parameter is set where the text uses its words, and unset where it negates them. */
export function booleanFrom(text: string, parameter: Parameter): { value: boolean; score: number } | null {
  const words = parameter.words.filter(
    (word) =>
      !/^(?:is|has|include|included|includes|only|with|allow|enable|enabled|flag|use|should|require|required|be)$/.test(
        word,
      ),
  );
  if (words.length === 0) return null;
  const textWords = wordsOf(text);
  const textStems = textWords.map(stem);
  const hits = words.map((word) =>
    textStems.findIndex(
      (one) =>
        one === stem(word) || (related(one, stem(word)) && ['direct', 'nonstop'].some((term) => stem(term) === one)),
    ),
  );
  const first = hits.find((hit) => hit >= 0);
  if (first === undefined || hits.filter((hit) => hit >= 0).length < Math.ceil(words.length / 2)) return null;
  if (words.length === 1 && parameter.words.length === 1 && VERB_CLASS.has(words[0]!)) return null;
  const negated = textWords
    .slice(Math.max(0, first - 3), first)
    .some((word) => /^(?:no|not|without|don't|never|non|exclude|excluding)$/.test(word));
  return { value: !negated, score: 0.8 };
}

/** Arithmetic in digits or words: "15% of 80", "7 times 8", "square root of 16". */
export function expressionFrom(text: string): string | null {
  let out = text
    .toLowerCase()
    .replace(/(\d)[,'’](?=\d{3}\b)/g, '$1')
    .replace(/(\d+(?:\.\d+)?)\s*(?:%|percent|per cent)\s+(?:of|from)\s+(\d+(?:\.\d+)?)/g, '($1 / 100) * $2')
    .replace(/(\d+(?:\.\d+)?)\s*(?:%|percent)/g, '($1 / 100)')
    .replace(/(?:the )?square root of\s+(\d+(?:\.\d+)?)/g, 'sqrt($1)')
    .replace(/\bsquared\b/g, '^2')
    .replace(/\bcubed\b/g, '^3')
    .replace(/\b(?:to the power of|raised to)\b/g, '^')
    .replace(/\bplus\b|\badded to\b/g, '+')
    .replace(/\bminus\b|\bless\b/g, '-')
    .replace(/\b(?:times|multiplied by)\b|×|(?<=\d)\s*x\s*(?=\d)/g, '*')
    .replace(/\b(?:divided by|over)\b|÷/g, '/');
  out = out.replace(/(\d)\s*[–—]\s*(\d)/g, '$1 - $2');
  const runs = out.match(/(?:sqrt\(|[\d(.-])(?:[\d\s().+*/^-]|sqrt\()*[\d)]/g) ?? [];
  const best = runs
    .map((run) => run.trim())
    .filter(
      (run) =>
        /\d\s*[-+*/^]\s*[(\d]|\)\s*[-+*/^]|sqrt\(/.test(run) && balanced(run) && !/^\d{4}-\d{2}-\d{2}$/.test(run),
    )
    .sort((a, b) => b.length - a.length)[0];
  return best ? best.replace(/\s+/g, ' ') : null;
}

function balanced(text: string): boolean {
  let depth = 0;
  for (const char of text) {
    if (char === '(') depth += 1;
    if (char === ')') depth -= 1;
    if (depth < 0) return false;
  }
  return depth === 0;
}

const LEAD =
  /^(?:(?:please|kindly|can you|could you|would you|i want to|i need to|i'd like to|i would like to|i need|i want|let's|help me|go ahead and|then|and|also|now)\s+)+/i;

/** What the verb acts on: the clause without its opening verb, up to the first linking word. */
export function objectPhrase(clause: Clause): string {
  let text = clause.text.replace(LEAD, '').trim();
  const verb = clause.verb.split(' ')[0] ?? '';
  if (verb && text.toLowerCase().startsWith(verb)) text = text.slice(clause.verb.length).trim();
  text = text.replace(/^(?:up|out|for|me|us|him|her|them)\s+(?=\S)/i, '').replace(/^(?:me|us)\s+/i, '');
  const cut = text.search(
    /\s(?:to|from|in|at|for|with|about|on|near|by|into|via|under|over|below|above|between|and|or|until|since|after|before|that|which|who|saying|called|named|titled|because|using|through|if|so|as|whose|within|whenever|worth)\s|[,;:.?!(]\s*|\s[–—-]\s/i,
  );
  return trimWords((cut >= 0 ? text.slice(0, cut) : text).replace(/[.?!]+$/, ''));
}

/** Cuts function words, numbers and ranking words off both ends. */
export function trimWords(text: string): string {
  const words = text.trim().split(/\s+/).filter(Boolean);
  const droppable = (word: string): boolean => {
    const plain = word.toLowerCase().replace(/[^\p{L}\p{N}-]/gu, '');
    return (
      plain === '' ||
      STOP_WORDS.has(plain) ||
      /^(?:one|two|three|four|five|six|seven|eight|nine|ten|dozen|\d{1,4}|new|good|great|nice|cheap|available|best|possible|options?|latest|cheapest)$/.test(
        plain,
      ) ||
      PREFERENCES.some((one) => one.words.test(plain) && plain !== 'direct')
    );
  };
  while (words.length && droppable(words[0]!)) words.shift();
  while (words.length && droppable(words.at(-1)!)) words.pop();
  return words.join(' ').replace(/^["“'(]+|["”')]+$/g, '');
}

/** The clause's topic words in their order, without what other parameters took. */
export function queryFrom(clause: Clause, taken: readonly Mention[], offset: number): string {
  let text = clause.text;
  const spans = taken
    .map((one) => [one.start - offset, one.end - offset] as const)
    .filter(([from, to]) => from >= 0 && to <= text.length)
    .sort((a, b) => b[0] - a[0]);
  for (const [from, to] of spans) {
    const before = text
      .slice(0, from)
      .replace(
        /(?:\s*\b(?:from|to|in|at|on|for|by|under|below|over|above|up to|at most|less than|more than|cheaper than|no more than|max(?:imum)?|with|around|near|between|worth|a|an|the|budget|of)\b)+\s*$/i,
        ' ',
      );
    text = `${before} ${text.slice(to)}`;
  }
  text = text.replace(LEAD, '').trim();
  const verb = clause.verb;
  if (verb && text.toLowerCase().startsWith(verb)) text = text.slice(verb.length);
  text = text.replace(
    /^\s*(?:me|us|up|for|out|the|a|an|any|some|all|my|our|what|which|who|is|are|where|how|do|does|we|you|know|about|have|there|i|can|get|find|out)\b\s*/gi,
    ' ',
  );
  for (let pass = 0; pass < 4; pass += 1)
    text = text.replace(
      /^\s*(?:me|us|for|the|a|an|any|some|all|my|our|about|is|are|of|do|does|we|you|have|there|it)\b\s*/i,
      ' ',
    );
  for (const preference of PREFERENCES) text = text.replace(new RegExp(`${preference.words.source}`, 'gi'), ' ');
  return trimWords(
    text
      .replace(/[?!.,;]+/g, ' ')
      .replace(/\s+/g, ' ')
      .replace(/\s(?:costs?|prices?)\s*$/i, ''),
  );
}

const TOPIC = /\b(?:about|regarding|concerning|on the subject of|re:|on)\s+(.+)$/i;
const MESSAGE_END =
  /\s+(?:saying|that says|with (?:the )?(?:message|text|body)|and (?:tell|ask|say|invite)|telling)\b.*$/i;

/** What a message or meeting is about; temporal and place phrases stay out. */
export function topicFrom(clause: Clause, text: string): { text: string; verbatim: boolean } | null {
  const named = text.match(
    /\b(?:titled|called|entitled|named|label+ed|with (?:the )?(?:subject|title|label|name)|subject|title|label)\s*:?\s*["“']([^"”']+)["”']/i,
  );
  if (named) return { text: named[1]!.trim(), verbatim: true };
  const plain = text.match(
    /\b(?:titled|called|entitled|named|label+ed|with (?:the )?(?:subject|title|label|name))\s*:?\s+([^,;.]+?)(?=\s+(?:with|on|at|in|to|for|from|tomorrow|today|next|saying|and)\b|[,;.]|$)/i,
  );
  if (plain) return { text: plain[1]!.trim(), verbatim: true };
  const match = clause.text.match(TOPIC);
  if (!match) return null;
  const cut = match[1]!
    .replace(MESSAGE_END, '')
    .replace(
      /\s+(?:tomorrow|today|tonight|next \w+|at \d.*|on (?:\d|mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec).*|for \d.*|with \p{Lu}.*)$/iu,
      '',
    )
    .replace(/[.?!,;:]+$/, '')
    .trim();
  if (!cut || /^(?:\d|monday|tuesday|wednesday|thursday|friday|saturday|sunday|it$|this$|that$)/i.test(cut))
    return null;
  return { text: cut, verbatim: false };
}

/** Words that the user wants passed on as they are. */
export function messageFrom(text: string): string | null {
  const spoken = text.match(
    /\b(?:saying(?: that)?|that says|which says|with (?:the )?(?:message|text|body|content)|telling (?:him|her|them)(?: that)?|(?:tell|inform|notify|remind) (?:him|her|them|\p{Lu}[\p{L}'’]+(?: \p{Lu}[\p{L}'’]+)*) that|to (?:say|tell (?:him|her|them)) (?:that )?|know that)\b\s*[:,]?\s*(.+)$/isu,
  );
  if (spoken) {
    const quoted = spoken[1]!.match(/^["“'‘]([^"”]+?)["”'’](?=[\s.,;!?]|$)/);
    return quoted ? quoted[1]!.trim() : capitalize(spoken[1]!.trim());
  }
  const direct = text.match(
    /\b(?:message|text|body|content|note|comment|reply|respond|write|post|says?|tell \S+)\b(?:\s+(?:is|with|to|in|on)\b)?[^"“]{0,24}["“]([^"”]+)["”]/iu,
  );
  if (direct && !/\b(?:subject|title|titled|called|named|entitled)\b[^"“]*["“]/i.test(direct[0]))
    return direct[1]!.trim();
  const colon = text.match(/^[^:"“;]{3,60}:\s+(\S.{5,})$/s);
  return colon && !/\b\w+\s*:\s*[^;]+;/.test(text) ? colon[1]!.trim() : null;
}

export function reasonFrom(text: string): string | null {
  const match = text.match(
    /\b(?:because(?: of)?|due to|reason(?: is|:)?|since|as it|on account of)\s+(.+?)(?:[.;]|$)/i,
  );
  return match ? match[1]!.trim() : null;
}

/** "the billing service", "service billing": a bare word beside one of the given nouns. */
export function besideNoun(text: string, nouns: ReadonlySet<string>): { value: string; start: number } | null {
  const tokens = [...text.matchAll(/[\p{L}\p{N}][\p{L}\p{N}_.'’/-]*/gu)];
  const plausible = (word: string | undefined): boolean => {
    const lower = word?.toLowerCase() ?? '';
    return (
      lower.length > 1 &&
      !STOP_WORDS.has(lower) &&
      !(VERB_CLASS.has(lower) && tokens[0]?.[0].toLowerCase() === lower) &&
      !nouns.has(stem(lower)) &&
      !/^(?:open|new|all|current|latest|last|next|cheapest|best|active|available|first|second|third|full)$/.test(lower)
    );
  };
  for (const [index, token] of tokens.entries()) {
    const noun = stem(token[0]);
    if (!nouns.has(noun) && ![...nouns].some((one) => related(one, noun))) continue;
    const before = tokens[index - 1];
    if (before && plausible(before[0]) && /^\s+$/.test(text.slice(before.index + before[0].length, token.index)))
      return { value: before[0].replace(/['’]s$/, ''), start: before.index };
    const after = tokens[index + 1];
    if (
      after &&
      plausible(after[0]) &&
      !VERB_CLASS.has(after[0].toLowerCase()) &&
      /^\s+$/.test(text.slice(token.index + token[0].length, after.index))
    )
      return { value: after[0].replace(/[.'’]+$/, ''), start: after.index };
  }
  return null;
}

export const stemSet = (words: Iterable<string>): ReadonlySet<string> =>
  new Set([...words].flatMap((word) => contentStems(word)));
