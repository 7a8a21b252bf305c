/**
 * A partition's log and checkpoints on the bus. Invariant: an append is refused unless the log ends where this owner
 * left it; a checkpoint names the sequence up to which it holds everything.
 */
import { BLOBS, LogBatch, STREAMS, subjects } from '@tutti/contracts';
import type { Bus } from '@tutti/runtime';
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

export class LogStore {
  readonly #bus: Bus;
  readonly #partition: number;
  #previousBlob: string | undefined;

  constructor(bus: Bus, partition: number) {
    this.#bus = bus;
    this.#partition = partition;
  }

  /** The state as the log has it now. */
  async open(): Promise<Opened> {
    const { state, sequence } = await this.#checkpoint();
    let lastSequence = sequence;
    const replayed: LogBatch['entries'] = [];
    for await (const message of this.#bus.read(STREAMS.log.name, subjects.log(this.#partition), sequence + 1)) {
      const batch = LogBatch.parse(JSON.parse(text.decode(message.data)));
      state.epoch = batch.epoch;
      state.readUpTo = Math.max(state.readUpTo, batch.readUpTo);
      for (const entry of batch.partition) evolvePartition(state, entry);
      for (const entry of batch.entries) evolve(state, entry);
      for (const key of batch.delivered) state.outbox.delete(key);
      replayed.push(...batch.entries);
      lastSequence = message.sequence;
    }
    return { state, lastSequence, replayed };
  }

  async #checkpoint(): Promise<{ state: PartitionState; sequence: number }> {
    const message = await this.#bus.last(STREAMS.checkpoints.name, subjects.checkpoint(this.#partition));
    if (!message) return { state: emptyState(), sequence: 0 };
    const pointer = JSON.parse(text.decode(message.data)) as CheckpointPointer;
    const data = await (await this.#bus.blobs(BLOBS)).get(pointer.blob);
    // The log is still whole: without the blob all of it is replayed.
    if (!data) return { state: emptyState(), sequence: 0 };
    this.#previousBlob = pointer.blob;
    return { state: loadState(text.decode(data)), sequence: pointer.sequence };
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
    await this.#bus.append(subjects.checkpoint(this.#partition), bytes.encode(JSON.stringify(pointer)));
    if (this.#previousBlob && this.#previousBlob !== blob) await blobs.delete(this.#previousBlob);
    this.#previousBlob = blob;
  }
}
