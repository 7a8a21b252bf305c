/**
 * What `auto` goes by where a bundle says nothing else. Not set by hand: `npx tutti calibrate` prints these from the set
 * that it makes itself, and a test makes them anew.
 */
import type { Feature } from './difficulty.ts';

export const DEFAULT_WEIGHTS: Readonly<Record<Feature, number>> = {
  bias: -3.072,
  givens: 0.866,
  length: 0.069,
  reasoning: 0,
  code: 1.175,
  simple: 0,
  passages: 0,
  tools: 0.372,
  turns: 1.005,
  schema: 0.48,
};

/** From which difficulty on, where there are models of three tiers: 97% of what the large one gets right. */
export const DEFAULT_THRESHOLDS = { medium: 0.05, large: 0.3 };

/** From which difficulty on the better one of two is asked: 95%, for 97% would nearly always be the better one. */
export const DEFAULT_THRESHOLD_OF_TWO = 0.31;
