/**
 * A hand-over as it is seen from outside, on the bus: when another planner's name is in the lease, and when the log has the
 * first thing that it took in. One clock, that of this process.
 */
import { BUCKETS, type LogBatch, STREAMS, subjects } from '@tutti/contracts';
import type { Bus } from '@tutti/runtime';
import { waitFor } from './world.ts';

const text = new TextDecoder();

interface Seen {
  holder: string | undefined;
  leaseAt: number;
  /** Owner of the last message of the log, and when its first one with a run's entry came. */
  owner: string | undefined;
  takenAt: number | undefined;
}

export interface HandOver {
  partition: number;
  leaseAt: number;
  takenAt: number;
}

export class Watch {
  readonly #seen: Seen[];
  #stops: (() => void)[] = [];

  private constructor(partitions: number) {
    this.#seen = Array.from({ length: partitions }, () => ({
      holder: undefined,
      leaseAt: 0,
      owner: undefined,
      takenAt: undefined,
    }));
  }

  static async open(bus: Bus, partitions: number): Promise<Watch> {
    const watch = new Watch(partitions);
    const leases = await (await bus.bucket(BUCKETS.leases)).watch((key, entry) => {
      const partition = /^partition\.(\d+)$/.exec(key)?.[1];
      if (partition !== undefined) watch.#lease(Number(partition), entry ? text.decode(entry.value) : undefined);
    });
    await leases.ready;
    watch.#stops.push(() => leases.stop());
    for (let partition = 0; partition < partitions; partition++) {
      const subject = subjects.log(partition);
      const from = (await bus.last(STREAMS.log.name, subject))?.sequence ?? 0;
      const follower = await bus.follow(STREAMS.log.name, [subject], from + 1, ({ data }) =>
        watch.#batch(partition, JSON.parse(text.decode(data)) as LogBatch),
      );
      watch.#stops.push(() => follower.stop());
    }
    return watch;
  }

  #lease(partition: number, holder: string | undefined): void {
    const seen = this.#seen[partition]!;
    if (holder === undefined || holder === seen.holder) return;
    seen.holder = holder;
    seen.leaseAt = performance.now();
  }

  #batch(partition: number, { owner, entries }: LogBatch): void {
    const seen = this.#seen[partition]!;
    if (owner !== seen.owner) {
      seen.owner = owner;
      seen.takenAt = undefined;
    }
    if (entries.some(({ type }) => type === 'run.accepted')) seen.takenAt ??= performance.now();
  }

  /** Partitions that this planner holds. */
  heldBy(planner: string): number[] {
    return this.#seen.flatMap(({ holder }, partition) => (holder === planner ? [partition] : []));
  }

  /** Once a planner other than `before` has taken something in; `probe` is called when it has the lease. */
  async handOver(partition: number, before: string, probe: (partition: number) => void): Promise<HandOver> {
    const seen = this.#seen[partition]!;
    let probed = false;
    await waitFor(
      `partition ${partition} to be taken over`,
      () => {
        if (seen.holder === before) return false;
        if (!probed) probe(partition);
        probed = true;
        return seen.owner === seen.holder && seen.takenAt !== undefined;
      },
      60_000,
      2,
    );
    return { partition, leaseAt: seen.leaseAt, takenAt: seen.takenAt! };
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }
}
