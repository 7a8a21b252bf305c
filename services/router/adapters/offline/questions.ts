/** Questions to the user for values that nobody else can give, in plain words. */

import type { Parameter } from './parameters.ts';
import { infinitiveOf, joinWords } from './prose.ts';
import { enumOf } from './schema.ts';
import type { Step } from './step.ts';
import { humanize } from './words.ts';

const OPTIONS_MAX = 12;
const ASKED_MAX = 6;

function nounOf(parameter: Parameter): string {
  const words = humanize(parameter.name);
  const holder = parameter.path
    .slice(0, -1)
    .filter((part): part is string => typeof part === 'string')
    .at(-1);
  const own =
    words === 'id' || (words === 'name' && parameter.entity !== 'name') ? `${parameter.entity} ${words}`.trim() : words;
  return holder && (words === 'id' || words === 'name') ? `${humanize(holder)} ${words}` : own;
}

const hint = (parameter: Parameter): string => {
  const options = enumOf(parameter.item);
  if (options && options.length > 1) return ` (${options.slice(0, OPTIONS_MAX).map(String).join(', ')})`;
  const text = parameter.description.replace(/\s+/g, ' ').replace(/[.\s]+$/, '');
  return text.length > 0 && text.length <= 90 ? ` (${text})` : '';
};

export function questionFor(lacking: readonly { step: Step; parameter: Parameter }[]): string {
  const { step } = lacking[0]!;
  const act = step.tool.effectful ? ` to ${infinitiveOf(step.tool)}` : '';
  const items = collapse(lacking.map((one) => one.parameter)).slice(0, ASKED_MAX);
  if (items.length === 1) {
    const one = items[0]!;
    if (one.from && one.to) return `Which dates should I use${act}: ${nounOf(one.from)} and ${nounOf(one.to)}?`;
    const parameter = one.from!;
    const noun = nounOf(parameter);
    if (parameter.kind === 'body') return `What should the ${noun} say?`;
    if (parameter.kind === 'boolean') return `Should it be "${noun}"${hint(parameter)}: yes or no?`;
    if (parameter.kind === 'date' || parameter.kind === 'moment' || parameter.kind === 'time')
      return `When: which ${noun} should I use${act}${hint(parameter)}?`;
    return `Which ${noun}${hint(parameter)} should I use${act}?`;
  }
  return `I need a few details first${act}: ${joinWords(items.map((one) => (one.from && one.to ? `the dates (${nounOf(one.from)} and ${nounOf(one.to)})` : `the ${nounOf(one.from!)}${hint(one.from!)}`)))}. Which ${joinWords(items.map((one) => (one.from && one.to ? 'dates' : nounOf(one.from!))))} should I use?`;
}

/** A start and an end are asked for together. */
function collapse(parameters: readonly Parameter[]): { from: Parameter | null; to: Parameter | null }[] {
  const dated = parameters.filter((one) => one.kind === 'date' || one.kind === 'moment');
  const start = dated.find((one) => one.role === 'from');
  const end = dated.find((one) => one.role === 'to');
  return parameters.flatMap((one): { from: Parameter | null; to: Parameter | null }[] =>
    start && end && one === end
      ? []
      : start && end && one === start
        ? [{ from: start, to: end }]
        : [{ from: one, to: null }],
  );
}
