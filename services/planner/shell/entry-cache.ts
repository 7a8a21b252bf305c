/**
 * The entries that readers may ask the owner for: the newest, as far as it has seen them itself. Bounded as a whole and
 * per run. Kept as JSON: many objects that live for a while are what a garbage collector likes least.
 */
import type { RunEntry } from '@tutti/contracts';

/** UTF-16 units of entries in one answer; whoever wants more asks again from there. */
const PAGE_CHARS_MAX = 200_000;

function page(json: string[], from: number): string[] {
  let chars = 0;
  let to = from;
  while (to < json.length && (to === from || chars + json[to]!.length <= PAGE_CHARS_MAX)) chars += json[to++]!.length;
  return json.slice(from, to);
}

interface Kept {
  /** Version of the first one; the others follow it without a gap. */
  first: number;
  json: string[];
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

  add({ run, n }: RunEntry, json: string): void {
    const kept = this.#byRun.get(run);
    this.#size++;
    if (!kept) this.#byRun.set(run, { first: n, json: [json] });
    else if (kept.json.push(json) > this.#perRunMax) {
      kept.json.shift();
      kept.first++;
      this.#size--;
    }
    // The runs that began first go first; whoever asks for them is told to ask memory.
    while (this.#size > this.#entriesMax) {
      const [oldest, dropped] = this.#byRun.entries().next().value!;
      this.#byRun.delete(oldest);
      this.#size -= dropped.json.length;
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
    const wanted = page(kept.json, Math.max(0, after + 1 - kept.first));
    return { entries: wanted.map((json) => JSON.parse(json) as RunEntry), complete: kept.first <= after + 1 };
  }
}
