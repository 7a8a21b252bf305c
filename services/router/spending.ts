/**
 * Money of calls: set aside before a call leaves, settled after it. Invariants: no call leaves without having been set
 * aside in every budget that it counts in; what a budget grants it never takes back; what was set aside is settled,
 * released, or runs out when this process dies. Where no budget counts a call nothing is awaited.
 */
import { TuttiError } from '@tutti/contracts';
import type { Logger } from '@tutti/runtime';
import { type Budgets, type LedgerShare, type Spender, sharesFor } from './core/budgets.ts';
import { type CountedTokens, costNano, type TokenPrices } from './core/money.ts';
import {
  type SpendAmounts,
  type SpendAsk,
  type SpendLedger,
  type SpendOperation,
  type SpendOutcome,
  spentOut,
} from './core/spend.ts';
import type { SharedLedgers } from './ports/shared-ledgers.ts';
import { createWaitingRoom } from './waiting-room.ts';

export type SpendLedgers = SharedLedgers<SpendLedger, SpendOperation, SpendOutcome>;

export interface SpendingLimits {
  /** How long a call waits for what others have set aside and may not use. */
  waitMaxMs: number;
  /** Behind a call's deadline: then its router has died and what it set aside is free again. */
  orphanMs: number;
}

export interface SpendingParts {
  lasting: SpendLedgers;
  ageing: SpendLedgers;
  limits: SpendingLimits;
  newId: () => string;
  log: Logger;
  clock?: () => number;
}

export interface Reservation {
  /** The most output that is paid for; undefined: no budget counts this call. */
  outputTokensMax: number | undefined;
  /** Once, with what was used. Returns what is charged: never more than was set aside. */
  settle(used: CountedTokens & { requests?: 0 | 1 }): { suspect: boolean };
  /** Nothing was used. */
  release(): void;
}

export interface Spending {
  /** Throws TuttiError `budget_exceeded`, `unavailable` or `cancelled`. */
  reserve(
    budgets: Budgets | undefined,
    spender: Spender,
    model: string,
    ask: SpendAsk,
    call: { signal: AbortSignal; deadlineAt: number },
  ): Promise<Reservation> | Reservation;
  /** Why nothing at all may be spent on this model: what is spent alone leaves no room. As far as is known here. */
  refusal(budgets: Budgets | undefined, spender: Spender, model: string, prices: TokenPrices): TuttiError | undefined;
  /** Resolves when everything is settled. */
  idle(): Promise<void>;
}

const SETTLE_TRIES_MS = 10 * 60_000;
/**
 * What a settlement may wait for the next reservation, to be stored with it: it is not before the answer then, and calls
 * one after the other cost one write each. Not where calls wait for what it gives back.
 */
const SETTLE_WITHIN_MS = 5;
/** How long a ledger that cannot be reached is tried before the call is refused: money is not spent on trust. */
const RESERVE_TRIES_MS = 10_000;
/** How often who waits looks by itself. */
const POLL_MS = 50;
const POLL_MAX_MS = 1_000;
/** How many of those who wait are told when something was given back, when there was room, and when all is spent. */
const TOLD_BY_A_SETTLEMENT = 2;
const TOLD_BY_A_GRANT = 1;
const TOLD_BY_A_REFUSAL = 8;
const free: Reservation = { outputTokensMax: undefined, settle: () => ({ suspect: false }), release() {} };

interface Taken {
  share: LedgerShare;
  held: SpendAmounts;
}
type Refusal = Extract<SpendOutcome, { status: 'held' | 'exceeded' }> & { share: LedgerShare };

export function createSpending(parts: SpendingParts): Spending {
  const clock = parts.clock ?? Date.now;
  const ledgersOf = (share: LedgerShare) => (share.ageing ? parts.ageing : parts.lasting);
  const room = createWaitingRoom();

  function finish(share: LedgerShare, operation: SpendOperation): void {
    ledgersOf(share)
      .submit(share.key, operation, clock() + SETTLE_TRIES_MS, room.isWaitedFor(share.key) ? 0 : SETTLE_WITHIN_MS)
      .then(
        () => room.tell(share.key, TOLD_BY_A_SETTLEMENT),
        (error) => parts.log.error({ key: share.key, err: error }, 'a budget could not be settled; it runs out'),
      );
  }

  async function take(
    shares: LedgerShare[],
    ask: SpendAsk,
    expiresAt: number,
    giveUpAt: number,
  ): Promise<{ id: string; taken: Taken[]; outputTokens: number } | Refusal> {
    const id = parts.newId();
    const taken: Taken[] = [];
    let outputTokens = ask.outputTokensWanted;
    for (const share of shares) {
      const asked = { ...ask, outputTokensWanted: outputTokens };
      const counters = share.counters.map(({ id: counter, window, limit }) => ({ id: counter, window, limit }));
      let outcome: SpendOutcome;
      try {
        outcome = await ledgersOf(share).submit(
          share.key,
          { op: 'reserve', id, expiresAt, counters, ask: asked },
          giveUpAt,
        );
      } catch (error) {
        // it may have taken effect all the same
        for (const { share: earlier } of [...taken, { share }]) finish(earlier, { op: 'release', id });
        throw error;
      }
      if (outcome.status !== 'granted') {
        for (const { share: earlier } of taken) finish(earlier, { op: 'release', id });
        return { ...(outcome as Extract<SpendOutcome, { status: 'held' | 'exceeded' }>), share };
      }
      outputTokens = outcome.outputTokens;
      taken.push({ share, held: outcome.amounts });
    }
    return { id, taken, outputTokens };
  }

  async function reserve(
    shares: LedgerShare[],
    ask: SpendAsk,
    call: { signal: AbortSignal; deadlineAt: number },
  ): Promise<Reservation> {
    const expiresAt = call.deadlineAt + parts.limits.orphanMs;
    const waitUntil = Math.min(call.deadlineAt, clock() + parts.limits.waitMaxMs);
    for (let pollMs = POLL_MS; ; pollMs = Math.min(POLL_MAX_MS, pollMs * 2)) {
      const giveUpAt = Math.min(call.deadlineAt, clock() + RESERVE_TRIES_MS);
      const result = await take(shares, ask, expiresAt, giveUpAt);
      if ('taken' in result) {
        for (const { key } of shares) room.tell(key, TOLD_BY_A_GRANT);
        return reservationOf(result, ask);
      }
      const { key } = result.share;
      const leftMs = waitUntil - clock();
      if (result.status === 'exceeded') room.tell(key, TOLD_BY_A_REFUSAL);
      if (result.status === 'exceeded' || leftMs <= 0) throw refusal(result, clock());
      await room.wait(key, Math.min(pollMs * (1 + Math.random()), leftMs), call.signal);
      if (call.signal.aborted)
        throw new TuttiError('cancelled', 'the request was cancelled while it waited for its budget');
    }
  }

  function reservationOf(result: { id: string; taken: Taken[]; outputTokens: number }, ask: SpendAsk): Reservation {
    let open = true;
    return {
      outputTokensMax: result.outputTokens,
      settle(used) {
        if (!open) return { suspect: false };
        open = false;
        const charge = chargeOf(used, ask, result.outputTokens);
        for (const { share, held } of result.taken)
          finish(share, {
            op: 'settle',
            id: result.id,
            counters: share.counters.map(({ id, window }) => ({ id, window })),
            held,
            actual: charge.amounts,
          });
        return { suspect: charge.suspect };
      },
      release() {
        if (!open) return;
        open = false;
        for (const { share } of result.taken) finish(share, { op: 'release', id: result.id });
      },
    };
  }

  return {
    reserve(budgets, spender, model, ask, call) {
      if (!budgets) return free;
      const shares = sharesFor(budgets, spender, model);
      return shares.length === 0 ? free : reserve(shares, ask, call);
    },
    refusal(budgets, spender, model, prices) {
      if (!budgets) return undefined;
      const ask = { prices, inputTokens: 1, outputTokensWanted: 1, outputTokensMin: 1, requests: 1 as const };
      for (const share of sharesFor(budgets, spender, model)) {
        const ledger = ledgersOf(share).peek(share.key);
        // what is spent only grows, so what was known a while ago errs on the side of letting it through
        const spent = ledger && spentOut(ledger, share.counters, ask, clock());
        if (spent) return refusal({ ...spent, share }, clock());
      }
      return undefined;
    },
    idle: async () => {
      await Promise.all([parts.lasting.idle(), parts.ageing.idle()]);
    },
  };
}

/**
 * Tokens beyond what was set aside cannot be: the request has no more bytes, and the model was told how much it may
 * write. A provider that says otherwise is wrong, and nobody else's budget pays for that.
 */
function chargeOf(
  used: Parameters<Reservation['settle']>[0],
  ask: SpendAsk,
  outputTokensMax: number,
): { amounts: SpendAmounts; suspect: boolean } {
  const inputTokens = within(used.inputTokens, ask.inputTokens);
  const outputTokens = within(used.outputTokens, outputTokensMax);
  const cachedInputTokens = within(used.cachedInputTokens ?? 0, inputTokens);
  const reasoningTokens = within(used.reasoningTokens ?? 0, outputTokens);
  return {
    amounts: {
      nanoUsd: costNano(ask.prices, { inputTokens, outputTokens, cachedInputTokens, reasoningTokens }),
      tokens: inputTokens + outputTokens,
      requests: used.requests ?? ask.requests,
    },
    suspect: inputTokens !== used.inputTokens || outputTokens !== used.outputTokens,
  };
}

function within(count: number, max: number): number {
  return Number.isFinite(count) ? Math.max(0, Math.min(Math.trunc(count), max)) : 0;
}

function refusal(outcome: Refusal, now: number): TuttiError {
  const counter = outcome.share.counters.find(({ id }) => id === outcome.counter)!;
  const { budget, scope, of, manifest } = counter;
  const limit = {
    money: `$${manifest.usd}`,
    tokens: `${manifest.tokens} tokens`,
    requests: `${manifest.requests} requests`,
  };
  const whose = of === null ? `the ${scope}` : `${scope} ${of}`;
  const per = manifest.window === 'total' ? 'in total' : `a ${manifest.window}`;
  if (outcome.status === 'held')
    return new TuttiError(
      'budget_exceeded',
      `the budget "${budget}" of ${whose} (${limit[outcome.measure]} ${per}) is set aside for calls that are under way`,
      { retryable: true, retryAfterMs: 1_000 },
    );
  const until = outcome.until === null ? '' : `; there is more from ${new Date(outcome.until).toISOString()} on`;
  return new TuttiError(
    'budget_exceeded',
    `the budget "${budget}" of ${whose} (${limit[outcome.measure]} ${per}) has no room for this call${until}`,
    outcome.until === null ? {} : { retryAfterMs: Math.max(0, outcome.until - now) },
  );
}
