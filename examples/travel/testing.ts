/** What the example's tests share: real helper servers in child processes, killed by the pid that each test started. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';

export const TRAVEL_DIR = import.meta.dirname;
const START_MS = 15_000;

export function read(path: string): string {
  return readFileSync(join(TRAVEL_DIR, path), 'utf8');
}

export function readYaml<T = Record<string, unknown>>(path: string): T {
  return parse(read(path)) as T;
}

export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'tutti-travel-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** `data` is whatever JSON came back: tests look into it freely, and openapi.test.ts checks its shape. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Reply = { status: number; data: any };

export type FlightsServer = {
  url: string;
  get: (path: string, query?: Record<string, string>) => Promise<Reply>;
  post: (path: string, body?: unknown, key?: string) => Promise<Reply>;
  /** Ends the process and waits until it is gone. */
  kill: (signal?: 'SIGKILL' | 'SIGTERM') => Promise<void>;
};

/** Starts the flights server as `tutti up` does, on a free port, and waits until it listens. */
export async function startFlights(dataDir: string, env: Record<string, string> = {}): Promise<FlightsServer> {
  const child = spawn(process.execPath, ['servers/flights/main.ts'], {
    cwd: TRAVEL_DIR,
    env: { PATH: process.env.PATH, DATA_DIR: dataDir, PORT: '0', FLIGHTS_NOW: '2027-01-11T08:00:00Z', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const url = await listening(child);
  const call = async (path: string, init?: RequestInit): Promise<Reply> => {
    const response = await fetch(`${url}${path}`, init);
    return { status: response.status, data: await response.json() };
  };
  return {
    url,
    get: (path, query) => call(query ? `${path}?${new URLSearchParams(query)}` : path),
    post: (path, body, key) =>
      call(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(key && { 'idempotency-key': key }) },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    kill: (signal = 'SIGKILL') => stopped(child, signal),
  };
}

async function listening(child: ChildProcess): Promise<string> {
  let printed = '';
  child.stderr!.on('data', (chunk) => {
    printed += chunk;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), START_MS);
  try {
    for await (const chunk of child.stdout!) {
      printed += chunk;
      const url = /http:\/\/\S+:\d+/.exec(printed)?.[0];
      if (url) return url;
    }
    throw new Error(`the flights server ended before it listened: ${printed}`);
  } finally {
    clearTimeout(timer);
  }
}

async function stopped(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}
