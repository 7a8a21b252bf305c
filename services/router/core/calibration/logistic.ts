/**
 * Logistic regression with an L2 penalty, by Newton's method (iteratively reweighted least squares): Hastie, Tibshirani,
 * Friedman, The Elements of Statistical Learning, 2nd ed., §4.4.1 and §3.4.1. Labels may be shares (0 to 1).
 */
const ROUNDS_MAX = 50;
const STEP_SMALL = 1e-9;
/** A share of 0 or 1 to the last digit would make a row weightless. */
const WEIGHT_LEAST = 1e-9;

/** The weight of each column. `penalties`: of each column's weight squared, halved, against the sum of log losses. */
export function fitLogistic(
  rows: readonly (readonly number[])[],
  labels: readonly number[],
  penalties: readonly number[],
): number[] {
  let weights = penalties.map(() => 0);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const step = newtonStep(rows, labels, weights, penalties);
    weights = weights.map((weight, at) => weight + step[at]!);
    if (Math.max(...step.map(Math.abs)) < STEP_SMALL) break;
  }
  return weights;
}

export function logistic(sum: number): number {
  return 1 / (1 + Math.exp(-sum));
}

function newtonStep(
  rows: readonly (readonly number[])[],
  labels: readonly number[],
  weights: readonly number[],
  penalties: readonly number[],
): number[] {
  const width = weights.length;
  const gradient = weights.map((weight, at) => -penalties[at]! * weight);
  const curvature = penalties.map((penalty, at) => penalties.map((_, to) => (at === to ? penalty : 0)));
  for (const [index, row] of rows.entries()) {
    const said = logistic(dot(weights, row));
    const weight = Math.max(WEIGHT_LEAST, said * (1 - said));
    const off = labels[index]! - said;
    for (let at = 0; at < width; at++) {
      const value = row[at]!;
      if (value === 0) continue;
      gradient[at]! += off * value;
      const line = curvature[at]!;
      for (let to = 0; to <= at; to++) line[to]! += weight * value * row[to]!;
    }
  }
  for (let at = 0; at < width; at++) for (let to = at + 1; to < width; to++) curvature[at]![to] = curvature[to]![at]!;
  return solve(curvature, gradient);
}

function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += a[at]! * b[at]!;
  return sum;
}

/** Gauss with the largest pivot. A column that is 0 everywhere, without a penalty, gets the weight 0. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const size = right.length;
  const rows = matrix.map((row, at) => [...row, right[at]!]);
  for (let at = 0; at < size; at++) {
    let best = at;
    for (let row = at + 1; row < size; row++) if (Math.abs(rows[row]![at]!) > Math.abs(rows[best]![at]!)) best = row;
    [rows[at], rows[best]] = [rows[best]!, rows[at]!];
    const pivot = rows[at]!;
    if (pivot[at] === 0) continue;
    for (const below of rows.slice(at + 1)) {
      const factor = below[at]! / pivot[at]!;
      for (let to = at; to <= size; to++) below[to]! -= factor * pivot[to]!;
    }
  }
  const solution = right.map(() => 0);
  for (let at = size - 1; at >= 0; at--) {
    const row = rows[at]!;
    if (row[at] !== 0) solution[at] = (row[size]! - dot(row.slice(0, size), solution)) / row[at]!;
  }
  return solution;
}
