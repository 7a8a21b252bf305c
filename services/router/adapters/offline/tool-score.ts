/**
 * How much a tool has to do with words: BM25's IDF over the toolset, fields weighted, and the arguments that the words can
 * fill as further evidence. Owns the weights.
 */
import { fillFromText } from './arguments.ts';
import type { Clause } from './goal.ts';
import type { Situation } from './situation.ts';
import type { Tool } from './toolbox.ts';
import { akin, inverseDocumentFrequency, related } from './words.ts';

const NAME_WEIGHT = 2;
const DESCRIPTION_WEIGHT = 1;
const PARAMETER_WEIGHT = 0.7;
const OUTPUT_WEIGHT = 0.6;
const RELATED_WEIGHT = 0.48;
const DERIVED_WEIGHT = 0.6;

export interface Target {
  readonly tool: Tool;
  readonly clause: Clause;
}

const idfCache = new WeakMap<object, (term: string) => number>();

function idfOf(situation: Situation): (term: string) => number {
  const known = idfCache.get(situation.request);
  if (known) return known;
  const idf = inverseDocumentFrequency(
    situation.tools.map((tool) => new Set([...tool.nameStems, ...tool.descriptionStems])),
  );
  // A toolset of one or two makes every term look common: keep a floor.
  const floored = (term: string): number => Math.max(0.7, idf(term));
  idfCache.set(situation.request, floored);
  return floored;
}

function weightIn(tool: Tool, term: string): number {
  if (tool.nameStems.has(term)) return NAME_WEIGHT;
  const direct = tool.descriptionStems.has(term)
    ? DESCRIPTION_WEIGHT
    : tool.parameterStems.has(term)
      ? PARAMETER_WEIGHT
      : tool.outputStems.has(term)
        ? OUTPUT_WEIGHT
        : 0;
  const named = [...tool.nameStems].some((name) => related(term, name)) ? NAME_WEIGHT * RELATED_WEIGHT : 0;
  const described = [...tool.descriptionStems].some((name) => related(term, name))
    ? DESCRIPTION_WEIGHT * RELATED_WEIGHT
    : 0;
  const derived =
    direct === 0 && [...tool.nameStems, ...tool.parameterStems].some((one) => akin(term, one)) ? DERIVED_WEIGHT : 0;
  const abbreviated = tool.acronyms.has(term) ? DESCRIPTION_WEIGHT : 0;
  return Math.max(direct, named, described, derived, abbreviated);
}

export function lexicalScore(
  situation: Situation,
  tool: Tool,
  stems: Iterable<string>,
): { score: number; terms: Set<string> } {
  const idf = idfOf(situation);
  const terms = new Set<string>();
  let score = 0;
  for (const term of new Set(stems)) {
    const weight = weightIn(tool, term);
    if (weight === 0) continue;
    terms.add(term);
    score += weight * idf(term);
  }
  return { score, terms };
}

/** Strong kinds: a value of such a kind in the text speaks for the tool by itself. */
const STRONG = new Set(['expression', 'currency', 'url', 'email']);

export function evidence(
  situation: Situation,
  tool: Tool,
  clause: Clause,
): { filled: number; required: number; strong: number; exact: number } {
  const filling = fillFromText(situation, tool, clause);
  const required = tool.parameters.filter((one) => one.required);
  const given = filling.filled.filter((one) => one.source === 'text' || one.source === 'label');
  const strong = given.filter(
    (one) =>
      STRONG.has(one.parameter.kind) ||
      (one.parameter.kind === 'id' && one.score >= 0.8) ||
      (one.parameter.kind === 'enum' && one.parameter.required),
  ).length;
  return {
    filled: given.filter((one) => one.parameter.required && one.parameter.kind !== 'query').length,
    required: required.length,
    strong,
    // "Ticket 4700" is one ticket: who asks for it wants no list.
    exact: given.filter((one) => one.parameter.kind === 'id' && one.parameter.required && one.score >= 0.8).length,
  };
}

export const namedInText = (tool: Tool, text: string): boolean =>
  tool.name.length > 3 && /[A-Z_-]/.test(tool.name.slice(1)) && text.includes(tool.name);
