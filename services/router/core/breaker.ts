/**
 * A circuit breaker for one target (provider, model and key), as a value: closed → (N failures in a row) → open for a while → one probe at a time →
 * closed or open again. Time is an input, in milliseconds.
 */
export interface BreakerLimits {
  failuresMax: number;
  openMs: number;
}

export interface Breaker {
  failures: number;
  /** No request before this; 0: closed. */
  openUntil: number;
  /** A half-open circuit's one probe is under way. */
  probing: boolean;
  /** The provider asked to be left alone until then, whatever succeeds meanwhile. */
  coolUntil: number;
}

export const closedBreaker: Breaker = { failures: 0, openUntil: 0, probing: false, coolUntil: 0 };

/** Why no request may go through now; undefined: it may. */
export function blockedBy(breaker: Breaker, now: number): string | undefined {
  if (now < breaker.coolUntil) return 'left alone for as long as the provider asked';
  if (breaker.openUntil === 0) return undefined;
  if (now < breaker.openUntil) {
    const { failures } = breaker;
    return `left alone after ${failures} ${failures === 1 ? 'failure' : 'failures in a row'}`;
  }
  return breaker.probing ? 'being probed by another request' : undefined;
}

/** A request goes out. */
export function onSent(breaker: Breaker): Breaker {
  return breaker.openUntil === 0 ? breaker : { ...breaker, probing: true };
}

export function onSuccess(breaker: Breaker): Breaker {
  return breaker.coolUntil === 0 ? closedBreaker : { ...closedBreaker, coolUntil: breaker.coolUntil };
}

export function onFailure(breaker: Breaker, now: number, limits: BreakerLimits): Breaker {
  const failures = breaker.failures + 1;
  const opens = failures >= limits.failuresMax || breaker.openUntil !== 0;
  return { ...breaker, failures, openUntil: opens ? now + limits.openMs : 0, probing: false };
}

/** The request ended without saying anything of the model's health (cancelled, refused for its content). */
export function onAbandoned(breaker: Breaker): Breaker {
  return { ...breaker, probing: false };
}

export function onCoolDown(breaker: Breaker, until: number): Breaker {
  return { ...breaker, coolUntil: Math.max(breaker.coolUntil, until), probing: false };
}
