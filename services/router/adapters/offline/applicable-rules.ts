/**
 * Which rules and limits bear on one tool, and the argument values that they give. Owns the bridge from passages and
 * the goal's own bounds to optional parameters (a maximum, a class) and to the filter on result lists.
 */

import { concerns, type Limit, limitsIn, type Rule, rulesFrom } from './constraints.ts';
import { enumFrom } from './free-text.ts';
import type { Clause } from './goal.ts';
import { FIELD_GROUPS, STOP_WORDS, VERB_CLASS } from './lexicon.ts';
import type { Parameter } from './parameters.ts';
import { accepts, coerce, enumOf } from './schema.ts';
import type { Situation } from './situation.ts';
import { toolOf } from './strangers.ts';
import type { Tool } from './toolbox.ts';
import { contentStems, stem, wordsOf } from './words.ts';

export interface RuleValue {
  readonly value: unknown;
  readonly rule: Rule | null;
}

const ruleCache = new WeakMap<object, Rule[]>();

export function allRules(situation: Situation): Rule[] {
  const known = ruleCache.get(situation.request);
  if (known) return known;
  const rules = rulesFrom(situation.passages, situation.now);
  ruleCache.set(situation.request, rules);
  return rules;
}

export function rulesFor(situation: Situation, tool: Tool, clause: Clause | null): Rule[] {
  const rules = allRules(situation);
  const own = new Set(tool.nouns.map(stem));
  // "Is booked" in a rule says nothing about bookings: a noun that is a verb as well has to stand there as a noun.
  const plain = new Set([...own].filter((one) => !VERB_CLASS.has(one)));
  const doubled = tool.nouns.filter((noun) => VERB_CLASS.has(stem(noun)));
  const direct = rules.filter(
    (rule) => concerns(rule, plain) || doubled.some((noun) => new RegExp(`\\b${noun}s?\\b`, 'i').test(rule.sentence)),
  );
  if (direct.length > 0) return direct;
  // The documents do not name the tool's thing: then the clause's own topic words, never its names and never another tool's thing.
  const known = [...situation.tools, ...situation.observations.map((one) => toolOf(situation, one.tool))];
  const others = new Set(known.filter((one) => one.name !== tool.name).flatMap((one) => one.nouns.map(stem)));
  const names = new Set(
    situation.goal.mentions.filter((one) => one.kind === 'name').flatMap((one) => contentStems(one.text)),
  );
  const topics = new Set((clause?.stems ?? []).filter((one) => !others.has(one) && !names.has(one) && !/\d/.test(one)));
  return rules.filter((rule) => concerns(rule, topics) && !concerns(rule, others));
}

/** Bounds from the goal (in it, a money bound is about whatever is bought) and from the rules on the tool. */
export function limitsFor(situation: Situation, tool: Tool, clause: Clause | null): Limit[] {
  const text = situation.goal.text;
  const own = limitsIn(text, situation.now, -1);
  const wider = situation.background ? limitsIn(situation.background.text, situation.now, -1) : [];
  const ruled = rulesFor(situation, tool, clause).flatMap((rule) => rule.limits);
  // A task carries the limit that its planner found to apply; rules for other cases must not tighten it.
  const carried = situation.background
    ? ruled.filter(
        (one) =>
          !own.some(
            (limit) =>
              limit.field === one.field && limit.comparator === one.comparator && limit.currency === one.currency,
          ),
      )
    : ruled;
  return strictest([...own, ...(own.length ? [] : wider), ...scoped(situation, carried)]);
}

/** Limits for several cases ("to Asia, for example …", "to Europe"): the one that names what the goal names is meant. */
function scoped(situation: Situation, limits: readonly Limit[]): Limit[] {
  const names = [...situation.goal.mentions, ...(situation.background?.mentions ?? [])]
    .filter((one) => one.kind === 'name' || one.kind === 'code')
    .map((one) => one.text.toLowerCase());
  const labelled = [...situation.goal.text.matchAll(/[:;]\s*(\p{Lu}[\p{L} ]{2,40}?)(?=[;.]|$)/gu)].map((match) =>
    match[1]!.toLowerCase(),
  );
  const wanted = [...names, ...labelled];
  return limits.filter((limit) => {
    const rivals = limits.filter(
      (one) => one.field === limit.field && one.comparator === limit.comparator && one.currency === limit.currency,
    );
    const named = rivals.filter((one) => wanted.some((name) => one.sentence.toLowerCase().includes(name)));
    return named.length === 0 || named.includes(limit);
  });
}

/** One limit per field and direction; where several rules name one, the strictest is the safe reading. */
function strictest(limits: readonly Limit[]): Limit[] {
  const kept = new Map<string, Limit>();
  for (const limit of limits) {
    const key = `${limit.field} ${limit.comparator} ${limit.currency}`;
    const old = kept.get(key);
    if (!old || (limit.comparator === '<=' ? limit.value < old.value : limit.value > old.value)) kept.set(key, limit);
  }
  return [...kept.values()];
}

const fieldMatches = (limit: Limit, parameter: Parameter): boolean =>
  parameter.words.some((word) => stem(word) === stem(limit.field) || (FIELD_GROUPS[limit.field]?.has(word) ?? false)) ||
  (limit.field === 'price' && parameter.kind === 'money');

/** A value that a rule or a bound gives to an optional parameter; null where none does. */
export function valueFromRules(
  situation: Situation,
  tool: Tool,
  parameter: Parameter,
  clause: Clause | null,
): RuleValue | null {
  const rules = rulesFor(situation, tool, clause);
  if (
    (parameter.role === 'max' || parameter.role === 'min') &&
    ['money', 'count', 'number', 'duration', 'percent'].includes(parameter.kind)
  ) {
    const wanted = parameter.role === 'max' ? '<=' : '>=';
    const limit = limitsFor(situation, tool, clause).find(
      (one) => one.comparator === wanted && fieldMatches(one, parameter),
    );
    const value = limit ? coerce(limit.value, parameter.item) : undefined;
    if (limit && value !== undefined && accepts(value, parameter.item, parameter.item))
      return {
        value,
        rule: rules.find((rule) => rule.passage === limit.passage && rule.sentence === limit.sentence) ?? null,
      };
  }
  const options = enumOf(parameter.item);
  if (options && !parameter.many && !parameter.words.some((word) => word === 'status' || word === 'state')) {
    for (const rule of rules) {
      // A rule that lets somebody have a value ("…class is allowed for directors") does not prescribe it.
      if (/\b(?:allowed|permitted|may|can)\b/i.test(rule.sentence) && !/\b(?:only|must)\b/i.test(rule.sentence))
        continue;
      const named = enumFrom(rule.sentence, options, parameter);
      if (
        named &&
        named.score >= 0.9 &&
        standsAlone(named.next, parameter) &&
        !exempts(rule.sentence, String(named.value))
      )
        return { value: named.value, rule };
    }
  }
  if (parameter.kind === 'currency') {
    const limit = limitsFor(situation, tool, clause).find((one) => one.currency !== '');
    const value = limit ? coerce(limit.currency, parameter.item) : undefined;
    if (value !== undefined && parameter.role === '' && accepts(value, parameter.item, parameter.item))
      return { value, rule: rules.find((rule) => rule.sentence === limit!.sentence) ?? null };
  }
  return null;
}

/** "business trip" in a rule is no class of anything. */
const standsAlone = (next: string, parameter: Parameter): boolean =>
  next.length < 3 ||
  STOP_WORDS.has(next) ||
  VERB_CLASS.has(next) ||
  parameter.stems.has(stem(next)) ||
  /^(?:class|category|type|level|mode|tier|priority|size|colou?r|only|rate|fare|room)s?$/.test(next);

/** "…; business class needs approval": the value is named as the exception. */
function exempts(sentence: string, value: string): boolean {
  const words = wordsOf(value).join('[\\s_-]+');
  if (!words) return false;
  return new RegExp(
    `^\\W*(?:§?\\s*[\\d.]+)?\\s*${words}(?:\\s+class)?\\s+(?:is|are|may|must|can|should)\\s+(?:not|never)\\b|(?:not|no|never|except|without|unless|instead of)\\s+(?:in\\s+|fly\\s+|use\\s+|book\\s+)*${words}|${words}[^.;]{0,40}\\b(?:not allowed|prohibited|requires?|needs?|only (?:with|after|if|for))`,
    'i',
  ).test(sentence);
}
