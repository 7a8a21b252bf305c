/** Amounts, counts and currencies for parameters: comparators, units beside a number, cents, paging. */
import { beside, type Fit, near } from './fit-beside.ts';
import { CURRENCY_CODES } from './lexicon.ts';
import type { Mention } from './mentions.ts';
import type { Parameter } from './parameters.ts';

/** `amount_cents`, "in minor units": people speak of whole units, such a tool wants the small ones. */
export const isMinorUnit = (words: readonly string[], description: string): boolean =>
  words.some((word) => /^(?:cents?|minor|pence)$/.test(word)) ||
  /\bin (?:euro[ -]?|us[ -]?)?(?:cents|pence|minor units?)\b|\b(?:minor|smallest)(?: currency)? units?\b/i.test(
    description,
  );

/** Minor units in one unit of a currency; 100 where it is not known. */
function minorPer(currency: string | null): number {
  if (!currency) return 100;
  try {
    const options = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions();
    return 10 ** (options.maximumFractionDigits ?? 2);
  } catch {
    return 100;
  }
}

export function fitMoney(parameter: Parameter, mention: Mention): Fit | null {
  const found = plainMoney(parameter, mention);
  if (!found || typeof found.value !== 'number' || !isMinorUnit(parameter.words, parameter.description)) return found;
  if (mention.kind === 'number' && /^(?:cents?|pence)$/.test(mention.unit)) return found;
  const factor = minorPer(mention.kind === 'money' ? mention.currency : null);
  return { ...found, value: Math.round(found.value * factor) };
}

function plainMoney(parameter: Parameter, mention: Mention): Fit | null {
  if (mention.kind !== 'money' && mention.kind !== 'number') return null;
  const wanted = parameter.role === 'max' ? '<=' : parameter.role === 'min' ? '>=' : null;
  const agrees = mention.comparator === wanted;
  const opposed = wanted !== null && mention.comparator !== null && !agrees;
  if (opposed) return null;
  if (mention.kind === 'money')
    return { score: agrees ? 0.95 : wanted ? 0.5 : 0.3, value: mention.value, part: 'amount' };
  if (
    mention.unit &&
    !near(mention.after.slice(0, 1), parameter, 1, new Set()) &&
    /^\p{L}{3,}/u.test(mention.unit) &&
    !beside(mention, parameter, new Set())
  )
    return null;
  const words = beside(mention, parameter, new Set());
  return {
    score: words ? (agrees ? 0.8 : 0.6) : agrees && wanted ? 0.6 : agrees ? 0.35 : 0.1,
    value: mention.value,
    part: 'amount',
  };
}

const PAGING = /^(?:limit|top|page|offset|size|max|results?|per|count|number)$/;
/** How many entries of a list to return; a party's size is none of this. */
export const isPaging = (words: readonly string[]): boolean =>
  words.every((word) => PAGING.test(word)) &&
  words.some((word) => /^(?:limit|page|offset|top|results?)$/.test(word) || words.join('') === 'size');

/** Mass, length, volume and data, each to the base of its quantity. */
const MEASURES: readonly Record<string, number>[] = [
  {
    mg: 0.001,
    milligram: 0.001,
    g: 1,
    gram: 1,
    kg: 1000,
    kilo: 1000,
    kilogram: 1000,
    t: 1e6,
    tonne: 1e6,
    oz: 28.349523125,
    ounce: 28.349523125,
    lb: 453.59237,
    lbs: 453.59237,
    pound: 453.59237,
  },
  {
    mm: 0.001,
    cm: 0.01,
    centimeter: 0.01,
    centimetre: 0.01,
    m: 1,
    meter: 1,
    metre: 1,
    km: 1000,
    kilometer: 1000,
    kilometre: 1000,
    mile: 1609.344,
    foot: 0.3048,
    feet: 0.3048,
    ft: 0.3048,
    inch: 0.0254,
  },
  { ml: 0.001, milliliter: 0.001, millilitre: 0.001, cl: 0.01, l: 1, liter: 1, litre: 1 },
  { kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 },
];
const measureOf = (word: string): string => word.toLowerCase().replace(/(?<=\p{L}{3})s$/u, '');

/** The number in the parameter's own unit where both name one of the same quantity ("1.2 kg" for `weightGrams`). */
function inOwnMeasure(parameter: Parameter, value: number, unit: string): number | null {
  const given = measureOf(unit);
  const words = [...parameter.words, ...parameter.description.split(/[^\p{L}]+/u)].map(measureOf);
  for (const scale of MEASURES) {
    const own = words.find((word) => Object.hasOwn(scale, word));
    if (!Object.hasOwn(scale, given) || own === undefined) continue;
    const converted = (value * scale[given]!) / scale[own]!;
    return Math.round(converted * 1e6) / 1e6;
  }
  return null;
}

export function fitNumber(parameter: Parameter, mention: Mention, extra: ReadonlySet<string>): Fit | null {
  if (mention.kind === 'money' || mention.kind === 'percent')
    return parameter.kind === 'number' ? { score: 0.35, value: mention.value, part: 'amount' } : null;
  if (mention.kind === 'duration' && /year/i.test(mention.text) && parameter.words.includes('age'))
    return { score: 0.9, value: Math.round(mention.minutes / 525_600), part: 'all' };
  if (mention.kind === 'duration')
    return parameter.words.some((word) => /^nights?$/.test(word)) && /night/i.test(mention.text)
      ? { score: 0.9, value: Math.round(mention.minutes / 1440), part: 'all' }
      : null;
  if (mention.kind !== 'number') return null;
  const measured = mention.unit ? inOwnMeasure(parameter, mention.value, mention.unit) : null;
  if (measured !== null) return { score: 0.93, value: measured, part: 'all' };
  const paging =
    isPaging(parameter.words) && parameter.role !== 'min' && !(parameter.role === 'max' && mention.comparator === '<=');
  if (
    paging &&
    parameter.words.length <= 2 &&
    !parameter.words.some((word) => near(mention.after.slice(0, 1), { ...parameter, words: [word] }, 1, new Set()))
  )
    return /^(?:top|first|last|limit)$/.test(mention.before.at(-1) ?? '')
      ? { score: 0.9, value: mention.value, part: 'all' }
      : null;
  const own =
    near(mention.after.slice(0, 2), parameter, 2, new Set()) ||
    near(mention.before, parameter, 2, new Set()) ||
    mention.after.slice(0, 1).some((one) => parameter.stems.has(one));
  if (own) return { score: 0.92, value: mention.value, part: 'all' };
  const quantity = parameter.words.some((word) => /^(?:quantity|qty|count|units?|copies|amount|number)$/.test(word));
  if (quantity && (mention.unit || near(mention.after, parameter, 4, extra)) && !mention.comparator)
    return { score: 0.72, value: mention.value, part: 'all' };
  if (
    parameter.kind === 'count' &&
    /^(?:passengers?|guests?|adults?|people|persons?|participants|seats|size)$/.test(parameter.words.at(-1) ?? '')
  )
    return /^(?:people|persons?|guests?|adults?|passengers?|travell?ers?|us|pax)$/.test(mention.unit) ||
      (mention.cue === 'for' && !/^(?:minutes?|hours?|days?|nights?|weeks?|months?|years?)$/.test(mention.unit))
      ? { score: mention.unit ? 0.9 : 0.6, value: mention.value, part: 'all' }
      : null;
  return {
    score: /^(?:to|at|by)$/.test(mention.cue) ? 0.58 : parameter.kind === 'number' ? 0.5 : 0.38,
    value: mention.value,
    part: 'all',
  };
}

export function fitCurrency(parameter: Parameter, mention: Mention): Fit | null {
  const lower = /lower-?case/i.test(parameter.description) || parameter.item.pattern === '^[a-z]{3}$';
  const style = (code: string): string => (lower ? code.toLowerCase() : code);
  if (mention.kind === 'money')
    return { score: parameter.role === 'to' ? 0.05 : 0.9, value: style(mention.currency), part: 'currency' };
  const code =
    mention.kind === 'currency'
      ? mention.code
      : mention.kind === 'code' && CURRENCY_CODES.has(mention.text)
        ? mention.text
        : null;
  if (!code) return null;
  const towards = /^(?:to|in|into|as)$/.test(mention.cue);
  return {
    score: parameter.role === 'to' ? (towards ? 0.95 : 0.5) : parameter.role === 'from' ? (towards ? 0.2 : 0.85) : 0.8,
    value: style(code),
    part: 'currency',
  };
}
