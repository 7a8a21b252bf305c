/** `npm run crash -- --kills 200 [--seed N] [--cluster] [--fsync] [--at-once N] [--keep] [--json]`. Exit code 1 unless nothing was lost, done twice or left stuck. */
import { parseArgs } from 'node:util';
import { crashTest, isClean, summary, table } from './crash.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    'at-once': { type: 'string', default: '24' },
    cluster: { type: 'boolean', default: false },
    fsync: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed);
console.log(
  `seed ${seed}${values.cluster ? ', three nats nodes' : ''}${values.fsync ? ', fsync for every append' : ''}`,
);
const report = await crashTest({
  kills: Number(values.kills),
  seed,
  cluster: values.cluster,
  fsync: values.fsync,
  atOnce: Number(values['at-once']),
  finishMs: 180_000,
  keep: values.keep,
  log: (line) => console.log(line),
});
for (const [what, list] of Object.entries(report.verdict))
  for (const line of list.slice(0, 20)) console.log(`${what}: ${line}`);
if (report.folder) console.log(`what is left of it: ${report.folder}`);
for (const line of report.slowest) console.log(`slow: ${line}`);
console.log(`\n${table(report)}\n`);
console.log(`${report.runs} runs, ${report.completed} completed, the others cancelled; ${report.seconds.toFixed(0)} s`);
const { repeatsByKey, foundByProbe, notFoundByProbe } = report.saved;
console.log(
  `seen by the shop: ${repeatsByKey} repeats under a known key, probes ${foundByProbe} found and ${notFoundByProbe} not`,
);
if (values.json) console.log(JSON.stringify(report));
console.log(summary(report));
process.exit(isClean(report) ? 0 : 1);
