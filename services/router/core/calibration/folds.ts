/** Which rows are kept from the fit that judges them: whole groups at a time, so that nothing of a kind is known before. */
import { randomOf } from './random.ts';
import type { Row } from './row.ts';

/** Fewer groups than this, and rows are dealt out one by one. */
export const GROUPS_LEAST = 4;
export const FOLDS = 8;

export interface Folds {
  by: 'group' | 'row';
  /** Of each row, in order. */
  of: number[];
  count: number;
}

export function foldsOf(rows: readonly Pick<Row, 'group'>[], seed: number): Folds {
  const random = randomOf(seed);
  const sizes = new Map<string, number>();
  for (const { group } of rows) if (group !== undefined) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  const whole = rows.every(({ group }) => group !== undefined);
  if (!whole || sizes.size < GROUPS_LEAST) {
    const order = random.some(
      rows.map((_, at) => at),
      rows.length,
    );
    const of = new Array<number>(rows.length).fill(0);
    for (const [place, at] of order.entries()) of[at] = place % FOLDS;
    return { by: 'row', of, count: Math.min(FOLDS, rows.length) };
  }
  const count = Math.min(FOLDS, sizes.size);
  const filled = new Array<number>(count).fill(0);
  const foldOf = new Map<string, number>();
  const shuffled = random.some([...sizes.keys()].sort(), sizes.size);
  // the largest first, each to the fold that has least
  for (const group of shuffled.sort((a, b) => sizes.get(b)! - sizes.get(a)!)) {
    const fold = filled.indexOf(Math.min(...filled));
    foldOf.set(group, fold);
    filled[fold]! += sizes.get(group)!;
  }
  return { by: 'group', of: rows.map(({ group }) => foldOf.get(group!)!), count };
}
