/** How partitions spread over planners: what each decides by itself, played until nobody moves any more. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Peer, spread } from './spread.ts';

const RUNS = 500;
const peer = (format = 1, beyond: number[] = []): Peer => ({ format, beyond: new Set(beyond) });

/** Rounds in which all planners act on what they saw at the round's start; a later format sticks to what it held. */
function settle(partitions: number, planners: Map<string, Peer>, holders = new Map<number, string>(), rounds = 200) {
  const formats = new Map<number, number>();
  for (const [partition, holder] of holders) formats.set(partition, planners.get(holder)?.format ?? 0);
  let moves = 0;
  for (let round = 0; round < rounds; round++) {
    let moved = false;
    const seen = { partitions, planners: new Map(planners), holders: new Map(holders), closing: new Set<number>() };
    for (const [me, own] of seen.planners) {
      const { take, give } = spread({ me, ...seen });
      for (const partition of give) holders.delete(partition);
      for (const partition of take) {
        if (holders.has(partition)) continue;
        // Taken and not readable: given back, and said from then on.
        if ((formats.get(partition) ?? 0) > own.format) {
          planners.set(me, { ...own, beyond: new Set([...planners.get(me)!.beyond, partition]) });
        } else {
          holders.set(partition, me);
          formats.set(partition, own.format);
        }
      }
      if (take.length > 0 || give.length > 0) moved = true;
      moves += give.length;
    }
    if (!moved) return { holders, moves, rounds: round };
  }
  throw new Error('they never come to rest');
}
const counts = (planners: Map<string, Peer>, holders: Map<number, string>) =>
  [...planners.keys()].map((planner) => [...holders.values()].filter((holder) => holder === planner).length);
const named = (count: number) => new Map<string, Peer>(Array.from({ length: count }, (_, i) => [`p${i}`, peer()]));

describe('partitions over planners', () => {
  test('a third planner gets one of four', () => {
    const two = settle(4, named(2));
    expect(counts(named(2), two.holders)).toEqual([2, 2]);
    const three = settle(4, named(3), two.holders);
    expect(counts(named(3), three.holders).sort()).toEqual([1, 1, 2]);
    expect(three.moves).toBe(1);
  });

  test('from whatever there is, all are held, nobody holds two more than another, and it comes to rest', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 40 }),
        (partitions, count, held) => {
          const planners = named(count);
          // Some are held, some by planners that are gone, whose leases run out.
          const holders = new Map(
            held.flatMap((by, partition) =>
              partition < partitions && by < count ? [[partition, `p${by}`] as const] : [],
            ),
          );
          const { holders: after } = settle(partitions, planners, holders);
          expect(after.size).toBe(partitions);
          const spreadOut = counts(planners, after);
          expect(Math.max(...spreadOut) - Math.min(...spreadOut)).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: RUNS },
    );
  });

  test('a planner that comes costs no more moves than it gets partitions, one that goes none', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 8 }), (partitions, count) => {
        const { holders } = settle(partitions, named(count));
        const joined = settle(partitions, named(count + 1), new Map(holders));
        const got = counts(named(count + 1), joined.holders).at(-1)!;
        // Whom the rounding favours may change as well.
        expect(joined.moves).toBeLessThanOrEqual(got + count);
        const gone = new Map([...joined.holders].filter(([, holder]) => holder !== `p${count}`));
        expect(settle(partitions, named(count), gone).moves).toBeLessThanOrEqual(count);
      }),
      { numRuns: RUNS },
    );
  });

  test('versions side by side: what the later one wrote stays with it, and nothing is left without an owner', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 16 }),
        fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: 5 }),
        fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 16 }),
        (partitions, formats, held) => {
          const planners = new Map<string, Peer>(formats.map((format, i) => [`p${i}`, peer(format)]));
          planners.set('later', peer(2));
          const names = [...planners.keys()];
          const holders = new Map(
            held.flatMap((by, partition) =>
              partition < partitions && by < names.length ? [[partition, names[by]!] as const] : [],
            ),
          );
          const later = new Set([...holders].filter(([, name]) => planners.get(name)!.format === 2).map(([p]) => p));
          const { holders: after } = settle(partitions, planners, holders);
          expect(after.size).toBe(partitions);
          for (const partition of later) expect(planners.get(after.get(partition)!)!.format).toBe(2);
        },
      ),
      { numRuns: RUNS },
    );
  });

  test('what an earlier version cannot read goes to the later one beyond its share, and does not come back', () => {
    const planners = new Map([
      ['earlier', peer(1, [0, 1, 2, 3])],
      ['later', peer(2)],
    ]);
    const { holders, moves } = settle(4, planners);
    expect(counts(planners, holders)).toEqual([0, 4]);
    expect(moves).toBe(0);
  });
});
