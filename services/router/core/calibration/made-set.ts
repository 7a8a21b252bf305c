/** The repository's own labelled set: asks that it makes, labelled by models that it simulates. */
import type { z } from 'zod';
import { type Ask, makeAsks } from './asks/index.ts';
import type { Target } from './calibrate.ts';
import type { TierPrices } from './routing.ts';
import { type LabelledRow, type Row, rowOf } from './row.ts';
import { labelsOf } from './simulated-models.ts';

/** The built-in weights and thresholds come from the set with this seed. */
export const SEED = 1;
const CHARS_OF_TOKEN = 4;

export function madeSet(seed: number, ofFamily?: number): z.input<typeof LabelledRow>[] {
  const asks = makeAsks(seed, ofFamily);
  const labels = labelsOf(asks, seed);
  return asks.map(({ id, family, chat, expected, load, outputTokens }, at) => ({
    id,
    group: family,
    chat,
    right: labels[at]!,
    tokens: tokensOf({ chat, outputTokens }),
    load,
    expected,
  }));
}

/** Roughly. */
export function tokensOf({ chat, outputTokens }: Pick<Ask, 'chat' | 'outputTokens'>): {
  input: number;
  output: number;
} {
  return { input: Math.ceil(JSON.stringify(chat).length / CHARS_OF_TOKEN), output: outputTokens };
}

export function madeRows(seed: number, ofFamily?: number): Row[] {
  return madeSet(seed, ofFamily).map((row) => rowOf(row, row.id!));
}

/** US dollars per million tokens, of models as they are sold as small, medium and large in 2026. What a bundle's own cost is better. */
export const PRICES: TierPrices = {
  small: { input: 0.25, output: 2 },
  medium: { input: 1.25, output: 10 },
  large: { input: 5, output: 25 },
};
/** What the built-in thresholds serve, with three tiers and with two. */
export const TARGET: Target = { quality: 0.97 };
export const TARGET_OF_TWO: Target = { quality: 0.95 };
