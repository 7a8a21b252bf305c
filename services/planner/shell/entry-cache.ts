/** The entries that readers may ask the owner for: the newest, as far as it has seen them itself. Bounded as a whole and per run. */
import type { RunEntry } from '@tutti/contracts';

export class EntryCache {
  readonly #byRun = new Map<string, RunEntry[]>();
  readonly #perRunMax: number;
  readonly #entriesMax: number;
  #size = 0;

  constructor(perRunMax: number, entriesMax: number) {
    this.#perRunMax = perRunMax;
    this.#entriesMax = entriesMax;
  }

  add(entry: RunEntry): void {
    const entries = this.#byRun.get(entry.run);
    this.#size++;
    if (!entries) this.#byRun.set(entry.run, [entry]);
    else if (entries.push(entry) > this.#perRunMax) {
      entries.shift();
      this.#size--;
    }
    // The runs that began first go first; whoever asks for them is told to ask memory.
    while (this.#size > this.#entriesMax) {
      const [oldest, dropped] = this.#byRun.entries().next().value!;
      this.#byRun.delete(oldest);
      this.#size -= dropped.length;
    }
  }

  clear(): void {
    this.#byRun.clear();
    this.#size = 0;
  }

  /** `complete` is false when entries between `after` and the first one here are missing. */
  after(run: string, after: number): { entries: RunEntry[]; complete: boolean } {
    const entries = this.#byRun.get(run) ?? [];
    const first = entries[0]?.n ?? Number.POSITIVE_INFINITY;
    return { entries: entries.filter((entry) => entry.n > after), complete: first <= after + 1 };
  }
}
