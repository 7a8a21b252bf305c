/**
 * When a checkpoint is due: by what has come since the last one, so that replay is bounded, and by time, sooner where it
 * is worth it, so that a hand-over in a quiet moment has little to replay.
 */
import type { Clock } from '@tutti/runtime';
import { PLANNER_LIMITS, type PlannerConfig } from '../config.ts';

export class CheckpointDue {
  readonly #config: PlannerConfig;
  readonly #clock: Clock;
  #entries = 0;
  #bytes = 0;
  #at: number;

  /** `entries`, `bytes`: of what was replayed behind the last one. */
  constructor(config: PlannerConfig, clock: Clock, entries: number, bytes: number) {
    this.#config = config;
    this.#clock = clock;
    this.#entries = entries;
    this.#bytes = bytes;
    this.#at = clock.monotonic();
  }

  wrote(entries: number, json: string[]): void {
    this.#entries += entries;
    for (const entry of json) this.#bytes += entry.length;
  }

  get now(): boolean {
    const { TUTTI_CHECKPOINT_ENTRIES, TUTTI_CHECKPOINT_BYTES, TUTTI_CHECKPOINT_MS } = this.#config;
    if (this.#entries >= TUTTI_CHECKPOINT_ENTRIES || this.#bytes >= TUTTI_CHECKPOINT_BYTES) return true;
    const some = this.#bytes >= TUTTI_CHECKPOINT_BYTES * PLANNER_LIMITS.checkpointSoonShare;
    const afterMs = some ? PLANNER_LIMITS.checkpointSoonMs : TUTTI_CHECKPOINT_MS;
    return this.#entries > 0 && this.#clock.monotonic() - this.#at >= afterMs;
  }

  /** One is being written. */
  begun(): void {
    this.#entries = 0;
    this.#bytes = 0;
    this.#at = this.#clock.monotonic();
  }
}
