/**
 * The index engine in a thread of its own, so that loading, indexing and long searches never hold up the service's
 * event loop. Every call is settled exactly once, also when the thread dies; searches and listings that wait are bounded.
 */
import { Worker } from 'node:worker_threads';
import { TuttiError } from '@tutti/contracts';
import type { IndexSettings } from '../config.ts';
import { IndexCorrupt, type IndexEngine, type LogRecord } from '../ports/index-engine.ts';
import type { EngineCall, EngineOperation, EngineReply } from './engine-calls.ts';

const BUSY_RETRY_MS = 250;

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export interface ThreadedEngineOptions {
  /** Folder of the index files. */
  folder: string;
  settings: IndexSettings;
  callsPendingMax: number;
  /** The module that answers; tests put one in its place that dies. */
  thread?: URL;
}

export class ThreadedEngine implements IndexEngine {
  readonly #options: ThreadedEngineOptions;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #nextId = 1;
  #onLost: (error: Error) => void = () => {};

  constructor(options: ThreadedEngineOptions) {
    this.#options = options;
  }

  onLost(handler: (error: Error) => void): void {
    this.#onLost = handler;
  }

  open() {
    this.#worker ??= this.#start();
    return this.#call('open') as ReturnType<IndexEngine['open']>;
  }
  async beginReplay() {
    await this.#call('beginReplay');
  }
  finishReplay() {
    return this.#call('finishReplay') as Promise<number>;
  }
  apply(records: LogRecord[]) {
    // A view would take its whole buffer along: what is sent is a copy of its own, handed over. (`slice` of a Buffer is a view.)
    const copies = records.map((record) => ({ ...record, data: new Uint8Array(record.data) }));
    return this.#call(
      'apply',
      copies,
      copies.map((copy) => copy.data.buffer as ArrayBuffer),
    ) as ReturnType<IndexEngine['apply']>;
  }
  async advance(position: number) {
    await this.#call('advance', position);
  }
  async search(question: Parameters<IndexEngine['search']>[0]) {
    this.#admit();
    return (await this.#call('search', question)) as Awaited<ReturnType<IndexEngine['search']>>;
  }
  async list(question: Parameters<IndexEngine['list']>[0]) {
    this.#admit();
    return (await this.#call('list', question)) as Awaited<ReturnType<IndexEngine['list']>>;
  }
  async reset() {
    this.#worker ??= this.#start();
    await this.#call('reset');
  }
  async close() {
    const worker = this.#worker;
    if (!worker) return;
    await this.#call('close').catch(() => {});
    this.#worker = undefined;
    await worker.terminate();
    this.#failAll(closed());
  }

  #admit(): void {
    if (this.#pending.size < this.#options.callsPendingMax) return;
    throw new TuttiError('overloaded', `${this.#pending.size} calls wait for the index, its limit`, {
      retryAfterMs: BUSY_RETRY_MS,
    });
  }

  #start(): Worker {
    const { folder, settings, thread = new URL('./engine-thread.ts', import.meta.url) } = this.#options;
    const worker = new Worker(thread, {
      name: 'tutti-retriever-index',
      workerData: { folder, settings },
      execArgv: [],
    });
    worker.on('message', (reply: EngineReply) => this.#settle(reply));
    worker.on('error', (error) => this.#lost(worker, error as Error));
    worker.on('exit', (code) => this.#lost(worker, new Error(`the index thread ended with code ${code}`)));
    return worker;
  }

  #call(operation: EngineOperation, argument?: unknown, transfer: ArrayBuffer[] = []): Promise<unknown> {
    const worker = this.#worker;
    if (!worker) return Promise.reject(closed());
    const call: EngineCall = { id: this.#nextId++, operation, argument };
    return new Promise((resolve, reject) => {
      worker.postMessage(call, transfer);
      this.#pending.set(call.id, { resolve, reject });
    });
  }

  #settle(reply: EngineReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (reply.ok) pending?.resolve(reply.result);
    else if ('corrupt' in reply) pending?.reject(new IndexCorrupt(reply.corrupt));
    else pending?.reject(TuttiError.from(reply.error));
  }

  #lost(worker: Worker, cause: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const error = new TuttiError('unavailable', `the index stopped: ${cause.message}`, { cause });
    this.#failAll(error);
    this.#onLost(error);
  }

  #failAll(error: Error): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(error);
  }
}

function closed(): TuttiError {
  return new TuttiError('unavailable', 'the index is not open right now');
}
