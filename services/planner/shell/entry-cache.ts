/** The entries that readers may ask the owner for: those of the runs it knows, as far as it has seen them itself. */
import type { RunEntry } from '@tutti/contracts';

const SLACK_RUNS = 256;

export class EntryCache {
  readonly #byRun = new Map<string, RunEntry[]>();
  readonly #perRunMax: number;
  constructor(perRunMax: number) {
    this.#perRunMax = perRunMax;
  }
  add(entry: RunEntry): void {
    const entries = this.#byRun.get(entry.run);
    if (!entries) this.#byRun.set(entry.run, [entry]);
    else if (entries.push(entry) > this.#perRunMax) entries.shift();
  }
  clear(): void {
    this.#byRun.clear();
  }
  /** Forgets runs that the state has let go of, now and then. */
  keepOnly(known: Map<string, unknown>): void {
    if (this.#byRun.size <= known.size + SLACK_RUNS) return;
    for (const run of this.#byRun.keys()) if (!known.has(run)) this.#byRun.delete(run);
  }
  /** `complete` is false when entries between `after` and the first one here are missing. */
  after(run: string, after: number): { entries: RunEntry[]; complete: boolean } {
    const entries = this.#byRun.get(run) ?? [];
    const first = entries[0]?.n ?? Number.POSITIVE_INFINITY;
    return { entries: entries.filter((entry) => entry.n > after), complete: first <= after + 1 };
  }
}
