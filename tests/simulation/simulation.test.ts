/** The simulator itself, and a thousand worlds. More on demand: `npm run sim -- --seeds 100000`. */
import { PartitionEntry, RunEntry } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { MUTANTS } from './mutants.ts';
import { simulateMany } from './pool.ts';
import { type Simulated, simulate } from './simulate.ts';

const SEEDS = 1_000;
const COVERED_WITHIN = 200;

describe('the simulator', () => {
  test('repeats a world from its seed to the last event, and makes another from another', async () => {
    for (const seed of [1, 2, 3]) {
      const [one, again] = [await simulate({ seed }), await simulate({ seed })];
      expect(again).toEqual(one);
      expect(one.trace).not.toBe((await simulate({ seed: seed + 100 })).trace);
    }
  });

  test('a seed that fails replays exactly, also in another thread and behind other seeds', async () => {
    const mutant = 'emit-before-append';
    const known = ({ seed, trace, events, problems }: Simulated) => ({
      seed,
      trace,
      events,
      problems: problems.map(({ checker }) => checker),
    });
    const inThread: Simulated[] = [];
    await simulateMany({ from: 1, count: 4, mutant, workers: 1, done: (result) => inThread.push(result) > 0 });
    expect(inThread.some(({ problems }) => problems.length > 0)).toBe(true);
    for (const result of inThread) {
      const { seed } = result;
      const again = await simulate({ seed, mutant: MUTANTS[mutant]!.plant });
      expect(known(again)).toEqual(known(result));
      expect(await simulate({ seed, mutant: MUTANTS[mutant]!.plant })).toEqual(again);
    }
  });

  test('tells what happens without changing it', async () => {
    const lines: string[] = [];
    const told = await simulate({ seed: 5, note: (line) => lines.push(line) });
    expect(lines.length).toBeGreaterThan(20);
    expect(told).toEqual(await simulate({ seed: 5 }));
  });
});

/** What notes of a world tell of faults, and of what they led to. */
const HAPPENS = [
  'chaos: a planner dies',
  'chaos: a planner is told to go',
  'chaos: a planner is stopped',
  'chaos: a clock is set',
  'chaos: a worker dies',
  'chaos: a worker is stopped',
  'chaos: a connection is lost',
  'chaos: the bus goes down',
  'chaos: a lease is meddled with',
  'dies at: append tutti.log',
  'dies at: appended tutti.log',
  'took over a partition',
  'handed a partition over',
  'lost a partition',
  'another planner has taken it over',
  'tutti.log.0: no answer in time',
  'stored tutti.parked',
  'stored tutti.dead',
  'stored tutti.checkpoint',
];

test(`in ${COVERED_WITHIN} worlds every fault happens, and the log says everything that it can say`, async () => {
  const missing = new Set([
    ...HAPPENS,
    ...[...RunEntry.options, ...PartitionEntry.options].map(({ shape }) => shape.type.value),
  ]);
  for (let seed = 1; seed <= COVERED_WITHIN && missing.size > 0; seed++)
    await simulate({
      seed,
      saw: ({ batch }) => {
        for (const { type } of [...batch.entries, ...batch.partition]) missing.delete(type);
      },
      note: (line) => {
        for (const what of missing) if (line.includes(what)) missing.delete(what);
      },
    });
  expect([...missing]).toEqual([]);
}, 120_000);

describe('the planner', () => {
  test(`loses nothing and does nothing twice in ${SEEDS} worlds`, { timeout: 900_000 }, async () => {
    const failed: string[] = [];
    const seen = { runs: 0, entries: 0 };
    await simulateMany({
      from: 1,
      count: SEEDS,
      done(result: Simulated) {
        seen.runs += result.runs;
        seen.entries += result.entries;
        const [first] = result.problems;
        if (first) failed.push(`npm run sim -- --seed ${result.seed} --trace: [${first.checker}] ${first.problem}`);
        return failed.length < 5;
      },
    });
    expect(failed).toEqual([]);
    // That it was quiet must not be because nothing happened.
    expect(seen.runs).toBeGreaterThan(SEEDS * 5);
    expect(seen.entries).toBeGreaterThan(SEEDS * 50);
  });
});
