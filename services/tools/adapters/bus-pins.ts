/** Pins in a bucket of the bus. Compare-and-set, so that two approvals at once both count. */
import { BUCKETS, type McpPins, PinRecord } from '@tutti/contracts';
import { type Bucket, type Bus, BusConflict } from '@tutti/runtime';
import type { PinStore } from '../ports/pin-store.ts';

const TRIES_MAX = 8;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function createBusPins(bus: Pick<Bus, 'bucket'>): PinStore & { stop(): void } {
  const listeners = new Map<string, Set<() => void>>();
  let opened: Promise<Bucket> | undefined;
  let stopWatch = () => {};

  /** One watch for all keys, from the first use of the bucket on. */
  function open(): Promise<Bucket> {
    opened ??= (async () => {
      const bucket = await bus.bucket(BUCKETS.pins);
      const watch = await bucket.watch((key) => {
        for (const changed of listeners.get(key) ?? []) changed();
      });
      stopWatch = () => watch.stop();
      return bucket;
    })();
    // What failed once may work the next time.
    opened.catch(() => {
      opened = undefined;
    });
    return opened;
  }

  async function change(key: string, next: (pins: McpPins | undefined) => McpPins | undefined): Promise<McpPins> {
    const bucket = await open();
    for (let i = 0; i < TRIES_MAX; i++) {
      const entry = await bucket.get(key);
      const now = entry ? PinRecord.parse(JSON.parse(decoder.decode(entry.value))).pins : undefined;
      const wanted = next(now);
      if (!wanted) return now ?? {};
      const value = encoder.encode(JSON.stringify({ v: 1, pins: wanted } satisfies PinRecord));
      try {
        await (entry ? bucket.update(key, value, entry.revision) : bucket.create(key, value));
        return wanted;
      } catch (error) {
        if (!(error instanceof BusConflict)) throw error;
      }
    }
    throw new BusConflict(`the pins "${key}" change all the time`);
  }

  return {
    firstUse: (key, first) => change(key, (now) => (now ? undefined : first)),
    async approve(key, pins) {
      await change(key, (now) => ({ ...now, ...pins }));
    },
    watch(key, changed) {
      const set = listeners.get(key) ?? new Set();
      listeners.set(key, set.add(changed));
      return {
        stop() {
          set.delete(changed);
          if (set.size === 0) listeners.delete(key);
        },
      };
    },
    stop: () => stopWatch(),
  };
}
