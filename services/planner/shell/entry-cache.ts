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
}

export class EntryCache {
  readonly #byRun = new Map<string, Kept>();
  readonly #perRunMax: number;
  readonly #entriesMax: number;
  #size = 0;

  constructor(perRunMax: number, entriesMax: number) {
    this.#perRunMax = perRunMax;
    this.#entriesMax = entriesMax;
  }

  add(entry: RunEntry, json?: string): void {
    const { run, n } = entry;
    const kept = this.#byRun.get(run);
    this.#size++;
    if (!kept) this.#byRun.set(run, { first: n, entries: [json ?? entry] });
    else if (kept.entries.push(json ?? entry) > this.#perRunMax) {
      kept.entries.shift();
      kept.first++;
      this.#size--;
    }
    // The runs that began first go first; whoever asks for them is told to ask memory.
    while (this.#size > this.#entriesMax) {
      const [oldest, dropped] = this.#byRun.entries().next().value!;
      this.#byRun.delete(oldest);
      this.#size -= dropped.entries.length;
    }
  }

  clear(): void {
    this.#byRun.clear();
    this.#size = 0;
  }

  /** `complete` is false when entries between `after` and the first one here are missing. */
  after(run: string, after: number): { entries: RunEntry[]; complete: boolean } {
    const kept = this.#byRun.get(run);
    if (!kept) return { entries: [], complete: false };
    const entries = page(kept.entries, Math.max(0, after + 1 - kept.first));
    return { entries, complete: kept.first <= after + 1 };
  }
}
