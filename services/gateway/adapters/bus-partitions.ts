/** Learns the number of partitions from the settings bucket, and waits for it as long as nobody has set the bus up. */
import { setTimeout as sleep } from 'node:timers/promises';
import { partitionOf, TuttiError } from '@tutti/contracts';
import { type Bus, type Logger, readPartitions } from '@tutti/runtime';
import type { Partitions } from '../ports/partitions.ts';

const RETRY_MS = 500;

export function learnPartitions(bus: Bus, log: Logger): Partitions & { stop(): void } {
  const stopping = new AbortController();
  let count: number | undefined;
  void (async () => {
    for (let told = false; !stopping.signal.aborted && count === undefined; ) {
      const found = await readPartitions(bus).catch((error: Error) => {
        log.debug({ error: error.message }, 'the settings bucket cannot be read yet');
        return undefined;
      });
      if (found !== undefined && Number.isInteger(found) && found > 0) count = found;
      else {
        if (!told) log.warn('waiting for the bus to be set up: start a planner, or provision it');
        told = true;
        await sleep(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => {});
      }
    }
  })();
  return {
    get count() {
      return count;
    },
    of(anyId) {
      if (count !== undefined) return partitionOf(anyId, count);
      throw new TuttiError(
        'unavailable',
        'the bus is not set up yet (setting "partitions" is missing): start a planner, or provision the bus',
        { retryAfterMs: RETRY_MS },
      );
    },
    stop: () => stopping.abort(),
  };
}
