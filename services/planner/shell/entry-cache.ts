/**
 * The entries that readers may ask the owner for: the newest, as far as it has seen them itself. Bounded as a whole and
 * per run. Kept as JSON: many objects that live for a while are what a garbage collector likes least.
 */
import type { RunEntry } from '@tutti/contracts';

/** UTF-16 units of entries in one answer; whoever wants more asks again from there. */
const PAGE_CHARS_MAX = 200_000;

function page(kept: Entry[], from: number): RunEntry[] {
  const entries: RunEntry[] = [];
  let chars = 0;
  for (const [at, entry] of kept.slice(from).entries()) {
    const json = typeof entry === 'string' ? entry : JSON.stringify(entry);
    if (at > 0 && chars + json.length > PAGE_CHARS_MAX) break;
    chars += json.length;
    entries.push(typeof entry === 'string' ? (JSON.parse(entry) as RunEntry) : entry);
  }
  return entries;
}

/** As JSON, or as it is: what a new owner has replayed it does not write down again before somebody asks. */
type Entry = string | RunEntry;

interface Kept {
  /** Version of the first one; the others follow it without a gap. */
  first: number;
  entries: Entry[];
  chars: number;
}

export interface EntryCacheLimits {
  /** Entries of one run. */
  perRunMax: number;
  entriesMax: number;
  /** UTF-16 units of all entries as JSON. The newest run is kept whatever its size. */
  charsMax: number;
}

export class EntryCache {
  readonly #byRun = new Map<string, Kept>();
  readonly #limits: EntryCacheLimits;
  #size = 0;
  #chars = 0;

  constructor(limits: EntryCacheLimits) {
    this.#limits = limits;
  }

  add(entry: RunEntry, json: string): void {
    this.#add(entry, json, json.length);
  }

  /** What was read from the log: `chars` is about its size. */
  addReplayed(entry: RunEntry, chars: number): void {
    this.#add(entry, entry, chars);
  }

  #add({ run, n }: RunEntry, entry: Entry, chars: number): void {
    const kept = this.#byRun.get(run) ?? { first: n, entries: [], chars: 0 };
    if (kept.entries.length === 0) this.#byRun.set(run, kept);
    kept.entries.push(entry);
    kept.chars += chars;
    this.#size++;
    this.#chars += chars;
    if (kept.entries.length > this.#limits.perRunMax) this.#dropFirst(kept);
    // The runs that began first go first; whoever asks for them is told to ask memory.
    while ((this.#size > this.#limits.entriesMax || this.#chars > this.#limits.charsMax) && this.#byRun.size > 1)
      this.#dropOldest();
  }

  #dropFirst(kept: Kept): void {
    const entry = kept.entries.shift()!;
    // One that was replayed is as large as the others are on average: nearly all of a run's are of one kind.
    const chars = typeof entry === 'string' ? entry.length : kept.chars / (kept.entries.length + 1);
    kept.first++;
    kept.chars -= chars;
    this.#size--;
    this.#chars -= chars;
  }

  #dropOldest(): void {
    const [oldest, { entries, chars }] = this.#byRun.entries().next().value!;
    this.#byRun.delete(oldest);
    this.#size -= entries.length;
    this.#chars -= chars;
  }

  clear(): void {
    this.#byRun.clear();
    this.#size = 0;
    this.#chars = 0;
  }

  /** `complete` is false when entries between `after` and the first one here are missing. */
  after(run: string, after: number): { entries: RunEntry[]; complete: boolean } {
    const kept = this.#byRun.get(run);
    if (!kept) return { entries: [], complete: false };
    const entries = page(kept.entries, Math.max(0, after + 1 - kept.first));
    return { entries, complete: kept.first <= after + 1 };
  }
}
