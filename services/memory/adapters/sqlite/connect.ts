/**
 * Two connections to one file, for two promises:
 * - `durable` (`synchronous=FULL`): a commit is on the disk when it returns. For turns, which exist nowhere else.
 * - `derived` (`synchronous=NORMAL`): a commit survives the process, and a power loss may take the newest ones, each as a
 *   whole. For the projection: its position goes with it, and the log brings it again. Saves an fsync a write.
 * Both are used by one thread, one transaction at a time; other processes are waited for up to `busyTimeoutMs`.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { TuttiError } from '@tutti/contracts';
import { migrate } from './schema.ts';

const BUSY_TIMEOUT_MS = 5_000;
const PAGE_CACHE_KIB = 16_384;
/** Result codes after which the same may go through later: busy, locked, no memory, interrupted, I/O, full, cannot open. */
const PASSING = [5, 6, 7, 9, 10, 13, 14];

export interface Connections {
  durable: DatabaseSync;
  derived: DatabaseSync;
}

/** Throws when the file cannot be opened, or was written by a newer Tutti. */
export function connect(path: string): Connections {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const durable = open(path, 'FULL');
    migrate(durable, path);
    return { durable, derived: open(path, 'NORMAL') };
  } catch (error) {
    if (error instanceof TuttiError) throw error;
    const reason = `${(error as Error).message}. Its folder must be there and writable (TUTTI_DATA), on a local disk.`;
    throw new TuttiError('internal', `cannot open the SQLite file ${path}: ${reason}`, { cause: error });
  }
}

function open(path: string, synchronous: 'FULL' | 'NORMAL'): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  database.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; PRAGMA cache_size = -${PAGE_CACHE_KIB}`,
  );
  return database;
}

/** All of it or nothing. */
export function transaction<Result>(database: DatabaseSync, action: () => Result): Result {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = action();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** What passes becomes `unavailable`; the rest stays what it is. */
export function translate(error: unknown): unknown {
  const code = (error as { errcode?: number }).errcode;
  if (code === undefined || !PASSING.includes(code & 0xff)) return error;
  return new TuttiError('unavailable', `SQLite: ${(error as Error).message}`, { cause: error });
}
