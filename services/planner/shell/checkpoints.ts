/**
 * Checkpoints of a partition: a pointer (compare-and-set) to blobs with the state as of one position in the log.
 * Written in slices while the owner goes on: a run that is about to change before its slice came is written down first
 * (copy on write), so that all of them are as they were at that position. A blob is there before anything points to it.
 */
import { BLOBS, STREAMS, subjects, TuttiError } from '@tutti/contracts';
import type { Blobs, Bus, Clock, Logger } from '@tutti/runtime';
import { loadState, StateLoader, saveHead, saveRun } from '../core/save.ts';
import type { PartitionState, RunState } from '../core/state.ts';

const text = new TextDecoder();
const bytes = new TextEncoder();

export const CHECKPOINT_LIMITS = {
  /** Runs that are serialised before the loop gets its turn again. */
  sliceRuns: 100,
  /** UTF-16 units of runs in one blob. */
  partChars: 1_000_000,
} as const;

/** Version 1 had one blob with everything. */
type Pointer = { v: 1; sequence: number; blob: string } | { v: 2; sequence: number; name: string; parts: number };

export class Checkpoints {
  readonly #bus: Bus;
  readonly #partition: number;
  readonly #log: Logger;
  readonly #clock: Clock;
  #previous: string[] = [];
  #pointerSequence = 0;

  constructor({ bus, partition, log, clock }: { bus: Bus; partition: number; log: Logger; clock: Clock }) {
    this.#bus = bus;
    this.#partition = partition;
    this.#log = log;
    this.#clock = clock;
  }

  async load(): Promise<{ state: PartitionState; sequence: number } | undefined> {
    const message = await this.#bus.last(STREAMS.checkpoints.name, subjects.checkpoint(this.#partition));
    this.#pointerSequence = message?.sequence ?? 0;
    if (!message) return;
    const pointer = JSON.parse(text.decode(message.data)) as Pointer;
    this.#previous = blobsOf(pointer);
    const blobs = await this.#bus.blobs(BLOBS);
    try {
      const state = pointer.v === 1 ? await loadWhole(blobs, pointer.blob) : await loadParts(blobs, pointer);
      return state && { state, sequence: pointer.sequence };
    } catch (error) {
      // A bus that is away says nothing about the checkpoint; without it most of the log may be gone.
      if (error instanceof TuttiError) throw error;
      this.#log.warn(
        { partition: this.#partition, error: (error as Error).message },
        'the checkpoint cannot be read: replaying the whole log',
      );
    }
  }

  /** Whether the last one that was loaded or written here is still the latest. */
  async isNewest(): Promise<boolean> {
    const message = await this.#bus.last(STREAMS.checkpoints.name, subjects.checkpoint(this.#partition));
    return (message?.sequence ?? 0) === this.#pointerSequence;
  }

  async write(state: PartitionState, sequence: number): Promise<void> {
    const name = `checkpoint.${this.#partition}.${sequence}`;
    // Before anything is awaited: the state goes on changing, and the slices watch for it from here on.
    const slices = new Slices(state);
    const head = saveHead(state);
    let parts = 0;
    let blobs: Blobs;
    try {
      blobs = await this.#bus.blobs(BLOBS);
      await blobs.put(`${name}.head`, bytes.encode(head));
      for (let part = slices.next(); part !== undefined; part = slices.next()) {
        await blobs.put(`${name}.${parts++}`, bytes.encode(part));
        await new Promise<void>((resolve) => this.#clock.soon(resolve));
      }
    } finally {
      slices.stop();
    }
    const pointer: Pointer = { v: 2, sequence, name, parts };
    // Compare-and-set: an owner of the past must not put an older one over a newer.
    this.#pointerSequence = await this.#bus.append(
      subjects.checkpoint(this.#partition),
      bytes.encode(JSON.stringify(pointer)),
      { expectedLastSubjectSequence: this.#pointerSequence },
    );
    const mine = blobsOf(pointer);
    const old = this.#previous.filter((blob) => !mine.includes(blob));
    this.#previous = mine;
    for (const blob of old) await blobs.delete(blob);
  }
}

function blobsOf(pointer: Pointer): string[] {
  if (pointer.v === 1) return [pointer.blob];
  return [`${pointer.name}.head`, ...Array.from({ length: pointer.parts }, (_, i) => `${pointer.name}.${i}`)];
}

async function loadWhole(blobs: Blobs, name: string): Promise<PartitionState | undefined> {
  const data = await blobs.get(name);
  return data ? loadState(text.decode(data)) : undefined;
}

async function loadParts(blobs: Blobs, { name, parts }: { name: string; parts: number }) {
  const head = await blobs.get(`${name}.head`);
  if (!head) return undefined;
  const loader = new StateLoader(text.decode(head));
  for (let i = 0; i < parts; i++) {
    const data = await blobs.get(`${name}.${i}`);
    if (!data) return undefined;
    for (const run of JSON.parse(text.decode(data))) loader.add(run);
  }
  return loader.done();
}

/** The runs of a state as they are now, given out as JSON arrays bit by bit. One at a time for a state. */
class Slices {
  readonly #state: PartitionState;
  readonly #left: Set<RunState>;
  /** Those that had to be written down before their turn. */
  #early: string[] = [];

  constructor(state: PartitionState) {
    this.#state = state;
    this.#left = new Set(state.runs.values());
    state.beforeChange = (run) => {
      if (this.#left.delete(run)) this.#early.push(saveRun(run));
    };
  }

  next(): string | undefined {
    const pieces = this.#early;
    this.#early = [];
    let chars = pieces.reduce((sum, piece) => sum + piece.length, 0);
    for (const run of this.#left) {
      if (pieces.length >= CHECKPOINT_LIMITS.sliceRuns || chars > CHECKPOINT_LIMITS.partChars) break;
      this.#left.delete(run);
      const piece = saveRun(run);
      pieces.push(piece);
      chars += piece.length;
    }
    return pieces.length > 0 ? `[${pieces.join(',')}]` : undefined;
  }

  stop(): void {
    this.#state.beforeChange = undefined;
  }
}
