/** What a tenant used on one day, a row for each agent and model. Sums only: rows of several replicas add up. */
import type { UsageRow } from '@tutti/contracts';
import { z } from 'zod';
import { usdOfNano } from './money.ts';

const Whole = z.number().int();
export const UsageCounts = z.object({
  requests: Whole,
  failed: Whole,
  cached: Whole,
  inputTokens: Whole,
  outputTokens: Whole,
  nanoUsd: Whole,
});
export type UsageCounts = z.infer<typeof UsageCounts>;
const Row = UsageCounts.extend({ agent: z.string(), model: z.string(), provider: z.string() });

/** Beyond this many rows a day (agents × models) the rest is summed up under `other`. */
export const ROWS_MAX = 500;
export const UsageDay = z.object({ v: z.literal(1), rows: z.record(z.string(), Row) });
export type UsageDay = z.infer<typeof UsageDay>;
export const emptyDay: UsageDay = { v: 1, rows: {} };

export interface UsageAddition extends UsageCounts {
  agent: string;
  model: string;
  provider: string;
}

export function rowKey({ agent, model, provider }: { agent: string; model: string; provider: string }): string {
  return JSON.stringify([agent, model, provider]);
}

export function applyUsage(
  day: UsageDay,
  additions: readonly UsageAddition[][],
): { ledger: UsageDay; outcomes: true[]; changed: boolean } {
  const rows = { ...day.rows };
  for (const addition of additions.flat()) {
    const key = rowKey(addition);
    const fits = key in rows || Object.keys(rows).length < ROWS_MAX;
    const names = fits ? addition : { agent: 'other', model: 'other', provider: 'other' };
    const at = fits ? key : rowKey(names);
    rows[at] = sum(rows[at] ?? { ...names, ...nothing }, addition, names);
  }
  return { ledger: { v: 1, rows }, outcomes: additions.map(() => true), changed: additions.length > 0 };
}

const nothing: UsageCounts = { requests: 0, failed: 0, cached: 0, inputTokens: 0, outputTokens: 0, nanoUsd: 0 };

export function sum(
  a: UsageCounts,
  b: UsageCounts,
  names: { agent: string; model: string; provider: string },
): UsageAddition {
  return {
    agent: names.agent,
    model: names.model,
    provider: names.provider,
    requests: a.requests + b.requests,
    failed: a.failed + b.failed,
    cached: a.cached + b.cached,
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    nanoUsd: a.nanoUsd + b.nanoUsd,
  };
}

export function toRows(day: string, usage: UsageDay): UsageRow[] {
  return Object.values(usage.rows).map(({ nanoUsd, ...row }) => ({ day, ...row, costUsd: usdOfNano(nanoUsd) }));
}
