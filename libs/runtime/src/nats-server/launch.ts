/** Launches one server process and waits until it is ready; a launch that fails leaves no process behind. */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TuttiError } from '@tutti/contracts';
import type { ServerFolder } from './config-file.ts';
import { type GuardedServer, spawnGuarded } from './guard.ts';
import { RUN_LIMITS } from './limits.ts';
import { probeServer } from './probe-server.ts';
import { checkNatsServer } from './version.ts';

export interface RunningServer {
  pid: number;
  port: number;
  server: GuardedServer;
}

/** `onSpawn` gets the process before it is ready, so that a stop need not wait for that. Throws TuttiError `unavailable`. */
export async function launchServer(
  path: string,
  files: ServerFolder,
  onSpawn: (server: GuardedServer) => void,
): Promise<RunningServer> {
  const logStart = fileSize(files.logPath);
  const server = spawnGuarded(path, files.configPath);
  onSpawn(server);
  try {
    const pid = await Promise.race([server.pid, server.exit.then(() => 0)]);
    const port = await waitUntilReady(server, files, pid);
    return { pid, port, server };
  } catch (error) {
    await endServer(server);
    const words = [server.stderrTail(), ...lastErrors(files.logPath, logStart)].filter(Boolean).join('\n  ');
    const reason = error instanceof Error ? error.message : String(error);
    throw new TuttiError(
      'unavailable',
      `nats-server did not start: ${reason}${words ? `\n  ${words}` : ''}\n  Its log: ${files.logPath}`,
      {
        cause: error,
        details: { path, logPath: files.logPath },
      },
    );
  }
}

/** Graceful first; the guard turns to SIGKILL after `stopTimeoutMs`, and we do should the guard itself fail. */
export async function endServer(server: GuardedServer): Promise<void> {
  server.end();
  const waited = new AbortController();
  const late = sleep(RUN_LIMITS.stopTimeoutMs + RUN_LIMITS.killTimeoutMs, 'late', { signal: waited.signal }).catch(
    () => '',
  );
  if ((await Promise.race([server.exit, late])) === 'late') server.kill();
  waited.abort();
  await server.exit;
}

async function waitUntilReady(server: GuardedServer, files: ServerFolder, pid: number): Promise<number> {
  const deadlineMs = performance.now() + RUN_LIMITS.readyTimeoutMs;
  let missing = 'it does not listen';
  while (performance.now() < deadlineMs) {
    if (server.hasExited()) throw new Error(await server.exit);
    const port = readPort(files.portsDir, pid);
    if (port !== undefined) {
      const info = await probeServer(port).catch((error: Error) => error);
      if (!(info instanceof Error)) {
        checkNatsServer(info.version);
        return port;
      }
      missing = info.message;
    }
    await sleep(RUN_LIMITS.readyPollMs);
  }
  throw new Error(`not ready within ${RUN_LIMITS.readyTimeoutMs / 1000} s: ${missing}`);
}

/** The server writes `<binary>_<pid>.ports` once it listens; by the process id we know that it is this one's. */
function readPort(portsDir: string, pid: number): number | undefined {
  const name = existsSync(portsDir) && readdirSync(portsDir).find((each) => each.endsWith(`_${pid}.ports`));
  if (!name) return undefined;
  try {
    const ports = JSON.parse(readFileSync(join(portsDir, name), 'utf8')) as { nats?: string[] };
    return ports.nats?.[0] ? Number(new URL(ports.nats[0]).port) : undefined;
  } catch {
    return undefined; // Half written: the next look finds it whole.
  }
}

function lastErrors(logPath: string, start: number): string[] {
  const lines = readTail(logPath, start).split('\n').filter(Boolean);
  const errors = lines.filter((line) => line.includes('[FTL]') || line.includes('[ERR]'));
  return (errors.length > 0 ? errors : lines).slice(-RUN_LIMITS.errorLinesMax);
}

function readTail(path: string, start: number): string {
  const end = fileSize(path);
  const from = Math.max(start <= end ? start : 0, end - RUN_LIMITS.errorTailChars);
  if (end === from) return '';
  const file = openSync(path, 'r');
  try {
    const tail = Buffer.alloc(end - from);
    return tail.toString('utf8', 0, readSync(file, tail, 0, tail.length, from));
  } finally {
    closeSync(file);
  }
}

function fileSize(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
