/** For the tests of this folder: a real server binary, temporary folders, processes and waiting. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { locateNatsServer } from './locate.ts';

/** Shared by all tests of the repository, so that nothing is fetched twice. */
export const cacheDir = process.env.TUTTI_CACHE ?? fileURLToPath(new URL('../../../../.cache', import.meta.url));

export async function serverBinary(): Promise<string> {
  const located = await locateNatsServer({ cacheDir, log: (line) => console.log(line), env: process.env });
  return located.path;
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-nats-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** A folder with a `nats-server` that only knows how to say its version. */
export function fakeServer(version: string, folder = temporaryFolder()): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'nats-server'), `#!/bin/sh\necho "nats-server: v${version}"\n`, { mode: 0o755 });
  return folder;
}

/** An environment whose PATH is these folders alone: nothing of this machine's nats-server, pip or go. */
export function environment(...folders: string[]): Record<string, string | undefined> {
  return { HOME: process.env.HOME, PATH: folders.join(delimiter) };
}

export interface HeldServer {
  process: ChildProcess;
  report: { url?: string; pid?: number; error?: string; code?: string };
}

/** Runs fixtures/hold-server.ts and waits for what it says. */
export async function holdServer(path: string, dataDir: string): Promise<HeldServer> {
  const script = fileURLToPath(new URL('./fixtures/hold-server.ts', import.meta.url));
  const child = spawn(process.execPath, [script, path, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let text = '';
  for await (const chunk of child.stdout) {
    text += chunk;
    if (text.includes('\n')) break;
  }
  return { process: child, report: JSON.parse(text) };
}

/** A zombie is not alive: in a container there may be nobody to take notice of an orphan's end. */
export function isAlive(pid: number): boolean {
  const state = spawnSync('ps', ['-o', 'stat=', '-p', `${pid}`], { encoding: 'utf8' }).stdout.trim();
  return state !== '' && !state.startsWith('Z');
}

export async function until(what: string, isSo: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(20);
  }
}
