/**
 * `npm run cluster [-- --at-once N] [--deletions N] [--seed N] [--keep] [--again]`: the chart on a real Kubernetes, under load: rolling
 * restarts, planners 1 → 3 → 1, pods deleted at random, NATS restarted, tools scaled up and down by an HPA, an upgrade. Exit code
 * 0 only with the last line `lost 0, twice 0, stuck 0`.
 */
import { parseArgs } from 'node:util';
import { isClean, random, summary } from '../crash/crash.ts';
import { startOutside } from '../crash/outside.ts';
import { IMAGES, makeImages, openEngine } from './engine.ts';
import { installTutti } from './install.ts';
import { joinKubernetes, type Kubernetes, NODE_ADDRESS, startKubernetes } from './kubernetes.ts';
import { disturb } from './phases.ts';
import { Proof, phaseTable } from './proof.ts';
import { bookTrip } from './trip.ts';

const FINISH_MS = 180_000;

const { values } = parseArgs({
  options: {
    'at-once': { type: 'string', default: '3' },
    deletions: { type: 'string', default: '12' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    keep: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed);
const zero = Date.now();
const log = (line: string) => console.log(`${((Date.now() - zero) / 1_000).toFixed(1).padStart(7)} s  ${line}`);
log(`seed ${seed}`);

const closers: (() => unknown)[] = [];
let exitCode = 1;
try {
  const kubernetes = await prepare();
  const tutti = await installTutti(kubernetes, log);
  if (!values.keep) closers.push(() => tutti.clean());
  log(await bookTrip(tutti.url, tutti.jaegerUrl));
  const outside = await startOutside(random(seed), NODE_ADDRESS);
  closers.push(() => outside.close());
  await tutti.useModel(outside.modelUrl);
  const proof = new Proof({ urls: [tutti.url], outside, seed, log });
  await proof.apply();
  try {
    await disturb({
      proof,
      kubernetes,
      tutti,
      chance: random(seed + 100),
      atOnce: Number(values['at-once']),
      deletions: Number(values.deletions),
      log,
    });
  } catch (error) {
    console.log(await tutti.state());
    throw error;
  }
  const report = await proof.finish(FINISH_MS);
  if (!isClean(report)) console.log(await tutti.state());
  for (const [what, list] of Object.entries(report.verdict))
    for (const line of list.slice(0, 20)) console.log(`${what}: ${line}`);
  for (const line of report.slowest) console.log(`slow: ${line}`);
  console.log(`\n${phaseTable(report)}\n`);
  console.log(
    `${report.runs} runs, ${report.completed} completed, the others cancelled; ${report.seconds.toFixed(0)} s of load`,
  );
  const { repeatsByKey, foundByProbe } = outside.saved;
  console.log(`seen by the shop: ${repeatsByKey} repeats under a known key, ${foundByProbe} found by a probe`);
  console.log(summary(report));
  exitCode = isClean(report) ? 0 : 1;
} finally {
  for (const close of closers.reverse()) await close();
}
process.exit(exitCode);

/** A cluster with the images in it: the one that `--keep` has left, with `--again`. */
async function prepare(): Promise<Kubernetes> {
  if (values.again) return joinKubernetes(log);
  const engine = await openEngine(log);
  try {
    await makeImages(engine, log);
    const kubernetes = await startKubernetes(log);
    if (!values.keep) closers.push(() => kubernetes.stop());
    await kubernetes.load(engine, [IMAGES.tutti, IMAGES.nats, IMAGES.mongo, IMAGES.jaeger]);
    return kubernetes;
  } finally {
    await engine.close();
  }
}
