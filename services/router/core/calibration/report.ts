/** A calibration in words and numbers, and as the lines of `models.yaml` that put it to work. */
import { FEATURES } from '../difficulty.ts';
import type { Calibration, Target } from './calibrate.ts';
import type { Outcome } from './routing.ts';

export function reportOf(found: Calibration, target: Target): string {
  const { rows, folds, scores, compared, tiers } = found;
  const held =
    folds.by === 'group'
      ? `${folds.groups} kinds of asks; each is scored by weights that no ask of its kind was fitted to`
      : 'each is scored by weights that it was not fitted to; kinds of asks are not told apart';
  const lines = [
    `${rows.all} asks, of ${rows.fitted} it is known whether the ${tiers[0]} model is right, of ${rows.routed} whether each is`,
    `checked over ${folds.count} folds: ${held}`,
    '',
    `does a higher score mean that the ${tiers[0]} model is wrong?`,
    `  ROC AUC            ${scores.auc.toFixed(3)}  (in a fold ${scores.aucByFold.least.toFixed(2)} to ${scores.aucByFold.most.toFixed(2)}, mean ${scores.aucByFold.mean.toFixed(2)})`,
    `  by length alone    ${compared.length.toFixed(3)}`,
    ...(compared.load === undefined
      ? []
      : [`  by what the maker of the asks knows of them  ${compared.load.toFixed(3)}`]),
    `  calibration error  ${scores.calibrationError.toFixed(3)}  (what is said against what comes true, ten groups)`,
    `  Brier score        ${scores.brier.toFixed(3)}`,
    '',
    ...waysOf(found),
    '',
    ...verdictOf(found, target),
  ];
  return lines.join('\n');
}

function waysOf({ tiers, alone, chosen, lot }: Calibration): string[] {
  const dearest = alone.at(-1)!.cost;
  const row = (name: string, { cost, quality }: Outcome, more = '') =>
    `  ${name.padEnd(30)}${percent(cost / dearest).padStart(7)}${percent(quality).padStart(8)}${more}`;
  const mix = chosen.shares.map((share, at) => `${tiers[at]} ${percent(share)}`).join(', ');
  return [
    `  ${'way'.padEnd(30)}${'cost'.padStart(7)}${'right'.padStart(8)}`,
    ...alone.map((outcome, at) => row(`always ${tiers[at]}`, outcome)),
    row('by difficulty', chosen, `   ${mix}`),
    row('by lot, at the same cost', { cost: chosen.cost, quality: lot.quality }),
    row('by lot, as often right', { cost: lot.cost, quality: chosen.quality }),
  ];
}

function verdictOf({ alone, chosen }: Calibration, target: Target): string[] {
  const best = alone.at(-1)!;
  const wanted =
    'quality' in target
      ? `${percent(target.quality)} of what the best model alone gets right`
      : `${percent(target.budget)} of what the best model alone costs`;
  const got = 'quality' in target ? chosen.quality / best.quality : chosen.cost / best.cost;
  return [`wanted: ${wanted}; ${chosen.reached ? 'reached' : 'NOT REACHED, this is the nearest'}: ${percent(got)}`];
}

/** For a bundle's `models.yaml`. */
export function snippetOf({ weights, thresholds }: Pick<Calibration, 'weights' | 'thresholds'>): string {
  const pairs = FEATURES.map((name) => `${name}: ${weights[name]}`);
  const half = Math.ceil(pairs.length / 2);
  return `routing:
  medium: ${thresholds.medium}
  large: ${thresholds.large}
  weights:
    { ${pairs.slice(0, half).join(', ')},
      ${pairs.slice(half).join(', ')} }
`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}
