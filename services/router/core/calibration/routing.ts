/**
 * What routing by a score costs and how often it is right, and the thresholds that serve best. Everything here is about
 * rows whose tiers are all labelled. Costs are means a row, in US dollars.
 */
import type { ModelTier } from '@tutti/contracts';

/** A labelled ask as routing sees it: by tier, in order, what it costs there and whether it is right. */
export interface Scored {
  score: number;
  costs: readonly number[];
  right: readonly number[];
}
export interface Outcome {
  cost: number;
  quality: number;
}
/** From which score on the second tier, the third, … are asked: one fewer than there are tiers, never falling. */
export type Cuts = readonly number[];

export interface Prices {
  /** US dollars per million tokens. */
  input: number;
  output: number;
}
export type TierPrices = Readonly<Record<ModelTier, Prices>>;

export function costIn({ input, output }: Prices, tokens: { input: number; output: number }): number {
  return (tokens.input * input + tokens.output * output) / 1_000_000;
}

export function tierAt(score: number, cuts: Cuts): number {
  return cuts.filter((cut) => score >= cut).length;
}

export function outcomeOf(rows: readonly Scored[], tierOf: (row: Scored) => number): Outcome {
  let [cost, quality] = [0, 0];
  for (const row of rows) {
    const tier = tierOf(row);
    cost += row.costs[tier]!;
    quality += row.right[tier]!;
  }
  return { cost: cost / rows.length, quality: quality / rows.length };
}

/**
 * The cuts with the most right answers less `thrift` × cost. Exact: the best split of the sorted rows into one run of rows
 * a tier, by dynamic programming over tiers. Rows with the same score stay together. `sorted`: by score.
 */
export function bestCuts(sorted: readonly Scored[], thrift: number): number[] {
  const tiers = sorted[0]!.costs.length;
  const mayCut = (at: number) => at === 0 || at === sorted.length || sorted[at - 1]!.score < sorted[at]!.score;
  // best[at]: of the rows before `at`, all of them given to tiers so far; from[tier][at]: where that tier's run begins
  let best = sums(sorted, 0, thrift);
  const from: number[][] = [];
  for (let tier = 1; tier < tiers; tier++) {
    const own = sums(sorted, tier, thrift);
    const begins: number[] = [];
    let top = Number.NEGATIVE_INFINITY;
    let begin = 0;
    const next = own.map((sum, at) => {
      if (mayCut(at) && best[at]! - sum > top) {
        top = best[at]! - sum;
        begin = at;
      }
      begins.push(begin);
      return top + sum;
    });
    from.push(begins);
    best = next;
  }
  const cuts: number[] = [];
  for (let tier = tiers - 1, end = sorted.length; tier > 0; tier--) {
    end = from[tier - 1]![end]!;
    cuts.unshift(cutAt(sorted, end));
  }
  return cuts;
}

export function byScore(a: Scored, b: Scored): number {
  return a.score - b.score;
}

function sums(rows: readonly Scored[], tier: number, thrift: number): number[] {
  const out = [0];
  let sum = 0;
  for (const { right, costs } of rows) {
    sum += right[tier]! - thrift * costs[tier]!;
    out.push(sum);
  }
  return out;
}

/** Half way between the rows on both sides. */
function cutAt(sorted: readonly Scored[], at: number): number {
  if (at === 0) return 0;
  if (at === sorted.length) return 1;
  return (sorted[at - 1]!.score + sorted[at]!.score) / 2;
}

/** What sending so many of the asks to this tier and so many to that, by lot, can reach: the upper hull of the tiers' own points. */
export function byLot(points: readonly Outcome[]): Outcome[] {
  const hull: Outcome[] = [];
  for (const point of [...points].sort((a, b) => a.cost - b.cost || a.quality - b.quality)) {
    while (hull.length > 0 && hull.at(-1)!.quality >= point.quality && hull.at(-1)!.cost >= point.cost) hull.pop();
    while (hull.length > 1 && risesLess(hull.at(-2)!, hull.at(-1)!, point)) hull.pop();
    if (hull.length === 0 || point.quality > hull.at(-1)!.quality) hull.push(point);
  }
  return hull;
}

function risesLess(a: Outcome, b: Outcome, c: Outcome): boolean {
  return (b.quality - a.quality) * (c.cost - a.cost) <= (c.quality - a.quality) * (b.cost - a.cost);
}

/** Quality by lot at a cost, and cost by lot of a quality; the ends' own outside. */
export function alongLot(hull: readonly Outcome[], by: 'cost' | 'quality', value: number): number {
  const other = by === 'cost' ? 'quality' : 'cost';
  if (value <= hull[0]![by]) return hull[0]![other];
  for (const [at, to] of hull.entries()) {
    const from = hull[at - 1];
    if (from && value <= to[by])
      return from[other] + ((value - from[by]) / (to[by] - from[by])) * (to[other] - from[other]);
  }
  return hull.at(-1)![other];
}
