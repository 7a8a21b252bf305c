/** Leases in a key-value bucket: one key a partition, one a planner. */
import { BUCKETS } from '@tutti/contracts';
import type { Bucket, Bus } from '@tutti/runtime';
import type { LeaseSeen, Leases } from '../ports/lease.ts';

const text = new TextDecoder();
const bytes = new TextEncoder();
const PARTITION_PREFIX = 'partition.';
const PLANNER_PREFIX = 'planner.';

export async function openLeases(bus: Bus): Promise<Leases> {
  return new BucketLeases(await bus.bucket(BUCKETS.leases));
}

class BucketLeases implements Leases {
  readonly #bucket: Bucket;
  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  watch(handler: Parameters<Leases['watch']>[0]) {
    return this.#bucket.watch((key, entry) => {
      const seen: LeaseSeen = { revision: entry?.revision ?? 0, holder: entry ? text.decode(entry.value) : null };
      if (key.startsWith(PLANNER_PREFIX)) handler({ partition: null, planner: key.slice(PLANNER_PREFIX.length), seen });
      else if (key.startsWith(PARTITION_PREFIX))
        handler({ partition: Number(key.slice(PARTITION_PREFIX.length)), planner: seen.holder ?? '', seen });
    });
  }
  async announce(planner: string): Promise<void> {
    await this.#bucket.put(`${PLANNER_PREFIX}${planner}`, bytes.encode('here'));
  }
  withdraw(planner: string, revision?: number): Promise<void> {
    return this.#bucket.delete(`${PLANNER_PREFIX}${planner}`, revision);
  }
  claim(partition: number, planner: string, revision: number | null): Promise<number> {
    const key = `${PARTITION_PREFIX}${partition}`;
    if (revision === null) return this.#bucket.create(key, bytes.encode(planner));
    return this.#bucket.update(key, bytes.encode(planner), revision);
  }
  renew(partition: number, planner: string, revision: number): Promise<number> {
    return this.#bucket.update(`${PARTITION_PREFIX}${partition}`, bytes.encode(planner), revision);
  }
  release(partition: number, revision: number): Promise<void> {
    return this.#bucket.delete(`${PARTITION_PREFIX}${partition}`, revision);
  }
  async look(partition: number): Promise<LeaseSeen | null> {
    const entry = await this.#bucket.get(`${PARTITION_PREFIX}${partition}`);
    return entry && { revision: entry.revision, holder: text.decode(entry.value) };
  }
}
