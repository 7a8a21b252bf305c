/**
 * `npm run effects [-- --point "after effect"] [--victim tools] [--table]`: the kill matrix. The last line says what came
 * of it; exit code 1 unless nothing was wrong. `--table`: as Markdown, for docs/kill-matrix.md.
 */
import { parseArgs } from 'node:util';
import { killMatrix, summary } from './matrix.ts';
import { POINTS, VICTIMS } from './points.ts';
import { markdown } from './table.ts';

const { values } = parseArgs({
  options: {
    point: { type: 'string', multiple: true },
    victim: { type: 'string', multiple: true },
    table: { type: 'boolean', default: false },
  },
});
const points = POINTS.filter((point) => values.point?.includes(point) ?? true);
const victims = VICTIMS.filter((victim) => values.victim?.includes(victim) ?? true);
const startedAt = performance.now();
const pairs = points.flatMap((point) => victims.map((victim) => [point, victim] as const));
const { cells, folder } = await killMatrix({ pairs, log: (line) => console.log(line) });
if (values.table) console.log(`\n${markdown(cells)}`);
if (folder) console.log(`what is left of it: ${folder}`);
console.log(`\n${cells.length} cells in ${((performance.now() - startedAt) / 1_000).toFixed(0)} s`);
console.log(summary(cells));
process.exit(cells.length > 0 && cells.every(({ wrong }) => wrong === undefined) ? 0 : 1);
