import { describe, expect, it } from 'vitest';
import { blockedBy, closedBreaker, onAbandoned, onCoolDown, onFailure, onSent, onSuccess } from './breaker.ts';
import { type FailureKind, nextMove } from './failure.ts';

const limits = { retriesMax: 1, reasksMax: 1, backoffMs: 400, retryAfterMaxMs: 10_000 };
const move = (
  kind: FailureKind,
  more: { retryAfterMs?: number; retries?: number; reasks?: number; remainingMs?: number } = {},
) =>
  nextMove(
    { kind, retryAfterMs: more.retryAfterMs },
    { retries: more.retries ?? 0, reasks: more.reasks ?? 0 },
    limits,
    more.remainingMs ?? 60_000,
    0.5,
  );

describe('nextMove', () => {
  it.each(['rate_limited', 'server_error', 'network', 'empty'] as const)(
    '%s: once more, then the next model',
    (kind) => {
      expect(move(kind)).toEqual({ move: 'retry', delayMs: 200 });
      expect(move(kind, { retries: 1 })).toEqual({ move: 'next' });
    },
  );

  it('waits as long as the provider asks, and leaves it alone when that is too long', () => {
    expect(move('rate_limited', { retryAfterMs: 2_000 })).toEqual({ move: 'retry', delayMs: 2_200 });
    expect(move('rate_limited', { retryAfterMs: 30_000 })).toEqual({ move: 'next', coolDownMs: 30_000 });
    expect(move('rate_limited', { retryAfterMs: 2_000, remainingMs: 1_000 })).toEqual({
      move: 'next',
      coolDownMs: 2_000,
    });
  });

  it('asks again once for an unusable answer', () => {
    expect(move('invalid_answer')).toEqual({ move: 'reask' });
    expect(move('invalid_answer', { reasks: 1 })).toEqual({ move: 'next' });
  });

  it.each(['timeout', 'context_overflow', 'rejected'] as const)('%s: the next model at once', (kind) => {
    expect(move(kind)).toEqual({ move: 'next' });
  });

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
    expect(blockedBy(onSuccess(), 100)).toBeUndefined();
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
  });
});
