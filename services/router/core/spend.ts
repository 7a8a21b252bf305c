/**
 * A ledger of what may be spent: counters, each with a window, and holds, which set something aside for a call that is
 * under way. A value: what a batch of operations makes of it is computed here, and stored by compare-and-set elsewhere.
 * Invariants: spent + held of a counter never passes its limit by a reservation; a hold ends once, by its settlement or
 * by its expiry; a hold that outlives its window counts in the next one until it ends, and is paid for there.
 */
import { type BudgetWindow, BudgetWindow as BudgetWindowSchema } from '@tutti/contracts';
import { z } from 'zod';
import { costNano, dearest, outputTokensFor, type TokenPrices } from './money.ts';
import { windowAt } from './windows.ts';

const Whole = z.number().int();
export const SpendAmounts = z.object({ nanoUsd: Whole, tokens: Whole, requests: Whole });
export type SpendAmounts = z.infer<typeof SpendAmounts>;

export const SpendLedger = z.object({
  v: z.literal(1),
  counters: z.record(
    z.string(),
    z.object({
      window: BudgetWindowSchema,
      since: z.number(),
      until: z.number().nullable(),
      spent: SpendAmounts,
      /** Of holds that ran out. */
      expired: SpendAmounts,
    }),
  ),
  holds: z.record(
    z.string(),
    z.object({ expiresAt: z.number(), counters: z.array(z.string()), amounts: SpendAmounts }),
  ),
});
export type SpendLedger = z.infer<typeof SpendLedger>;
type Counter = SpendLedger['counters'][string];

export const emptyLedger: SpendLedger = { v: 1, counters: {}, holds: {} };
export const nothing: SpendAmounts = { nanoUsd: 0, tokens: 0, requests: 0 };

/** A counter that a call goes on, with what it may not pass. */
export interface CounterLimit {
  id: string;
  window: BudgetWindow;
  limit: { nanoUsd?: number | undefined; tokens?: number | undefined; requests?: number | undefined };
}

/** What a call may use at most. It may be given less output than it wants, but never less than `outputTokensMin`. */
export interface SpendAsk {
  prices: TokenPrices;
  inputTokens: number;
  outputTokensWanted: number;
  outputTokensMin: number;
  requests: 0 | 1;
}

export type SpendOperation =
  | { op: 'reserve'; id: string; expiresAt: number; counters: CounterLimit[]; ask: SpendAsk }
  /** `held`: what was set aside, to take back its expiry where it came too late. */
  | {
      op: 'settle';
      id: string;
      counters: Pick<CounterLimit, 'id' | 'window'>[];
      held: SpendAmounts;
      actual: SpendAmounts;
    }
  /** Ends a hold for nothing; no hold of this id: nothing happens. */
  | { op: 'release'; id: string };

export type SpendOutcome =
  | { status: 'granted'; outputTokens: number; amounts: SpendAmounts }
  /** It would fit if what is set aside for other calls were not used. */
  | { status: 'held'; counter: string; measure: Measure }
  | { status: 'exceeded'; counter: string; measure: Measure; until: number | null }
  | { status: 'done' };

export type Measure = 'money' | 'tokens' | 'requests';

interface Working {
  counters: SpendLedger['counters'];
  holds: SpendLedger['holds'];
  held: Map<string, SpendAmounts>;
  now: number;
  changed: boolean;
}

/** In order. `changed` false: the ledger is as it was, so nothing need be stored. */
export function applySpend(
  ledger: SpendLedger,
  operations: readonly SpendOperation[],
  now: number,
): { ledger: SpendLedger; outcomes: SpendOutcome[]; changed: boolean } {
  const work: Working = {
    counters: { ...ledger.counters },
    holds: { ...ledger.holds },
    held: new Map(),
    now,
    changed: false,
  };
  expire(work);
  for (const hold of Object.values(work.holds)) tally(work, hold.counters, hold.amounts, 1);
  const outcomes = operations.map((operation) => applyOne(work, operation));
  forgetWindows(work);
  return { ledger: { v: 1, counters: work.counters, holds: work.holds }, outcomes, changed: work.changed };
}

function applyOne(work: Working, operation: SpendOperation): SpendOutcome {
  switch (operation.op) {
    case 'reserve':
      return reserve(work, operation);
    case 'settle':
      return settle(work, operation);
    case 'release': {
      const hold = work.holds[operation.id];
      if (hold) endHold(work, operation.id, hold);
      return { status: 'done' };
    }
    default: {
      const never: never = operation;
      throw new Error(`unknown operation ${JSON.stringify(never)}`);
    }
  }
}

function reserve(work: Working, operation: Extract<SpendOperation, { op: 'reserve' }>): SpendOutcome {
  const { ask } = operation;
  const known = work.holds[operation.id];
  if (known) return { status: 'granted', outputTokens: known.amounts.tokens - ask.inputTokens, amounts: known.amounts };
  let outputTokens = ask.outputTokensWanted;
  for (const wanted of operation.counters) {
    const counter = counterAt(work, wanted.id, wanted.window);
    const room = roomFor(ask, wanted.limit, counter.spent, work.held.get(wanted.id) ?? nothing);
    if (room.outputTokens < ask.outputTokensMin) {
      const alone = roomFor(ask, wanted.limit, counter.spent, nothing);
      return alone.outputTokens >= ask.outputTokensMin
        ? { status: 'held', counter: wanted.id, measure: room.measure }
        : { status: 'exceeded', counter: wanted.id, measure: alone.measure, until: counter.until };
    }
    outputTokens = Math.min(outputTokens, room.outputTokens);
  }
  const amounts = {
    nanoUsd: costNano(dearest(ask.prices), { inputTokens: ask.inputTokens, outputTokens }),
    tokens: ask.inputTokens + outputTokens,
    requests: ask.requests,
  };
  const ids = operation.counters.map(({ id }) => id);
  work.holds[operation.id] = { expiresAt: operation.expiresAt, counters: ids, amounts };
  tally(work, ids, amounts, 1);
  work.changed = true;
  return { status: 'granted', outputTokens, amounts };
}

/** The first counter where what is spent, without what is held, leaves no room. */
export function spentOut(
  ledger: SpendLedger,
  counters: readonly CounterLimit[],
  ask: SpendAsk,
  now: number,
): Extract<SpendOutcome, { status: 'exceeded' }> | undefined {
  for (const { id, window, limit } of counters) {
    const counter = ledger.counters[id];
    if (!counter || counter.window !== window || (counter.until !== null && counter.until <= now)) continue;
    const room = roomFor(ask, limit, counter.spent, nothing);
    if (room.outputTokens < ask.outputTokensMin)
      return { status: 'exceeded', counter: id, measure: room.measure, until: counter.until };
  }
  return undefined;
}

/** How much output fits, and what it is that bounds it. Below zero: not even the input. */
function roomFor(
  ask: SpendAsk,
  limit: CounterLimit['limit'],
  spent: SpendAmounts,
  held: SpendAmounts,
): { outputTokens: number; measure: Measure } {
  let room: { outputTokens: number; measure: Measure } = { outputTokens: Number.MAX_SAFE_INTEGER, measure: 'money' };
  const bound = (outputTokens: number, measure: Measure) => {
    if (outputTokens < room.outputTokens) room = { outputTokens, measure };
  };
  if (limit.nanoUsd !== undefined)
    bound(outputTokensFor(limit.nanoUsd - spent.nanoUsd - held.nanoUsd, ask.prices, ask.inputTokens), 'money');
  if (limit.tokens !== undefined) bound(limit.tokens - spent.tokens - held.tokens - ask.inputTokens, 'tokens');
  if (limit.requests !== undefined && spent.requests + held.requests + ask.requests > limit.requests)
    bound(-1, 'requests');
  return room;
}

function settle(work: Working, operation: Extract<SpendOperation, { op: 'settle' }>): SpendOutcome {
  const hold = work.holds[operation.id];
  if (hold) endHold(work, operation.id, hold);
  for (const { id, window } of operation.counters) {
    const counter = counterAt(work, id, window);
    work.counters[id] = {
      ...counter,
      spent: sum(counter.spent, operation.actual),
      // It ran out, and now there is word of it after all.
      expired: hold ? counter.expired : floor(sum(counter.expired, operation.held, -1)),
    };
  }
  work.changed = true;
  return { status: 'done' };
}

function endHold(work: Working, id: string, hold: SpendLedger['holds'][string]): void {
  delete work.holds[id];
  tally(work, hold.counters, hold.amounts, -1);
  work.changed = true;
}

/** The counter of this window. A clock that is behind the ledger's gets the newer window: windows never go back. */
function counterAt(work: Working, id: string, window: BudgetWindow): Counter {
  const known = work.counters[id];
  const span = windowAt(window, work.now);
  if (known && known.window === window && known.since >= span.since) return known;
  const counter: Counter = { window, ...span, spent: nothing, expired: nothing };
  work.counters[id] = counter;
  return counter;
}

function expire(work: Working): void {
  for (const [id, hold] of Object.entries(work.holds)) {
    if (hold.expiresAt > work.now) continue;
    delete work.holds[id];
    for (const name of hold.counters) {
      const counter = work.counters[name];
      if (counter) work.counters[name] = { ...counter, expired: sum(counter.expired, hold.amounts) };
    }
    work.changed = true;
  }
}

function forgetWindows(work: Working): void {
  for (const [id, counter] of Object.entries(work.counters))
    if (counter.until !== null && counter.until <= work.now && !work.held.has(id)) delete work.counters[id];
}

function tally(work: Working, counters: readonly string[], amounts: SpendAmounts, sign: 1 | -1): void {
  for (const id of counters) {
    const total = sum(work.held.get(id) ?? nothing, amounts, sign);
    if (total.nanoUsd === 0 && total.tokens === 0 && total.requests === 0) work.held.delete(id);
    else work.held.set(id, total);
  }
}

function sum(a: SpendAmounts, b: SpendAmounts, sign: 1 | -1 = 1): SpendAmounts {
  return {
    nanoUsd: a.nanoUsd + sign * b.nanoUsd,
    tokens: a.tokens + sign * b.tokens,
    requests: a.requests + sign * b.requests,
  };
}

function floor(amounts: SpendAmounts): SpendAmounts {
  return {
    nanoUsd: Math.max(0, amounts.nanoUsd),
    tokens: Math.max(0, amounts.tokens),
    requests: Math.max(0, amounts.requests),
  };
}

/** What a counter stands at, for people. */
export function standingOf(
  ledger: SpendLedger,
  id: string,
  window: BudgetWindow,
  now: number,
): { since: number; until: number | null; spent: SpendAmounts; held: SpendAmounts; expired: SpendAmounts } {
  const { ledger: current } = applySpend(ledger, [], now);
  const counter = current.counters[id];
  const span = windowAt(window, now);
  const mine = counter && counter.since >= span.since ? counter : undefined;
  const held = Object.values(current.holds)
    .filter((hold) => hold.counters.includes(id))
    .reduce((total, hold) => sum(total, hold.amounts), nothing);
  return {
    since: mine?.since ?? span.since,
    until: mine ? mine.until : span.until,
    spent: mine?.spent ?? nothing,
    held,
    expired: mine?.expired ?? nothing,
  };
}
