/**
 * How a try of a model can fail, and what follows from it. The kind alone decides: no adapter and no name is asked.
 */
export type FailureKind =
  /** 429. */
  | 'rate_limited'
  /** 5xx. */
  | 'server_error'
  /** No connection, a reset one, a stream that broke off. */
  | 'network'
  /** The attempt's own time limit, or silence in a stream. */
  | 'timeout'
  /** The request does not fit the model's window. */
  | 'context_overflow'
  /** The provider does not take the request (other 4xx, a content filter). */
  | 'rejected'
  /** An answer came, but not a usable one: broken JSON, a schema that does not hold. */
  | 'invalid_answer'
  /** An answer without text and without tool calls. */
  | 'empty'
  /** Our own count of the provider's rate limit says no. */
  | 'throttled'
  /** A budget has no room for it. */
  | 'no_budget'
  /** Whoever asked has gone. */
  | 'cancelled';

export class ModelFailure extends Error {
  readonly kind: FailureKind;
  /** The provider's own word on when to come back. */
  readonly retryAfterMs: number | undefined;
  /** The unusable answer, for asking again. */
  readonly answer: string | undefined;
  /** What the try cost although it failed. */
  readonly usage: { inputTokens: number; outputTokens: number } | undefined;
  constructor(
    kind: FailureKind,
    message: string,
    options: {
      retryAfterMs?: number | undefined;
      answer?: string | undefined;
      usage?: { inputTokens: number; outputTokens: number } | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ModelFailure';
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs;
    this.answer = options.answer;
    this.usage = options.usage;
  }
}

export interface RetryLimits {
  /** Tries again of one model after a failure that may pass. */
  retriesMax: number;
  /** Tries again with the mistakes shown. */
  reasksMax: number;
  backoffMs: number;
  /** A provider that wants a longer pause than this is left alone. */
  retryAfterMaxMs: number;
}

export interface TriesSoFar {
  retries: number;
  reasks: number;
}

export type NextMove =
  | { move: 'retry'; delayMs: number }
  | { move: 'reask' }
  /** `coolDownMs`: leave this model alone for so long. */
  | { move: 'next'; coolDownMs?: number }
  | { move: 'stop' };

/**
 * `random` in [0, 1): full jitter over an exponential base (AWS Architecture Blog, "Exponential Backoff And Jitter"), on
 * top of the provider's Retry-After where it gave one. `remainingMs`: until nobody waits any more.
 */
export function nextMove(
  failure: Pick<ModelFailure, 'kind' | 'retryAfterMs'>,
  tries: TriesSoFar,
  limits: RetryLimits,
  remainingMs: number,
  random: number,
): NextMove {
  switch (failure.kind) {
    case 'cancelled':
      return { move: 'stop' };
    case 'rate_limited':
    case 'server_error':
    case 'network':
    case 'empty':
      return retryOrNext(failure, tries, limits, remainingMs, random);
    case 'invalid_answer':
      return tries.reasks < limits.reasksMax ? { move: 'reask' } : { move: 'next' };
    case 'timeout':
    case 'context_overflow':
    case 'rejected':
    case 'throttled':
    case 'no_budget':
      return { move: 'next' };
    default: {
      const never: never = failure.kind;
      throw new Error(`unknown failure ${never}`);
    }
  }
}

function retryOrNext(
  failure: Pick<ModelFailure, 'kind' | 'retryAfterMs'>,
  tries: TriesSoFar,
  limits: RetryLimits,
  remainingMs: number,
  random: number,
): NextMove {
  const asked = failure.retryAfterMs ?? 0;
  const delayMs = asked + random * limits.backoffMs * 2 ** tries.retries;
  const worthIt = tries.retries < limits.retriesMax && asked <= limits.retryAfterMaxMs && delayMs < remainingMs;
  if (worthIt) return { move: 'retry', delayMs };
  return asked > 0 ? { move: 'next', coolDownMs: asked } : { move: 'next' };
}

/** Does the failure say something about the model's health, rather than about this request? */
export function countsAgainstHealth(kind: FailureKind): boolean {
  return kind === 'rate_limited' || kind === 'server_error' || kind === 'network' || kind === 'timeout';
}
