/** Guards for tests that need no bus: buckets in memory, no bundles unless given. */
import { type Bundle, TuttiError } from '@tutti/contracts';
import { type Bucket, type BundleStore, BusConflict, createLogger } from '@tutti/runtime';
import { RouterConfig } from '../config.ts';
import { createGuards } from '../guards.ts';

function memoryBucket(): Bucket {
  const entries = new Map<string, { key: string; value: Uint8Array; revision: number }>();
  let revision = 0;
  const set = (key: string, value: Uint8Array) => {
    entries.set(key, { key, value, revision: ++revision });
    return revision;
  };
  const expect = (key: string, wanted: number) => {
    if ((entries.get(key)?.revision ?? 0) !== wanted) throw new BusConflict(key);
  };
  return {
    get: async (key) => entries.get(key) ?? null,
    put: async (key, value) => set(key, value),
    create: async (key, value) => (expect(key, 0), set(key, value)),
    update: async (key, value, wanted) => (expect(key, wanted), set(key, value)),
    delete: async (key) => void entries.delete(key),
    watch: () => Promise.reject(new Error('not in tests')),
  };
}

export function testGuards(bundles: Record<string, Bundle> = {}, environment: Record<string, string> = {}) {
  const buckets = new Map<string, Bucket>();
  const store: BundleStore = {
    async get(hash) {
      const bundle = bundles[hash];
      if (!bundle) throw new TuttiError('not_found', `there is no bundle ${hash}`);
      return bundle;
    },
    peek: (hash) => bundles[hash],
    current: async () => Object.keys(bundles)[0] ?? null,
    store: () => Promise.reject(new Error('not in tests')),
    apply: () => Promise.reject(new Error('not in tests')),
  };
  return createGuards({
    config: RouterConfig.parse(environment),
    bus: {
      async bucket(name) {
        const bucket = buckets.get(name) ?? memoryBucket();
        buckets.set(name, bucket);
        return bucket;
      },
    },
    bundles: store,
    instance: 'test',
    log: createLogger({}, { level: 'silent' }),
  });
}
