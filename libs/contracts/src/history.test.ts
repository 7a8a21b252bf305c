/** What runs have done, in numbers: counted, taken back, put together, and bounded. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  atLeast,
  HISTORY_LIMITS,
  History,
  mergeHistories,
  NOTHING_DONE,
  OTHER_TOOLS,
  Sums,
  summandsOf,
  withCall,
  withCollections,
  withoutCall,
} from './history.ts';

const calls = fc.array(
  fc.record({
    tool: fc.constantFrom('mail', 'search', 'constructor', '__proto__'),
    effect: fc.constantFrom('pure' as const, 'irreversible' as const, undefined),
    summands: fc.option(fc.record({ spent: fc.integer({ min: 1, max: 100 }) }), { nil: undefined }),
  }),
  { maxLength: 12 },
);
const after = (list: Parameters<typeof withCall>[1][], before = NOTHING_DONE) => list.reduce(withCall, before);

describe('counting', () => {
  it('of calls in any order, taken back again, is as before', () => {
    fc.assert(
      fc.property(calls, calls, (kept, undone) => {
        const before = after(kept);
        const back = undone.reduce(withoutCall, after(undone, before));
        expect({ ...back, sums: {} }).toEqual({ ...before, sums: {} });
        expect(back.sums.spent ?? 0).toBe(before.sums.spent ?? 0);
        expect(History.parse(JSON.parse(JSON.stringify(before))).calls).toBe(kept.length);
      }),
    );
  });
  it('of parts put together is that of the whole', () => {
    fc.assert(
      fc.property(calls, calls, (a, b) => {
        expect(mergeHistories(after(a), after(b))).toEqual(after([...a, ...b]));
        expect(atLeast(after([...a, ...b]), after(a))).toEqual(after([...a, ...b]));
      }),
    );
  });
  it('takes an unknown tool for one with an effect', () => {
    expect(withCall(NOTHING_DONE, { tool: 'x', effect: undefined, summands: undefined })).toMatchObject({ effects: 1 });
    expect(withCall(NOTHING_DONE, { tool: 'x', effect: 'pure', summands: undefined })).toMatchObject({ effects: 0 });
  });
  it('stays within its bounds, and loses no call for it', () => {
    const many = Array.from({ length: HISTORY_LIMITS.toolsMax + 10 }, (_, i) => ({
      tool: `tool-${i}`,
      effect: 'pure' as const,
      summands: undefined,
    }));
    const history = after(many);
    expect(Object.keys(history.tools)).toHaveLength(HISTORY_LIMITS.toolsMax + 1);
    expect(history.tools[OTHER_TOOLS]).toBe(10);
    expect(mergeHistories(history, history).calls).toBe(2 * many.length);
    const read = withCollections(
      NOTHING_DONE,
      Array.from({ length: 100 }, (_, i) => `c${i}`),
    );
    expect(read.collections).toHaveLength(HISTORY_LIMITS.collectionsMax);
  });
});

describe('sums', () => {
  it('are found in the arguments, as numbers or as text', () => {
    const sums = { spent: '$arguments.price.amount', seats: '$arguments.seats' };
    expect(summandsOf(sums, { price: { amount: '12.5' }, seats: 2 })).toEqual({ spent: 12.5, seats: 2 });
    for (const price of [undefined, null, 'much', '', [], { amount: {} }, { amount: Number.NaN }, { amount: Infinity }])
      expect(summandsOf(sums, { price })).toEqual({});
  });
  it('are never brought down by a negative amount', () => {
    expect(summandsOf({ spent: '$arguments.amount' }, { amount: -1_000 })).toEqual({});
  });
  it('are refused where they name nothing that can be found', () => {
    for (const wrong of [{ 'no name': '$arguments.a' }, { spent: '$result.price' }, { spent: 'price' }])
      expect(Sums.safeParse(wrong).success).toBe(false);
  });
});
