/** The simulator itself, and a few thousand worlds. More on demand: `npm run sim -- --seeds 100000`. */
import { describe, expect, test } from 'vitest';
import { simulateMany } from './pool.ts';
import { type Simulated, simulate } from './simulate.ts';

const SEEDS = 2_000;

describe('the simulator', () => {
  test('repeats a world from its seed to the last event, and makes another from another', async () => {
    for (const seed of [1, 2, 3]) {
      const [one, again] = [await simulate({ seed }), await simulate({ seed })];
      expect(again).toEqual(one);
      expect(one.trace).not.toBe((await simulate({ seed: seed + 100 })).trace);
    }
  });

  test('tells what happens without changing it', async () => {
    const lines: string[] = [];
    const told = await simulate({ seed: 5, note: (line) => lines.push(line) });
    expect(lines.length).toBeGreaterThan(20);
    expect(told).toEqual(await simulate({ seed: 5 }));
  });
});

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
