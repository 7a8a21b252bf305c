/**
 * How the partitions do, as their owners say every second. A partition that is too far behind takes no new runs: they
 * would wait longer than whoever asks. What was not heard of lately says nothing.
 */
import { PartitionLoad, TuttiError } from '@tutti/contracts';
import type { Bus, Logger } from '@tutti/runtime';
import type { Partitions } from '../ports/partitions.ts';

const FRESH_MS = 5_000;
const text = new TextDecoder();

export interface Load {
  /** Throws `unavailable` (503) when the partition of this id is over the limit: it is the system that is behind, not the caller. */
  admit(id: string): void;
  /** What was heard lately, by partition. */
  readonly partitions: PartitionLoad[];
  stop(): void;
}

export function watchLoad(options: {
  bus: Bus;
  partitions: Partitions;
  log: Logger;
  lagMax: number;
  retryAfterMs: number;
}): Load {
  const { bus, partitions, log, lagMax, retryAfterMs } = options;
  const heard = new Map<number, { load: PartitionLoad; at: number }>();
  const fresh = (at: number) => performance.now() - at < FRESH_MS;
  const subscription = bus.subscribe('tutti.load.*', ({ data }) => {
    const load = PartitionLoad.safeParse(JSON.parse(text.decode(data)));
    if (load.success) heard.set(load.data.partition, { load: load.data, at: performance.now() });
    else log.debug({ issues: load.error.issues }, 'a partition tells its load in a way that is not known here');
  });
  return {
    admit(id) {
      if (heard.size === 0) return;
      const known = heard.get(partitions.of(id));
      if (!known || !fresh(known.at) || known.load.lag <= lagMax) return;
      throw new TuttiError(
        'unavailable',
        `${known.load.lag} messages wait in this partition already (TUTTI_LAG_MAX is ${lagMax}); nothing was stored, come back later`,
        { retryAfterMs },
      );
    },
    get partitions() {
      return [...heard.values()]
        .filter(({ at }) => fresh(at))
        .map(({ load }) => load)
        .sort((a, b) => a.partition - b.partition);
    },
    stop: () => subscription.stop(),
  };
}
