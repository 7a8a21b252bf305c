/** One watcher of a memory server's bucket: what is there first, then every change; after a lost connection, what has changed since. */
import type { Bucket, BucketEntry } from '@tutti/runtime';
import type { Connection, MemoryServer } from './memory-server.ts';
import type { StoredValue } from './memory-store.ts';

export class MemoryWatcher {
  readonly ready: Promise<void>;
  readonly #server: MemoryServer;
  readonly #connection: Connection;
  readonly #bucket: string;
  readonly #handler: Parameters<Bucket['watch']>[0];
  #resolveReady = () => {};
  #seen = 0;
  #stopped = false;
  #detach = () => {};

  constructor(server: MemoryServer, connection: Connection, bucket: string, handler: Parameters<Bucket['watch']>[0]) {
    this.#server = server;
    this.#connection = connection;
    this.#bucket = bucket;
    this.#handler = handler;
    this.ready = new Promise((resolve) => {
      this.#resolveReady = resolve;
    });
  }

  /** At the server. */
  attach(): void {
    this.#detach();
    const { process, generation } = this.#connection;
    if (this.#stopped || !process.alive) return;
    const store = this.#server.bucket(this.#bucket);
    for (const stored of store.since(this.#seen)) this.#send(stored);
    this.#server.toClient(this.#connection, () => this.#resolveReady());
    this.#detach = store.watch((stored) => {
      // What belonged to a connection goes with it.
      if (process.alive && this.#connection.generation === generation) this.#send(stored);
      else this.#detach();
    });
  }

  #send(stored: StoredValue): void {
    this.#server.toClient(this.#connection, () => {
      if (this.#stopped || stored.revision <= this.#seen) return;
      this.#seen = stored.revision;
      try {
        this.#handler(stored.key, entryOf(stored));
      } catch (error) {
        this.#server.onHandlerError?.(this.#connection.process, error);
      }
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#detach();
  }
}

export function entryOf(stored: StoredValue | null): BucketEntry | null {
  return stored && stored.value !== null ? { key: stored.key, value: stored.value, revision: stored.revision } : null;
}
