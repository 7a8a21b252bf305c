/** The fit, the figures, the thresholds, and that the built-in ones are what the command makes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FEATURES } from '../difficulty.ts';
import { DEFAULT_THRESHOLD_OF_TWO, DEFAULT_THRESHOLDS, DEFAULT_WEIGHTS } from '../routing-defaults.ts';
import { calibrate, type Options, Unfit } from './calibrate.ts';
import { areaUnderCurve, brierScore, calibrationError } from './figures.ts';
import { foldsOf } from './folds.ts';
import { fitLogistic, logistic } from './logistic.ts';
import { madeRows, PRICES, SEED, TARGET, TARGET_OF_TWO } from './made-set.ts';
import { randomOf } from './random.ts';
import { alongLot, bestCuts, byLot, byScore, outcomeOf, type Scored, tierAt } from './routing.ts';
import type { Row } from './row.ts';

const options: Options = { seed: SEED, target: TARGET, prices: PRICES };
const all = madeRows(SEED);
const found = calibrate(all, options);
const some = madeRows(SEED, 30);

describe('the built-in weights and thresholds', () => {
  it('are those of the set that the repository makes itself', () => {
    expect(found.weights).toEqual(DEFAULT_WEIGHTS);
    expect(found.thresholds).toEqual(DEFAULT_THRESHOLDS);
  });

  it('come out the same every time, and otherwise for another seed', () => {
    const few = madeRows(SEED, 12);
    expect(calibrate(few, options)).toEqual(calibrate(madeRows(SEED, 12), options));
    expect(calibrate(madeRows(2, 12), options).weights).not.toEqual(calibrate(few, options).weights);
  });

  it('tell hard asks of unknown kinds from simple ones better than length does, and worse than who knows them', () => {
    const { auc, calibrationError: off } = found.scores;
    expect(auc).toBeGreaterThan(found.compared.length + 0.05);
    expect(auc).toBeLessThan(found.compared.load!);
    expect(off).toBeLessThan(0.1);
  });

  it('are right more often than models that are drawn by lot, at the same cost', () => {
    expect(found.chosen.reached).toBe(true);
    expect(found.chosen.quality).toBeGreaterThan(found.lot.quality);
    expect(found.chosen.cost).toBeLessThan(found.lot.cost);
  });
});

describe('the check', () => {
  it('never scores a row by weights that its kind was fitted to', () => {
    const folds = foldsOf(all, SEED);
    const foldOf = new Map<string, number>();
    for (const [at, { group }] of all.entries()) {
      expect(foldOf.get(group!) ?? folds.of[at]).toBe(folds.of[at]);
      foldOf.set(group!, folds.of[at]!);
    }
    expect(new Set(folds.of).size).toBe(folds.count);
  });

  it('finds nothing where there is nothing to find', () => {
    const random = randomOf(5);
    const noise = some.map((row): Row => {
      const right = random.chance(0.5) ? 1 : 0;
      return { ...row, right: { small: right, medium: right, large: 1 } };
    });
    expect(Math.abs(calibrate(noise, options).scores.auc - 0.5)).toBeLessThan(0.05);
  });

  it('finds a budget as well as a quality, and says when neither can be', () => {
    const cheap = calibrate(some, { ...options, target: { budget: 0.4 } });
    const dearest = cheap.alone.at(-1)!;
    expect(cheap.chosen.cost / dearest.cost).toBeLessThanOrEqual(0.4);
    expect(cheap.chosen.quality).toBeGreaterThan(cheap.alone[0]!.quality);
    expect(calibrate(some, { ...options, target: { budget: 0.01 } }).chosen.reached).toBe(false);
  });
});

describe('rows that nothing can be fitted to', () => {
  const rows = (count: number, right: (at: number) => Row['right']) =>
    all.slice(0, count).map((row, at): Row => ({ ...row, right: right(at) }));
  it.each([
    ['one tier alone', rows(100, () => ({ small: 1 })), /of small alone/],
    ['too few', rows(20, (at) => ({ small: at % 2, large: 1 })), /20 rows.*at least 60/],
    ['all right', rows(100, () => ({ small: 1, large: 1 })), /wrong in 0 of 100/],
    [
      'tiers that are never known together',
      rows(200, (at) => (at % 2 ? { small: (at >> 1) % 2 } : { large: 1 })),
      /of each tier \(small, large\)/,
    ],
  ])('%s', (_, given, message) => {
    expect(() => calibrate(given, options)).toThrow(Unfit);
    expect(() => calibrate(given, options)).toThrow(message);
  });

  it('two tiers are enough: what would be the medium one’s goes to the large one', () => {
    const two = all.map((row): Row => ({ ...row, right: { small: row.right.small!, large: row.right.large! } }));
    const { tiers, thresholds } = calibrate(two, { ...options, target: TARGET_OF_TWO });
    expect(tiers).toEqual(['small', 'large']);
    expect(thresholds).toEqual({ medium: DEFAULT_THRESHOLD_OF_TWO, large: DEFAULT_THRESHOLD_OF_TWO });
  });
});

describe('logistic regression', () => {
  it('finds the weights that the labels were drawn by', () => {
    const random = randomOf(3);
    const rows = Array.from({ length: 4_000 }, () => [1, random.normal(), random.normal()]);
    const labels = rows.map(([, a, b]) => (random.share() < logistic(0.5 + 1.5 * a! - 2 * b!) ? 1 : 0));
    const weights = fitLogistic(rows, labels, [0, 0, 0]);
    for (const [at, wanted] of [0.5, 1.5, -2].entries()) expect(Math.abs(weights[at]! - wanted)).toBeLessThan(0.2);
  });

  it('stands at the top: no weight can be moved for a better penalised likelihood', () => {
    const random = randomOf(4);
    const rows = Array.from({ length: 60 }, () => [1, random.normal(), random.share()]);
    const labels = rows.map(() => (random.chance(0.4) ? 1 : 0));
    const penalties = [0, 2, 5];
    const worth = (weights: number[]) =>
      rows.reduce((sum, row, at) => {
        const said = logistic(row.reduce((total, value, to) => total + value * weights[to]!, 0));
        return sum + Math.log(labels[at] ? said : 1 - said);
      }, 0) - weights.reduce((sum, weight, at) => sum + (penalties[at]! * weight ** 2) / 2, 0);
    const weights = fitLogistic(rows, labels, penalties);
    for (const at of penalties.keys())
      for (const by of [-0.01, 0.01])
        expect(worth(weights.map((weight, to) => (to === at ? weight + by : weight)))).toBeLessThan(worth(weights));
  });

  it('bears labels that are set apart without a mistake, and columns that say nothing', () => {
    const rows = Array.from({ length: 40 }, (_, at) => [1, at < 20 ? -1 : 1, 0]);
    const weights = fitLogistic(
      rows,
      rows.map((row) => (row[1]! > 0 ? 1 : 0)),
      [0, 1, 0],
    );
    expect(weights.every(Number.isFinite)).toBe(true);
    expect(weights[1]).toBeGreaterThan(1);
    expect(weights[2]).toBe(0);
  });
});

describe('figures', () => {
  it('AUC: 1 for what is in order, 0 for what is upside down, half for ties; shares count by halves', () => {
    expect(areaUnderCurve([1, 2, 3, 4], [0, 0, 1, 1])).toBe(1);
    expect(areaUnderCurve([4, 3, 2, 1], [0, 0, 1, 1])).toBe(0);
    expect(areaUnderCurve([1, 1, 1], [0, 1, 0])).toBe(0.5);
    expect(areaUnderCurve([1, 2], [0.5, 0.5])).toBe(0.5);
  });

  it('AUC is the share of pairs that are in order', () => {
    const rows = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.constantFrom(0, 1)), {
      minLength: 2,
      maxLength: 30,
    });
    fc.assert(
      fc.property(rows, (given) => {
        const [positive, negative] = [1, 0].map((label) =>
          given.filter((row) => row[1] === label).map(([score]) => score),
        );
        fc.pre(positive!.length > 0 && negative!.length > 0);
        const wins = positive!.flatMap((a) => negative!.map((b) => (a > b ? 1 : a === b ? 0.5 : 0)));
        const share = wins.reduce<number>((sum, win) => sum + win, 0) / wins.length;
        expect(
          areaUnderCurve(
            given.map(([score]) => score),
            given.map(([, label]) => label),
          ),
        ).toBeCloseTo(share, 10);
      }),
    );
  });

  it('calibration error and Brier score', () => {
    expect(calibrationError([0.2, 0.2, 0.8, 0.8], [0, 0, 1, 1], 2)).toBeCloseTo(0.2);
    expect(calibrationError([0.5, 0.5], [0, 1], 1)).toBe(0);
    expect(brierScore([0, 1, 0.5], [0, 0, 1])).toBeCloseTo((0 + 1 + 0.25) / 3);
  });
});

describe('routing', () => {
  const row = fc.record({
    score: fc.integer({ min: 0, max: 6 }).map((score) => score / 10),
    costs: fc.constant([1, 3, 9]),
    right: fc.tuple(fc.constantFrom(0, 1), fc.constantFrom(0, 1), fc.constantFrom(0, 1)),
  });
  it('no two cuts are better than those that it finds', () => {
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 1, maxLength: 12 }),
        fc.double({ min: 0, max: 0.3, noNaN: true }),
        (rows, thrift) => {
          const sorted: Scored[] = [...rows].sort(byScore);
          const worth = (cuts: number[]) => {
            const { quality, cost } = outcomeOf(sorted, ({ score }) => tierAt(score, cuts));
            return quality - thrift * cost;
          };
          const places = Array.from({ length: 9 }, (_, at) => at / 10 - 0.05);
          const best = Math.max(...places.flatMap((a) => places.filter((b) => b >= a).map((b) => worth([a, b]))));
          const cuts = bestCuts(sorted, thrift);
          expect(cuts[0]).toBeLessThanOrEqual(cuts[1]!);
          expect(worth(cuts)).toBeCloseTo(best, 9);
        },
      ),
    );
  });

  it('by lot: a model that is worse and dearer than a mix of others is in no mix', () => {
    const [small, medium, large] = [
      { cost: 1, quality: 0.5 },
      { cost: 5, quality: 0.55 },
      { cost: 9, quality: 0.9 },
    ] as const;
    const line = byLot([small, medium, large]);
    expect(line).toEqual([small, large]);
    expect(alongLot(line, 'cost', 5)).toBeCloseTo(0.7);
    expect(alongLot(line, 'quality', 0.7)).toBeCloseTo(5);
    expect(byLot([small, { cost: 2, quality: 0.4 }])).toEqual([small]);
  });

  it('weights have every feature, and no sign that makes no sense', () => {
    expect(Object.keys(found.weights)).toEqual([...FEATURES]);
    const { bias: _, simple, ...harder } = found.weights;
    expect(simple).toBeLessThanOrEqual(0);
    for (const weight of Object.values(harder)) expect(weight).toBeGreaterThanOrEqual(0);
  });
});
