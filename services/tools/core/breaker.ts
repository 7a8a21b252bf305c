/**
 * A circuit breaker for one tool, as a value: closed → (failures in a row) → open → one probe at a time → closed, or open
 * again for twice as long. Time is an input, monotonic milliseconds.
 */
export interface BreakerLimits {
  failuresMax: number;
  openMs: number;
  openMsMax: number;
}
export interface Breaker {
  failures: number;
  /** Nothing passes before this; 0: closed. */
  openUntil: number;
  /** How long it was open for last. */
  openedForMs: number;
  /** A half-open circuit's one call is under way. */
  probing: boolean;
}

export const CLOSED: Breaker = { failures: 0, openUntil: 0, openedForMs: 0, probing: false };

/** For how long no call may pass, in milliseconds; 0: it may. While a probe is under way: as long as a short opening. */
export function blockedForMs(breaker: Breaker, now: number, limits: BreakerLimits): number {
  if (breaker.openUntil === 0) return 0;
  if (now < breaker.openUntil) return breaker.openUntil - now;
  return breaker.probing ? limits.openMs : 0;
}

export function onSent(breaker: Breaker): Breaker {
  return breaker.openUntil === 0 ? breaker : { ...breaker, probing: true };
}

/** `silent`: it ended without a word about the tool's health (cancelled, never sent). */
export function onEnded(
  breaker: Breaker,
  how: 'answered' | 'failed' | 'silent',
  now: number,
  limits: BreakerLimits,
): Breaker {
  if (how === 'answered') return CLOSED;
  if (how === 'silent') return { ...breaker, probing: false };
  const failures = breaker.failures + 1;
  if (failures < limits.failuresMax && breaker.openUntil === 0) return { ...breaker, failures, probing: false };
  // Calls that were under way when it opened say nothing new.
  if (now < breaker.openUntil) return { ...breaker, failures, probing: false };
  const openedForMs = Math.min(breaker.openedForMs === 0 ? limits.openMs : 2 * breaker.openedForMs, limits.openMsMax);
  return { failures, openUntil: now + openedForMs, openedForMs, probing: false };
}
