/** Calibration of cost routing, for the command line. */
export { type Calibration, calibrate, type Target, Unfit } from './calibrate.ts';
export { madeRows, madeSet, PRICES, SEED, TARGET } from './made-set.ts';
export { drawCurve } from './picture.ts';
export { reportOf, snippetOf } from './report.ts';
export type { TierPrices } from './routing.ts';
export { type Row, readRows } from './row.ts';
