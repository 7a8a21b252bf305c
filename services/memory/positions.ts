/**
 * Tells how far memory has projected each partition's log: what lies behind that may be purged (the planner's retention).
 * A position is told only after all up to it would survive a power loss, and again only when it has moved.
 */
import { BUCKETS, logStreamOf } from '@tutti/contracts';
import type { Bus, Logger } from '@tutti/runtime';

const EVERY_MS = 2_000;
const bytes = new TextEncoder();

export function tellPositions(options: {
  bus: Bus;
  log: Logger;
  partitions: number;
  logStreams: number;
  /** Sequence in this stream up to which all is stored; null: nothing yet. */
  position(stream: string): number | null;
  /** Makes what is stored survive a power loss. */
  settle(): Promise<void>;
  everyMs?: number;
}): { stop(): void } {
  const { bus, log, partitions, logStreams, position, settle } = options;
  const told = new Map<number, number>();
  let busy = false;

  async function tell(): Promise<void> {
    const moved = Array.from({ length: partitions }, (_, partition) => ({
      partition,
      at: position(logStreamOf(partition, logStreams)),
    })).filter(({ partition, at }) => at !== null && told.get(partition) !== at);
    if (moved.length === 0) return;
    await settle();
    const bucket = await bus.bucket(BUCKETS.positions);
    for (const { partition, at } of moved) {
      await bucket.put(`memory.${partition}`, bytes.encode(String(at)));
      told.set(partition, at!);
    }
  }

  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    tell()
      .catch((error) => log.debug({ error: (error as Error).message }, 'positions cannot be told right now'))
      .finally(() => {
        busy = false;
      });
  }, options.everyMs ?? EVERY_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
