/**
 * The cache of server binaries: `<cacheDir>/nats-server-<version>/nats-server`. A binary appears there by one rename, after it
 * was checked and has run, so that a reader sees a whole one or none, whatever the other processes that fetch do or die of.
 */
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { FETCH_LIMITS } from './limits.ts';
import type { Environment } from './pinned.ts';
import { probeVersion } from './probe-version.ts';
import { compareVersions, isNewEnough, versionNeeded } from './version.ts';

const workPrefix = '.fetch-';
const cachedName = /^nats-server-(\d+\.\d+\.\d+)$/;

export interface ServerBinary {
  path: string;
  version: string;
}

/** The newest usable binary of the cache. */
export async function findCached(
  cacheDir: string,
  binary: string,
  env: Environment,
): Promise<ServerBinary | undefined> {
  const versions = listNames(cacheDir).flatMap((name) => cachedName.exec(name)?.[1] ?? []);
  for (const version of versions.filter(isNewEnough).sort(compareVersions).reverse()) {
    const path = join(cacheDir, `nats-server-${version}`, binary);
    const probe = await probeVersion(path, env);
    if (probe.version && isNewEnough(probe.version)) return { path, version: probe.version };
  }
  return undefined;
}

/** A folder for one fetch, in the cache itself so that the last step is a rename within one file system. */
export function makeWorkDir(cacheDir: string): string {
  mkdirSync(cacheDir, { recursive: true });
  removeAbandoned(cacheDir);
  return mkdtempSync(join(cacheDir, workPrefix));
}

/** Checks that `source` runs and is new enough, then moves it to its place. Throws an Error that says why not. */
export async function installBinary(
  cacheDir: string,
  source: string,
  binary: string,
  env: Environment,
): Promise<ServerBinary> {
  const probe = await probeVersion(source, env);
  if (!probe.version) throw new Error(`what was fetched does not run here: ${probe.failure}`);
  if (!isNewEnough(probe.version))
    throw new Error(`what was fetched is ${probe.version}, older than ${versionNeeded()}`);
  const folder = join(cacheDir, `nats-server-${probe.version}`);
  const path = join(folder, binary);
  mkdirSync(folder, { recursive: true });
  try {
    renameSync(source, path);
  } catch (error) {
    // Windows does not replace a binary that runs: another process was faster, and its copy is as good as ours.
    if (!(await probeVersion(path, env)).version) throw error;
  }
  return { path, version: probe.version };
}

/** Written and flushed with the execute bit, so that after a power loss the rename never shows an empty file. */
export async function writeExecutable(path: string, content: Uint8Array): Promise<void> {
  const file = await open(path, 'w', 0o755);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

function removeAbandoned(cacheDir: string): void {
  for (const name of listNames(cacheDir).filter((each) => each.startsWith(workPrefix))) {
    const path = join(cacheDir, name);
    const changedMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
    if (Date.now() - changedMs > FETCH_LIMITS.abandonedAgeMs) rmSync(path, { recursive: true, force: true });
  }
}

function listNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
