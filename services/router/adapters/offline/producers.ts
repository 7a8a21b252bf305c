/**
 * Which tools can supply a parameter: by their declared output where there is one, else by naming convention
 * (`searchOrders`, `get_order` and `list_orders` all know order ids). Owns that scoring and its exclusions.
 */
import { PERSON_WORDS, PREPARATORY_NOUNS } from './lexicon.ts';
import type { Parameter } from './parameters.ts';
import { keyScore } from './results.ts';
import type { Situation } from './situation.ts';
import type { Tool } from './toolbox.ts';
import { normalizeKey, related, singular, splitIdentifier, stem } from './words.ts';

export interface Offer {
  readonly tool: Tool;
  readonly score: number;
}

const SCORE_MIN = 0.5;
const CHAINABLE = new Set(['id', 'email', 'phone', 'coordinate', 'named', 'currency', 'url', 'money', 'number']);

const sameEntity = (left: string, right: string): boolean =>
  left !== '' &&
  (stem(left) === stem(right) ||
    (left.length > 3 && right.length > 3 && (left.endsWith(right) || right.endsWith(left))));

/** Producing something only to act on it is right for holds and drafts, never for the thing itself. */
export const isPreparatory = (tool: Tool, parameter: Parameter): boolean =>
  tool.verbClass === 'prepare' ||
  PREPARATORY_NOUNS.has(parameter.entity) ||
  (parameter.entity !== '' && parameter.entity === tool.verb);

/** How surely a tool's result holds the parameter's value. */
export function produces(tool: Tool, parameter: Parameter): number {
  if (tool.outputs) {
    let best = 0;
    for (const output of tool.outputs) {
      if (output.type === 'object' || output.type === 'array') continue;
      const container = singular(splitIdentifier(output.container).at(-1) ?? '') || (tool.nouns.at(-1) ?? '');
      const wrapped = /^(?:data|items?|results?|records?|list|values?)$/.test(container)
        ? (tool.nouns.at(-1) ?? '')
        : container;
      best = Math.max(best, keyScore(parameter, output.key, { container: wrapped }, tool.nouns));
    }
    // A declared result that lacks the value is a no; an empty declaration says nothing.
    if (tool.outputs.length > 0) return best;
  }
  return conventional(tool, parameter);
}

const LAST_RESORT_SCORE = 0.5;
/** A search by free words that declares nothing may know the things that no other tool is named after. */
export const isLastResort = (tool: Tool, parameter: Parameter): boolean =>
  parameter.kind === 'id' &&
  tool.outputs === null &&
  !tool.effectful &&
  ['find', 'list'].includes(tool.verbClass) &&
  !tool.nouns.some((noun) => sameEntity(noun, parameter.entity)) &&
  !tool.nouns.some((noun) => PERSON_WORDS.has(noun)) &&
  !PERSON_WORDS.has(parameter.entity) &&
  tool.parameters.some((one) => one.kind === 'query') &&
  tool.parameters.every((one) => !one.required || one.kind === 'query');

/** "Find parking garages near a place" knows garages, whatever its name says. */
const listsByDescription = (tool: Tool, parameter: Parameter): boolean =>
  tool.outputs === null &&
  parameter.entity.length > 3 &&
  tool.objectStems.has(stem(parameter.entity)) &&
  !PERSON_WORDS.has(parameter.entity);

function conventional(tool: Tool, parameter: Parameter): number {
  const known = tool.nouns.some((noun) => sameEntity(noun, parameter.entity));
  const kin =
    !known &&
    tool.nouns.some(
      (noun) =>
        parameter.entity !== '' &&
        (related(stem(noun), stem(parameter.entity)) || (PERSON_WORDS.has(noun) && PERSON_WORDS.has(parameter.entity))),
    );
  const reads = ['find', 'list', 'get'].includes(tool.verbClass);
  if (parameter.kind === 'id') {
    if (isPreparatory(tool, parameter) && (known || tool.verb === parameter.entity)) return 0.75;
    if (known) return reads ? (tool.verbClass === 'get' ? 0.68 : 0.75) : tool.effectful ? 0.6 : 0;
    if (reads && listsByDescription(tool, parameter)) return 0.6;
    return kin && reads ? 0.52 : isLastResort(tool, parameter) ? LAST_RESORT_SCORE : 0;
  }
  if (parameter.kind === 'email' || parameter.kind === 'phone')
    return reads && tool.nouns.some((noun) => PERSON_WORDS.has(noun)) ? 0.7 : 0;
  if (parameter.kind === 'coordinate') return /geocod|coordinate|locat|place/.test(tool.name.toLowerCase()) ? 0.7 : 0;
  if (parameter.kind === 'named')
    return reads && parameter.words.length > 0 && tool.nouns.some((noun) => sameEntity(noun, parameter.words.at(-1)!))
      ? 0.55
      : 0;
  return 0;
}

/** Tools that supply the parameter, best first; pure before effectful. */
export function producersOf(
  situation: Situation,
  parameter: Parameter,
  consumer: Tool,
  stack: readonly string[],
): Offer[] {
  if (!CHAINABLE.has(parameter.kind)) return [];
  return (
    situation.tools
      .filter((tool) => tool.name !== consumer.name && !stack.includes(tool.name))
      .filter(
        (tool) =>
          !tool.effectful || (consumer.effectful && consumer.verbClass !== 'undo' && isPreparatory(tool, parameter)),
      )
      // What a tool asks for itself it only echoes.
      .filter(
        (tool) =>
          !tool.parameters.some(
            (one) =>
              one.required &&
              (normalizeKey(one.name) === normalizeKey(parameter.name) ||
                (one.kind === 'id' && parameter.kind === 'id' && sameEntity(one.entity, parameter.entity))),
          ),
      )
      .map((tool, order) => {
        const score = produces(tool, parameter);
        // Places, amounts and the like are taken from results only under exactly their own name.
        const plain = ['place', 'money', 'number', 'currency', 'named'].includes(parameter.kind);
        return {
          tool,
          order,
          score:
            plain && parameter.kind !== 'named' && score < 0.95
              ? 0
              : score - (tool.effectful ? 0.15 : 0) - (tool.checks && !isLastResort(tool, parameter) ? 0.1 : 0),
        };
      })
      .filter((one) => one.score >= SCORE_MIN)
      .sort((left, right) => right.score - left.score || left.order - right.order)
      .map(({ tool, score }) => ({ tool, score }))
  );
}
