/** The ledger: limits hold to the last nano-dollar under any order of operations, and nothing is left behind. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { costNano, nanoOfUsd, outputTokensFor } from './money.ts';
import {
  applySpend,
  type CounterLimit,
  emptyLedger,
  type SpendLedger,
  type SpendOperation,
  standingOf,
} from './spend.ts';
import { windowAt } from './windows.ts';

const NOON = Date.UTC(2026, 10, 26, 12);
const prices = { input: 1, output: 4 };
const dollar: CounterLimit = { id: 'day', window: 'day', limit: { nanoUsd: nanoOfUsd(1) } };
const ask = (more: Partial<Extract<SpendOperation, { op: 'reserve' }>['ask']> = {}) => ({
  prices,
  inputTokens: 1_000,
  outputTokensWanted: 1_000,
  outputTokensMin: 1,
  requests: 1 as const,
  ...more,
});
const reserve = (id: string, more: Partial<Extract<SpendOperation, { op: 'reserve' }>> = {}): SpendOperation => ({
  op: 'reserve',
  id,
  expiresAt: NOON + 60_000,
  counters: [dollar],
  ask: ask(),
  ...more,
});
/** Applies one operation after another. */
function run(operations: SpendOperation[], now = NOON, from: SpendLedger = emptyLedger) {
  return applySpend(from, operations, now);
}

describe('money', () => {
  it('is whole nano-dollars, rounded up', () => {
    expect(costNano({ input: 0.05, output: 0 }, { inputTokens: 10, outputTokens: 0 })).toBe(500);
    expect(costNano({ input: 0.0375, output: 0 }, { inputTokens: 1, outputTokens: 0 })).toBe(38);
    expect(
      costNano(
        { input: 2, output: 10, cachedInput: 0.5 },
        { inputTokens: 100, cachedInputTokens: 60, outputTokens: 7 },
      ),
    ).toBe(40 * 2_000 + 60 * 500 + 7 * 10_000);
  });

  it('never pays for more output than there is money', () => {
    const price = fc.integer({ min: 0, max: 100_000 }).map((milli) => milli / 1_000);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e12 }),
        price,
        price,
        fc.integer({ min: 0, max: 1e6 }),
        (nano, input, output, tokens) => {
          const outputTokens = outputTokensFor(nano, { input, output }, tokens);
          if (outputTokens >= 0)
            expect(costNano({ input, output }, { inputTokens: tokens, outputTokens })).toBeLessThanOrEqual(nano);
          else expect(costNano({ input, output }, { inputTokens: tokens, outputTokens: 0 })).toBeGreaterThan(nano);
        },
      ),
    );
  });
});

describe('windows', () => {
  it('are calendar ones in UTC', () => {
    expect(windowAt('week', NOON)).toEqual({ since: Date.UTC(2026, 10, 23), until: Date.UTC(2026, 10, 30) });
    expect(windowAt('month', NOON)).toEqual({ since: Date.UTC(2026, 10, 1), until: Date.UTC(2026, 11, 1) });
    expect(windowAt('month', Date.UTC(2026, 11, 31))).toEqual({
      since: Date.UTC(2026, 11, 1),
      until: Date.UTC(2027, 0, 1),
    });
    expect(windowAt('hour', NOON + 5)).toEqual({ since: NOON, until: NOON + 3_600_000 });
    expect(windowAt('total', NOON)).toEqual({ since: 0, until: null });
  });
});

describe('a reservation', () => {
  it('sets the most aside that the call may cost, and its settlement puts what it cost in its place', () => {
    const { ledger, outcomes } = run([reserve('a')]);
    expect(outcomes).toEqual([
      { status: 'granted', outputTokens: 1_000, amounts: { nanoUsd: 5_000_000, tokens: 2_000, requests: 1 } },
    ]);
    const actual = { nanoUsd: 1_200_000, tokens: 1_050, requests: 1 };
    const settled = run(
      [{ op: 'settle', id: 'a', counters: [dollar], held: ledger.holds.a!.amounts, actual }],
      NOON,
      ledger,
    );
    expect(standingOf(settled.ledger, 'day', 'day', NOON)).toMatchObject({
      spent: actual,
      held: { nanoUsd: 0, tokens: 0, requests: 0 },
    });
  });

  it('gives less output where the money is short, and refuses below what is worth it', () => {
    const counters = [{ ...dollar, limit: { nanoUsd: 3_000_000 } }];
    expect(run([reserve('a', { counters })]).outcomes[0]).toMatchObject({ status: 'granted', outputTokens: 500 });
    expect(run([reserve('a', { counters, ask: ask({ outputTokensMin: 501 }) })]).outcomes[0]).toMatchObject({
      status: 'exceeded',
      measure: 'money',
      until: Date.UTC(2026, 10, 27),
    });
  });

  it('tells what is spent from what is only set aside', () => {
    const counters = [{ ...dollar, limit: { requests: 1 } }];
    const { ledger, outcomes } = run([reserve('a', { counters }), reserve('b', { counters })]);
    expect(outcomes[1]).toEqual({ status: 'held', counter: 'day', measure: 'requests' });
    const spent = run(
      [
        {
          op: 'settle',
          id: 'a',
          counters,
          held: ledger.holds.a!.amounts,
          actual: { nanoUsd: 0, tokens: 0, requests: 1 },
        },
        reserve('b', { counters }),
      ],
      NOON,
      ledger,
    );
    expect(spent.outcomes[1]).toMatchObject({ status: 'exceeded', measure: 'requests' });
  });

  it('is in all of its counters or in none', () => {
    const poor = { id: 'poor', window: 'day' as const, limit: { tokens: 10 } };
    const { changed, ledger, outcomes } = run([reserve('a', { counters: [dollar, poor] })]);
    expect(outcomes[0]).toMatchObject({ status: 'exceeded', counter: 'poor', measure: 'tokens' });
    expect({ changed, holds: ledger.holds }).toEqual({ changed: false, holds: {} });
  });

  it('made again under its id is the same one', () => {
    const { ledger, outcomes } = run([reserve('a'), reserve('a')]);
    expect(outcomes[1]).toEqual(outcomes[0]);
    expect(Object.keys(ledger.holds)).toEqual(['a']);
  });

  it('of a router that died runs out, and late word of it counts after all', () => {
    const { ledger } = run([reserve('a')]);
    const held = ledger.holds.a!.amounts;
    const later = NOON + 60_000;
    const standing = standingOf(ledger, 'day', 'day', later);
    expect(standing).toMatchObject({ held: { nanoUsd: 0 }, spent: { nanoUsd: 0 }, expired: held });
    const actual = { nanoUsd: 100, tokens: 3, requests: 1 };
    const late = run(
      [{ op: 'settle', id: 'a', counters: [dollar], held, actual }],
      later,
      applySpend(ledger, [], later).ledger,
    );
    expect(standingOf(late.ledger, 'day', 'day', later)).toMatchObject({
      spent: actual,
      expired: { nanoUsd: 0, tokens: 0 },
    });
  });

  it('that outlives its window counts in the next one', () => {
    const before = Date.UTC(2026, 10, 27) - 1;
    const after = Date.UTC(2026, 10, 27) + 1;
    const counters = [{ ...dollar, limit: { nanoUsd: 8_000_000 } }];
    const { ledger } = run([reserve('a', { counters, expiresAt: after + 60_000 })], before);
    const next = run([reserve('b', { counters, expiresAt: after + 60_000 })], after, ledger);
    expect(next.outcomes[0]).toMatchObject({ status: 'granted', outputTokens: 500 });
    // a clock that is still in yesterday does not bring the old window back
    const behind = run([reserve('c', { counters, expiresAt: after + 60_000 })], before, next.ledger);
    expect(behind.outcomes[0]).toMatchObject({ status: 'held' });
  });
});

it('under any operations: never over a limit, and empty when all is over', () => {
  const step = fc.record({
    kind: fc.constantFrom('reserve', 'settle', 'release', 'wait'),
    id: fc.integer({ min: 0, max: 12 }),
    input: fc.integer({ min: 1, max: 5_000 }),
    output: fc.integer({ min: 1, max: 5_000 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    ms: fc.integer({ min: 1, max: 90_000 }),
  });
  const limit = { nanoUsd: 40_000_000, tokens: 30_000, requests: 6 };
  const counters: CounterLimit[] = [
    { id: 'total', window: 'total', limit },
    { id: 'money', window: 'total', limit: { nanoUsd: 25_000_000 } },
  ];
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let ledger = emptyLedger;
      let now = NOON;
      const held = new Map<string, SpendLedger['holds'][string]['amounts']>();
      const apply = (operation: SpendOperation) => {
        const result = applySpend(ledger, [operation], now);
        if (!result.changed) expect(result.ledger.holds).toEqual(ledger.holds);
        ledger = result.ledger;
        return result.outcomes[0]!;
      };
      for (const { kind, id: n, input, output, share, ms } of steps) {
        const id = `h${n}`;
        const mine = held.get(id);
        if (kind === 'wait') now += ms;
        else if (kind === 'reserve' && !mine) {
          const wish = ask({ inputTokens: input, outputTokensWanted: output });
          const outcome = apply({ op: 'reserve', id, expiresAt: now + 120_000, counters, ask: wish });
          if (outcome.status === 'granted') held.set(id, outcome.amounts);
        } else if (kind === 'settle' && mine && ledger.holds[id]) {
          const actual = {
            nanoUsd: Math.floor(mine.nanoUsd * share),
            tokens: Math.floor(mine.tokens * share),
            requests: 1,
          };
          apply({ op: 'settle', id, counters, held: mine, actual });
          held.delete(id);
        } else if (kind === 'release') {
          apply({ op: 'release', id });
          held.delete(id);
        }
        for (const counter of counters) {
          const { spent, held: open } = standingOf(ledger, counter.id, counter.window, now);
          for (const measure of ['nanoUsd', 'tokens', 'requests'] as const)
            expect(spent[measure] + open[measure]).toBeLessThanOrEqual(
              counter.limit[measure] ?? Number.POSITIVE_INFINITY,
            );
        }
      }
      const over = standingOf(ledger, 'total', 'total', now + 1_000_000);
      expect(over.held).toEqual({ nanoUsd: 0, tokens: 0, requests: 0 });
    }),
  );
});
