/**
 * What was used, for people: a few numbers in memory a call, written together every so often. A router that is killed
 * loses what it has not written yet; budgets and journals do not depend on it.
 */
import type { Logger } from '@tutti/runtime';
import { rowKey, sum, type UsageAddition, type UsageCounts, type UsageDay } from './core/usage-rows.ts';
import { dayOf } from './core/windows.ts';
import type { SharedLedgers } from './ports/shared-ledgers.ts';

export type UsageLedgers = SharedLedgers<UsageDay, UsageAddition[], true>;

export interface UsageLog {
  add(tenant: string, names: { agent: string; model: string; provider: string }, counts: Partial<UsageCounts>): void;
  /** By day, both included. */
  read(tenant: string, from: string, to: string): Promise<{ day: string; usage: UsageDay }[]>;
  /** Writes what there is. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

const DAY_MS = 86_400_000;
/** Days that one question may span. */
const DAYS_MAX = 400;
const WRITE_TRIES_MS = 60_000;
const none: UsageCounts = { requests: 0, failed: 0, cached: 0, inputTokens: 0, outputTokens: 0, nanoUsd: 0 };

export function createUsageLog(parts: {
  ledgers: UsageLedgers;
  flushMs: number;
  log: Logger;
  clock?: () => number;
}): UsageLog {
  const clock = parts.clock ?? Date.now;
  let pending = new Map<string, Map<string, UsageAddition>>();
  let timer: NodeJS.Timeout | undefined;

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const writing = pending;
    pending = new Map();
    await Promise.all(
      [...writing].map(async ([key, rows]) => {
        try {
          await parts.ledgers.submit(key, [...rows.values()], clock() + WRITE_TRIES_MS);
        } catch (error) {
          parts.log.warn({ key, err: error }, 'what was used could not be written down');
        }
      }),
    );
  }

  return {
    add(tenant, names, counts) {
      const key = `${tenant}.${dayOf(clock())}`;
      const rows = pending.get(key) ?? new Map<string, UsageAddition>();
      pending.set(key, rows);
      const row = rowKey(names);
      rows.set(row, sum(rows.get(row) ?? none, { ...none, ...counts }, names));
      timer ??= setTimeout(() => void flush(), parts.flushMs).unref();
    },
    async read(tenant, from, to) {
      const days: string[] = [];
      for (let at = Date.parse(from); at <= Date.parse(to) && days.length < DAYS_MAX; at += DAY_MS)
        days.push(dayOf(at));
      return Promise.all(days.map(async (day) => ({ day, usage: await parts.ledgers.read(`${tenant}.${day}`) })));
    },
    flush,
    async stop() {
      await flush();
      await parts.ledgers.idle();
    },
  };
}
