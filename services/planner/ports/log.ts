/**
 * A partition's log, with its checkpoints and its parked runs. Guarantees: an append is stored only when the log ends
 * where the appender says (`BusConflict` otherwise, and nothing was stored; `BusUnknown`: it may have been); `open` gives
 * the state that the log has now; a checkpoint never replaces a newer one; what is purged is in a checkpoint.
 */
import type { LogBatch, RunEntry } from '@tutti/contracts';
import type { PartitionState } from '../core/state.ts';

export interface Opened {
  state: PartitionState;
  /** Sequence of the last message of the log; 0: none. */
  lastSequence: number;
  /** Entries read after the checkpoint, oldest first. */
  replayed: RunEntry[];
  /** How much that was, in bytes of log messages. */
  replayedBytes: number;
}

export interface PartitionLog {
  /** Rejects with `NewerFormat` when a later version wrote what this one cannot read, with `IncompleteLog` when something is missing. */
  open(): Promise<Opened>;
  /** `entries`: the JSON of the batch's entries, where it is at hand. */
  append(batch: LogBatch, lastSequence: number, entries?: string[]): Promise<number>;
  /** Writes the state as of `sequence`, in slices: the state may go on changing meanwhile. */
  checkpoint(state: PartitionState, sequence: number): Promise<void>;
  /** A checkpoint under way is given up, and there will be no other: somebody waits for the partition. */
  abandon(): void;
  /** Stores the states of parked runs in one message; resolves with its position. */
  park(snapshots: string): Promise<number>;
  /** What was stored there, or null. */
  parked(sequence: number): Promise<string | null>;
  /** No run is parked in this message any more. */
  unpark(sequence: number): Promise<void>;
}

export class NewerFormat extends Error {
  override name = 'NewerFormat';
}

/** The log has lost its beginning, and no checkpoint makes up for it: opened all the same, runs would be lost without a word. */
export class IncompleteLog extends Error {
  override name = 'IncompleteLog';
}
