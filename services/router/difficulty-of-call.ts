/** How hard a call is, where `auto` goes by it: what a classifier said, else what the request looks like. */
import { AUTO } from './core/choose.ts';
import { difficultyOf, FEATURES, type Features, featuresOf } from './core/difficulty.ts';
import type { Ask } from './stages.ts';

export interface Difficulty {
  /** 0 to 1. */
  share: number;
  /** Those that are not 0, for calibration. */
  features: Record<string, number>;
  note?: string | undefined;
  gradedBy?: string | undefined;
}

export function asksForDifficulty({ body: { model }, catalogue: { entries, rules } }: Ask): boolean {
  if (Object.hasOwn(rules, model)) return rules[model]!.tier === 'auto';
  return model === AUTO && new Set(entries.flatMap(({ tier }) => tier ?? [])).size > 1;
}

/** Undefined: nothing is chosen by it. */
export function difficultyIn(ask: Ask): Difficulty | undefined {
  if (!asksForDifficulty(ask)) return undefined;
  const { body, catalogue, graded } = ask;
  const features = featuresOf(body.chat);
  const looks = { share: difficultyOf(features, catalogue.routing.weights), features: shownOf(features) };
  if (!graded) return looks;
  if ('failed' in graded) return { ...looks, note: `as it looks; ${graded.by} could not grade it: ${graded.failed}` };
  return { ...looks, share: graded.difficulty, note: `says ${graded.by}`, gradedBy: graded.by };
}

const DIGITS = 1_000;

function shownOf(features: Features): Record<string, number> {
  const shown: Record<string, number> = {};
  for (const name of FEATURES)
    if (name !== 'bias' && features[name] !== 0) shown[name] = Math.round(features[name] * DIGITS) / DIGITS;
  return shown;
}
