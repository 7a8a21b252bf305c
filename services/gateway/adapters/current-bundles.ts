/** The current bundle of each tenant, asked for anew when what is known is too old. Several who ask at once ask once. */
import type { Bundle } from '@tutti/contracts';
import type { BundleStore } from '@tutti/runtime';

/** Tenants that are remembered. */
const TENANTS_MAX = 10_000;

export type Current = { hash: string; bundle: Bundle } | undefined;

export function createCurrentBundles(
  bundles: Pick<BundleStore, 'current' | 'get'>,
  freshMs: number,
  clock: () => number = () => performance.now(),
): (tenant: string) => Promise<Current> {
  const known = new Map<string, { current: Promise<Current>; at: number }>();
  return (tenant) => {
    const last = known.get(tenant);
    if (last && clock() - last.at < freshMs) return last.current;
    const current = bundles
      .current(tenant)
      .then(async (hash) => (hash === null ? undefined : { hash, bundle: await bundles.get(hash) }));
    const asked = { current, at: clock() };
    if (!last && known.size >= TENANTS_MAX) known.delete(known.keys().next().value as string);
    known.set(tenant, asked);
    current.catch(() => {
      if (known.get(tenant) === asked) known.delete(tenant);
    });
    return current;
  };
}
