/**
 * A partition's log and parked runs on the bus. Invariants: an append is refused unless the log ends where this owner
 * left it; nothing is purged that is not in a checkpoint, that memory has not projected, or that is younger than the
 * retention says.
 */
import { BLOBS, LOG_FORMAT, type LogBatch, type RunEntry, STREAMS, subjects } from '@tutti/contracts';
import type { Bus, Clock, Logger } from '@tutti/runtime';
import { applyBatch } from '../core/replay.ts';
import { NewerState } from '../core/save.ts';
import { emptyState, type PartitionState } from '../core/state.ts';
import { IncompleteLog, NewerFormat, type Opened, type PartitionLog } from '../ports/log.ts';
import { BrokenCheckpoint, type Checkpoint, type CheckpointOptions, Checkpoints } from './checkpoints.ts';
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
  constructor(
    options: CheckpointOptions & {
      bus: Bus;
      partition: number;
      stream?: string;
      log: Logger;
      clock: Clock;
      retention?: Retention;
    },
  ) {
    this.#bus = options.bus;
    this.#stream = options.stream ?? STREAMS.log.name;
    this.#log = options.log;
    this.#partition = options.partition;
    this.#retention = options.retention;
    this.#checkpoints = new Checkpoints(options);
  }

  async open(): Promise<Opened> {
    for (;;) {
      const opened = await this.#open().catch((error: Error) => error);
      // Where a newer one was written meanwhile, what followed the older one may have been purged before it was read.
      if (opened instanceof Error && !(opened instanceof IncompleteLog)) throw opened;
      if (!(await this.#checkpoints.isNewest())) continue;
      if (opened instanceof Error) throw opened;
      return opened;
    }
  }

  async #open(): Promise<Opened> {
    const { checkpoint, broken } = await this.#loadCheckpoint();
    if (!checkpoint) return this.#fromTheBeginning(broken ?? 'there is no checkpoint');
    try {
      return await this.#replay(checkpoint.state, checkpoint.sequence);
    } catch (error) {
      if (!(error instanceof EvolveError)) throw error;
      // A checkpoint that does not fit the log is worth nothing; the log may still be whole.
      this.#log.error(
        { partition: this.#partition, error: error.message },
        'the checkpoint does not fit the log: replaying all of it',
      );
      return this.#fromTheBeginning(`the checkpoint does not fit the log: ${error.message}`);
    }
  }

  async #loadCheckpoint(): Promise<{ checkpoint?: Checkpoint | undefined; broken?: string }> {
    try {
      return { checkpoint: await this.#checkpoints.load() };
    } catch (error) {
      if (error instanceof NewerState) throw new NewerFormat(`partition ${this.#partition}: ${error.message}`);
      if (!(error instanceof BrokenCheckpoint)) throw error;
      this.#log.error({ partition: this.#partition, error: error.message }, 'the checkpoint cannot be read');
      return { broken: `the checkpoint cannot be read: ${error.message}` };
    }
  }

  /** `why`: there is nothing better. */
  async #fromTheBeginning(why: string): Promise<Opened> {
    try {
      return await this.#replay(emptyState(), 0);
    } catch (error) {
      if (!(error instanceof IncompleteLog)) throw error;
      throw new IncompleteLog(`${error.message}; ${why}. Restore ${BLOBS} and its stream from a backup`);
    }
  }

  async #replay(state: PartitionState, sequence: number): Promise<Opened> {
    const subject = subjects.log(this.#partition);
    let lastSequence = sequence;
    const replayed: RunEntry[] = [];
    let replayedBytes = 0;
    for await (const message of this.#bus.read(this.#stream, subject, sequence + 1)) {
      // Not put through its schema again: it was written by an owner, and a log that cannot be read would stop everything.
      const batch = JSON.parse(text.decode(message.data)) as LogBatch;
      this.#check(batch, message.sequence, lastSequence);
      try {
        applyBatch(state, batch);
      } catch (error) {
        throw new EvolveError(`log message ${message.sequence}: ${(error as Error).message}`, { cause: error });
      }
      this.#checkpoints.changedBy(batch);
      for (const entry of batch.entries) replayed.push(entry);
      if (replayed.length > 2 * REPLAYED_KEPT_MAX) replayed.splice(0, replayed.length - REPLAYED_KEPT_MAX);
      replayedBytes += message.data.length;
      lastSequence = message.sequence;
    }
    if (lastSequence === sequence && sequence > 0) await this.#checkEnd(sequence);
    return { state, lastSequence, replayed, replayedBytes };
  }

  #check({ format, after, epoch }: LogBatch, sequence: number, before: number): void {
    if ((format ?? 1) > LOG_FORMAT)
      throw new NewerFormat(
        `log message ${sequence} of partition ${this.#partition} has format ${format}; this planner reads up to ${LOG_FORMAT}`,
      );
    // Before `after` was written every log began with its first owner.
    const fits = after === undefined ? before > 0 || epoch === 1 : after === before;
    if (!fits)
      throw new IncompleteLog(
        `the log of partition ${this.#partition} goes on at message ${sequence}, and what came after ${before} is gone`,
      );
  }

  /** Nothing came after the checkpoint: then the log has to end there. */
  async #checkEnd(sequence: number): Promise<void> {
    const last = (await this.#bus.last(this.#stream, subjects.log(this.#partition)))?.sequence ?? 0;
    // More may have come by now: the append will show.
    if (last >= sequence) return;
    throw new IncompleteLog(
      `the log of partition ${this.#partition} ends at ${last}, before its checkpoint at ${sequence}: ${this.#stream} is another one, or has lost its end`,
    );
  }

  async append(batch: LogBatch, lastSequence: number, entries?: string[]): Promise<number> {
    const whole = { ...batch, after: lastSequence };
    const data = bytes.encode(entries ? withEntries(whole, entries) : JSON.stringify(whole));
    const sequence = await this.#bus.append(subjects.log(this.#partition), data, {
      expectedLastSubjectSequence: lastSequence,
    });
    this.#checkpoints.changedBy(batch);
    this.#retention?.wrote(data.length);
    return sequence;
  }

  async checkpoint(state: PartitionState, sequence: number): Promise<void> {
    const { readUpTo } = state;
    let lowestParked = Number.POSITIVE_INFINITY;
    for (const position of state.parkedIn.keys()) lowestParked = Math.min(lowestParked, position);
    if (!(await this.#checkpoints.write(state, sequence))) return;
    if (Number.isFinite(lowestParked))
      await this.#bus.purge(STREAMS.parked.name, subjects.parked(this.#partition), lowestParked);
    await this.#retention?.purge(sequence, readUpTo);
  }
  abandon(): void {
    this.#checkpoints.abandon();
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
