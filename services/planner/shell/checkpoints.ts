/**
 * Checkpoints of a partition: a pointer (compare-and-set) to a head and parts (segments.ts) that give the state as of one
 * position in the log. Written in slices while the owner goes on. Invariants: a blob is there before anything points to
 * it, and goes only when nothing does; an owner of the past can neither put an older pointer over a newer one nor take
 * away what a newer one points to.
 */
import { BLOBS, type LogBatch, STREAMS, subjects, TuttiError } from '@tutti/contracts';
import { BlobBroken, type Blobs, type Bus, BusConflict, type Clock } from '@tutti/runtime';
import { loadState, NewerState, StateLoader, saveHead } from '../core/save.ts';
import type { PartitionState } from '../core/state.ts';
import { type Codec, zstdAtOnce } from './codec.ts';
import {
  loadSegment,
  type Part,
  type Piece,
  packSegment,
  SEGMENT_LIMITS,
  Segments,
  Snapshot,
  sizeOf,
  unpackSegment,
} from './segments.ts';

const text = new TextDecoder();
const bytes = new TextEncoder();

const BLOBS_AT_ONCE = { read: 32, written: 4 } as const;
/** One slice for so much of the loop's time: where there is much to do a checkpoint must not take for ever, for replay grows meanwhile. */
const TURN_MS = 5;
/** A checkpoint that was replaced while it was being read: its successor is read. */
const LOAD_TRIES = 5;

/** In a blob's name, before the epoch: names of earlier versions had a position in the log there. */
const EPOCH_MARK = 'e';

const POINTER_VERSION = 3;
/** Version 1 had one blob with everything, version 2 one for the head and some for all runs. */
type Pointer =
  | { v: 1; sequence: number; blob: string }
  | { v: 2; sequence: number; name: string; parts: number }
  | { v: 3; sequence: number; head: string; segments: string[] };

/** The checkpoint is there but cannot be read. */
export class BrokenCheckpoint extends Error {
  override name = 'BrokenCheckpoint';
}

export interface Checkpoint {
  state: PartitionState;
  sequence: number;
}

export interface CheckpointOptions {
  /** Default: one that does everything at once. */
  codec?: Codec;
  /** UTF-16 units in one part, before it is packed. */
  partChars?: number;
}

export class Checkpoints {
  readonly #bus: Bus;
  readonly #partition: number;
  readonly #clock: Clock;
  readonly #codec: Codec;
  readonly #partChars: number;
  readonly #segments: Segments;
  /** Runs whose state is not as any part has it. */
  #changed = new Set<string>();
  #pointerSequence = 0;
  /** What the pointer names. */
  #blobs: string[] = [];
  #tidied = false;
  #abandoned = false;
  #written = 0;

  constructor(options: CheckpointOptions & { bus: Bus; partition: number; clock: Clock }) {
    const { bus, partition, clock, codec = zstdAtOnce, partChars = SEGMENT_LIMITS.partChars } = options;
    this.#bus = bus;
    this.#partition = partition;
    this.#clock = clock;
    this.#codec = codec;
    this.#partChars = partChars;
    this.#segments = new Segments(partChars);
  }

  /** Undefined: there is none. Rejects with `NewerState`, or with `BrokenCheckpoint` when it cannot be put together. */
  async load(): Promise<Checkpoint | undefined> {
    for (let attempt = 1; ; attempt++) {
      const message = await this.#bus.last(STREAMS.checkpoints.name, subjects.checkpoint(this.#partition));
      this.#pointerSequence = message?.sequence ?? 0;
      this.#segments.clear();
      this.#changed.clear();
      if (!message) return undefined;
      try {
        const pointer = JSON.parse(text.decode(message.data)) as Pointer;
        const state = await this.#read(pointer);
        this.#blobs = blobsOf(pointer);
        return { state, sequence: pointer.sequence };
      } catch (cause) {
        const error = asBroken(cause);
        if (!(error instanceof BrokenCheckpoint) || attempt === LOAD_TRIES) throw error;
        // An owner that is on its way out may have put another one in its place, and taken this one's blobs away.
        const newest = await this.#bus.last(STREAMS.checkpoints.name, subjects.checkpoint(this.#partition));
        if (newest?.sequence === message.sequence) throw error;
      }
    }
  }

  async #read(pointer: Pointer): Promise<PartitionState> {
    const { v } = pointer as { v: number };
    if (v > POINTER_VERSION) throw new NewerState(`a checkpoint of version ${v} cannot be read by this planner`);
    const blobs = await this.#bus.blobs(BLOBS);
    if (pointer.v === 1) return loadState(text.decode(await get(blobs, pointer.blob)));
    if (pointer.v === 2) return readVersion2(blobs, pointer);
    const { segments } = pointer;
    const headData = get(blobs, pointer.head).then((data) => this.#codec.unpack(data));
    const parts = inTurn(BLOBS_AT_ONCE.read, segments, async (name) =>
      unpackSegment(await get(blobs, name), this.#codec),
    );
    const [head, unpacked] = await Promise.all([headData, parts]);
    const loader = new StateLoader(text.decode(head));
    for (const [index, part] of unpacked.entries())
      this.#segments.add({ name: segments[index]!, sizes: loadSegment(part, loader) });
    const state = loader.done();
    this.#segments.loaded(state);
    return state;
  }

  /** What this message of the log is about is not as any part has it. */
  changedBy(batch: LogBatch): void {
    for (const { run } of batch.entries) this.#changed.add(run);
    for (const entry of batch.partition)
      if (entry.type === 'run.parked' || entry.type === 'run.unparked') this.#changed.add(entry.run);
  }

  /** Whether the last one that was loaded or written here is still the latest. */
  async isNewest(): Promise<boolean> {
    const message = await this.#bus.last(STREAMS.checkpoints.name, subjects.checkpoint(this.#partition));
    return (message?.sequence ?? 0) === this.#pointerSequence;
  }

  /** Writes the state as of now, which is that after the log message `sequence`. False: it was abandoned. */
  async write(state: PartitionState, sequence: number): Promise<boolean> {
    // Before anything is awaited: the state goes on changing, and the snapshot watches for it from here on.
    const changed = this.#changed;
    this.#changed = new Set();
    const plan = this.#segments.plan(state, changed);
    const snapshot = new Snapshot(state, plan.ids, this.#partChars / SEGMENT_LIMITS.slicesPerPart);
    const head = saveHead(state);
    const name = () => `${this.#prefix}${EPOCH_MARK}${state.epoch}.${this.#written++}`;
    try {
      const blobs = await this.#bus.blobs(BLOBS);
      const headName = name();
      await blobs.put(headName, await this.#codec.pack(bytes.encode(head)));
      const parts = await this.#writeParts(blobs, snapshot, name);
      if (!parts) return this.#giveUp(changed);
      const pointer: Pointer = { v: 3, sequence, head: headName, segments: this.#segments.with(parts, plan) };
      await this.#point(pointer);
      this.#segments.take(parts, plan);
      await this.#tidy(blobs, blobsOf(pointer), state.epoch);
      return true;
    } catch (error) {
      this.#giveUp(changed);
      throw error;
    } finally {
      snapshot.stop();
    }
  }

  #giveUp(changed: Set<string>): false {
    for (const id of changed) this.#changed.add(id);
    this.#tidied = false;
    return false;
  }

  /** Undefined: it was abandoned. */
  async #writeParts(blobs: Blobs, snapshot: Snapshot, name: () => string): Promise<Part[] | undefined> {
    const parts: Part[] = [];
    const storing: Promise<void>[] = [];
    const store = (pieces: Piece[]) => {
      const part = { name: name(), sizes: pieces.map((piece) => [piece.id, sizeOf(piece)] as const) };
      parts.push(part);
      const stored = packSegment(pieces, this.#codec).then((packed) => blobs.put(part.name, packed));
      // Waited for below, perhaps later than it fails.
      stored.catch(() => {});
      storing.push(stored);
    };
    let part: Piece[] = [];
    let chars = 0;
    let slices = 1;
    for (let pieces = snapshot.next(); pieces.length > 0 && !this.#abandoned; pieces = snapshot.next(slices)) {
      part.push(...pieces);
      for (const piece of pieces) chars += sizeOf(piece);
      if (chars >= this.#partChars) {
        store(part);
        [part, chars] = [[], 0];
      }
      if (storing.length >= BLOBS_AT_ONCE.written) await storing.shift();
      slices = Math.min(SEGMENT_LIMITS.slicesPerPart, Math.max(1, (await this.#turn()) / TURN_MS));
    }
    if (part.length > 0) store(part);
    await Promise.all(storing);
    return this.#abandoned ? undefined : parts;
  }

  /** Lets the loop have its turn; resolves with how long that took, ms. */
  async #turn(): Promise<number> {
    const startedAt = this.#clock.monotonic();
    await new Promise<void>((resolve) => this.#clock.soon(resolve));
    return this.#clock.monotonic() - startedAt;
  }

  async #point(pointer: Pointer): Promise<void> {
    const subject = subjects.checkpoint(this.#partition);
    try {
      this.#pointerSequence = await this.#bus.append(subject, bytes.encode(JSON.stringify(pointer)), {
        expectedLastSubjectSequence: this.#pointerSequence,
      });
    } catch (error) {
      if (error instanceof BusConflict) await this.#lookAgain();
      throw error;
    }
  }

  /** Somebody else has written one, or an earlier one of ours was stored without our knowing: the next has everything. */
  async #lookAgain(): Promise<void> {
    this.#segments.clear();
    const message = await this.#bus.last(STREAMS.checkpoints.name, subjects.checkpoint(this.#partition));
    this.#pointerSequence = message?.sequence ?? 0;
  }

  /** Takes away what the new pointer does not name; once also what a crash has left behind. */
  async #tidy(blobs: Blobs, named: string[], epoch: number): Promise<void> {
    const found = this.#tidied ? [] : await blobs.list(this.#prefix);
    const before = [...this.#blobs, ...found.filter((name) => !(this.#epochOf(name) > epoch))];
    this.#blobs = named;
    const keep = new Set(named);
    for (const blob of new Set(before)) {
      if (this.#abandoned) return;
      if (!keep.has(blob)) await blobs.delete(blob);
    }
    this.#tidied = true;
  }

  get #prefix(): string {
    return `checkpoint.${this.#partition}.`;
  }

  /** Of the owner that wrote it: what later ones have written is none of our business. NaN: an earlier version of Tutti wrote it. */
  #epochOf(name: string): number {
    const rest = name.slice(this.#prefix.length);
    return rest.startsWith(EPOCH_MARK) ? Number.parseInt(rest.slice(EPOCH_MARK.length), 10) : Number.NaN;
  }

  /** A checkpoint under way is given up, and there are no others: somebody waits for the partition. */
  abandon(): void {
    this.#abandoned = true;
  }
}

/** A bus that is away is no fault of the checkpoint, nor is a planner that is too old for it. */
function asBroken(cause: unknown): unknown {
  if (cause instanceof BrokenCheckpoint || cause instanceof NewerState || cause instanceof TuttiError) return cause;
  return new BrokenCheckpoint(`it cannot be put together: ${(cause as Error).message}`, { cause });
}

function blobsOf(pointer: Pointer): string[] {
  if (pointer.v === 1) return [pointer.blob];
  if (pointer.v === 3) return [pointer.head, ...pointer.segments];
  return [`${pointer.name}.head`, ...Array.from({ length: pointer.parts }, (_, i) => `${pointer.name}.${i}`)];
}

async function get(blobs: Blobs, name: string): Promise<Uint8Array> {
  let data: Uint8Array | null;
  try {
    data = await blobs.get(name);
  } catch (error) {
    if (error instanceof BlobBroken) throw new BrokenCheckpoint(error.message);
    throw error;
  }
  if (!data) throw new BrokenCheckpoint(`${name} is gone from ${BLOBS}`);
  return data;
}

async function readVersion2(blobs: Blobs, pointer: Extract<Pointer, { v: 2 }>): Promise<PartitionState> {
  const [head, ...parts] = await inTurn(BLOBS_AT_ONCE.read, blobsOf(pointer), (name) => get(blobs, name));
  const loader = new StateLoader(text.decode(head));
  for (const part of parts) for (const run of JSON.parse(text.decode(part))) loader.addWhole(run);
  return loader.done();
}

/** In order, so many at once. */
async function inTurn<T, R>(atOnce: number, items: T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}
