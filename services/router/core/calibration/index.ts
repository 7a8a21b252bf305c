/** Calibration of cost routing, for the command line. */

export { type MadeAsk, makeAsks } from './asks/index.ts';
export { type Calibration, calibrate, type Target, Unfit } from './calibrate.ts';
export { madeRows, madeSet, PRICES, SEED, TARGET, TARGET_OF_TWO, tokensOf } from './made-set.ts';
export { drawCurve } from './picture.ts';
export { reportOf, snippetOf } from './report.ts';
export type { TierPrices } from './routing.ts';
export { LabelledRow, type Row, readRows, rowOf } from './row.ts';
export { Judgement, rowsOfJournal } from './traffic.ts';
export { isRight } from './verdict.ts';
