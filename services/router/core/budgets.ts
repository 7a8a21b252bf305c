/** Which counters a call goes on, and where they are kept: one ledger for a tenant and its keys, one a session, one a run. */
import type { BudgetManifest, BudgetScope } from '@tutti/contracts';
import { nanoOfUsd } from './money.ts';
import type { CounterLimit } from './spend.ts';

export interface Spender {
  tenant: string;
  /** The run at the top of the tree. */
  run?: string | undefined;
  session?: string | undefined;
  /** Who started it. */
  key?: string | undefined;
  agent: string;
}

export interface BudgetCounter extends CounterLimit {
  budget: string;
  scope: BudgetScope;
  of: string | null;
  manifest: BudgetManifest;
}

/** One shared ledger. `ageing`: forgotten when nothing was written for long. */
export interface LedgerShare {
  key: string;
  ageing: boolean;
  counters: BudgetCounter[];
}

/** Characters that a key of a bucket may have; anything else must not lead into somebody else's ledger. */
const KEY_PART = /^[A-Za-z0-9_=-]+$/;

export type Budgets = Readonly<Record<string, BudgetManifest>>;

/**
 * Narrow ones first: what is refused there has not been held anywhere wider. A budget whose scope the call does not have
 * (no session, say) does not count it. `model` undefined: whatever model.
 */
export function sharesFor(budgets: Budgets, spender: Spender, model: string | undefined): LedgerShare[] {
  const shares = new Map<string, LedgerShare>();
  for (const [budget, manifest] of Object.entries(budgets)) {
    if (manifest.agents && !manifest.agents.includes(spender.agent)) continue;
    if (manifest.models && model !== undefined && !manifest.models.includes(model)) continue;
    const place = placeOf(manifest.scope, spender);
    if (!place) continue;
    const share = shares.get(place.key) ?? { key: place.key, ageing: place.ageing, counters: [] };
    shares.set(place.key, share);
    share.counters.push({
      id: manifest.scope === 'key' ? `${budget}/${place.of}` : budget,
      window: manifest.window,
      limit: {
        ...(manifest.usd === undefined ? {} : { nanoUsd: nanoOfUsd(manifest.usd) }),
        ...(manifest.tokens === undefined ? {} : { tokens: manifest.tokens }),
        ...(manifest.requests === undefined ? {} : { requests: manifest.requests }),
      },
      budget,
      scope: manifest.scope,
      of: place.of,
      manifest,
    });
  }
  return [...shares.values()].sort((a, b) => a.key.localeCompare(b.key));
}

function placeOf(
  scope: BudgetScope,
  spender: Spender,
): { key: string; ageing: boolean; of: string | null } | undefined {
  switch (scope) {
    case 'run':
      return spender.run && KEY_PART.test(spender.run)
        ? { key: `run.${spender.tenant}.${spender.run}`, ageing: true, of: spender.run }
        : undefined;
    case 'session':
      return spender.session && KEY_PART.test(spender.session)
        ? { key: `session.${spender.tenant}.${spender.session}`, ageing: true, of: spender.session }
        : undefined;
    case 'key':
      return spender.key ? { key: `tenant.${spender.tenant}`, ageing: false, of: spender.key } : undefined;
    case 'tenant':
      return { key: `tenant.${spender.tenant}`, ageing: false, of: null };
    default: {
      const never: never = scope;
      throw new Error(`unknown scope ${never}`);
    }
  }
}
