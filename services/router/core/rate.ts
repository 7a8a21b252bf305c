/**
 * A provider's rate limits as token buckets, as providers themselves keep them: each refills evenly and holds at most a
 * minute's worth. A value; stored by compare-and-set so that all replicas draw on the same. There are no holds to lose:
 * what a router took and never used has refilled within the minute.
 */
import { z } from 'zod';

const MINUTE_MS = 60_000;

const Level = z.object({ level: z.number(), at: z.number() });
export const RateLedger = z.object({
  v: z.literal(1),
  requests: Level.optional(),
  tokens: Level.optional(),
  /** The provider asked to be left alone until then. */
  blockedUntil: z.number().default(0),
});
export type RateLedger = z.infer<typeof RateLedger>;
export const emptyRates: RateLedger = { v: 1, blockedUntil: 0 };

export interface RateLimits {
  requestsPerMinute?: number | undefined;
  tokensPerMinute?: number | undefined;
}

export type RateOperation =
  | { op: 'take'; limits: RateLimits; tokens: number }
  /** What a call turned out to use beside what it took: negative gives back. */
  | { op: 'correct'; limits: RateLimits; tokens: number }
  | { op: 'block'; until: number };

export type RateOutcome =
  | { status: 'granted' }
  /** It fits after this long, if nobody else comes first. */
  | { status: 'wait'; waitMs: number; measure: 'requests' | 'tokens' | 'block' }
  /** It is more than a minute holds. */
  | { status: 'never'; limit: number }
  | { status: 'done' };

export function applyRates(
  ledger: RateLedger,
  operations: readonly RateOperation[],
  now: number,
): { ledger: RateLedger; outcomes: RateOutcome[]; changed: boolean } {
  let current = ledger;
  const outcomes = operations.map((operation): RateOutcome => {
    switch (operation.op) {
      case 'take': {
        const taken = take(current, operation, now);
        if (taken.status !== 'granted') return taken;
        current = taken.ledger;
        return { status: 'granted' };
      }
      case 'correct': {
        if (operation.limits.tokensPerMinute === undefined || operation.tokens === 0) return { status: 'done' };
        const tokens = levelAt(current.tokens, operation.limits.tokensPerMinute, now);
        current = {
          ...current,
          tokens: { ...tokens, level: Math.min(operation.limits.tokensPerMinute, tokens.level - operation.tokens) },
        };
        return { status: 'done' };
      }
      case 'block':
        if (operation.until > current.blockedUntil) current = { ...current, blockedUntil: operation.until };
        return { status: 'done' };
      default: {
        const never: never = operation;
        throw new Error(`unknown operation ${JSON.stringify(never)}`);
      }
    }
  });
  return { ledger: current, outcomes, changed: current !== ledger };
}

function take(
  ledger: RateLedger,
  { limits, tokens: wanted }: { limits: RateLimits; tokens: number },
  now: number,
): { status: 'granted'; ledger: RateLedger } | Exclude<RateOutcome, { status: 'granted' | 'done' }> {
  if (ledger.blockedUntil > now) return { status: 'wait', waitMs: ledger.blockedUntil - now, measure: 'block' };
  const { requestsPerMinute, tokensPerMinute } = limits;
  if (tokensPerMinute !== undefined && wanted > tokensPerMinute) return { status: 'never', limit: tokensPerMinute };
  const next = { ...ledger };
  if (requestsPerMinute !== undefined) {
    const requests = levelAt(ledger.requests, requestsPerMinute, now);
    const waitMs = waitFor(requests.level, 1, requestsPerMinute);
    if (waitMs > 0) return { status: 'wait', waitMs, measure: 'requests' };
    next.requests = { ...requests, level: requests.level - 1 };
  }
  if (tokensPerMinute !== undefined) {
    const tokens = levelAt(ledger.tokens, tokensPerMinute, now);
    const waitMs = waitFor(tokens.level, wanted, tokensPerMinute);
    if (waitMs > 0) return { status: 'wait', waitMs, measure: 'tokens' };
    next.tokens = { ...tokens, level: tokens.level - wanted };
  }
  return { status: 'granted', ledger: next };
}

/** Refilled up to now. A clock that is behind the ledger's refills nothing. */
function levelAt(known: z.infer<typeof Level> | undefined, perMinute: number, now: number): z.infer<typeof Level> {
  if (!known) return { level: perMinute, at: now };
  const elapsed = Math.max(0, now - known.at);
  return { level: Math.min(perMinute, known.level + (elapsed * perMinute) / MINUTE_MS), at: Math.max(now, known.at) };
}

function waitFor(level: number, wanted: number, perMinute: number): number {
  return level >= wanted ? 0 : Math.ceil(((wanted - level) * MINUTE_MS) / perMinute);
}
