/**
 * Between the log, which delivers one record after another, and the index, which likes batches. Bounded: a full queue
 * makes the log wait. Invariants: records are worked on in order, one batch at a time; a record that came before is
 * passed over; after a failure nothing more is worked on.
 */
import type { LogRecord } from './ports/index-engine.ts';

export interface RecordQueueOptions {
  batchRecordsMax: number;
  batchBytesMax: number;
  queueBytesMax: number;
  work(records: LogRecord[]): Promise<void>;
  failed(error: Error): void;
}

export class RecordQueue {
  readonly #options: RecordQueueOptions;
  #waiting: LogRecord[] = [];
  #bytes = 0;
  #received = 0;
  #last: Omit<LogRecord, 'data'> | undefined;
  #working: Promise<void> | undefined;
  #waiters: (() => void)[] = [];
  #stopped = false;

  constructor(options: RecordQueueOptions) {
    this.#options = options;
  }

  /** Sequence of the last record that was worked on; 0 before. */
  get position(): number {
    return this.#last?.sequence ?? 0;
  }
  get last(): Omit<LogRecord, 'data'> | undefined {
    return this.#last;
  }

  /** Resolves at once while there is room, else when the batch under way is done. */
  push(record: LogRecord): void | Promise<void> {
    if (this.#stopped || record.sequence <= this.#received) return;
    this.#received = record.sequence;
    this.#waiting.push(record);
    this.#bytes += record.data.byteLength;
    this.#working ??= this.#work();
    return this.#bytes > this.#options.queueBytesMax ? this.#room() : undefined;
  }

  async #room(): Promise<void> {
    while (!this.#stopped && this.#bytes > this.#options.queueBytesMax)
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }
  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  async #work(): Promise<void> {
    // Whatever else arrives in this tick shall be in the first batch.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0 && !this.#stopped) {
      const batch = this.#take();
      try {
        await this.#options.work(batch);
      } catch (error) {
        this.stop();
        this.#options.failed(error as Error);
        return;
      }
      const { subject, sequence, storedAt } = batch.at(-1)!;
      this.#last = { subject, sequence, storedAt };
      for (const record of batch) this.#bytes -= record.data.byteLength;
      this.#wake();
    }
    this.#working = undefined;
  }

  #take(): LogRecord[] {
    let count = 0;
    let bytes = 0;
    while (count < Math.min(this.#waiting.length, this.#options.batchRecordsMax)) {
      bytes += this.#waiting[count]!.data.byteLength;
      if (count > 0 && bytes > this.#options.batchBytesMax) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  /** Resolves when everything that was received has been worked on. */
  async idle(): Promise<void> {
    while (this.#working && !this.#stopped) await this.#working;
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
    this.#wake();
  }
}
