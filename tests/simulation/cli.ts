/**
 * `npm run sim`: one seed in full, or many on all cores.
 *   npm run sim -- --seeds 100000            many, from --seed (default 1) on; --workers 1: on one core
 *   npm run sim -- --seed 42 --runs 6        one; with --trace everything that happens in it
 *   npm run sim -- --mutant no-cas           with a planted bug, until it is found
 */
import { parseArgs } from 'node:util';
import { MUTANTS } from './mutants.ts';
import { simulateMany } from './pool.ts';
import { type Simulated, simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    runs: { type: 'string' },
    mutant: { type: 'string' },
    workers: { type: 'string' },
    trace: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const PROGRESS_EVERY_MS = 5_000;
const SHOWN_MAX = 20;
const PROBLEM_CHARS = 1_500;
const MUTANT_SEEDS = 2_000;

function number(name: 'seed' | 'seeds' | 'runs' | 'workers'): number | undefined {
  const text = values[name];
  if (text === undefined) return;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} must be a whole number from 1`);
  return value;
}

function replayCommand({ seed }: Simulated): string {
  const more = `${values.runs ? ` --runs ${values.runs}` : ''}${values.mutant ? ` --mutant ${values.mutant}` : ''}`;
  return `npm run sim -- --seed ${seed}${more} --trace`;
}

function show(result: Simulated): void {
  for (const { checker, problem } of result.problems.slice(0, SHOWN_MAX))
    console.log(`  [${checker}] ${problem.slice(0, PROBLEM_CHARS)}`);
}

async function one(seed: number): Promise<boolean> {
  const mutant = values.mutant ? MUTANTS[values.mutant]!.plant : undefined;
  const runs = number('runs');
  const result = await simulate({
    seed,
    ...(runs === undefined ? {} : { runs }),
    ...(mutant ? { mutant } : {}),
    ...(values.trace ? { note: (line: string) => console.log(line) } : {}),
  });
  const { trace, events, entries, virtualMs } = result;
  console.log(`seed ${seed}: ${result.runs} runs, ${entries} entries, ${events} events in ${Math.round(virtualMs)} ms`);
  console.log(`  trace ${trace}`);
  console.log(`  weather ${result.faults}`);
  show(result);
  console.log(result.problems.length === 0 ? 'clean' : `${result.problems.length} problems`);
  return result.problems.length === 0;
}

async function many(from: number, count: number): Promise<boolean> {
  const startedAt = performance.now();
  let [done, failed, runs, entries, events] = [0, 0, 0, 0, 0];
  const summary = () => {
    const seconds = (performance.now() - startedAt) / 1_000;
    return `seeds ${done} of ${count}, failed ${failed}, runs ${runs}, entries ${entries}, events ${events}, ${(done / seconds).toFixed(0)} seeds/s, ${seconds.toFixed(0)} s`;
  };
  const progress = setInterval(() => console.log(summary()), PROGRESS_EVERY_MS);
  await simulateMany({
    from,
    count,
    runs: number('runs'),
    mutant: values.mutant,
    workers: number('workers'),
    done(result) {
      done++;
      runs += result.runs;
      entries += result.entries;
      events += result.events;
      if (result.problems.length === 0) return true;
      if (++failed <= SHOWN_MAX) {
        console.log(`seed ${result.seed} fails; replay: ${replayCommand(result)}`);
        show(result);
      }
      // A planted bug has been found; a real one may not be the only one.
      return values.mutant === undefined;
    },
  });
  clearInterval(progress);
  console.log(summary());
  console.log(`${done} seeds, ${failed} failures`);
  return failed === 0;
}

if (values.help || (values.mutant && !MUTANTS[values.mutant])) {
  console.log('npm run sim -- [--seed N] [--seeds COUNT] [--runs N] [--trace] [--workers N] [--mutant NAME]');
  for (const [name, { what }] of Object.entries(MUTANTS)) console.log(`  ${name.padEnd(22)} ${what}`);
  process.exit(values.help ? 0 : 1);
}
const count = number('seeds') ?? (values.mutant && !values.seed ? MUTANT_SEEDS : undefined);
if (values.trace && count !== undefined)
  throw new Error('--trace shows one world: name it with --seed, without --seeds');
const clean = count === undefined ? await one(number('seed') ?? 1) : await many(number('seed') ?? 1, count);
process.exit(clean ? 0 : 1);
