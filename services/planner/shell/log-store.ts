/**
 * A partition's log and parked runs on the bus. Invariants: an append is refused unless the log ends where this owner
 * left it; nothing is purged that is not in a checkpoint, that memory has not projected, or that is younger than the
 * retention says.
 */
import { LOG_FORMAT, type LogBatch, type RunEntry, STREAMS, subjects } from '@tutti/contracts';
import type { Bus, Clock, Logger } from '@tutti/runtime';
import { applyBatch } from '../core/replay.ts';
import { emptyState, type PartitionState } from '../core/state.ts';
import { NewerFormat, type Opened, type PartitionLog } from '../ports/log.ts';
import { Checkpoints } from './checkpoints.ts';
import type { Retention } from './retention.ts';

const text = new TextDecoder();
const bytes = new TextEncoder();
/** Entries that a new owner keeps for readers; older ones are memory's. */
const REPLAYED_KEPT_MAX = 50_000;

/** What the log says does not fit the state that it is applied to. */
class EvolveError extends Error {}

export class LogStore implements PartitionLog {
  readonly #bus: Bus;
  readonly #partition: number;
  readonly #stream: string;
  readonly #log: Logger;
  readonly #checkpoints: Checkpoints;
  readonly #retention: Retention | undefined;

  /** `stream`: that holds this partition's log; where there is only one: that one. */
  constructor(options: {
    bus: Bus;
    partition: number;
    stream?: string;
    log: Logger;
    clock: Clock;
    retention?: Retention;
  }) {
    this.#bus = options.bus;
    this.#stream = options.stream ?? STREAMS.log.name;
    this.#log = options.log;
    this.#partition = options.partition;
    this.#retention = options.retention;
    this.#checkpoints = new Checkpoints(options);
  }

  async open(): Promise<Opened> {
    for (;;) {
      const opened = await this.#open();
      // Where a newer one was written meanwhile, what followed the older one may have been purged before it was read.
      if (await this.#checkpoints.isNewest()) return opened;
    }
  }

  async #open(): Promise<Opened> {
    const checkpoint = await this.#checkpoints.load();
    if (!checkpoint) return this.#replay(emptyState(), 0);
    try {
      return await this.#replay(checkpoint.state, checkpoint.sequence);
    } catch (error) {
      if (!(error instanceof EvolveError)) throw error;
      // A checkpoint that does not fit the log is worth nothing; the log may still be whole.
      this.#log.error(
        { partition: this.#partition, error: error.message },
        'the checkpoint does not fit the log: replaying all of it',
      );
      return this.#replay(emptyState(), 0);
    }
  }

  async #replay(state: PartitionState, sequence: number): Promise<Opened> {
    let lastSequence = sequence;
    const replayed: RunEntry[] = [];
    for await (const message of this.#bus.read(this.#stream, subjects.log(this.#partition), sequence + 1)) {
      // Not put through its schema again: it was written by an owner, and a log that cannot be read would stop everything.
      const batch = JSON.parse(text.decode(message.data)) as LogBatch;
      if ((batch.format ?? 1) > LOG_FORMAT)
        throw new NewerFormat(
          `log message ${message.sequence} of partition ${this.#partition} has format ${batch.format}; this planner reads up to ${LOG_FORMAT}`,
        );
      try {
        applyBatch(state, batch);
      } catch (error) {
        throw new EvolveError(`log message ${message.sequence}: ${(error as Error).message}`, { cause: error });
      }
      for (const entry of batch.entries) replayed.push(entry);
      if (replayed.length > 2 * REPLAYED_KEPT_MAX) replayed.splice(0, replayed.length - REPLAYED_KEPT_MAX);
      lastSequence = message.sequence;
    }
    return { state, lastSequence, replayed };
  }

  append(batch: LogBatch, lastSequence: number, entries?: string[]): Promise<number> {
    const data = bytes.encode(entries ? withEntries(batch, entries) : JSON.stringify(batch));
    this.#retention?.wrote(data.length);
    return this.#bus.append(subjects.log(this.#partition), data, { expectedLastSubjectSequence: lastSequence });
  }

  async checkpoint(state: PartitionState, sequence: number): Promise<void> {
    const { readUpTo } = state;
    const lowestParked = Math.min(...state.parkedIn.keys());
    await this.#checkpoints.write(state, sequence);
    if (Number.isFinite(lowestParked))
      await this.#bus.purge(STREAMS.parked.name, subjects.parked(this.#partition), lowestParked);
    await this.#retention?.purge(sequence, readUpTo);
  }

  park(snapshots: string): Promise<number> {
    return this.#bus.append(subjects.parked(this.#partition), bytes.encode(snapshots));
  }
  async parked(sequence: number): Promise<string | null> {
    const message = await this.#bus.message(STREAMS.parked.name, sequence);
    return message && message.subject === subjects.parked(this.#partition) ? text.decode(message.data) : null;
  }
  unpark(sequence: number): Promise<void> {
    return this.#bus.remove(STREAMS.parked.name, sequence);
  }
}

function withEntries({ entries: _same, ...head }: LogBatch, entries: string[]): string {
  return `${JSON.stringify(head).slice(0, -1)},"entries":[${entries.join(',')}]}`;
}
