/** The set of asks that the repository makes itself: so many of each family, always the same for a seed. */
import { randomOf, seedOf } from '../random.ts';
import type { Ask, Family } from './ask.ts';
import { form, offers, order, rules, seats } from './conditions.ts';
import { bill, counting, general, logLine, record, smallTalk, tone, units } from './everyday.ts';
import { ages, cipher, hours, series, truth } from './puzzles.ts';
import { edit, fields, lookup, pasted } from './simple.ts';
import { calendar, debugging, program, story, sum } from './sums.ts';
import { followUp, passages, tools } from './surroundings.ts';

export type { Ask, Chat, Expected } from './ask.ts';

export const FAMILIES: Readonly<Record<string, Family>> = {
  lookup,
  edit,
  pasted,
  fields,
  story,
  sum,
  calendar,
  program,
  rules,
  order,
  seats,
  offers,
  form,
  passages,
  tools,
  followUp,
  smallTalk,
  tone,
  logLine,
  record,
  bill,
  units,
  counting,
  series,
  cipher,
  truth,
  ages,
  hours,
  general,
  debugging,
};
export const ASKS_OF_FAMILY = 90;

export interface MadeAsk extends Ask {
  id: string;
  family: string;
}

export function makeAsks(seed: number, ofFamily = ASKS_OF_FAMILY): MadeAsk[] {
  return Object.entries(FAMILIES).flatMap(([family, make]) => {
    const random = randomOf(seedOf(seed, family));
    return Array.from({ length: ofFamily }, (_, at) => ({ id: `${family}-${at + 1}`, family, ...make(random) }));
  });
}
