/**
 * Budgets: what may be spent in a window, and what was. A budget is a manifest of the bundle; the one that counts is the
 * tenant's current one, so that a lowered limit holds at once, for runs that are under way too.
 */
import { z } from 'zod';
import { Name } from './ids.ts';

/** Money is counted in whole nano-dollars, so this is as much as a safe integer holds, with room for what is held. */
export const BUDGET_USD_MAX = 1_000_000;

/** Calendar windows in UTC, weeks from Monday; `total` never ends. */
export const BudgetWindow = z.enum(['minute', 'hour', 'day', 'week', 'month', 'total']);
export type BudgetWindow = z.infer<typeof BudgetWindow>;

/** Whom one counter is for. `run`: a run and all below it. `key`: whoever started the run, as the gateway knows them. */
export const BudgetScope = z.enum(['tenant', 'session', 'run', 'key']);
export type BudgetScope = z.infer<typeof BudgetScope>;

export const BudgetManifest = z
  .strictObject({
    scope: BudgetScope,
    window: BudgetWindow.default('day'),
    usd: z.number().positive().max(BUDGET_USD_MAX).optional(),
    /** Input and output together. */
    tokens: z.number().int().positive().optional(),
    requests: z.number().int().positive().optional(),
    /** Only calls of these agents, or of these models, count; all where it is left out. */
    agents: z.array(Name).min(1).optional(),
    models: z.array(z.string()).min(1).optional(),
  })
  .refine(({ usd, tokens, requests }) => usd ?? tokens ?? requests, 'a budget needs usd, tokens or requests');
export type BudgetManifest = z.infer<typeof BudgetManifest>;

/** `costUsd` is for people: budgets are decided on whole nano-dollars. */
export const Amount = z.object({
  costUsd: z.number().nonnegative(),
  tokens: z.number().int().nonnegative(),
  requests: z.number().int().nonnegative(),
});
export type Amount = z.infer<typeof Amount>;

export const UsageBody = z.object({
  /** The counters of these too, where budgets have their scope. */
  session: z.string().optional(),
  run: z.string().optional(),
  /** What was used on these days, UTC, both included (`2026-11-26`); today where it is left out. */
  from: z.iso.date().optional(),
  to: z.iso.date().optional(),
});

export const BudgetStatus = z.object({
  budget: z.string(),
  scope: BudgetScope,
  /** The key, session or run that it is for; null: the whole tenant. */
  of: z.string().nullable(),
  window: BudgetWindow,
  /** Unix milliseconds; `until` null: it never ends. */
  since: z.number(),
  until: z.number().nullable(),
  limit: z.object({ usd: z.number().optional(), tokens: z.number().optional(), requests: z.number().optional() }),
  spent: Amount,
  /** Set aside for calls that are under way. */
  held: Amount,
  /** Was set aside for calls that never told what they used: a router died. Not counted as spent. */
  expired: Amount,
});
export type BudgetStatus = z.infer<typeof BudgetStatus>;

export const UsageRow = z.object({
  day: z.string(),
  agent: z.string(),
  model: z.string(),
  provider: z.string(),
  requests: z.number().int(),
  failed: z.number().int(),
  /** Answered from the cache. */
  cached: z.number().int(),
  inputTokens: z.number().int(),
  outputTokens: z.number().int(),
  costUsd: z.number(),
});
export type UsageRow = z.infer<typeof UsageRow>;

export const UsageResult = z.object({ budgets: z.array(BudgetStatus), rows: z.array(UsageRow) });
export type UsageResult = z.infer<typeof UsageResult>;
