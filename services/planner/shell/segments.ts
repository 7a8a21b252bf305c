/**
 * The parts of a partition's checkpoints that hold its runs. A part is written once; a later one has what has changed since,
 * and what was left in parts that had become small or mostly out of date. So a checkpoint costs what has changed, and all
 * parts together are at most about twice what they are worth. Which part has the latest form of which run is known here.
 */
import { briefOf } from '../core/rebuild.ts';
import type { RunBrief, StoredRun } from '../core/runs.ts';
import { RUN_VERSION, type StateLoader, saveRun } from '../core/save.ts';
import type { ParkedRun, PartitionState, RunState } from '../core/state.ts';
import type { Codec } from './codec.ts';

export const SEGMENT_LIMITS = {
  /** UTF-16 units in one part, before it is packed. */
  partChars: 1_000_000,
  /** A part with less than this share of it up to date is written anew. */
  liveShareMin: 0.5,
  /** A slice is what is serialised before the loop gets its turn again; at most a part, where turns are long. */
  slicesPerPart: 8,
} as const;

const text = new TextDecoder();
const bytes = new TextEncoder();

/** A part that was written: its name, and the size of each run in it. */
export interface Part {
  name: string;
  sizes: (readonly [id: string, size: number])[];
}

interface Segment {
  name: string;
  /** Runs whose latest form it has, with their sizes. */
  live: Map<string, number>;
  liveChars: number;
}

/** What the next checkpoint has to write. */
export interface Plan {
  ids: Set<string>;
  /** Ended runs that are still known. */
  ended: string[];
}

/**
 * In a part: the length of what follows (4 bytes, little-endian); this as JSON, packed; the runs' texts one after the other,
 * packed, which are left so until somebody asks for one of them.
 */
interface Index {
  /** Of the runs' shape. */
  v: number;
  runs: [RunBrief, bytes: number][];
  parked: [ParkedRun, chars: number][];
}

/** A run, or what stands for a parked one, as it is written. */
export interface Piece {
  id: string;
  /** JSON of the brief, or of the parked run. */
  head: string;
  /** The run; undefined: it is parked. */
  run: string | undefined;
}

export const sizeOf = ({ head, run }: Piece) => head.length + (run?.length ?? 0);

/** Which part has what. */
export class Segments {
  /** UTF-16 units in one part. */
  readonly #partChars: number;
  #segments: Segment[] = [];
  readonly #home = new Map<string, Segment>();
  /** As of the last checkpoint: no log message says which of them are forgotten since. */
  #ended: string[] = [];

  constructor(partChars: number) {
    this.#partChars = partChars;
  }

  clear(): void {
    this.#segments = [];
    this.#home.clear();
    this.#ended = [];
  }

  /** `changed`: runs that are not as any part has them. */
  plan(state: PartitionState, changed: Set<string>): Plan {
    const ended = [...state.ended];
    if (this.#segments.length === 0) {
      const ids = new Set<string>(state.parked.keys());
      for (const { brief, run } of state.runs.briefs()) ids.add((brief ?? run).id);
      return { ids, ended };
    }
    for (const id of this.#ended) if (!state.runs.has(id)) this.#drop(id);
    const ids = new Set<string>();
    for (const id of changed) {
      if (state.runs.has(id) || state.parked.has(id)) ids.add(id);
      else this.#drop(id);
    }
    this.#addWorn(ids);
    return { ids, ended };
  }

  /** What is left in parts that are small, or will be mostly out of date once these are written. */
  #addWorn(ids: Set<string>): void {
    const leaving = new Map<Segment, number>();
    for (const id of ids) {
      const home = this.#home.get(id);
      if (home) leaving.set(home, (leaving.get(home) ?? 0) + home.live.get(id)!);
    }
    const enough = this.#partChars * SEGMENT_LIMITS.liveShareMin;
    for (const segment of this.#segments)
      if (segment.liveChars - (leaving.get(segment) ?? 0) < enough) for (const id of segment.live.keys()) ids.add(id);
  }

  /** The parts of the checkpoint that consists of these new ones and of what is left. */
  with(parts: Part[], { ids }: Plan): string[] {
    const kept = this.#segments.filter(({ live }) => hasOthers(live, ids));
    return [...kept, ...parts].map(({ name }) => name);
  }

  /** That checkpoint has been written. */
  take(parts: Part[], { ended }: Plan): void {
    for (const part of parts) this.add(part);
    this.#segments = this.#segments.filter(({ live }) => live.size > 0);
    this.#ended = ended;
  }

  /** A part is there, later than the others. */
  add({ name, sizes }: Part): void {
    const segment: Segment = { name, live: new Map(), liveChars: 0 };
    this.#segments.push(segment);
    for (const [id, size] of sizes) {
      this.#drop(id);
      this.#home.set(id, segment);
      segment.live.set(id, size);
      segment.liveChars += size;
    }
  }

  /** All parts of a checkpoint are here, and what of them is in this state counts. */
  loaded(state: PartitionState): void {
    for (const id of [...this.#home.keys()]) if (!state.runs.has(id) && !state.parked.has(id)) this.#drop(id);
    this.take([], { ids: new Set(), ended: [...state.ended] });
  }

  #drop(id: string): void {
    const home = this.#home.get(id);
    if (!home) return;
    this.#home.delete(id);
    home.liveChars -= home.live.get(id)!;
    home.live.delete(id);
  }
}

function hasOthers(live: Map<string, number>, ids: Set<string>): boolean {
  for (const id of live.keys()) if (!ids.has(id)) return true;
  return false;
}

export async function packSegment(pieces: Piece[], codec: Codec): Promise<Uint8Array> {
  const [runs, parked, texts]: [string[], string[], string[]] = [[], [], []];
  for (const { head, run } of pieces) {
    if (run === undefined) parked.push(`[${head},${head.length}]`);
    else {
      runs.push(`[${head},${Buffer.byteLength(run)}]`);
      texts.push(run);
    }
  }
  const index = `{"v":${RUN_VERSION},"runs":[${runs.join(',')}],"parked":[${parked.join(',')}]}`;
  const [head, rest] = await Promise.all([index, texts.join('')].map((part) => codec.pack(bytes.encode(part))));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(head!.length);
  return Buffer.concat([length, head!, rest!]);
}
const LENGTH_BYTES = 4;

export interface UnpackedSegment {
  index: string;
  /** Of all runs; unpacked when it is called first. */
  texts(): Uint8Array;
}

export async function unpackSegment(data: Uint8Array, codec: Codec): Promise<UnpackedSegment> {
  const from = LENGTH_BYTES + Buffer.from(data.buffer, data.byteOffset, LENGTH_BYTES).readUInt32LE();
  let packed: Uint8Array | undefined = data.subarray(from);
  let plain: Uint8Array | undefined;
  const texts = () => {
    plain ??= codec.unpackNow(packed!);
    packed = undefined;
    return plain;
  };
  return { index: text.decode(await codec.unpack(data.subarray(LENGTH_BYTES, from))), texts };
}

/** Gives what is in a part to the loader, the runs unread; returns what it was. */
export function loadSegment({ index, texts }: UnpackedSegment, loader: StateLoader): [id: string, size: number][] {
  const { v, runs, parked } = JSON.parse(index) as Index;
  const found: [string, number][] = [];
  let at = 0;
  for (const [brief, size] of runs) {
    const from = at;
    at += size;
    loader.add(v, brief, () => text.decode(texts().subarray(from, from + size)));
    found.push([brief.id, size]);
  }
  for (const [each, size] of parked) {
    loader.addParked(each);
    found.push([each.id, size]);
  }
  return found;
}

type Item = { run: RunState } | { stored: StoredRun } | { parked: ParkedRun };

/**
 * Runs of a state as they are now, given out bit by bit while the state goes on changing: one that is about to change
 * before its turn is written down first. One at a time for a state.
 */
export class Snapshot {
  readonly #state: PartitionState;
  readonly #sliceChars: number;
  readonly #left = new Map<string, Item>();
  /** Those that had to be written down before their turn. */
  #early: Piece[] = [];

  constructor(state: PartitionState, ids: Set<string>, sliceChars: number) {
    this.#state = state;
    this.#sliceChars = sliceChars;
    for (const id of ids) this.#left.set(id, itemOf(state, id));
    state.beforeChange = ({ id }) => {
      const item = this.#left.get(id);
      // What was not read since it was stored does not change with what is read from it.
      if (!item || !('run' in item)) return;
      this.#left.delete(id);
      this.#early.push(pieceOf(id, item));
    };
  }

  /** The next few, of so many slices; none: that was all. */
  next(slices = 1): Piece[] {
    const pieces = this.#early;
    this.#early = [];
    let chars = pieces.reduce((sum, piece) => sum + sizeOf(piece), 0);
    for (const [id, item] of this.#left) {
      if (chars >= this.#sliceChars * slices) break;
      this.#left.delete(id);
      const piece = pieceOf(id, item);
      pieces.push(piece);
      chars += sizeOf(piece);
    }
    return pieces;
  }

  stop(): void {
    this.#state.beforeChange = undefined;
  }
}

function itemOf(state: PartitionState, id: string): Item {
  const parked = state.parked.get(id);
  if (parked) return { parked };
  const stored = state.runs.stored(id);
  return stored ? { stored } : { run: state.runs.get(id)! };
}

function pieceOf(id: string, item: Item): Piece {
  if ('parked' in item) return { id, head: JSON.stringify(item.parked), run: undefined };
  if ('stored' in item) return { id, head: JSON.stringify(item.stored.brief), run: item.stored.text() };
  return { id, head: JSON.stringify(briefOf(item.run)), run: saveRun(item.run) };
}
