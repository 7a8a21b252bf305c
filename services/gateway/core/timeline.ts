/**
 * Puts the entries of a run and of the runs below it in order, whatever order and however often they come. Pure.
 * Invariants: of each run every entry comes out once, by version, with no gap; a child's entries come after the entry
 * that started it and before the one that says it ended; nothing comes after the root's end.
 * `muted`: the entry is at or before the point that a reader resumes from; it was seen, and is not to be shown again.
 */
import { isEnd, type RunEntry } from '@tutti/contracts';

/** Entries of one run that may wait for an earlier one; more are dropped, and read again when their turn comes. */
export const PENDING_MAX = 5_000;

export interface TimelineEntry {
  entry: RunEntry;
  muted: boolean;
}

interface Track {
  run: string;
  parent: string | null;
  /** The version that comes next. */
  next: number;
  pending: Map<number, RunEntry>;
  ended: boolean;
}

export class Timeline {
  readonly root: string;
  readonly #resumeAfter: number;
  readonly #children: boolean;
  readonly #tracks = new Map<string, Track>();

  /** `resumeAfter`: version of the root that the reader has seen. `children: false` leaves the runs below out. */
  constructor(root: string, options: { resumeAfter?: number; children?: boolean } = {}) {
    this.root = root;
    this.#resumeAfter = options.resumeAfter ?? 0;
    this.#children = options.children ?? true;
    this.#track(root, null);
  }

  /** Takes an entry in and gives all that may come out now. Entries of runs that nobody announced are ignored. */
  accept(entry: RunEntry): TimelineEntry[] {
    const track = this.#tracks.get(entry.run);
    if (!track || track.ended || entry.n < track.next || track.pending.size >= PENDING_MAX) return [];
    track.pending.set(entry.n, entry);
    return this.#advance();
  }

  get ended(): boolean {
    return this.#root.ended;
  }

  /** Highest version of a run that came out; 0: none. */
  version(run: string): number {
    return (this.#tracks.get(run)?.next ?? 1) - 1;
  }

  /** Runs that are known and have not ended. While the root is below the point of resuming: the root alone. */
  open(): string[] {
    if (!this.#resumed) return this.ended ? [] : [this.root];
    return [...this.#tracks.values()].filter((track) => !track.ended).map((track) => track.run);
  }

  /** Runs whose next entries hold something up: it has a later one already, or its parent waits for it. */
  wanted(): string[] {
    const wanted = new Set<string>();
    for (const track of this.#tracks.values()) {
      if (track.ended || !this.#mayAdvance(track)) continue;
      const next = track.pending.get(track.next);
      if (!next && track.pending.size > 0) wanted.add(track.run);
      if (next) for (const child of this.#blockers(track, next)) wanted.add(child);
    }
    return [...wanted];
  }

  /** Goes on without the rest of a child. The root is never given up. */
  abandon(run: string): TimelineEntry[] {
    const track = this.#tracks.get(run);
    if (!track || run === this.root) return [];
    track.ended = true;
    track.pending.clear();
    return this.#advance();
  }

  get #root(): Track {
    return this.#tracks.get(this.root)!;
  }
  get #resumed(): boolean {
    return this.#root.next > this.#resumeAfter;
  }

  #track(run: string, parent: string | null): void {
    if (!this.#tracks.has(run)) this.#tracks.set(run, { run, parent, next: 1, pending: new Map(), ended: false });
  }

  #mayAdvance(track: Track): boolean {
    return track.run === this.root || this.#resumed;
  }

  #advance(): TimelineEntry[] {
    const out: TimelineEntry[] = [];
    for (let progress = true; progress; ) {
      progress = false;
      for (const track of [...this.#tracks.values()]) if (this.#drain(track, out)) progress = true;
    }
    return out;
  }

  #drain(track: Track, out: TimelineEntry[]): boolean {
    let moved = false;
    while (!track.ended && this.#mayAdvance(track)) {
      const entry = track.pending.get(track.next);
      if (!entry || this.#blockers(track, entry).length > 0) break;
      track.pending.delete(track.next);
      track.next++;
      moved = true;
      out.push({ entry, muted: track.run === this.root && entry.n <= this.#resumeAfter });
      this.#apply(track, entry);
      // Whoever stands earlier in the order, and waits for this one, comes first.
      if (track.ended) break;
    }
    return moved;
  }

  #apply(track: Track, entry: RunEntry): void {
    if (entry.type === 'child.started' && this.#children) this.#track(entry.child, track.run);
    // Ended before the reader's resuming point: it has seen all of it.
    if (entry.type === 'child.ended' && !this.#resumedBefore(track, entry)) this.#end(entry.outcome.child);
    if (isEnd(entry)) {
      track.ended = true;
      track.pending.clear();
    }
  }

  #resumedBefore(track: Track, entry: RunEntry): boolean {
    return track.run !== this.root || entry.n > this.#resumeAfter;
  }

  #end(child: string): void {
    const track = this.#tracks.get(child);
    if (!track) return;
    track.ended = true;
    track.pending.clear();
  }

  /** Children that have to come to their end before this entry may come out. */
  #blockers(track: Track, entry: RunEntry): string[] {
    if (!this.#resumedBefore(track, entry)) return [];
    if (entry.type === 'child.ended') return this.#unended(entry.outcome.child);
    if (!isEnd(entry)) return [];
    return [...this.#tracks.values()].filter((other) => other.parent === track.run && !other.ended).map((t) => t.run);
  }

  #unended(run: string): string[] {
    const track = this.#tracks.get(run);
    return track && !track.ended ? [run] : [];
  }
}
