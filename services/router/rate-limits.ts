/** Providers' rate limits, shared by all replicas. Where a model has none nothing is awaited. */
import { setTimeout as sleep } from 'node:timers/promises';
import { TuttiError } from '@tutti/contracts';
import type { Logger } from '@tutti/runtime';
import type { RateLedger, RateLimits, RateOperation, RateOutcome } from './core/rate.ts';
import type { SharedLedgers } from './ports/shared-ledgers.ts';

export type RateLedgers = SharedLedgers<RateLedger, RateOperation, RateOutcome>;

export interface RateTicket {
  /** With what the call turned out to use. */
  correct(tokens: number): void;
}
export type RateAnswer = { granted: true; ticket: RateTicket } | { granted: false; reason: string; waitMs: number };

export interface RateGate {
  /** `account`: whose limit it is: the provider, its model and its key. Waits up to `waitMaxMs` for room. */
  enter(
    account: string,
    limits: RateLimits | undefined,
    tokens: number,
    call: { signal: AbortSignal; waitMaxMs: number },
  ): Promise<RateAnswer> | RateAnswer;
  /** The provider asked to be left alone: all replicas do so, where it has limits that they share. */
  block(account: string, durationMs: number): void;
}

const SUBMIT_TRIES_MS = 5_000;
/** Nobody wakes at the very same moment as all the others. */
const SPREAD = 0.2;
/** What a correction may wait for others, to be stored with them and after the answer has left. */
const CORRECT_WITHIN_MS = 5;
const open: RateAnswer = { granted: true, ticket: { correct() {} } };

export function createRateGate(parts: {
  ledgers: RateLedgers;
  log: Logger;
  clock?: () => number;
  random?: () => number;
}): RateGate {
  const clock = parts.clock ?? Date.now;
  const random = parts.random ?? Math.random;
  /** Accounts that have limits, as far as calls have shown: for others nobody would look. */
  const limitedAccounts = new Set<string>();
  const keyOf = (account: string) => `rate.${Buffer.from(account).toString('base64url')}`;
  const send = (account: string, operation: RateOperation, withinMs = 0) =>
    parts.ledgers.submit(keyOf(account), operation, clock() + SUBMIT_TRIES_MS, withinMs);
  const tell = (account: string, operation: RateOperation, withinMs = 0) =>
    void send(account, operation, withinMs).catch((error) =>
      parts.log.warn({ account, err: error }, 'a rate limit could not be told'),
    );

  async function enter(
    account: string,
    limits: RateLimits,
    tokens: number,
    call: { signal: AbortSignal; waitMaxMs: number },
  ): Promise<RateAnswer> {
    const until = clock() + call.waitMaxMs;
    for (;;) {
      const outcome = await send(account, { op: 'take', limits, tokens });
      if (outcome.status === 'granted') return { granted: true, ticket: ticketOf(account, limits, tokens) };
      if (outcome.status === 'never')
        return { granted: false, reason: `more tokens than its limit a minute (${outcome.limit})`, waitMs: 0 };
      if (outcome.status === 'done') throw new Error('a rate limit answered what was not asked');
      const waitMs = outcome.waitMs * (1 + random() * SPREAD);
      if (clock() + waitMs > until)
        return {
          granted: false,
          reason:
            outcome.measure === 'block'
              ? 'left alone as long as it asked'
              : `at its limit of ${outcome.measure} a minute`,
          waitMs: outcome.waitMs,
        };
      await sleep(waitMs, undefined, { signal: call.signal }).catch(() => {
        throw new TuttiError('cancelled', 'the request was cancelled while it waited for a rate limit');
      });
    }
  }

  function ticketOf(account: string, limits: RateLimits, taken: number): RateTicket {
    let told = false;
    return {
      correct(tokens) {
        if (told || tokens === taken) return;
        told = true;
        tell(account, { op: 'correct', limits, tokens: tokens - taken }, CORRECT_WITHIN_MS);
      },
    };
  }

  return {
    enter(account, limits, tokens, call) {
      const limited = limits?.requestsPerMinute !== undefined || limits?.tokensPerMinute !== undefined;
      if (!limited) return open;
      limitedAccounts.add(account);
      return enter(account, limits!, tokens, call);
    },
    block(account, durationMs) {
      if (limitedAccounts.has(account)) tell(account, { op: 'block', until: clock() + durationMs });
    },
  };
}
