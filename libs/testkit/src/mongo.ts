/**
 * A MongoDB for tests: the developer's own (`MONGODB_URL`, under a fresh database name), or else SecantusDB, a MongoDB wire
 * server from PyPI, in a virtual environment in the cache and run as a process of its own (it is GPL: never linked).
 * Invariants: the environment appears in the cache by one rename, so a reader sees a whole one or none; each start has a
 * storage folder and a port of its own; `stop` ends exactly the process that was started and removes its folder.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSION = '0.7.0b3';
const REQUIREMENT = `secantusdb==${VERSION}`;
const INSTALL_TIMEOUT_MS = 300_000;
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;
const OUTPUT_CHARS_MAX = 8_000;
const REPOSITORY = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

export interface TestMongo {
  /** With a database name of its own in the path. */
  url: string;
  stop(): Promise<void>;
}

/**
 * Null, after a loud line on standard error with the reason, when no server can be had here. With `CI` set it throws
 * instead: there a skipped suite would be a lie.
 */
export async function startMongo(): Promise<TestMongo | null> {
  const own = process.env.MONGODB_URL;
  if (own) return { url: withDatabase(own), stop: async () => {} };
  try {
    return await startSecantus(await installSecantus());
  } catch (error) {
    const reason = `no MongoDB for tests: ${(error as Error).message}. Set MONGODB_URL, or make python3 with pip available (${REQUIREMENT}).`;
    if (process.env.CI) throw new Error(reason, { cause: error });
    process.stderr.write(`\n!!! SKIPPED: ${reason}\n\n`);
    return null;
  }
}

/** By hand, not by `URL`: an address may name several hosts. */
function withDatabase(address: string): string {
  const parts = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/([^?]*))?(?:\?(.*))?$/.exec(address);
  if (!parts) throw new Error('MONGODB_URL is not an address that starts with mongodb:// or mongodb+srv://');
  const [, hosts, database, query] = parts;
  const options = new URLSearchParams(query);
  // The user lives in the database of the path unless it is said otherwise: keep it where it was.
  if (hosts!.includes('@') && !options.has('authSource')) options.set('authSource', database || 'admin');
  return `${hosts}/tutti_test_${randomBytes(6).toString('hex')}${options.size ? `?${options}` : ''}`;
}

async function installSecantus(): Promise<string> {
  const cache = resolve(process.env.TUTTI_CACHE ?? join(REPOSITORY, '.cache'));
  const folder = join(cache, `secantusdb-${VERSION}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, '.secantusdb-'));
  try {
    await run('python3', ['-m', 'venv', work]);
    const pip = ['-m', 'pip', 'install', '--pre', '--quiet', '--no-input', '--disable-pip-version-check', REQUIREMENT];
    await run(join(work, 'bin/python'), pip);
    try {
      renameSync(work, folder);
    } catch (error) {
      // Another process was faster: its environment is as good.
      if (!existsSync(folder)) throw error;
    }
    return folder;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function run(command: string, parameters: string[]): Promise<void> {
  return new Promise((done, failed) => {
    const child = spawn(command, parameters, { stdio: ['ignore', 'pipe', 'pipe'], timeout: INSTALL_TIMEOUT_MS });
    const output = collect(child);
    child.once('error', (error) => failed(new Error(`${command} cannot be started: ${error.message}`)));
    child.once('close', (code, signal) => {
      if (code === 0) return done();
      failed(
        new Error(`${command} ${parameters.join(' ')} ended with ${code ?? signal}: ${output().slice(-500).trim()}`),
      );
    });
  });
}

function collect(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-OUTPUT_CHARS_MAX);
    });
  return () => text;
}

async function startSecantus(folder: string): Promise<TestMongo> {
  const storage = mkdtempSync(join(tmpdir(), 'tutti-mongo-'));
  // Through its interpreter: the script's first line names the folder that it was installed in, before the rename.
  const parameters = [
    join(folder, 'bin/secantusd-py'),
    '--host',
    '127.0.0.1',
    '--port',
    '0',
    '--storage-path',
    storage,
  ];
  const child = spawn(join(folder, 'bin/python'), parameters, { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = collect(child);
  try {
    const port = await listening(child, output);
    return {
      url: `mongodb://127.0.0.1:${port}/tutti_test_${randomBytes(6).toString('hex')}`,
      stop: () => stopServer(child, storage),
    };
  } catch (error) {
    await stopServer(child, storage);
    throw error;
  }
}

function listening(child: ChildProcess, output: () => string): Promise<number> {
  return new Promise((done, failed) => {
    const timer = setTimeout(
      () => failed(new Error(`SecantusDB did not start within ${START_TIMEOUT_MS} ms: ${output()}`)),
      START_TIMEOUT_MS,
    );
    const look = () => {
      const port = /listening on [\d.]+:(\d+)/.exec(output())?.[1];
      if (!port) return;
      clearTimeout(timer);
      done(Number(port));
    };
    child.stdout?.on('data', look);
    child.stderr?.on('data', look);
    child.once('error', failed);
    child.once('exit', (code) => failed(new Error(`SecantusDB ended with ${code}: ${output()}`)));
  });
}

async function stopServer(child: ChildProcess, storage: string): Promise<void> {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
  }
  rmSync(storage, { recursive: true, force: true });
}
