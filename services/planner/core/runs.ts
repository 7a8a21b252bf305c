/**
 * The runs of a partition, by id. Ten thousand of them must be there within a second of a take-over: what a checkpoint
 * holds of a run stays text until it is asked for, and a brief beside it says what has to be known of every run at once.
 */
import type { RunDue } from './rebuild.ts';
import type { RunState } from './state.ts';

/** What the partition must know of each run before anything is asked of it. */
export interface RunBrief {
  id: string;
  tenant: string;
  session: string;
  status: RunState['status'];
  bundle: string;
  /** Nobody's child. */
  root: boolean;
  due: RunDue[];
  /** Only children, humans or time can make it go on. */
  idle: boolean;
  /** Calls that were sent and have no result. */
  open: string[];
  /** Its own, that nobody has decided, and the others. */
  approvals: string[];
  decided: string[];
}

export interface StoredRun {
  brief: RunBrief;
  /** As saveRun gives it. */
  text(): string;
  read(): RunState;
}

export class Runs extends Map<string, RunState> {
  readonly #stored = new Map<string, StoredRun>();

  /** Not read until somebody asks for it. */
  store(run: StoredRun): void {
    super.delete(run.brief.id);
    this.#stored.set(run.brief.id, run);
  }

  /** As it was stored, where it was not asked for since. */
  stored(id: string): StoredRun | undefined {
    return this.#stored.get(id);
  }

  /** Runs of which there is only a brief, and the others. */
  *briefs(): Generator<{ brief: RunBrief; run?: undefined } | { run: RunState; brief?: undefined }> {
    for (const { brief } of this.#stored.values()) yield { brief };
    for (const run of super.values()) yield { run };
  }

  override get(id: string): RunState | undefined {
    const known = super.get(id);
    if (known || this.#stored.size === 0) return known;
    const stored = this.#stored.get(id);
    if (!stored) return undefined;
    const run = stored.read();
    this.#stored.delete(id);
    super.set(id, run);
    return run;
  }
  override has(id: string): boolean {
    return super.has(id) || this.#stored.has(id);
  }
  override set(id: string, run: RunState): this {
    this.#stored?.delete(id);
    return super.set(id, run);
  }
  override delete(id: string): boolean {
    const stored = this.#stored.delete(id);
    return super.delete(id) || stored;
  }
  override clear(): void {
    this.#stored.clear();
    super.clear();
  }
  override get size(): number {
    return super.size + this.#stored.size;
  }

  #readAll(): void {
    for (const id of [...this.#stored.keys()]) this.get(id);
  }
  override keys(): MapIterator<string> {
    this.#readAll();
    return super.keys();
  }
  override values(): MapIterator<RunState> {
    this.#readAll();
    return super.values();
  }
  override entries(): MapIterator<[string, RunState]> {
    this.#readAll();
    return super.entries();
  }
  override [Symbol.iterator](): MapIterator<[string, RunState]> {
    return this.entries();
  }
  override forEach(action: (run: RunState, id: string, runs: Map<string, RunState>) => void): void {
    this.#readAll();
    super.forEach(action);
  }
}
