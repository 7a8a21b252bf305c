/** Writes waiting runs out and brings them back. The message that holds a run's state is there before the log names it, and is removed after the log has the state again. */
import type { Clock, Logger } from '@tutti/runtime';
import { PLANNER_LIMITS } from '../config.ts';
import type { Input } from '../core/decide.ts';
import { saveParked } from '../core/save.ts';
import { isActive, type PartitionState } from '../core/state.ts';
import type { PartitionLog } from '../ports/log.ts';

type ParkedInput = Extract<Input, { kind: 'parked' }>;

export class Parking {
  readonly #store: PartitionLog;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #push: (input: Input) => void;
  readonly #bytesMax: number;
  readonly #waiting = new Set<string>();
  /** Messages that are being written. */
  #writing = 0;

  constructor(options: { store: PartitionLog; log: Logger; clock: Clock; bytesMax: number; push(input: Input): void }) {
    this.#store = options.store;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#push = options.push;
    this.#bytesMax = Math.min(options.bytesMax, PLANNER_LIMITS.parkBytesMax);
  }

  /** Their states are stored some time soon; a run that goes on meanwhile simply stays. */
  park(state: PartitionState, runs: string[]): void {
    for (const run of runs) this.#waiting.add(run);
    this.#writeMore(state);
  }

  /**
   * A timer's worth of runs come together: one message for all of them. Several messages at a time, or a busy owner, whose
   * every turn is long, would park fewer runs than come to wait.
   */
  #writeMore(state: PartitionState): void {
    if (this.#waiting.size === 0 || this.#writing >= PLANNER_LIMITS.parkMessagesAtOnceMax) return;
    this.#writing++;
    this.#clock.soon(() => {
      void this.#write(state).finally(() => {
        this.#writing--;
        this.#writeMore(state);
      });
      this.#writeMore(state);
    });
  }

  async #write(state: PartitionState): Promise<void> {
    const pieces: string[] = [];
    const input: ParkedInput = { kind: 'parked', runs: [], sequence: 0 };
    let size = 0;
    for (const id of this.#waiting) {
      const run = state.runs.get(id);
      if (!run || !isActive(run)) {
        this.#waiting.delete(id);
        continue;
      }
      const piece = `${JSON.stringify(id)}:${JSON.stringify(saveParked(run))}`;
      const bytes = Buffer.byteLength(piece);
      if (size + bytes > this.#bytesMax && pieces.length > 0) break;
      this.#waiting.delete(id);
      // Too large for a message: it stays where it is.
      if (bytes > this.#bytesMax) continue;
      pieces.push(piece);
      size += bytes;
      input.runs.push({ run: id, version: run.version });
    }
    if (pieces.length === 0) return;
    try {
      input.sequence = await this.#store.park(`{${pieces.join(',')}}`);
      this.#push(input);
    } catch (error) {
      // They stay in memory; the next owner may park them.
      this.#log.warn({ error: (error as Error).message }, 'waiting runs could not be written out');
    }
  }

  /** States of parked runs, in one input each. Runs in the same message are read once. */
  async fetch(state: PartitionState, runs: Set<string>): Promise<Input[]> {
    const bySequence = new Map<number, string[]>();
    for (const run of runs) {
      const parked = state.parked.get(run);
      if (!parked) continue;
      bySequence.set(parked.sequence, [...(bySequence.get(parked.sequence) ?? []), run]);
    }
    const inputs: Input[] = [];
    for (const [sequence, ids] of bySequence) {
      const json = await this.#store.parked(sequence);
      if (json === null) this.#log.error({ sequence, runs: ids }, 'the states of parked runs are gone; these runs end');
      const snapshots = json === null ? {} : (JSON.parse(json) as Record<string, unknown>);
      for (const run of ids) inputs.push({ kind: 'unparked', run, snapshot: snapshots[run] ?? null });
    }
    return inputs;
  }

  /** Those of these messages in which no run is parked any more. */
  remove(sequences: Set<number>, state: PartitionState): void {
    for (const sequence of sequences) {
      if (state.parkedIn.has(sequence)) continue;
      // What is left behind by a fault is purged at a checkpoint.
      this.#store
        .unpark(sequence)
        .catch((error) => this.#log.debug({ error: (error as Error).message }, 'a parked message stays for now'));
    }
  }
}
