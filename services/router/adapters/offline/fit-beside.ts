/** What stands beside a mention: whether its neighbours name the parameter. Owns the shape of a fit. */
import { FROM_WORDS, TO_WORDS } from './lexicon.ts';
import type { Mention } from './mentions.ts';
import type { Parameter } from './parameters.ts';
import { related, stem } from './words.ts';

export interface Fit {
  readonly score: number;
  readonly value: unknown;
  /** Which half of the mention is used up: a range serves a start and an end. */
  readonly part: string;
}

/** "from" in `fromStore` says which side it is on; standing before a value it does not name the parameter. */
const names = (word: string): boolean =>
  word.length > 1 && !(word.length <= 4 && (FROM_WORDS.has(word) || TO_WORDS.has(word)));

export const near = (
  stems: readonly string[],
  parameter: Parameter,
  count: number,
  extra: ReadonlySet<string>,
): boolean =>
  stems
    .slice(-count)
    .some(
      (one) =>
        parameter.words.some(
          (word) => names(word) && (stem(word) === one || (word.length > 3 && related(stem(word), one))),
        ) || extra.has(one),
    );

export const beside = (mention: Mention, parameter: Parameter, extra: ReadonlySet<string>): boolean =>
  near(mention.before, parameter, 2, extra) || near(mention.after.slice(0, 2), parameter, 2, extra);
