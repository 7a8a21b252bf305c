/**
 * One process at a time runs the server of a data folder. The claim is a lock that the operating system itself gives back when
 * its process ends, however it ends (SQLite's file lock: the one such lock that Node carries). So there are no stale claims,
 * and no process id has to be trusted; the id in `owner.json` is there to be read by people.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { TuttiError } from '@tutti/contracts';
import { RUN_LIMITS } from './limits.ts';

const sqliteBusy = 5;

export interface Ownership {
  release(): void;
}

/** Throws TuttiError `conflict`, naming the other process, when the folder stays taken for `ownerWaitMs`. */
export async function claimFolder(folder: string): Promise<Ownership> {
  const deadlineMs = performance.now() + RUN_LIMITS.ownerWaitMs;
  for (;;) {
    const ownership = tryClaim(folder);
    if (ownership) return ownership;
    if (performance.now() > deadlineMs) throw taken(folder);
    await sleep(RUN_LIMITS.ownerPollMs);
  }
}

function tryClaim(folder: string): Ownership | undefined {
  const database = new DatabaseSync(join(folder, 'owner.lock'), { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
    writeOwner(folder);
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === sqliteBusy) return undefined;
    throw error;
  }
  return { release: () => database.isOpen && database.close() };
}

function writeOwner(folder: string): void {
  const path = join(folder, 'owner.json');
  writeFileSync(`${path}.new`, JSON.stringify({ pid: process.pid, since: new Date().toISOString() }));
  renameSync(`${path}.new`, path);
}

function taken(folder: string): TuttiError {
  const owner = readOwner(folder);
  const who = owner ? `process ${owner.pid}, since ${owner.since}` : 'another process';
  return new TuttiError(
    'conflict',
    `Tutti is running on ${folder} already (${who}). Stop it first, or start this one with another data folder.`,
    { details: { pid: owner?.pid } },
  );
}

function readOwner(folder: string): { pid: number; since: string } | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'owner.json'), 'utf8'));
  } catch {
    return undefined;
  }
}
