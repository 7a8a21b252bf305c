/** The cost/quality curve as an SVG that is legible on light and on dark pages. */
import type { Calibration } from './calibrate.ts';
import type { Outcome } from './routing.ts';

const WIDTH = 760;
const HEIGHT = 470;
const PLOT = { left: 64, right: 736, top: 64, bottom: 404 };
const STEPS = [0.01, 0.02, 0.05, 0.1, 0.2];
const LINES_MAX = 7;
const LABEL_HEIGHT = 15;

const STYLE = `
  svg { --page: #ffffff; --ink: #1f2937; --soft: #6b7280; --grid: #e5e7eb; --curve: #2563eb; --lot: #b45309; --point: #0f766e; }
  @media (prefers-color-scheme: dark) {
    svg { --page: #0d1117; --ink: #e6edf3; --soft: #9da7b3; --grid: #2b323b; --curve: #6cb0ff; --lot: #e3a13b; --point: #4fd1c0; }
  }
  text { font: 12px system-ui, sans-serif; fill: var(--ink); }
  .soft { fill: var(--soft); }
  .title { font-size: 14px; font-weight: 600; }
`;

export function drawCurve({ tiers, alone, curve, chosen, lot }: Calibration, title: string, note: string): string {
  const dearest = Math.max(...alone.map(({ cost }) => cost));
  const points = [...alone, ...curve, chosen];
  const floor = Math.min(...points.map(({ quality }) => quality));
  const top = Math.max(...points.map(({ quality }) => quality));
  const step = STEPS.find((one) => (top - floor) / one <= LINES_MAX) ?? STEPS.at(-1)!;
  const from = Math.max(0, Math.floor(floor / step - 0.4) * step);
  const to = Math.min(1, Math.ceil(top / step + 0.2) * step);
  const scale: Scale = {
    x: (cost) => PLOT.left + (cost / (dearest * 1.04)) * (PLOT.right - PLOT.left),
    y: (quality) => PLOT.bottom - ((quality - from) / (to - from)) * (PLOT.bottom - PLOT.top),
  };
  const share = (value: number) => `${Math.round(value * 100)}%`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
<rect width="${WIDTH}" height="${HEIGHT}" rx="8" style="fill: var(--page)"/>
<text class="title" x="${PLOT.left - 40}" y="28">${escaped(title)}</text>
<text class="soft" x="${PLOT.left - 40}" y="46">${escaped(note)}</text>
${grid(scale, dearest, range(from, to, step), share)}
${line(scale, lot.line, 'stroke: var(--lot); stroke-dasharray: 6 5')}
${line(scale, curve, 'stroke: var(--curve)')}
${curve.map((point) => dot(scale, point, 2.5, 'fill: var(--curve)')).join('')}
${alone.map((point, at) => `${dot(scale, point, 5, 'fill: var(--point)')}${labelOf(scale, point, `${tiers[at]} alone`, at === alone.length - 1)}`).join('\n')}
${dot(scale, chosen, 7, 'fill: none; stroke: var(--curve); stroke-width: 2.5')}
${callout(scale, chosen, [`chosen: ${share(chosen.quality)} right`, `at ${share(chosen.cost / dearest)} of the cost`])}
${key(WIDTH - 250, PLOT.bottom - 46)}
</svg>
`;
}

interface Scale {
  x(cost: number): number;
  y(quality: number): number;
}

function grid({ x, y }: Scale, dearest: number, levels: readonly number[], share: (value: number) => string): string {
  const rows = levels.map(
    (level) =>
      `<path d="M${PLOT.left} ${px(y(level))}H${PLOT.right}" style="stroke: var(--grid)"/><text class="soft" x="${PLOT.left - 8}" y="${px(y(level) + 4)}" text-anchor="end">${share(level)}</text>`,
  );
  const columns = range(0, 1, 0.2).map(
    (part) =>
      `<text class="soft" x="${px(x(part * dearest))}" y="${PLOT.bottom + 20}" text-anchor="middle">${share(part)}</text>`,
  );
  const middle = (PLOT.left + PLOT.right) / 2;
  return `${rows.join('')}
<path d="M${PLOT.left} ${PLOT.bottom}H${PLOT.right}" style="stroke: var(--soft)"/>
${columns.join('')}
<text x="${middle}" y="${PLOT.bottom + 46}" text-anchor="middle">cost, as a share of the large model’s</text>
<text transform="translate(18 ${(PLOT.top + PLOT.bottom) / 2}) rotate(-90)" text-anchor="middle">asks answered right</text>`;
}

function line({ x, y }: Scale, points: readonly Outcome[], style: string): string {
  const path = points
    .map(({ cost, quality }, at) => `${at === 0 ? 'M' : 'L'}${px(x(cost))} ${px(y(quality))}`)
    .join('');
  return `<path d="${path}" style="fill: none; stroke-width: 2; ${style}"/>`;
}

function dot({ x, y }: Scale, { cost, quality }: Outcome, radius: number, style: string): string {
  return `<circle cx="${px(x(cost))}" cy="${px(y(quality))}" r="${radius}" style="${style}"/>`;
}

/** Below the point, to the side where there is room. */
function labelOf({ x, y }: Scale, { cost, quality }: Outcome, text: string, last: boolean): string {
  const side = last ? `x="${px(x(cost) + 4)}" text-anchor="end"` : `x="${px(x(cost) + 10)}"`;
  return `<text ${side} y="${px(y(quality) + (last ? 30 : 16))}">${escaped(text)}</text>`;
}

function callout({ x, y }: Scale, { cost, quality }: Outcome, lines: readonly string[]): string {
  const top = Math.max(PLOT.top + LABEL_HEIGHT, y(quality) - 16 - lines.length * LABEL_HEIGHT);
  return lines
    .map(
      (text, at) =>
        `<text x="${px(x(cost) - 12)}" y="${px(top + at * LABEL_HEIGHT)}" text-anchor="end">${escaped(text)}</text>`,
    )
    .join('');
}

function key(left: number, top: number): string {
  const entry = (at: number, style: string, text: string) =>
    `<path d="M${left} ${top + at * 20}h26" style="fill: none; stroke-width: 2; ${style}"/><text x="${left + 34}" y="${top + at * 20 + 4}">${text}</text>`;
  return `${entry(0, 'stroke: var(--curve)', 'routed by difficulty')}${entry(1, 'stroke: var(--lot); stroke-dasharray: 6 5', 'models drawn by lot')}`;
}

function range(from: number, to: number, step: number): number[] {
  return Array.from({ length: Math.round((to - from) / step) + 1 }, (_, at) => from + at * step);
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
