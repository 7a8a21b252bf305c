/** A simulator that finds nothing proves nothing: each planted bug has to be found, and by the judge whose matter it is. */
import { describe, expect, test } from 'vitest';
import { CHECKERS } from './checkers/index.ts';
import { MUTANTS } from './mutants.ts';
import { simulate } from './simulate.ts';

/** What is noticed while it happens has no checker of its own. */
const LIVE = ['errors', 'replay'];
const names = new Set([...CHECKERS.map((checker) => checker.name), ...LIVE]);

describe.each(Object.entries(MUTANTS))('%s', (_name, { what, found, plant }) => {
  test(`${what}: found by "${found.by}" within ${found.within} seeds`, { timeout: 600_000 }, async () => {
    expect(names).toContain(found.by);
    let at: number | undefined;
    for (let seed = 1; seed <= found.within && at === undefined; seed++) {
      const { problems } = await simulate({ seed, mutant: plant });
      if (problems.some((problem) => problem.checker === found.by)) at = seed;
    }
    expect(at).toBeDefined();
  });
});
