/**
 * Keeps the index in step with the document log: opens it, decides whether what is there may be continued, follows the
 * log, and begins again after any failure. Invariants: records are applied in order, one batch at a time; the position
 * moves past a record only when it is in the index or in the dead letters; ready means that all that stood in the log
 * when following began is in the index.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { STREAMS } from '@tutti/contracts';
import type { Bus, Counter, Logger, StoredMessage } from '@tutti/runtime';
import { bury } from './dead-letters.ts';
import { IndexCorrupt, type IndexEngine, type IndexState, type LogRecord } from './ports/index-engine.ts';
import { RecordQueue } from './record-queue.ts';

export interface IndexerLimits {
  batchRecordsMax: number;
  batchBytesMax: number;
  queueBytesMax: number;
  restartWaitMs: number;
  restartWaitMaxMs: number;
}

/** Two readings of one time stamp, rounded from nanoseconds, may differ by this much. */
const STORED_AT_TOLERANCE_MS = 1;

export class Indexer {
  readonly #bus: Bus;
  readonly #engine: IndexEngine;
  readonly #log: Logger;
  readonly #limits: IndexerLimits;
  readonly #stopping = new AbortController();
  #ready = false;
  #fail: (error: Error) => void = () => {};
  #running: Promise<void> | undefined;

  readonly #buried: Counter | undefined;

  /** `buried`: counts what is put among the dead letters. */
  constructor(options: { bus: Bus; engine: IndexEngine; log: Logger; limits: IndexerLimits; buried?: Counter }) {
    this.#bus = options.bus;
    this.#engine = options.engine;
    this.#log = options.log;
    this.#limits = options.limits;
    this.#buried = options.buried;
    this.#engine.onLost((error) => this.#fail(error));
  }

  get ready(): boolean {
    return this.#ready;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#ready = false;
    this.#stopping.abort();
    this.#fail(new Error('stopped'));
    await this.#running;
    await this.#engine.close();
  }

  /** Something found the index broken or gone: it is opened anew, and dropped first where it is damaged. */
  report(error: Error): void {
    if (error instanceof IndexCorrupt) this.#fail(error);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let waitMs = this.#limits.restartWaitMs;
    while (!signal.aborted) {
      const wasReady = await this.#cycle();
      this.#ready = false;
      if (wasReady) waitMs = this.#limits.restartWaitMs;
      await sleep(waitMs, undefined, { signal }).catch(() => {});
      waitMs = Math.min(waitMs * 2, this.#limits.restartWaitMaxMs);
    }
  }

  /** From opening to the next failure. Returns whether it was ready in between. */
  async #cycle(): Promise<boolean> {
    const cycle = new AbortController();
    const failed = new Promise<never>((_, reject) => {
      onAbort(cycle.signal, () => reject(cycle.signal.reason));
    });
    this.#fail = (error) => cycle.abort(error);
    if (this.#stopping.signal.aborted) cycle.abort(new Error('stopped'));
    const caughtUp = this.#catchUp(cycle.signal);
    try {
      await Promise.race([failed, caughtUp]);
      this.#ready = true;
      return await failed;
    } catch (error) {
      cycle.abort(error);
      // What was under way sees the abort and ends; two cycles never work on the index at once.
      await caughtUp.catch(() => {});
      await this.#failed(error as Error);
      return this.#ready;
    }
  }

  async #failed(error: Error): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#log.error({ err: error }, 'the index failed and is opened anew');
    if (!(error instanceof IndexCorrupt)) return;
    await this.#engine
      .reset()
      .catch((reason) => this.#log.error({ err: reason }, 'a damaged index could not be dropped'));
  }

  async #catchUp(signal: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    const state = await this.#engine.open();
    if (state.dropped) this.#log.warn({ reason: state.dropped }, 'the index file was dropped and is made again');
    const isKept = await this.#isSameLog(state);
    signal.throwIfAborted();
    if (!isKept) await this.#engine.beginReplay();
    const queue = new RecordQueue({
      ...this.#limits,
      work: (records) => this.#apply(records),
      failed: (error) => this.#fail(error),
    });
    onAbort(signal, () => queue.stop());
    const from = isKept ? state.position + 1 : 1;
    const follower = await this.#bus.follow(STREAMS.knowledge.name, [...STREAMS.knowledge.subjects], from, (message) =>
      queue.push(message),
    );
    onAbort(signal, () => follower.stop());
    const status = this.#bus.onStatus((now) => {
      if (now === 'connected') void this.#recheck(queue.last ?? state.anchors[0]);
    });
    onAbort(signal, () => status.stop());
    await follower.caughtUp;
    await queue.idle();
    signal.throwIfAborted();
    const removed = await this.#engine.finishReplay();
    if (queue.position > 0) await this.#engine.advance(queue.position);
    this.#log.info({ from, position: queue.position, removed, durationMs: performance.now() - startedAt }, 'caught up');
  }

  async #apply(records: LogRecord[]): Promise<void> {
    const refusals = await this.#engine.apply(records);
    if (refusals.length === 0) return;
    const bySequence = new Map(records.map((record) => [record.sequence, record]));
    for (const refusal of refusals) {
      this.#log.warn({ ...refusal }, 'a document cannot be indexed');
      await bury(this.#bus, refusal, bySequence.get(refusal.sequence)!);
      this.#buried?.inc();
    }
    await this.#engine.advance(records.at(-1)!.sequence);
  }

  /**
   * Does the stream still hold a message that the index was made from, where it was? Then it is the same stream, and
   * following goes on behind the position. Otherwise (another server, a stream made anew, everything changed since)
   * the whole log is compared with what is there.
   */
  async #isSameLog(state: IndexState): Promise<boolean> {
    if (state.position === 0) return false;
    for (const anchor of state.anchors) {
      const last = await this.#bus.last(STREAMS.knowledge.name, anchor.subject);
      if (isSame(last, anchor)) return true;
      if (!last || last.sequence < anchor.sequence) return false;
    }
    return false;
  }

  /** After a reconnect it may be another server's stream: what was applied last must still be there, or be overtaken. */
  async #recheck(applied: Omit<LogRecord, 'data'> | undefined): Promise<void> {
    if (!applied) return;
    try {
      const last = await this.#bus.last(STREAMS.knowledge.name, applied.subject);
      if (isSame(last, applied) || (last && last.sequence > applied.sequence)) return;
      this.#fail(new Error('the document log is not the one that this index was made from'));
    } catch (error) {
      this.#log.warn({ err: error }, 'the document log could not be compared after a reconnect');
    }
  }
}

function isSame(last: StoredMessage | null, known: Omit<LogRecord, 'data'>): boolean {
  return last?.sequence === known.sequence && Math.abs(last.storedAt - known.storedAt) <= STORED_AT_TOLERANCE_MS;
}

/** At once when it has happened already. */
function onAbort(signal: AbortSignal, action: () => void): void {
  if (signal.aborted) action();
  else signal.addEventListener('abort', action, { once: true });
}
