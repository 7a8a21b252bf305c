import { describe, expect, it } from 'vitest';
import { blockedBy, closedBreaker, onAbandoned, onCoolDown, onFailure, onSent, onSuccess } from './breaker.ts';
import { type FailureKind, nextMove, REFUSED_KEY_COOL_DOWN_MS, type Standing } from './failure.ts';

const limits = { retriesMax: 1, reasksMax: 1, refitsMax: 1, backoffMs: 400, retryAfterMaxMs: 10_000 };
const alone: Standing = {
  retries: 0,
  reasks: 0,
  refits: 0,
  otherKey: false,
  otherProvider: false,
  otherModel: true,
  shrinkable: false,
  deterministic: false,
  attemptsLeft: 5,
  remainingMs: 60_000,
};
const move = (kind: FailureKind, more: Partial<Standing> & { retryAfterMs?: number } = {}, random = 0.5) =>
  nextMove({ kind, retryAfterMs: more.retryAfterMs }, { ...alone, ...more }, limits, random);

describe('nextMove', () => {
  it.each(['rate_limited', 'server_error', 'network', 'empty'] as const)(
    '%s: once more, then another provider, then another model',
    (kind) => {
      expect(move(kind)).toEqual({ move: 'same', delayMs: 200 });
      expect(move(kind, { retries: 1, otherProvider: true })).toEqual({ move: 'other_provider' });
      expect(move(kind, { retries: 1 })).toEqual({ move: 'other_model' });
      expect(move(kind, { attemptsLeft: 0 })).toEqual({ move: 'other_model' });
      expect(move(kind, { deterministic: true })).toEqual({ move: 'other_model' });
    },
  );

  it('backs off with full jitter: anything from nothing to the doubled base', () => {
    const many = { ...limits, retriesMax: 9 };
    const delay = (retries: number, random: number) =>
      nextMove({ kind: 'network', retryAfterMs: undefined }, { ...alone, retries }, many, random);
    expect([delay(0, 0), delay(0, 0.999), delay(3, 0.5)]).toEqual([
      { move: 'same', delayMs: 0 },
      { move: 'same', delayMs: 399.6 },
      { move: 'same', delayMs: 1_600 },
    ]);
  });

  it('a limit or a refusal of one key is no limit of the other', () => {
    expect(move('rate_limited', { otherKey: true })).toEqual({ move: 'other_key' });
    expect(move('rate_limited', { otherKey: true, retryAfterMs: 500 })).toEqual({ move: 'other_key', coolDownMs: 500 });
    expect(move('key_refused', { otherKey: true })).toEqual({
      move: 'other_key',
      coolDownMs: REFUSED_KEY_COOL_DOWN_MS,
    });
    expect(move('key_refused')).toEqual({ move: 'other_model' });
    expect(move('key_refused', { otherProvider: true })).toEqual({
      move: 'other_provider',
      coolDownMs: REFUSED_KEY_COOL_DOWN_MS,
    });
  });

  it('a request that is too long is made smaller where somebody can, and else goes to another model', () => {
    expect(move('context_overflow', { shrinkable: true })).toEqual({ move: 'refit' });
    expect(move('context_overflow', { shrinkable: true, refits: 1 })).toEqual({ move: 'other_model' });
    expect(move('context_overflow', { otherProvider: true })).toEqual({ move: 'other_model' });
  });

  it('waits as long as the provider asks, and leaves it alone when that is too long', () => {
    expect(move('rate_limited', { retryAfterMs: 2_000 })).toEqual({ move: 'same', delayMs: 2_200 });
    expect(move('rate_limited', { retryAfterMs: 30_000 })).toEqual({ move: 'other_model', coolDownMs: 30_000 });
    expect(move('rate_limited', { retryAfterMs: 2_000, remainingMs: 1_000 })).toEqual({
      move: 'other_model',
      coolDownMs: 2_000,
    });
  });

  it('asks again once for an unusable answer', () => {
    expect(move('invalid_answer')).toEqual({ move: 'reask' });
    expect(move('invalid_answer', { reasks: 1 })).toEqual({ move: 'escalate' });
    expect(move('invalid_answer', { deterministic: true })).toEqual({ move: 'escalate' });
  });

  it.each(['timeout', 'not_there', 'held_back'] as const)('%s: the next provider at once', (kind) => {
    expect(move(kind, { otherProvider: true })).toEqual({ move: 'other_provider' });
    expect(move(kind)).toEqual({ move: 'other_model' });
  });

  it.each(['filtered', 'rejected'] as const)('%s: the next model at once', (kind) => {
    expect(move(kind, { otherProvider: true })).toEqual({ move: 'other_model' });
    expect(move(kind, { otherModel: false })).toEqual({ move: 'other_model' });
  });

  it.each(['filtered', 'rejected', 'context_overflow'] as const)(
    '%s of the only model: another provider may take it',
    (kind) => expect(move(kind, { otherProvider: true, otherModel: false })).toEqual({ move: 'other_provider' }),
  );

  it('stops when the asker has gone', () => expect(move('cancelled')).toEqual({ move: 'stop' }));
});

describe('breaker', () => {
  const breakerLimits = { failuresMax: 2, openMs: 100 };
  const fail = (breaker: typeof closedBreaker, now: number) => onFailure(breaker, now, breakerLimits);

  it('opens after failures in a row, lets one probe through, closes on its success', () => {
    const once = fail(closedBreaker, 0);
    expect(blockedBy(once, 0)).toBeUndefined();
    const open = fail(once, 0);
    expect(blockedBy(open, 99)).toMatch('2 failures in a row');
    expect(blockedBy(open, 100)).toBeUndefined();
    const probing = onSent(open);
    expect(blockedBy(probing, 100)).toMatch('probed');
    expect(blockedBy(onSuccess(probing), 100)).toBeUndefined();
  });

  it('a failed probe opens it again; one that was abandoned leaves room for another', () => {
    const probing = onSent(fail(fail(closedBreaker, 0), 0));
    expect(blockedBy(fail(probing, 100), 150)).toMatch('3 failures');
    expect(blockedBy(onAbandoned(probing), 100)).toBeUndefined();
  });

  it('keeps a cool-down', () => {
    const cooling = onCoolDown(closedBreaker, 500);
    expect(blockedBy(cooling, 499)).toMatch('as the provider asked');
    expect(blockedBy(cooling, 500)).toBeUndefined();
    expect(blockedBy(onSuccess(cooling), 499)).toMatch('as the provider asked');
  });
});
