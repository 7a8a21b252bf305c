/**
 * A partition's log and checkpoints on the bus. Invariant: an append is refused unless the log ends where this owner
 * left it; a checkpoint names the sequence up to which it holds everything.
 */
import { BLOBS, type LogBatch, STREAMS, subjects } from '@tutti/contracts';
import type { Bus, Logger } from '@tutti/runtime';
import { evolve, evolvePartition } from '../core/evolve.ts';
import { emptyState, loadState, type PartitionState, saveState } from '../core/state.ts';

const text = new TextDecoder();
const bytes = new TextEncoder();

export interface Opened {
  state: PartitionState;
  /** Sequence of the last message on the log's subject; 0: none. */
  lastSequence: number;
  /** Entries read after the checkpoint, newest last. */
  replayed: LogBatch['entries'];
}

interface CheckpointPointer {
  v: 1;
  sequence: number;
  blob: string;
}

/** What the log says does not fit the state that it is applied to. */
class EvolveError extends Error {}

export function applyBatch(state: PartitionState, batch: LogBatch): void {
  state.epoch = batch.epoch;
  state.readUpTo = Math.max(state.readUpTo, batch.readUpTo);
  for (const entry of batch.partition) evolvePartition(state, entry);
  for (const entry of batch.entries) evolve(state, entry);
  for (const key of batch.delivered) state.outbox.delete(key);
}

export class LogStore {
  readonly #bus: Bus;
  readonly #partition: number;
  readonly #log: Logger;
  #previousBlob: string | undefined;
  #pointerSequence = 0;

  constructor(bus: Bus, partition: number, log: Logger) {
    this.#bus = bus;
    this.#log = log;
    this.#partition = partition;
  }

  /** The state as the log has it now. */
  async open(): Promise<Opened> {
    const checkpoint = await this.#checkpoint();
    if (!checkpoint) return this.#replay(emptyState(), 0);
    try {
      return await this.#replay(checkpoint.state, checkpoint.sequence);
    } catch (error) {
      if (!(error instanceof EvolveError)) throw error;
      // A checkpoint that does not fit the log is worth nothing; the log is still whole.
      this.#log.error(
        { partition: this.#partition, error: error.message },
        'the checkpoint does not fit the log: replaying all of it',
      );
      return this.#replay(emptyState(), 0);
    }
  }

  async #replay(state: PartitionState, sequence: number): Promise<Opened> {
    let lastSequence = sequence;
    const replayed: LogBatch['entries'] = [];
    for await (const message of this.#bus.read(STREAMS.log.name, subjects.log(this.#partition), sequence + 1)) {
      // Not put through its schema again: it was written by an owner, and a log that cannot be read would stop everything.
      const batch = JSON.parse(text.decode(message.data)) as LogBatch;
      try {
        applyBatch(state, batch);
      } catch (error) {
        throw new EvolveError(`log message ${message.sequence}: ${(error as Error).message}`, { cause: error });
      }
      replayed.push(...batch.entries);
      lastSequence = message.sequence;
    }
    return { state, lastSequence, replayed };
  }

  async #checkpoint(): Promise<{ state: PartitionState; sequence: number } | undefined> {
    const message = await this.#bus.last(STREAMS.checkpoints.name, subjects.checkpoint(this.#partition));
    if (!message) return;
    this.#pointerSequence = message.sequence;
    const pointer = JSON.parse(text.decode(message.data)) as CheckpointPointer;
    this.#previousBlob = pointer.blob;
    const data = await (await this.#bus.blobs(BLOBS)).get(pointer.blob);
    if (!data) return;
    try {
      return { state: loadState(text.decode(data)), sequence: pointer.sequence };
    } catch (error) {
      this.#log.warn(
        { partition: this.#partition, error: (error as Error).message },
        'the checkpoint cannot be read: replaying the whole log',
      );
    }
  }

  /** Rejects with BusConflict (somebody else owns the partition) or BusUnknown (it may have been stored). */
  append(batch: LogBatch, lastSequence: number): Promise<number> {
    return this.#bus.append(subjects.log(this.#partition), bytes.encode(JSON.stringify(batch)), {
      expectedLastSubjectSequence: lastSequence,
    });
  }

  /** Writes the state as of `sequence`. The blob is there before anything points to it. */
  async writeCheckpoint(state: PartitionState, sequence: number): Promise<void> {
    const blob = `checkpoint.${this.#partition}.${sequence}`;
    // Before anything is awaited: the state goes on changing.
    const saved = bytes.encode(saveState(state));
    const blobs = await this.#bus.blobs(BLOBS);
    await blobs.put(blob, saved);
    const pointer: CheckpointPointer = { v: 1, sequence, blob };
    // Compare-and-set: an owner of the past must not put an older one over a newer.
    this.#pointerSequence = await this.#bus.append(
      subjects.checkpoint(this.#partition),
      bytes.encode(JSON.stringify(pointer)),
      {
        expectedLastSubjectSequence: this.#pointerSequence,
      },
    );
    if (this.#previousBlob && this.#previousBlob !== blob) await blobs.delete(this.#previousBlob);
    this.#previousBlob = blob;
  }
}
