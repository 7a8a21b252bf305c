/** A simulator that finds nothing proves nothing: each planted bug has to be found, and by the judge whose matter it is. */
import { describe, expect, test } from 'vitest';
import { CHECKERS } from './checkers/index.ts';
import { MUTANTS } from './mutants.ts';
import { simulate } from './simulate.ts';

/** What is noticed while it happens has no checker of its own. */
const LIVE = ['errors', 'replay', 'readers'];
const names = new Set([...CHECKERS.map((checker) => checker.name), ...LIVE]);

describe.each(Object.entries(MUTANTS))('%s', (_name, { what, found, plant }) => {
  test(`${what}: found by ${found.by.join(', ')} within ${found.within} seeds`, { timeout: 600_000 }, async () => {
    const deaf = new Set(found.by);
    for (let seed = 1; seed <= found.within && deaf.size > 0; seed++) {
      const { problems } = await simulate({ seed, mutant: plant });
      for (const { checker } of problems) deaf.delete(checker);
    }
    expect([...deaf]).toEqual([]);
  });
});

test('every judge has a planted bug that it finds', () => {
  const proven = new Set(Object.values(MUTANTS).flatMap(({ found }) => found.by));
  expect([...names].filter((name) => !proven.has(name))).toEqual([]);
});
