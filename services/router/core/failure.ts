/**
 * How a try of a model can fail, and what follows from it. The kind alone decides: no adapter and no name is asked.
 */
import type { ChatResponse, TokenUsage } from '@tutti/contracts';

export type FailureKind =
  /** 429. */
  | 'rate_limited'
  /** The account behind the key is empty, or the key is not let in. */
  | 'key_refused'
  /** 5xx. */
  | 'server_error'
  /** No connection, a reset one, a stream that broke off. */
  | 'network'
  /** The attempt's own time limit; nothing for too long; too little. */
  | 'timeout'
  /** The request does not fit the model's window. */
  | 'context_overflow'
  /** The provider does not know the model. */
  | 'not_there'
  /** The provider does not take the request (other 4xx). */
  | 'rejected'
  /** The provider withheld the answer for its content. */
  | 'filtered'
  /** An answer came, but not a usable one: broken JSON, a schema that does not hold. */
  | 'invalid_answer'
  /** An answer that its sources do not say. */
  | 'ungrounded'
  /** An answer without text and without tool calls. */
  | 'empty'
  /** Nothing was sent: there is no room (a budget, a rate limit, a circuit that opened meanwhile). */
  | 'held_back'
  /** Whoever asked has gone. */
  | 'cancelled';

export interface FailureOptions {
  retryAfterMs?: number | undefined;
  answer?: string | undefined;
  usage?: TokenUsage | undefined;
  /** Better than nothing: taken when nobody has a better one. */
  usable?: ChatResponse | undefined;
  /** The window that the provider says it has. */
  contextTokens?: number | undefined;
  /** Nobody else can do better: the whole call ends with this. */
  terminal?: Error | undefined;
  cause?: unknown;
}

export class ModelFailure extends Error {
  /** Providers repeat what they were asked: its message is content. */
  readonly quotes = true;
  readonly kind: FailureKind;
  /** The provider's own word on when to come back. */
  readonly retryAfterMs: number | undefined;
  /** The unusable answer, for asking again. */
  readonly answer: string | undefined;
  /** What the try cost although it failed. */
  readonly usage: TokenUsage | undefined;
  readonly usable: ChatResponse | undefined;
  readonly contextTokens: number | undefined;
  readonly terminal: Error | undefined;
  constructor(kind: FailureKind, message: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ModelFailure';
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs;
    this.answer = options.answer;
    this.usage = options.usage;
    this.usable = options.usable;
    this.contextTokens = options.contextTokens;
    this.terminal = options.terminal;
  }
}

export interface RetryLimits {
  /** Tries again of one target after a failure that may pass. */
  retriesMax: number;
  /** Tries again with the mistakes shown. */
  reasksMax: number;
  /** Tries again of one model with a smaller context. */
  refitsMax: number;
  backoffMs: number;
  /** A provider that wants a longer pause than this is left alone. */
  retryAfterMaxMs: number;
}

/** Where a call stands when a try has failed. */
export interface Standing {
  retries: number;
  reasks: number;
  refits: number;
  /** Another key of the same provider is at hand. */
  otherKey: boolean;
  /** Another provider of the same model is. */
  otherProvider: boolean;
  /** Another model is, better than the last resort. */
  otherModel: boolean;
  /** The request can be made smaller. */
  shrinkable: boolean;
  /** Asked the same again, it says the same again. */
  deterministic: boolean;
  /** Tries of the whole call. */
  attemptsLeft: number;
  /** Until nobody waits any more. */
  remainingMs: number;
}

export type NextMove =
  | { move: 'same'; delayMs: number }
  | { move: 'reask' }
  | { move: 'refit' }
  /** `coolDownMs`: leave this target alone for so long. */
  | { move: 'other_key' | 'other_provider' | 'other_model'; coolDownMs?: number }
  /** A model of a higher tier where there is one, else another. */
  | { move: 'escalate' }
  | { move: 'stop' };

/** How long a key that was refused is left alone: somebody has to do something about it. */
export const REFUSED_KEY_COOL_DOWN_MS = 300_000;

type Failed = Pick<ModelFailure, 'kind' | 'retryAfterMs'>;

/**
 * `random` in [0, 1): full jitter over an exponential base (AWS Architecture Blog, "Exponential Backoff And Jitter"), on
 * top of the provider's Retry-After where it gave one.
 */
export function nextMove(failure: Failed, standing: Standing, limits: RetryLimits, random: number): NextMove {
  const { kind } = failure;
  switch (kind) {
    case 'cancelled':
      return { move: 'stop' };
    case 'rate_limited':
      // another key has a limit of its own: no need to wait
      if (standing.otherKey) return elsewhere(standing, coolDownOf(failure));
      return sameOr(failure, standing, limits, random);
    case 'key_refused':
      // the only way there is stays open: somebody may be mending it
      if (!standing.otherKey && !standing.otherProvider) return otherProvider(standing);
      return elsewhere(standing, failure.retryAfterMs ?? REFUSED_KEY_COOL_DOWN_MS);
    case 'server_error':
    case 'network':
    case 'empty':
      return sameOr(failure, standing, limits, random);
    case 'invalid_answer':
    case 'ungrounded': {
      const again = standing.reasks < limits.reasksMax && standing.attemptsLeft > 0 && !standing.deterministic;
      return again ? { move: 'reask' } : { move: 'escalate' };
    }
    case 'context_overflow': {
      // where nobody makes requests smaller, one that is too long stays so
      const again = standing.shrinkable && standing.refits < limits.refitsMax && standing.attemptsLeft > 0;
      return again ? { move: 'refit' } : otherModel(standing);
    }
    case 'timeout':
    case 'not_there':
    case 'held_back':
      return otherProvider(standing);
    case 'filtered':
    case 'rejected':
      return otherModel(standing);
    default: {
      const never: never = kind;
      throw new Error(`unknown failure ${never}`);
    }
  }
}

function sameOr(failure: Failed, standing: Standing, limits: RetryLimits, random: number): NextMove {
  const asked = failure.retryAfterMs ?? 0;
  const delayMs = asked + random * limits.backoffMs * 2 ** standing.retries;
  const worthIt =
    standing.retries < limits.retriesMax &&
    standing.attemptsLeft > 0 &&
    !standing.deterministic &&
    asked <= limits.retryAfterMaxMs &&
    delayMs < standing.remainingMs;
  return worthIt ? { move: 'same', delayMs } : otherProvider(standing, coolDownOf(failure));
}

function coolDownOf({ retryAfterMs }: Failed): number | undefined {
  return retryAfterMs ? retryAfterMs : undefined;
}

function elsewhere(standing: Standing, coolDownMs: number | undefined): NextMove {
  if (!standing.otherKey) return otherProvider(standing, coolDownMs);
  return { move: 'other_key', ...(coolDownMs === undefined ? {} : { coolDownMs }) };
}

/** What a model's request failed for, another provider of the model hardly takes; but where there is no other model, one may. */
function otherModel(standing: Standing): NextMove {
  return { move: standing.otherModel || !standing.otherProvider ? 'other_model' : 'other_provider' };
}

function otherProvider(standing: Standing, coolDownMs?: number): NextMove {
  const move = standing.otherProvider ? 'other_provider' : 'other_model';
  return { move, ...(coolDownMs === undefined ? {} : { coolDownMs }) };
}

/** Does the failure say something about the target's health, rather than about this request? */
export function countsAgainstHealth(kind: FailureKind): boolean {
  return (
    kind === 'rate_limited' ||
    kind === 'server_error' ||
    kind === 'network' ||
    kind === 'timeout' ||
    kind === 'key_refused'
  );
}
