/**
 * The bundle that a tenant has now, for what has to hold at once whatever a run has pinned: budgets and privacy. Known to
 * within `freshMs`; after the first time nobody waits for it.
 */
import { type Bundle, TuttiError } from '@tutti/contracts';
import type { BundleStore, Logger } from '@tutti/runtime';

export interface CurrentBundles {
  /** Undefined: the tenant has none. */
  of(tenant: string): Promise<Bundle | undefined> | Bundle | undefined;
  /** One that a run has pinned; undefined: there is none of this hash. */
  pinned(hash: string): Promise<Bundle | undefined> | Bundle | undefined;
}

interface Known {
  bundle: Bundle | undefined;
  at: number;
  refreshing: boolean;
}

/** Hashes that lead nowhere are looked up again after this long. */
const UNKNOWN_MS = 10_000;
const KNOWN_MAX = 10_000;

export function createCurrentBundles(parts: {
  bundles: BundleStore;
  freshMs: number;
  log: Logger;
  clock?: () => number;
}): CurrentBundles {
  const clock = parts.clock ?? Date.now;
  const current = new Map<string, Known>();
  const unknown = new Map<string, number>();

  const loading = new Map<string, Promise<Bundle | undefined>>();

  /** Several who ask at once ask once. Without word of its budgets nothing is spent for a tenant. */
  function load(tenant: string): Promise<Bundle | undefined> {
    const under = loading.get(tenant);
    if (under) return under;
    const started = read(tenant)
      .catch((cause: unknown) => {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new TuttiError('unavailable', `the bundle of ${tenant} cannot be read: ${reason}`, { cause });
      })
      .finally(() => loading.delete(tenant));
    loading.set(tenant, started);
    return started;
  }

  async function read(tenant: string): Promise<Bundle | undefined> {
    const hash = await parts.bundles.current(tenant);
    const bundle = hash === null ? undefined : await parts.bundles.get(hash);
    if (current.size >= KNOWN_MAX) current.delete(current.keys().next().value as string);
    current.set(tenant, { bundle, at: clock(), refreshing: false });
    return bundle;
  }

  function refresh(tenant: string, known: Known): void {
    known.refreshing = true;
    load(tenant).catch((error) => {
      known.refreshing = false;
      known.at = clock();
      parts.log.warn({ tenant, err: error }, 'the current bundle cannot be read; the last one holds');
    });
  }

  async function find(hash: string): Promise<Bundle | undefined> {
    try {
      return await parts.bundles.get(hash);
    } catch {
      if (unknown.size >= KNOWN_MAX) unknown.clear();
      unknown.set(hash, clock() + UNKNOWN_MS);
      return undefined;
    }
  }

  return {
    of(tenant) {
      const known = current.get(tenant);
      if (!known) return load(tenant);
      if (!known.refreshing && clock() - known.at > parts.freshMs) refresh(tenant, known);
      return known.bundle;
    },
    pinned(hash) {
      const known = parts.bundles.peek(hash);
      if (known) return known;
      const until = unknown.get(hash);
      return until !== undefined && until > clock() ? undefined : find(hash);
    },
  };
}
