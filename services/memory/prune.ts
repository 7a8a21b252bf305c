/**
 * What is kept of runs that ended goes by age, and by size: the journals of runs that users look at are many times what the
 * log holds. A run that has not ended never goes, nor one that a run above it may still need.
 */
import { type Clock, type Logger, METRIC, type Metrics } from '@tutti/runtime';
import { RUNS_KEEP_MS_MIN } from './config.ts';
import type { MemoryStore } from './ports/store.ts';

export interface PruneOptions {
  store: Pick<MemoryStore, 'prune' | 'bytes'>;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  /** Of runs, after their end. */
  keepMs: number;
  /** Of the store; 0: no limit. */
  keepBytes: number;
  everyMs: number;
}

/** Trees that go in one write: others wait meanwhile. */
const TREES_AT_ONCE = 50;

export function pruneEvery(options: PruneOptions): { stop(): void } {
  const { clock, log, metrics } = options;
  const pruned = metrics.counter(METRIC.prunedRuns).of();
  let busy = false;
  let stopped = false;
  const sweep = async () => {
    if (busy) return;
    busy = true;
    try {
      const removed = await prune(options, () => stopped);
      pruned.inc(removed);
      if (removed > 0) log.info({ runs: removed }, 'runs that ended long ago are not kept any more');
    } catch (error) {
      log.warn({ error: (error as Error).message }, 'runs that may go could not be removed; tried again later');
    } finally {
      busy = false;
    }
  };
  const timer = clock.every(options.everyMs, () => void sweep());
  return {
    stop() {
      stopped = true;
      timer.stop();
    },
  };
}

/** Resolves with how many runs are gone. */
export async function prune(
  {
    store,
    clock,
    keepMs,
    keepBytes,
  }: Pick<PruneOptions, 'store' | 'keepMs' | 'keepBytes'> & {
    clock: Pick<Clock, 'now'>;
  },
  stopped: () => boolean,
): Promise<number> {
  let removed = 0;
  const removeSome = async (olderThanMs: number) => {
    const some = stopped() ? 0 : await store.prune(clock.now() - olderThanMs, TREES_AT_ONCE);
    removed += some;
    return some > 0;
  };
  while (await removeSome(keepMs));
  while (keepBytes > 0 && (await store.bytes()) > keepBytes && (await removeSome(RUNS_KEEP_MS_MIN)));
  return removed;
}
