/**
 * `npm run bench -- sessions`: so many sessions at once, each with a run that waits on a slow model twice. Samples the
 * memory of every process, and fails when one run does not end as it should.
 */
import { parseArgs } from 'node:util';
import type { SessionsOrder, SessionsResult } from './load.ts';
import { messageFrom, peakMiB, residentMiB } from './processes.ts';
import { count, machine, table } from './report.ts';
import { type Stack, startStack } from './stack.ts';

const HELP = `npm run bench -- sessions [options]
  --sessions N      how many (10000)
  --model-ms RANGE  how long each of the two answers of a run's model takes (20000-60000)
  --every SECONDS   between two lines of the table (10)
`;
const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h' },
    sessions: { type: 'string', default: '10000' },
    'model-ms': { type: 'string', default: '20000-60000' },
    every: { type: 'string', default: '10' },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const sessions = Number(values.sessions);
const modelMs = values['model-ms'];
const slowestMs = Number(modelMs.split('-').at(-1));
const everyMs = Number(values.every) * 1_000;

interface Sample {
  seconds: number;
  started: number;
  ended: number;
  mebibytes: number[];
}

function sampler(stack: Stack, processes: { pid: number }[]) {
  const startedAt = performance.now();
  const samples: Sample[] = [];
  const progress = { started: 0, ended: 0 };
  stack.load.child.on('message', (message: { type: string; started: number; ended: number }) => {
    if (message.type === 'progress') Object.assign(progress, { started: message.started, ended: message.ended });
  });
  const take = () =>
    samples.push({
      seconds: Math.round((performance.now() - startedAt) / 1_000),
      started: progress.started,
      ended: progress.ended,
      mebibytes: processes.map(({ pid }) => residentMiB(pid)),
    });
  take();
  const timer = setInterval(take, everyMs);
  return {
    stop(result: SessionsResult): Sample[] {
      clearInterval(timer);
      Object.assign(progress, { started: sessions, ended: result.ended });
      take();
      return samples;
    },
  };
}

console.log(machine());
const stack = await startStack({
  mode: 'default',
  tracing: true,
  partitions: undefined,
  profiles: undefined,
  // As many as there are sessions may wait in the one worker.
  env: { TUTTI_BENCH_MODEL_MS: modelMs, TUTTI_IN_FLIGHT_MAX: String(Math.max(1_024, sessions * 2)) },
});
try {
  const processes = [...stack.engine, { name: 'load', pid: stack.load.pid }];
  const sampling = sampler(stack, processes);
  const order: SessionsOrder = { type: 'sessions', count: sessions, lostMs: slowestMs * 10 + 120_000 };
  const done = messageFrom<SessionsResult>(stack.load, 'result');
  stack.load.child.send(order);
  const result = await done;
  const samples = sampling.stop(result);
  const rows = samples.map(({ seconds, started, ended, mebibytes }) =>
    [seconds, started, ended, ...mebibytes.map(Math.round)].map((value) => count(value)),
  );
  console.log(`\nresident MiB while ${count(sessions)} sessions wait on a model that takes ${modelMs} ms, twice each`);
  console.log(table(['s', 'started', 'ended', ...processes.map(({ name }) => name)], rows));
  console.log(`peak: ${processes.map(({ name, pid }) => `${name} ${Math.round(peakMiB(pid))}`).join(', ')} MiB`);
  const seconds = (ms: number) => Math.round(ms / 100) / 10;
  const peaks = Object.fromEntries(processes.map(({ name, pid }) => [name, Math.round(peakMiB(pid))]));
  const figures = {
    sessions,
    ended: result.ended,
    failed: result.failed,
    startedInSeconds: seconds(result.startedMs),
    p50Seconds: seconds(result.p50Ms),
    maxSeconds: seconds(result.maxMs),
    seconds: seconds(result.elapsedMs),
    peakMiB: peaks,
  };
  console.log(`\nRESULT ${JSON.stringify(figures)}`);
  if (result.ended !== sessions) process.exitCode = 1;
} finally {
  await stack.stop();
}
