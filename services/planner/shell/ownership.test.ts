/** Leases at bad moments. */
import { BUCKETS } from '@tutti/contracts';
import {
  type Bucket,
  type Bus,
  connectNatsBus,
  createLogger,
  createMetrics,
  nextTick,
  provision,
  type ServiceContext,
  systemClock,
} from '@tutti/runtime';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PlannerConfig } from '../config.ts';
import { openLeases } from './bucket-leases.ts';
import { LogStore } from './log-store.ts';
import { Ownership } from './ownership.ts';

let nats: TestNats;
let bus: Bus;
const silent = createLogger({}, { level: 'silent' });
beforeEach(async () => {
  nats = await startTestNats();
  bus = await connectNatsBus({ url: nats.url, name: 'test', log: silent });
  await provision(bus, { partitions: 2, replicas: 1 });
});
afterEach(async () => {
  await bus.close();
  await nats.stop();
});

async function planner(instance: string, over: Partial<Bucket> & { wrap?: (bucket: Bucket) => Partial<Bucket> } = {}) {
  const lines: string[] = [];
  const note = (_: unknown, message?: string) => void lines.push(message ?? '');
  const log = { debug() {}, info: note, warn: note, error: note, child: () => log } as never;
  const proxied: Bus = new Proxy(bus, {
    get(target, key) {
      if (key === 'bucket')
        return async (name: string) => {
          const bucket = await target.bucket(name);
          return { ...bucket, ...over.wrap?.(bucket) };
        };
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const context: ServiceContext<PlannerConfig> = {
    name: 'planner',
    instance,
    bus: proxied,
    log,
    bundles: {} as never,
    clock: systemClock,
    dataDir: nats.dataDir,
    config: PlannerConfig.parse({ TUTTI_LEASE_MS: 1_500 }),
    caller: {} as never,
    telemetry: { enabled: false, span: () => ({}) as never },
    metrics: createMetrics(),
  };
  const ownership = new Ownership({
    context,
    partitions: 2,
    leases: await openLeases(proxied),
    dispatch: { send() {}, forget() {}, cancel() {}, bar() {}, holds: () => false, inFlight: 0, heldBack: 0 },
    logOf: (partition) => new LogStore({ bus, partition, log, clock: systemClock }),
    nextTick,
  });
  return { ownership, lines };
}

describe('leases', () => {
  test('a planner that stops does not give away a lease that another one holds by now', async () => {
    const { ownership } = await planner('a');
    await ownership.start();
    await until('both', () => ownership.settled);
    const bucket = await bus.bucket(BUCKETS.leases);
    // Stalled for longer than the lease: b took both over. Then a is told to stop.
    await bucket.put('partition.0', new TextEncoder().encode('b'));
    await bucket.put('partition.1', new TextEncoder().encode('b'));
    await ownership.drain();
    const holders = await Promise.all(
      ['partition.0', 'partition.1'].map(async (key) => {
        const entry = await bucket.get(key);
        return entry ? new TextDecoder().decode(entry.value) : null;
      }),
    );
    expect(holders).toEqual(['b', 'b']);
  });

  test('a renewal whose answer got lost does not cost the partition', async () => {
    let fail = 0;
    const { ownership, lines } = await planner('a', {
      wrap: (bucket) => ({
        update: async (key, value, revision) => {
          const stored = await bucket.update(key, value, revision);
          if (fail > 0 && key === 'partition.0') {
            fail--;
            throw new Error('timeout');
          }
          return stored;
        },
      }),
    });
    await ownership.start();
    await until('both', () => ownership.settled);
    fail = 1;
    await until('the failed renewal', () => fail === 0);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await ownership.drain();
    expect(lines).not.toContain('lost a partition');
  });
});
