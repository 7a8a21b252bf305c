/** The verb `usage`: what budgets stand at, and what was used on which day. */
import type { BudgetManifest, BudgetStatus, Bundle, UsageBody, UsageResult } from '@tutti/contracts';
import type { z } from 'zod';
import { type LedgerShare, sharesFor } from './core/budgets.ts';
import { usdOfNano } from './core/money.ts';
import { type SpendAmounts, type SpendLedger, standingOf } from './core/spend.ts';
import { toRows } from './core/usage-rows.ts';
import { dayOf } from './core/windows.ts';
import type { SpendLedgers } from './spending.ts';
import type { UsageLog } from './usage-log.ts';

export interface UsageVerbParts {
  lasting: SpendLedgers;
  ageing: SpendLedgers;
  usage: UsageLog;
  clock?: () => number;
}

export async function usageOf(
  parts: UsageVerbParts,
  tenant: string,
  bundle: Bundle | undefined,
  body: z.output<typeof UsageBody>,
): Promise<UsageResult> {
  const now = (parts.clock ?? Date.now)();
  const from = body.from ?? dayOf(now);
  await parts.usage.flush();
  const [budgets, days] = await Promise.all([
    budgetsOf(parts, tenant, bundle, body, now),
    parts.usage.read(tenant, from, body.to ?? dayOf(Math.max(now, Date.parse(from)))),
  ]);
  return { budgets, rows: days.flatMap(({ day, usage }) => toRows(day, usage)) };
}

async function budgetsOf(
  parts: UsageVerbParts,
  tenant: string,
  bundle: Bundle | undefined,
  { session, run }: z.output<typeof UsageBody>,
  now: number,
): Promise<BudgetStatus[]> {
  const all = bundle?.budgets ?? {};
  // whoever calls: filters by agent and model say which calls count, not who may look
  const open = Object.fromEntries(
    Object.entries(all).map(([name, budget]) => [
      name,
      { ...budget, agents: undefined, models: undefined } as BudgetManifest,
    ]),
  );
  const keyless = sharesFor(open, { tenant, session, run, agent: '' }, undefined);
  const tenantLedger = await parts.lasting.read(`tenant.${tenant}`);
  const statuses = await Promise.all(
    keyless.map(async (share) => {
      const ledger = share.ageing ? await parts.ageing.read(share.key) : tenantLedger;
      return share.counters.map((counter) => statusOf(counter, ledger, now));
    }),
  );
  return [...statuses.flat(), ...keyStatuses(open, tenant, tenantLedger, now)];
}

/** One for each key that has used something in this window. */
function keyStatuses(
  budgets: Record<string, BudgetManifest>,
  tenant: string,
  ledger: SpendLedger,
  now: number,
): BudgetStatus[] {
  return Object.keys(ledger.counters).flatMap((id) => {
    const at = id.indexOf('/');
    const budget = at < 0 ? undefined : id.slice(0, at);
    const manifest = budget === undefined || !Object.hasOwn(budgets, budget) ? undefined : budgets[budget];
    if (budget === undefined || manifest?.scope !== 'key') return [];
    const shares = sharesFor({ [budget]: manifest }, { tenant, key: id.slice(at + 1), agent: '' }, undefined);
    return shares.flatMap(({ counters }) => counters.map((counter) => statusOf(counter, ledger, now)));
  });
}

function statusOf(counter: LedgerShare['counters'][number], ledger: SpendLedger, now: number): BudgetStatus {
  const { since, until, spent, held, expired } = standingOf(ledger, counter.id, counter.window, now);
  const { usd, tokens, requests } = counter.manifest;
  return {
    budget: counter.budget,
    scope: counter.scope,
    of: counter.of,
    window: counter.window,
    since,
    until,
    limit: {
      ...(usd === undefined ? {} : { usd }),
      ...(tokens === undefined ? {} : { tokens }),
      ...(requests === undefined ? {} : { requests }),
    },
    spent: amount(spent),
    held: amount(held),
    expired: amount(expired),
  };
}

function amount({ nanoUsd, tokens, requests }: SpendAmounts) {
  return { costUsd: usdOfNano(nanoUsd), tokens, requests };
}
