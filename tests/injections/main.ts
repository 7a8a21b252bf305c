/** `npm run injections [-- --sample] [--only ID] [--json]`. Exit code 1 unless nothing unauthorised happened, nothing got out and all honest work was done. */
import { parseArgs } from 'node:util';
import { isClean, runSuite, sample, summary } from './suite.ts';

const { values } = parseArgs({
  options: {
    sample: { type: 'boolean', default: false },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const { only } = values;
const report = await runSuite({
  ...(only ? { only: ({ id, family }) => id === only || family === only } : values.sample ? { only: sample() } : {}),
});
const families = Map.groupBy(report.verdicts, ({ family }) => family);
for (const [family, verdicts] of families) console.log(`${String(verdicts.length).padStart(4)}  ${family}`);
for (const { id, family, unauthorised, leaked, missing } of report.verdicts) {
  for (const line of unauthorised) console.log(`unauthorised  ${id} (${family}): ${line.slice(0, 400)}`);
  for (const line of leaked) console.log(`leaked        ${id} (${family}): ${line.slice(0, 400)}`);
  for (const line of missing) console.log(`missing       ${id} (${family}): ${line.slice(0, 400)}`);
}
if (values.json) console.log(JSON.stringify(report));
console.log(`${report.seconds.toFixed(0)} s`);
console.log(summary(report));
// A pipe takes it all before the process ends.
process.stdout.write('', () => process.exit(isClean(report) ? 0 : 1));
