import { expect, it } from 'vitest';
import { applyRates, emptyRates, type RateLedger, type RateOperation } from './rate.ts';

const limits = { requestsPerMinute: 60, tokensPerMinute: 6_000 };
const take = (tokens: number): RateOperation => ({ op: 'take', limits, tokens });
function one(ledger: RateLedger, operation: RateOperation, now: number) {
  const { ledger: next, outcomes } = applyRates(ledger, [operation], now);
  return { ledger: next, outcome: outcomes[0]! };
}

it('gives a minute of tokens at once, then as they refill', () => {
  const first = one(emptyRates, take(6_000), 0);
  expect(first.outcome).toEqual({ status: 'granted' });
  expect(one(first.ledger, take(100), 0).outcome).toEqual({ status: 'wait', waitMs: 1_000, measure: 'tokens' });
  expect(one(first.ledger, take(100), 1_000).outcome).toEqual({ status: 'granted' });
});

it('counts requests too', () => {
  const { outcomes } = applyRates(
    emptyRates,
    Array.from({ length: 61 }, () => take(1)),
    0,
  );
  expect(outcomes.filter(({ status }) => status === 'granted')).toHaveLength(60);
  expect(outcomes.at(-1)).toEqual({ status: 'wait', waitMs: 1_000, measure: 'requests' });
});

it('gets back what was taken and not used', () => {
  const full = one(emptyRates, take(6_000), 0).ledger;
  const back = one(full, { op: 'correct', limits, tokens: -5_000 }, 0).ledger;
  expect(one(back, take(5_000), 0).outcome).toEqual({ status: 'granted' });
  const debt = one(full, { op: 'correct', limits, tokens: 1_000 }, 0).ledger;
  expect(one(debt, take(100), 1_000).outcome).toMatchObject({ status: 'wait', waitMs: 10_000 });
});

it('says when it will never fit', () => {
  expect(one(emptyRates, take(6_001), 0).outcome).toEqual({ status: 'never', limit: 6_000 });
});

it('keeps away for as long as the provider asked', () => {
  const blocked = one(emptyRates, { op: 'block', until: 500 }, 0).ledger;
  expect(one(blocked, take(1), 100).outcome).toEqual({ status: 'wait', waitMs: 400, measure: 'block' });
  expect(one(blocked, take(1), 500).outcome).toEqual({ status: 'granted' });
  expect(applyRates(blocked, [{ op: 'block', until: 400 }], 0).changed).toBe(false);
});

it('a clock that is behind refills nothing and loses nothing', () => {
  const taken = one(emptyRates, take(6_000), 10_000).ledger;
  expect(one(taken, take(1), 0).outcome).toMatchObject({ status: 'wait' });
  expect(one(taken, take(1_000), 20_000).outcome).toEqual({ status: 'granted' });
});
