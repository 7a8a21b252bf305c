/**
 * What of a partition's log and inbound may go: what a checkpoint holds, memory has projected, and is older than the
 * retention's age or beyond its size. Live runs are in the checkpoint (or parked), so none is ever lost by it.
 */
import { BUCKETS, STREAMS, subjects } from '@tutti/contracts';
import type { Bus, Clock } from '@tutti/runtime';

/** A position of the past: what lies before it is at least as old. */
interface Mark {
  at: number;
  /** Bytes written by this owner until then. */
  written: number;
  log: number;
  inbound: number;
}

const MARKS_MAX = 1_000;

export interface RetentionOptions {
  bus: Bus;
  partition: number;
  /** That holds this partition's log. */
  stream: string;
  clock: Clock;
  keepMs: number;
  keepBytes: number;
}

export class Retention {
  readonly #options: RetentionOptions;
  readonly #marks: Mark[] = [];
  #written = 0;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  wrote(bytes: number): void {
    this.#written += bytes;
  }

  /** `log`, `inbound`: positions up to which a checkpoint holds everything. */
  async purge(log: number, inbound: number): Promise<void> {
    const { bus, partition, stream, clock, keepMs, keepBytes } = this.#options;
    const now = clock.now();
    this.#marks.push({ at: now, written: this.#written, log, inbound });
    if (this.#marks.length > MARKS_MAX) this.#marks.splice(1, 1);
    const old = (mark: Mark) => mark.at <= now - keepMs || mark.written <= this.#written - keepBytes;
    const reached = this.#marks.filter(old).at(-1);
    if (!reached) return;
    this.#marks.splice(0, this.#marks.indexOf(reached) + 1);
    const projected = await this.#projected();
    if (projected > 0) await bus.purge(stream, subjects.log(partition), Math.min(reached.log, projected) + 1);
    await bus.purge(STREAMS.inbound.name, subjects.inboundOf(partition), reached.inbound + 1);
  }

  /** How far memory has projected this partition's log; 0: nobody says. */
  async #projected(): Promise<number> {
    const { bus, partition } = this.#options;
    const entry = await (await bus.bucket(BUCKETS.positions)).get(`memory.${partition}`);
    return entry ? Number(new TextDecoder().decode(entry.value)) : 0;
  }
}
