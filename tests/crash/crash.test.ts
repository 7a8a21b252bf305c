/** One fault of each kind, on real processes under load. The long ones are `npm run crash`. */
import { expect, test } from 'vitest';
import { crashTest, summary } from './crash.ts';

test('nothing is lost, done twice or left stuck when processes die, stall and are cut off', async () => {
  const seed = Number(process.env.TUTTI_CRASH_SEED ?? Date.now() % 1_000_000);
  const lines: string[] = [];
  const report = await crashTest({
    kills: 11,
    seed,
    cluster: false,
    fsync: false,
    atOnce: 12,
    finishMs: 120_000,
    log: (line) => void lines.push(line),
  });
  expect({ seed, ...report.verdict, ...(report.folder ? { folder: report.folder, lines } : {}) }).toEqual({
    seed,
    lost: [],
    twice: [],
    stuck: [],
    journals: [],
  });
  expect(summary(report)).toBe('lost 0, twice 0, stuck 0');
  expect(report.completed).toBeGreaterThan(20);
}, 300_000);
