/**
 * One `tutti up` at a time works in a data folder. The claim is SQLite's file lock: the operating system gives it back
 * when the process ends, however it ends, so no claim is ever stale.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { TuttiError } from '@tutti/contracts';

const SQLITE_BUSY = 5;

export interface DataFolder {
  path: string;
  /** What stands in a small JSON file of the folder; undefined: nothing readable. */
  read(name: string): unknown;
  write(name: string, value: unknown): void;
  /** A folder in it, made when it is not there. */
  folder(...names: string[]): string;
  release(): void;
}

/** Throws TuttiError `conflict` when another `tutti up` works there. */
export function claimDataFolder(dir: string): DataFolder {
  const path = resolve(dir);
  mkdirSync(path, { recursive: true });
  const lock = new DatabaseSync(join(path, 'up.lock'), { timeout: 0 });
  const folder: DataFolder = {
    path,
    read: (name) => readJson(join(path, name)),
    write: (name, value) => writeJson(join(path, name), value),
    folder(...names) {
      const made = join(path, ...names);
      mkdirSync(made, { recursive: true });
      return made;
    },
    release: () => lock.isOpen && lock.close(),
  };
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) throw taken(path, folder.read('up.json'));
    throw error;
  }
  folder.write('up.json', { pid: process.pid, since: new Date().toISOString() });
  return folder;
}

function taken(path: string, owner: unknown): TuttiError {
  const { pid, since } = (owner ?? {}) as { pid?: number; since?: string };
  const who = pid ? ` (process ${pid}, since ${since})` : '';
  return new TuttiError(
    'conflict',
    `Tutti is up on ${path} already${who}. Stop it first, or set TUTTI_DATA to another folder.`,
  );
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, JSON.stringify(value, null, 2));
  renameSync(`${file}.new`, file);
}
