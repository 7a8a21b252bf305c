/**
 * Weights and thresholds from labelled asks, and what they are worth on asks of kinds that they were not fitted to. The
 * difficulty that comes of it is the chance that the lowest tier is wrong. Deterministic for rows and options.
 */
import { type ModelTier, ModelTier as Tiers } from '@tutti/contracts';
import { FEATURES, type Feature } from '../difficulty.ts';
import { areaUnderCurve, brierScore, calibrationError } from './figures.ts';
import { type Fitted, fitWeights, scoreWith } from './fit.ts';
import { type Folds, foldsOf } from './folds.ts';
import {
  alongLot,
  bestCuts,
  byLot,
  byScore,
  type Cuts,
  costIn,
  type Outcome,
  outcomeOf,
  type Scored,
  type TierPrices,
  tierAt,
} from './routing.ts';
import { filled, type Row } from './row.ts';

/** What is wanted: so much of what the best tier alone gets right, or to cost no more than so much of what it costs. */
export type Target = { quality: number } | { budget: number };

export interface Options {
  seed: number;
  target: Target;
  prices: TierPrices;
}

export interface Spread {
  mean: number;
  least: number;
  most: number;
}

export interface Calibration {
  tiers: ModelTier[];
  rows: { all: number; fitted: number; routed: number };
  folds: Pick<Folds, 'by' | 'count'> & { groups: number };
  weights: Record<Feature, number>;
  thresholds: { medium: number; large: number };
  /** Of scores that were fitted without the fold. */
  scores: { auc: number; aucByFold: Spread; calibrationError: number; brier: number };
  /** The same with the length of the ask alone, and with what the maker of the set knows. */
  compared: { length: number; load: number | undefined };
  /** Each tier alone. */
  alone: Outcome[];
  chosen: Outcome & { shares: number[]; reached: boolean };
  curve: Outcome[];
  lot: { line: Outcome[]; quality: number; cost: number };
}

const FREE = FEATURES.filter((name) => name !== 'bias');
const WEIGHT_DIGITS = 3;
const THRESHOLD_DIGITS = 2;
/** Rows that the fit and the check need at the least, and of each label. */
export const ROWS_LEAST = 60;
export const LABELS_LEAST = 10;
const THRIFTS = 120;

/** A reason why nothing can be fitted to these rows. */
export class Unfit extends Error {}

export function calibrate(given: readonly Row[], { seed, target, prices }: Options): Calibration {
  const tiers = tiersOf(given);
  const rows = given.map((row) => ({ ...row, right: filled(row.right, tiers) }));
  const known = rows.filter(({ right }) => right[tiers[0]!] !== undefined);
  checkLabels(known, tiers[0]!);
  const folds = foldsOf(known, seed);
  const labels = known.map(({ right }) => 1 - right[tiers[0]!]!);
  const score = (chosen: readonly Feature[]) => outOfFold(known, labels, folds, chosen);
  const scores = score(FREE);
  const routed = known.map((row, at) => scoredOf(row, scores[at]!, tiers, prices));
  const full = routed.flatMap((row, at) => (row ? [{ row, at }] : []));
  checkRouted(full.length, tiers);
  const sound = full.map(({ row }) => row);
  const alone = tiers.map((_, tier) => outcomeOf(sound, () => tier));
  const others = othersOf(full, folds);
  const runs = thriftsFor(alone).map((thrift) => {
    const cuts = others.map((sorted) => bestCuts(sorted, thrift));
    return { thrift, outcome: routedOutcome(full, folds, cuts), shares: sharesOf(full, folds, cuts, tiers.length) };
  });
  const { run, reached } = pick(runs, target, alone.at(-1)!);
  const weights = fitWeights(known, labels, FREE);
  const refitted = full.map(({ row, at }) => ({ ...row, score: scoreWith(weights, known[at]!) })).sort(byScore);
  const line = byLot(alone);
  return {
    tiers,
    rows: { all: rows.length, fitted: known.length, routed: full.length },
    folds: { by: folds.by, count: folds.count, groups: new Set(known.map(({ group }) => group)).size },
    weights: rounded(weights),
    thresholds: thresholdsOf(tiers, bestCuts(refitted, run.thrift)),
    scores: {
      auc: areaUnderCurve(scores, labels),
      aucByFold: byFold(scores, labels, folds),
      calibrationError: calibrationError(scores, labels),
      brier: brierScore(scores, labels),
    },
    compared: { length: areaUnderCurve(score(['length']), labels), load: knownBest(known, labels) },
    alone,
    chosen: { ...run.outcome, shares: run.shares, reached },
    curve: frontier(runs.map(({ outcome }) => outcome)),
    lot: {
      line,
      quality: alongLot(line, 'cost', run.outcome.cost),
      cost: alongLot(line, 'quality', run.outcome.quality),
    },
  };
}

/** Those that somebody labelled. A bundle without a medium model has two. */
function tiersOf(rows: readonly Row[]): ModelTier[] {
  const tiers = Tiers.options.filter((tier) => rows.some(({ right }) => right[tier] !== undefined));
  if (tiers.length < 2)
    throw new Unfit(`the rows say of ${tiers[0] ?? 'no tier'} alone whether it is right: routing needs two tiers`);
  return tiers;
}

function checkLabels(known: readonly Row[], tier: ModelTier): void {
  if (known.length < ROWS_LEAST)
    throw new Unfit(
      `of ${known.length} rows it is known whether the tier ${tier} is right: at least ${ROWS_LEAST} are needed`,
    );
  const wrong = known.filter(({ right }) => right[tier]! < 0.5).length;
  if (Math.min(wrong, known.length - wrong) < LABELS_LEAST)
    throw new Unfit(
      `the tier ${tier} is wrong in ${wrong} of ${known.length} rows: at least ${LABELS_LEAST} of each are needed to tell them apart`,
    );
}

function checkRouted(count: number, tiers: readonly ModelTier[]): void {
  if (count < ROWS_LEAST)
    throw new Unfit(
      `of ${count} rows it is known of each tier (${tiers.join(', ')}) whether it is right: at least ${ROWS_LEAST} are needed`,
    );
}

/** Each row by the weights of all folds but its own. */
function outOfFold(
  rows: readonly Row[],
  labels: readonly number[],
  folds: Folds,
  chosen: readonly Feature[],
): number[] {
  const scores = new Array<number>(rows.length);
  for (let fold = 0; fold < folds.count; fold++) {
    const kept = rows.map((_, at) => at).filter((at) => folds.of[at] !== fold);
    const weights = fitWeights(
      kept.map((at) => rows[at]!),
      kept.map((at) => labels[at]!),
      chosen,
    );
    for (const [at, row] of rows.entries()) if (folds.of[at] === fold) scores[at] = scoreWith(weights, row);
  }
  return scores;
}

function scoredOf(row: Row, score: number, tiers: readonly ModelTier[], prices: TierPrices): Scored | undefined {
  const right = tiers.flatMap((tier) => row.right[tier] ?? []);
  if (right.length < tiers.length) return undefined;
  return { score, right, costs: tiers.map((tier) => costIn(prices[tier], row.tokens)) };
}

interface Placed {
  row: Scored;
  at: number;
}

/** For each fold the rows of all others, by score: the cuts for a fold are found in them. */
function othersOf(rows: readonly Placed[], folds: Folds): Scored[][] {
  return Array.from({ length: folds.count }, (_, fold) =>
    rows.flatMap(({ row, at }) => (folds.of[at] === fold ? [] : [row])).sort(byScore),
  );
}

function routedOutcome(rows: readonly Placed[], folds: Folds, cuts: readonly Cuts[]): Outcome {
  const cutsOf = new Map(rows.map(({ row, at }) => [row, cuts[folds.of[at]!]!]));
  return outcomeOf(
    rows.map(({ row }) => row),
    (row) => tierAt(row.score, cutsOf.get(row)!),
  );
}

function sharesOf(rows: readonly Placed[], folds: Folds, cuts: readonly Cuts[], tiers: number): number[] {
  const counts = new Array<number>(tiers).fill(0);
  for (const { row, at } of rows) counts[tierAt(row.score, cuts[folds.of[at]!]!)]! += 1;
  return counts.map((count) => count / rows.length);
}

/** From "whatever it costs" to "whatever is cheapest", in steps of equal ratio around what a right answer costs. */
function thriftsFor(alone: readonly Outcome[]): number[] {
  const span = alone.at(-1)!.cost - alone[0]!.cost;
  const unit = 1 / (span > 0 ? span : 1);
  const steps = Array.from({ length: THRIFTS }, (_, at) => unit * 10 ** (-2 + (at * 2.3) / (THRIFTS - 1)));
  return [0, ...steps];
}

interface Run {
  thrift: number;
  outcome: Outcome;
  shares: number[];
}

function pick(runs: readonly Run[], target: Target, best: Outcome): { run: Run; reached: boolean } {
  const wanted = 'quality' in target ? target.quality * best.quality : target.budget * best.cost;
  const fits = runs.filter(({ outcome }) => ('quality' in target ? outcome.quality >= wanted : outcome.cost <= wanted));
  const better = (a: Run, b: Run) =>
    'quality' in target ? a.outcome.cost < b.outcome.cost : a.outcome.quality > b.outcome.quality;
  const first = <T>(list: readonly T[], isBetter: (a: T, b: T) => boolean) =>
    list.reduce((top, one) => (isBetter(one, top) ? one : top));
  if (fits.length > 0) return { run: first(fits, better), reached: true };
  const nearest = (a: Run, b: Run) =>
    'quality' in target ? a.outcome.quality > b.outcome.quality : a.outcome.cost < b.outcome.cost;
  return { run: first(runs, nearest), reached: false };
}

function frontier(points: readonly Outcome[]): Outcome[] {
  const sorted = [...points].sort((a, b) => a.cost - b.cost || b.quality - a.quality);
  let top = Number.NEGATIVE_INFINITY;
  return sorted.filter(({ quality }) => {
    const better = quality > top;
    top = Math.max(top, quality);
    return better;
  });
}

/** With two tiers `medium` and `large` are one threshold: nothing is in between. */
function thresholdsOf(tiers: readonly ModelTier[], cuts: Cuts): { medium: number; large: number } {
  const at = (tier: ModelTier) => {
    const place = tiers.indexOf(tier);
    return place > 0 ? round(cuts[place - 1]!, THRESHOLD_DIGITS) : undefined;
  };
  const large = at('large') ?? 1;
  return { medium: Math.min(large, at('medium') ?? (tiers[0] === 'medium' ? 0 : large)), large };
}

function byFold(scores: readonly number[], labels: readonly number[], folds: Folds): Spread {
  const areas = Array.from({ length: folds.count }, (_, fold) => {
    const own = (list: readonly number[]) => list.filter((__, at) => folds.of[at] === fold);
    return areaUnderCurve(own(scores), own(labels));
  }).filter((area) => !Number.isNaN(area));
  const mean = areas.reduce((sum, area) => sum + area, 0) / areas.length;
  return { mean, least: Math.min(...areas), most: Math.max(...areas) };
}

function knownBest(rows: readonly Row[], labels: readonly number[]): number | undefined {
  const loads = rows.flatMap(({ load }) => load ?? []);
  return loads.length === rows.length ? areaUnderCurve(loads, labels) : undefined;
}

function rounded(weights: Fitted): Record<Feature, number> {
  return Object.fromEntries(FEATURES.map((name) => [name, round(weights[name]!, WEIGHT_DIGITS)])) as Record<
    Feature,
    number
  >;
}

function round(value: number, digits: number): number {
  // no -0 in a file
  return Math.round(value * 10 ** digits) / 10 ** digits + 0;
}
