/**
 * Filling a tool's arguments from words alone: labels, mentions, free text, facts, passages, defaults. Assignment is
 * greedy over scored (parameter, mention) pairs, so that no mention serves two parameters. Owns what may count as
 * evidence: an optional argument without evidence stays out, a required one is reported as open, never made up.
 */
import { valueFromRules } from './applicable-rules.ts';
import type { Rule } from './constraints.ts';
import { valueFromFacts } from './facts.ts';
import { fit } from './fit.ts';
import {
  besideNoun,
  booleanFrom,
  enumFrom,
  expressionFrom,
  labelled,
  messageFrom,
  objectPhrase,
  queryFrom,
  reasonFrom,
  topicFrom,
  trimWords,
} from './free-text.ts';
import type { Clause, Goal } from './goal.ts';
import { FIELD_GROUPS, PERSON_WORDS, STOP_WORDS, VERB_CLASS } from './lexicon.ts';
import { findMentions, type Mention } from './mentions.ts';
import type { Parameter } from './parameters.ts';
import { accepts, coerce, enumOf } from './schema.ts';
import type { Situation } from './situation.ts';
import type { Tool } from './toolbox.ts';
import { capitalize, escapeRegExp, related, sentencesOf, stem } from './words.ts';

export type Source = 'label' | 'text' | 'fact' | 'rule' | 'default' | 'result' | 'given';
export interface Filled {
  readonly parameter: Parameter;
  readonly value: unknown;
  readonly source: Source;
  readonly rule?: Rule;
  readonly fact?: string;
  readonly mention?: Mention;
  readonly score: number;
}
export interface Filling {
  readonly filled: readonly Filled[];
  readonly open: readonly Parameter[];
  readonly used: readonly Mention[];
}

const SCORE_MIN_REQUIRED = 0.3;
const SCORE_MIN_OPTIONAL = 0.55;
const OTHER_CLAUSE_PENALTY = 0.25;
/** A background goal's words count less than the task's own. */
const BACKGROUND_PENALTY = 0.2;
const LIST_VALUES_MAX = 20;
const TITLE_LENGTH_MAX = 60;

interface Pair {
  readonly parameter: Parameter;
  readonly mention: Mention;
  readonly score: number;
  readonly value: unknown;
  readonly key: string;
}

export interface FillOptions {
  /** A tool called only for what it returns: its search words come from the goal's object. */
  readonly prerequisite?: boolean;
  /** The one name that this call is about, where several calls share a tool. */
  readonly subject?: Mention | null;
  /** Entity that the caller of a prerequisite is after. */
  readonly seeking?: string;
}

export function fillFromText(
  situation: Situation,
  tool: Tool,
  clause: Clause | null,
  options: FillOptions = {},
): Filling {
  const filled = new Map<Parameter, Filled>();
  const used: Mention[] = [];
  const goal = situation.goal;
  const put = (one: Filled): void => {
    filled.set(one.parameter, one);
    if (one.mention) used.push(one.mention);
  };
  const pending = (): Parameter[] => tool.parameters.filter((parameter) => !filled.has(parameter));

  for (const parameter of tool.parameters) {
    const value = fromLabel(goal.text, parameter, situation);
    if (value !== undefined) put({ parameter, value, source: 'label', score: 1 });
  }
  splitPair(
    situation,
    pending().filter((one) => one.required && ['named', 'person', 'id'].includes(one.kind)),
    put,
  );
  for (const parameter of pending()) {
    const value =
      (parameter.kind === 'named' ||
        (parameter.kind === 'person' && parameter.words.length === 1 && parameter.words[0] !== 'name')) &&
      !parameter.many
        ? namedBeside(situation, tool, parameter, clause)
        : null;
    const fitting = value === null ? undefined : coerce(value.value, parameter.schema);
    if (value && fitting !== undefined && accepts(fitting, parameter.schema, parameter.schema))
      put({ parameter, value: fitting, source: 'text', mention: value.mention, score: 0.75 });
  }
  assignMentions(situation, goal, tool, clause, pending(), put, options, 0);
  for (const parameter of pending()) {
    // The state that an effect is to bring about is not the state of what it is looked up among.
    if (options.prerequisite && clause?.effect && parameter.words.some((word) => /^(?:status|state)$/.test(word)))
      continue;
    const chosen = fromChoice(tool, situation, parameter, clause, goal.text);
    if (chosen !== undefined) put({ parameter, value: chosen, source: 'text', score: 0.8 });
  }
  for (const parameter of pending()) {
    const value = freeText(situation, tool, parameter, clause, used, options);
    const fitting = value === null ? undefined : coerce(parameter.many ? [value] : value, parameter.schema);
    if (fitting !== undefined && accepts(fitting, parameter.schema, parameter.schema))
      put({ parameter, value: fitting, source: 'text', score: 0.7 });
  }
  if (situation.background) {
    assignMentions(situation, situation.background, tool, null, pending(), put, options, BACKGROUND_PENALTY);
    for (const parameter of pending()) {
      const chosen =
        parameter.kind === 'enum' || parameter.kind === 'boolean'
          ? fromChoice(tool, situation, parameter, null, situation.background.text)
          : undefined;
      if (chosen !== undefined) put({ parameter, value: chosen, source: 'text', score: 0.6 });
    }
  }
  for (const parameter of pending()) {
    const ruled = valueFromRules(situation, tool, parameter, clause);
    if (ruled)
      put({
        parameter,
        value: parameter.many ? [ruled.value] : ruled.value,
        source: 'rule',
        rule: ruled.rule ?? undefined,
        score: 0.7,
      });
  }
  // What is remembered for certain beats a name that merely stands somewhere.
  for (const one of [...filled.values()])
    if (
      one.source === 'text' &&
      one.score < SCORE_MIN_OPTIONAL &&
      one.parameter.kind === 'person' &&
      valueFromFacts(situation.facts, one.parameter, situation.now)
    )
      filled.delete(one.parameter);
  for (const parameter of pending()) {
    if (
      !parameter.required &&
      !parameter.requiredInParent &&
      parameter.kind !== 'enum' &&
      !(parameter.kind === 'place' && parameter.role === 'from') &&
      !(tool.effectful && (parameter.kind === 'person' || parameter.kind === 'email'))
    )
      continue;
    const known = valueFromFacts(situation.facts, parameter, situation.now) ?? fromPassages(situation, parameter);
    if (known)
      put({
        parameter,
        value: parameter.many ? [known.value] : known.value,
        source: 'fact',
        fact: known.fact,
        score: 0.6,
      });
  }
  for (const parameter of pending()) {
    if (!parameter.required) continue;
    const value = requiredDefault(situation, parameter);
    if (value !== undefined) put({ parameter, value, source: 'default', score: 0.4 });
  }
  return { filled: [...filled.values()], open: pending().filter((parameter) => parameter.required), used };
}

function fromLabel(text: string, parameter: Parameter, situation: Situation): unknown {
  const raw = labelled(text, parameter);
  if (raw === null) return undefined;
  if (parameter.many) {
    const values = raw
      .split(/\s*,\s*/)
      .map((one) => coerce(one, parameter.item))
      .filter((one) => one !== undefined && accepts(one, parameter.item, parameter.item));
    return values.length > 0 && accepts(values, parameter.schema, parameter.schema) ? values : undefined;
  }
  const plain = coerce(raw.replace(/^["“']|["”']$/g, ''), parameter.item);
  if (plain !== undefined && accepts(plain, parameter.item, parameter.item)) return plain;
  for (const mention of findMentions(raw, situation.now)) {
    const found = fit(parameter, mention, situation.now, new Set());
    if (found) return found.value;
  }
  const options = enumOf(parameter.item);
  return options ? enumFrom(raw, options, parameter)?.value : undefined;
}

/** "acme/web" fills two open values in their order. */
function splitPair(situation: Situation, open: readonly Parameter[], put: (one: Filled) => void): void {
  const pair = situation.goal.mentions.find((one) => one.kind === 'identifier' && /^[\w.-]+\/[\w.-]+$/.test(one.text));
  if (!pair || open.length !== 2) return;
  pair.text.split('/').forEach((value, index) => {
    const parameter = open[index]!;
    if (accepts(value, parameter.schema, parameter.schema))
      put({ parameter, value, source: 'text', mention: pair, score: 0.7 });
  });
}

/** "the billing service" for `service`; a name, code or quotation at that place is taken whole. */
function namedBeside(
  situation: Situation,
  tool: Tool,
  parameter: Parameter,
  clause: Clause | null,
): { value: string; mention?: Mention } | null {
  const scope = clause ?? situation.goal.clauses[0];
  if (!scope || (parameter.path.length > 1 && !parameter.requiredInParent)) return null;
  const own = parameter.words.filter((word) => word.length > 2 && word !== 'name').map(stem);
  const found = besideNoun(scope.text, new Set([...own, ...(own.length === 0 ? tool.nouns.map(stem) : [])]));
  if (!found) return null;
  const start = scope.start + found.start;
  const mention = situation.goal.mentions.find(
    (one) =>
      one.start <= start &&
      one.end > start &&
      ['name', 'identifier', 'quoted', 'code', 'email', 'date', 'number', 'money'].includes(one.kind),
  );
  if (mention && ['email', 'date', 'number', 'money'].includes(mention.kind)) return null;
  if (
    tool.parameters.some((one) =>
      enumOf(one.item)?.some((option) => String(option).toLowerCase() === found.value.toLowerCase()),
    )
  )
    return null;
  return { value: mention && mention.kind !== 'name' ? mention.text : found.value, mention };
}

const mentionKey = (mention: Mention, part: string): string => `${mention.start}:${part}`;
const overlaps = (left: Mention, right: Mention): boolean => left.start < right.end && right.start < left.end;

function assignMentions(
  situation: Situation,
  goal: Goal,
  tool: Tool,
  clause: Clause | null,
  parameters: readonly Parameter[],
  put: (one: Filled) => void,
  options: FillOptions,
  penalty: number,
): void {
  const nouns = new Set([...tool.nouns.map(stem)]);
  const pairs: Pair[] = [];
  for (const parameter of parameters) {
    // The noun that a bare `name`, `id` or `to` belongs to is the tool's own.
    const extra = parameter.words.length === 1 || parameter.kind === 'named' ? nouns : new Set<string>();
    for (const mention of goal.mentions) {
      if (options.subject && isNaming(mention) && !overlaps(mention, options.subject)) continue;
      const found = fit(parameter, mention, situation.now, extra);
      if (!found) continue;
      if (
        ['named', 'place', 'person', 'id'].includes(parameter.kind) &&
        tool.parameters.some(
          (one) =>
            one !== parameter &&
            enumOf(one.item)?.some((option) => String(option).toLowerCase() === mention.text.toLowerCase()),
        )
      )
        continue;
      const elsewhere =
        clause && (mention.start < clause.start || mention.start >= clause.end) && goal === situation.goal;
      const subject =
        options.subject &&
        isNaming(mention) &&
        (['person', 'query'].includes(parameter.kind) ||
          (parameter.kind === 'named' && parameter.words.includes('name')))
          ? 0.3
          : 0;
      // Who "is", "named" or "whose" introduces belongs to a lookup by exactly that kind.
      const score =
        found.score + subject - (elsewhere ? OTHER_CLAUSE_PENALTY : 0) - penalty + (parameter.required ? 0.02 : 0);
      pairs.push({ parameter, mention, score, value: found.value, key: mentionKey(mention, found.part) });
    }
  }
  pairs.sort((left, right) => right.score - left.score || left.mention.start - right.mention.start);
  const taken: { mention: Mention; key: string }[] = [];
  const done = new Map<Parameter, unknown[]>();
  for (const pair of pairs) {
    const values = done.get(pair.parameter);
    if (values && (!pair.parameter.many || values.length >= LIST_VALUES_MAX)) continue;
    const threshold = pair.parameter.required ? SCORE_MIN_REQUIRED : SCORE_MIN_OPTIONAL;
    if (pair.score < threshold || (values && pair.score < SCORE_MIN_OPTIONAL)) continue;
    if (
      taken.some(
        (one) =>
          one.key === pair.key ||
          (overlaps(one.mention, pair.mention) && one.mention.start !== pair.mention.start) ||
          (one.mention.start === pair.mention.start && one.mention.kind !== pair.mention.kind),
      )
    )
      continue;
    // The second date of a pair may repeat the first only where nothing else is there.
    taken.push(pair);
    const list = [...(values ?? []), pair.value];
    done.set(pair.parameter, list);
    const value = pair.parameter.many ? list : pair.value;
    if (pair.parameter.many && !accepts(value, pair.parameter.schema, pair.parameter.schema)) {
      done.delete(pair.parameter);
      continue;
    }
    put({ parameter: pair.parameter, value, source: 'text', mention: pair.mention, score: pair.score });
  }
}

export const isNaming = (mention: Mention): boolean =>
  mention.kind === 'name' || mention.kind === 'phrase' || mention.kind === 'email' || mention.kind === 'quoted';

/** "business trip" says nothing about a class of tickets: the word belongs to a noun that is not the tool's. */
function modifiesAnother(
  tool: Tool,
  parameter: Parameter,
  clause: Clause | null,
  next: string,
  options: readonly unknown[],
): boolean {
  if (
    next.length < 3 ||
    STOP_WORDS.has(next) ||
    VERB_CLASS.has(next) ||
    options.some((one) => String(one).toLowerCase() === next)
  )
    return false;
  const own = [...tool.nouns, ...parameter.words].map(stem);
  const stemmed = stem(next);
  if (
    own.some((one) => one === stemmed || related(one, stemmed)) ||
    parameter.stems.has(stemmed) ||
    tool.descriptionStems.has(stemmed)
  )
    return false;
  if (/^(?:class|category|type|level|mode|tier|priority|size|colou?r|only|please|instead)$/.test(next)) return false;
  return (
    !clause ||
    clause.verbClass === 'plan' ||
    clause.stems.some((one) => tool.nouns.some((noun) => stem(noun) === one)) ||
    !clause.text.toLowerCase().includes(next)
  );
}

function fromChoice(
  tool: Tool,
  situation: Situation,
  parameter: Parameter,
  clause: Clause | null,
  text: string,
): unknown {
  const options = enumOf(parameter.item);
  if (options) {
    if (parameter.many) {
      const all = options.filter((option) => enumFrom(text, [option], parameter));
      return all.length > 0 && accepts(all, parameter.schema, parameter.schema) ? all : undefined;
    }
    const twin = tool.parameters.find(
      (one) =>
        one !== parameter &&
        one.kind === 'enum' &&
        (one.role === 'from' || one.role === 'to') &&
        one.role !== parameter.role &&
        JSON.stringify(enumOf(one.item)) === JSON.stringify(options),
    );
    if (twin && (parameter.role === 'from' || parameter.role === 'to')) {
      const present = options.flatMap((option) => {
        const hit = enumFrom(text, [option], parameter);
        return hit && hit.score >= 0.7 ? [option] : [];
      });
      if (present.length === 2) {
        // The unit of the amount is what is converted from.
        const counted = present.find((option) =>
          new RegExp(`\\d\\s*(?:degrees?\\s*)?${escapeRegExp(String(option))}`, 'i').test(text),
        );
        if (counted !== undefined) return parameter.role === 'from' ? counted : present.find((one) => one !== counted);
      }
    }
    // Codes of currencies, units and the like have roles: the "to" one comes after "to".
    const directed =
      parameter.role === 'to'
        ? text.match(/\b(?:to|into|in|as)\s+(.{1,40})$/i)?.[1]
        : parameter.role === 'from'
          ? text.match(/^(.*?)\b(?:to|into|in|as)\s+\S+/i)?.[1]
          : null;
    const named =
      (directed ? enumFrom(directed, options, parameter) : null) ??
      (clause ? enumFrom(clause.text, options, parameter) : null) ??
      enumFrom(text, options, parameter);
    if (!named || named.score < (parameter.required ? 0.7 : 0.75)) return undefined;
    return modifiesAnother(tool, parameter, clause, named.next, options) ? undefined : named.value;
  }
  if (parameter.kind === 'boolean') {
    const found = booleanFrom(
      clause ? `${clause.text} ${situation.goal.clauses.length > 1 ? text : ''}` : text,
      parameter,
    );
    return found && !parameter.many ? found.value : undefined;
  }
  return undefined;
}

/** Search words, titles, messages and the like. Nothing is composed that the user did not say. */
function freeText(
  situation: Situation,
  tool: Tool,
  parameter: Parameter,
  clause: Clause | null,
  used: readonly Mention[],
  options: FillOptions,
): string | null {
  if (
    parameter.item.type !== undefined &&
    parameter.item.type !== 'string' &&
    !(Array.isArray(parameter.item.type) && parameter.item.type.includes('string'))
  )
    return null;
  const scope = clause ?? situation.goal.clauses[0] ?? null;
  if (!scope) return null;
  const text = situation.goal.text;
  const personal =
    tool.nouns.some((noun) => PERSON_WORDS.has(noun)) || (options.seeking ? PERSON_WORDS.has(options.seeking) : false);
  switch (parameter.kind) {
    case 'expression':
      return expressionFrom(scope.text) ?? expressionFrom(text);
    case 'reason':
      return reasonFrom(text) ?? null;
    case 'query': {
      if (options.subject) return options.subject.text;
      if (personal || options.prerequisite) {
        const name = namesIn(situation.goal.mentions, scope)[0];
        if (personal && name) return name.text;
      }
      if (options.prerequisite || scope.effect) return objectPhrase(scope) || nounBefore(situation, scope) || null;
      const query = queryFrom(scope, used, scope.start);
      return query || (parameter.required ? trimWords(scope.text) || null : null);
    }
    case 'title': {
      const topic = topicFrom(scope, text);
      if (topic) return tidyTitle(topic);
      if (!parameter.required || !tool.effectful) return null;
      const phrase = scope.text.match(
        /\b((?:a|an|the)\s+)?([\p{L}' -]{2,40}?)\s+(with\s+\p{Lu}[\p{L}'’]+(?:(?:\s+and|,)?\s+\p{Lu}[\p{L}'’]+)*)/u,
      );
      const withWhom = phrase && scope.verbClass === 'schedule' ? `${objectPhrase(scope)} ${phrase[3]}` : null;
      const quoted = situation.goal.mentions.find((one) => one.kind === 'quoted');
      const remainder = withWhom ?? quoted?.text ?? objectPhrase(scope);
      const generic =
        remainder &&
        !withWhom &&
        !quoted &&
        tool.nouns.some(
          (noun) => stem(noun) === stem(remainder.split(' ').at(-1)!) || related(stem(noun), stem(remainder)),
        );
      const purpose = withoutDates(situation, scope)
        .match(/\b(?:for|to)\s+((?!\d|me\b|us\b|him\b|her\b|them\b)\p{Ll}.+)$/u)?.[1]
        ?.replace(/[\s.?!]+$/, '');
      if (scope.verb === 'remind' && purpose) return tidyTitle(purpose);
      const message = tool.parameters.some((one) => one.kind === 'body') ? messageFrom(text) : null;
      if (message && scope.verbClass === 'send' && !quoted)
        return tidyTitle(
          message
            .slice(0, TITLE_LENGTH_MAX)
            .replace(/\s+\S*$/, (tail) => (message.length > TITLE_LENGTH_MAX ? '' : tail)),
        );
      return generic ? (purpose ? tidyTitle(purpose) : null) : remainder ? tidyTitle(remainder) : null;
    }
    case 'body': {
      const message = messageFrom(text);
      if (message) return message;
      const quotes = situation.goal.mentions.filter(
        (one) =>
          one.kind === 'quoted' &&
          !used.includes(one) &&
          !one.before.slice(-1).some((word) => /^(?:subject|titl|call|nam|entitl|topic)/.test(word)),
      );
      if (quotes.length > 0 && tool.effectful && !/title|subject|name/i.test(quotes.at(-1)!.before.join(' ')))
        return quotes.at(-1)!.text;
      if (!tool.effectful) return parameter.required ? queryFrom(scope, used, scope.start) || null : null;
      const hasTitle = tool.parameters.some((one) => one.kind === 'title');
      if (!parameter.required || hasTitle) return null;
      const reminder = scope.text.match(/\b(?:to|that|about)\s+(.+)$/i)?.[1]?.replace(/[.?!]+$/, '');
      return scope.verb === 'remind' || scope.verbClass === 'create'
        ? (reminder ?? (objectPhrase(scope) || null))
        : null;
    }
    case 'named': {
      if (parameter.path.length > 1 && !parameter.requiredInParent) return null;
      const own = new Set([
        ...parameter.words.filter((word) => word.length > 2 && word !== 'name').map(stem),
        ...(parameter.words.includes('name') || parameter.required ? tool.nouns.map(stem) : []),
      ]);
      const value = besideNoun(scope.text, own);
      if (
        value &&
        !used.some((one) => one.start < scope.start + value.start + 1 && scope.start + value.start < one.end)
      )
        return value.value;
      if (!parameter.required || options.prerequisite) return null;
      const phrase = objectPhrase(scope);
      const own2 = new Set([...tool.nouns.map(stem), ...parameter.words.map(stem)]);
      const alone = tool.parameters.filter((one) => one.required && one.kind === 'named').length === 1;
      return scope.verb &&
        alone &&
        phrase &&
        phrase.split(' ').length <= 3 &&
        !phrase.split(' ').every((word) => own2.has(stem(word)))
        ? phrase
        : null;
    }
    default:
      return null;
  }
}

/** The clause without when: "to file taxes by 31 May" is about filing taxes. */
function withoutDates(situation: Situation, clause: Clause): string {
  let text = clause.text;
  for (const mention of [...situation.goal.mentions].reverse()) {
    const [start, end] = [mention.start - clause.start, mention.end - clause.start];
    if (
      (mention.kind === 'date' || mention.kind === 'time' || mention.kind === 'duration') &&
      start >= 0 &&
      end <= text.length
    )
      text = `${text.slice(0, start).replace(/\s*\b(?:by|on|at|for|from|before|until|in)\s*$/i, '')} ${text.slice(end)}`;
  }
  return text.replace(/\s+/g, ' ').trim();
}

const tidyTitle = (text: string): string =>
  capitalize(
    text
      .replace(/^(?:the|a|an|my|our)\s+/i, '')
      .replace(/[.?!]+$/, '')
      .trim(),
  );

export const namesIn = (mentions: readonly Mention[], clause: Clause | null): Mention[] => {
  // A single capitalised word that opens a sentence may be any word.
  const names = mentions.filter(
    (one) =>
      one.kind === 'name' &&
      (one.cue !== '' || one.before.length > 0 || one.text.includes(' ') || one.after.length < 3),
  );
  const inside = clause ? names.filter((one) => one.start >= clause.start && one.start < clause.end) : names;
  const pool = inside.length > 0 ? inside : names;
  const personal = pool.filter((one) => !/^(?:in|at|about|on|near)$/.test(one.cue));
  return personal.length > 0 ? personal : pool;
};

/** "Find headphones and order them": the object of the clause before. */
function nounBefore(situation: Situation, clause: Clause): string {
  const earlier = situation.goal.clauses.filter((one) => one.start < clause.start).reverse();
  for (const one of earlier) {
    const phrase = queryFrom(
      one,
      situation.goal.mentions.filter((mention) => mention.kind === 'money' || mention.kind === 'date'),
      one.start,
    );
    if (phrase) return phrase;
  }
  return '';
}

/** A required place or code that a document states about where the user starts from. */
function fromPassages(situation: Situation, parameter: Parameter): { value: unknown; fact: string } | null {
  if (!parameter.required || parameter.kind !== 'place' || parameter.role !== 'from') return null;
  const sentences = situation.passages.flatMap((passage) => sentencesOf(passage.text));
  return valueFromFacts(
    sentences.filter((one) =>
      parameter.kind === 'place' ? /\b(?:home|depart|start(?:s|ing)? (?:from|at)|based)\b/i.test(one) : true,
    ),
    parameter,
    situation.now,
  );
}

function requiredDefault(situation: Situation, parameter: Parameter): unknown {
  if (parameter.fallback !== undefined && accepts(parameter.fallback, parameter.schema, parameter.schema))
    return parameter.fallback;
  const options = enumOf(parameter.item);
  if (options?.length === 1 && !parameter.many) return options[0];
  if (parameter.kind === 'zone' && !parameter.many) return situation.request.timeZone;
  const person =
    parameter.kind === 'count' &&
    /^(?:passengers?|guests?|adults?|travell?ers|people|persons?|seats|quantity|qty)$/.test(
      parameter.words.at(-1) ?? '',
    );
  if (person && accepts(1, parameter.item, parameter.item)) return 1;
  // Paging has no meaning to the user: the smallest page that is allowed to be asked for.
  if (parameter.kind === 'count' && parameter.words.some((word) => /^(?:limit|page|offset|size)$/.test(word)))
    return [10, parameter.item.maximum, parameter.item.minimum, 1].find((value) =>
      accepts(value, parameter.item, parameter.item),
    );
  return undefined;
}

export const mentionsField = (group: string, words: readonly string[]): boolean =>
  words.some((word) => FIELD_GROUPS[group]?.has(word));
