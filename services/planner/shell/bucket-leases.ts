/** Leases in a key-value bucket: one key a partition, one a planner. */
import { BUCKETS } from '@tutti/contracts';
import type { Bucket, Bus } from '@tutti/runtime';
import { z } from 'zod';
import type { LeaseChange, LeaseSeen, Leases, Sign } from '../ports/lease.ts';

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

  watch(handler: (change: LeaseChange) => void) {
    return this.#bucket.watch((key, entry) => {
      const revision = entry?.revision ?? 0;
      const value = entry ? text.decode(entry.value) : null;
      if (key.startsWith(PLANNER_PREFIX))
        handler({ kind: 'planner', planner: key.slice(PLANNER_PREFIX.length), revision, sign: readSign(value) });
      else if (key.startsWith(PARTITION_PREFIX))
        handler({
          kind: 'lease',
          partition: Number(key.slice(PARTITION_PREFIX.length)),
          seen: { revision, holder: value },
        });
    });
  }
  async announce(planner: string, sign: Sign): Promise<void> {
    await this.#bucket.put(`${PLANNER_PREFIX}${planner}`, bytes.encode(JSON.stringify(sign)));
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

const SignSchema = z.object({ format: z.number(), beyond: z.array(z.number()) });

/** A planner that says it in another way is one of before there were formats, or of much later: all it is known to be is there. */
function readSign(value: string | null): Sign | null {
  if (value === null) return null;
  try {
    return SignSchema.parse(JSON.parse(value));
  } catch {
    return { format: 0, beyond: [] };
  }
}
