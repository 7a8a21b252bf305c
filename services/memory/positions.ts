/**
 * Tells how far memory has projected each partition's log: what lies behind that may be purged (the planner's retention).
 * A position is told only after it is stored, and again only when it has moved.
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
}): { stop(): void } {
  const { bus, log, partitions, logStreams, position } = options;
  const told = new Map<number, number>();
  let busy = false;

  async function tell(): Promise<void> {
    const bucket = await bus.bucket(BUCKETS.positions);
    for (let partition = 0; partition < partitions; partition++) {
      const at = position(logStreamOf(partition, logStreams));
      if (at === null || told.get(partition) === at) continue;
      await bucket.put(`memory.${partition}`, bytes.encode(String(at)));
      told.set(partition, at);
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
  }, EVERY_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
