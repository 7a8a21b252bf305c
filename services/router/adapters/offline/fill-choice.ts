/** Choices that the words name: enum members and yes/no. Owns the cases in which a word that looks like one is none. */

import type { FillOptions } from './filling.ts';
import { booleanFrom, enumFrom } from './free-text.ts';
import type { Clause, Goal } from './goal.ts';
import { STOP_WORDS, VERB_CLASS } from './lexicon.ts';
import { goalOf, withoutOutcome } from './outcome.ts';
import type { Parameter } from './parameters.ts';
import { accepts, enumOf } from './schema.ts';
import type { Situation } from './situation.ts';
import type { Tool } from './toolbox.ts';
import { escapeRegExp, related, stem } from './words.ts';

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

/** The value of a choice or a yes/no that the words name, undefined where they name none. */
export function fromChoice(
  tool: Tool,
  situation: Situation,
  parameter: Parameter,
  clause: Clause | null,
  goal: Goal,
  options: FillOptions,
): unknown {
  const members = enumOf(parameter.item);
  if (!members && parameter.kind !== 'boolean') return undefined;
  // What another act's words name is that act's choice.
  const scope = options.prerequisite ? goalOf(goal, clause) : goal;
  const words = (text: string): string => (tool.effectful ? text : withoutOutcome(scope, text));
  const text = words(scope.text);
  const own = clause ? words(clause.text) : null;
  if (members) return memberOf(tool, parameter, clause, own, text, members);
  const found = booleanFrom(own !== null ? `${own} ${situation.goal.clauses.length > 1 ? text : ''}` : text, parameter);
  return found && !parameter.many ? found.value : undefined;
}

function memberOf(
  tool: Tool,
  parameter: Parameter,
  clause: Clause | null,
  own: string | null,
  text: string,
  members: readonly unknown[],
): unknown {
  if (parameter.many) {
    const all = members.filter((one) => enumFrom(text, [one], parameter));
    return all.length > 0 && accepts(all, parameter.schema, parameter.schema) ? all : undefined;
  }
  const counted = countedUnit(tool, parameter, text, members);
  if (counted !== undefined) return counted;
  // Codes of currencies, units and the like have roles: the "to" one comes after "to".
  const directed =
    parameter.role === 'to'
      ? text.match(/\b(?:to|into|in|as)\s+(.{1,40})$/i)?.[1]
      : parameter.role === 'from'
        ? text.match(/^(.*?)\b(?:to|into|in|as)\s+\S+/i)?.[1]
        : null;
  const named =
    (directed ? enumFrom(directed, members, parameter) : null) ??
    (own !== null ? enumFrom(own, members, parameter) : null) ??
    enumFrom(text, members, parameter);
  if (!named || named.score < (parameter.required ? 0.7 : 0.75)) return undefined;
  return modifiesAnother(tool, parameter, clause, named.next, members) ? undefined : named.value;
}

/** Of two units in "20 celsius to fahrenheit" the one of the amount is what is converted from. */
function countedUnit(tool: Tool, parameter: Parameter, text: string, members: readonly unknown[]): unknown {
  if (parameter.role !== 'from' && parameter.role !== 'to') return undefined;
  const twin = tool.parameters.some(
    (one) =>
      one !== parameter &&
      one.kind === 'enum' &&
      (one.role === 'from' || one.role === 'to') &&
      one.role !== parameter.role &&
      JSON.stringify(enumOf(one.item)) === JSON.stringify(members),
  );
  if (!twin) return undefined;
  const present = members.filter((one) => (enumFrom(text, [one], parameter)?.score ?? 0) >= 0.7);
  if (present.length !== 2) return undefined;
  const counted = present.find((one) =>
    new RegExp(`\\d\\s*(?:degrees?\\s*)?${escapeRegExp(String(one))}`, 'i').test(text),
  );
  if (counted === undefined) return undefined;
  return parameter.role === 'from' ? counted : present.find((one) => one !== counted);
}
