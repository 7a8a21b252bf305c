/** Which store, from the configuration; waits for one that is not there yet. */
import { join } from 'node:path';
import { TuttiError } from '@tutti/contracts';
import type { Logger } from '@tutti/runtime';
import { openSqliteThread } from './adapters/sqlite/remote.ts';
import type { MemoryConfig } from './config.ts';
import type { MemoryStore } from './ports/store.ts';

const RETRY_MS = 500;

/** Rejects with `unavailable` when the store is still not there after `TUTTI_MEMORY_STORE_WAIT_MS`. */
export async function openStore(config: MemoryConfig, dataDir: string, log: Logger): Promise<MemoryStore> {
  const { MONGODB_URL: url, TUTTI_MONGODB_DATABASE: database } = config;
  const open = url ? () => openMongo(url, database) : () => openSqliteThread(join(dataDir, 'memory.sqlite'));
  const until = performance.now() + config.TUTTI_MEMORY_STORE_WAIT_MS;
  for (;;) {
    try {
      return await open();
    } catch (error) {
      const passes = error instanceof TuttiError && error.retryable;
      if (!passes || performance.now() + RETRY_MS > until) throw error;
      log.warn({ error: error.message }, 'waiting for the store');
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** Loaded only when it is used: the driver takes a good part of a start. */
async function openMongo(url: string, database: string): Promise<MemoryStore> {
  const { openMongoStore } = await import('./adapters/mongodb/store.ts');
  return openMongoStore(url, database);
}
