/** Weights of the features from labelled rows. No weight may have a sign that makes no sense: it would be an accident of the rows. */
import { EASIER, type Feature } from '../difficulty.ts';
import { fitLogistic, logistic } from './logistic.ts';
import type { Row } from './row.ts';

/** Of a feature brought to deviation 1. The bias is free. */
export const L2 = 30;

export type Fitted = Partial<Record<Feature, number>>;

/** `chosen` without the bias, which is always there. Features that would get the wrong sign have 0. */
export function fitWeights(rows: readonly Row[], labels: readonly number[], chosen: readonly Feature[]): Fitted {
  const scales = new Map(chosen.map((name) => [name, deviationOf(rows, name)]));
  let kept = chosen.filter((name) => scales.get(name)! > 0);
  for (;;) {
    const table = rows.map(({ features }) => [1, ...kept.map((name) => features[name] / scales.get(name)!)]);
    const [bias, ...weights] = fitLogistic(table, labels, [0, ...kept.map(() => L2)]);
    const against = kept.map((name, at) => (EASIER.has(name) ? weights[at]! : -weights[at]!));
    const most = Math.max(0, ...against);
    if (most === 0) {
      const zeros = Object.fromEntries(chosen.map((name) => [name, 0]));
      return {
        bias,
        ...zeros,
        ...Object.fromEntries(kept.map((name, at) => [name, weights[at]! / scales.get(name)!])),
      };
    }
    // one at a time, the most wrong first: others may turn right without it
    kept = kept.filter((_, at) => against[at] !== most);
  }
}

export function scoreWith(weights: Fitted, { features }: Pick<Row, 'features'>): number {
  let sum = 0;
  for (const [name, weight] of Object.entries(weights)) sum += weight * features[name as Feature];
  return logistic(sum);
}

function deviationOf(rows: readonly Row[], name: Feature): number {
  const mean = rows.reduce((sum, { features }) => sum + features[name], 0) / rows.length;
  return Math.sqrt(rows.reduce((sum, { features }) => sum + (features[name] - mean) ** 2, 0) / rows.length);
}
