/**
 * The servers that a bundle brings along: started with a port and a data folder of their own, awaited, started again on the
 * same port when they die, ended with us. Ports are remembered, so that they stay the same from one `tutti up` to the next.
 */
import { closeSync, openSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TuttiError } from '@tutti/contracts';
import type { HelperServer } from '../bundle/load.ts';
import type { DataFolder } from './data-folder.ts';
import { type GuardedCommand, runGuarded } from './guard.ts';
import { UP_LIMITS } from './limits.ts';
import { freePort, tryPort } from './ports.ts';

const REMEMBERED = 'servers.json';
/** Ours, and not theirs to know. */
const PRIVATE_VARIABLE = /^(OPENAI_|TUTTI_|NATS_|OTEL_)/;

export interface RunningHelper {
  name: string;
  url: string;
  logFile: string;
  stop(): Promise<void>;
}

export interface HelperContext {
  bundle: string;
  /** The bundle's folder. */
  dir: string;
  data: DataFolder;
  log: (line: string) => void;
}

/** Resolves when all are ready. Throws TuttiError `unavailable` when one is not; then none is left running. */
export async function startHelpers(servers: HelperServer[], context: HelperContext): Promise<RunningHelper[]> {
  const ports = await choosePorts(servers, context);
  const started = await Promise.allSettled(servers.map((server) => startHelper(server, ports[server.name]!, context)));
  const running = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = started.find((result) => result.status === 'rejected');
  if (!failed) return running;
  await Promise.all(running.map((helper) => helper.stop()));
  throw failed.reason;
}

async function choosePorts(servers: HelperServer[], { bundle, data }: HelperContext): Promise<Record<string, number>> {
  const all = (data.read(REMEMBERED) ?? {}) as Record<string, Record<string, number> | undefined>;
  const chosen: Record<string, number> = {};
  for (const { name } of servers) {
    const remembered = all[bundle]?.[name];
    const usable = remembered && !Object.values(chosen).includes(remembered) && (await tryPort(remembered));
    chosen[name] = usable || (await freePort());
  }
  data.write(REMEMBERED, { ...all, [bundle]: chosen });
  return chosen;
}

async function startHelper(server: HelperServer, port: number, context: HelperContext): Promise<RunningHelper> {
  const { bundle, data } = context;
  const url = `http://127.0.0.1:${port}`;
  const logFile = join(data.folder(bundle), `${server.name}.log`);
  const stopping = new AbortController();
  let current = launch(server, port, logFile, context);
  try {
    await becomeReady(server, current, url, logFile);
  } catch (error) {
    await current.stop();
    throw error;
  }
  const kept = keepRunning();
  return {
    name: server.name,
    url,
    logFile,
    async stop() {
      stopping.abort();
      await current.stop();
      await kept;
    },
  };

  async function keepRunning(): Promise<void> {
    let backoffMs: number = UP_LIMITS.helperBackoffMs;
    while (!stopping.signal.aborted) {
      const startedAt = performance.now();
      const ending = await current.exited;
      if (stopping.signal.aborted) return;
      if (performance.now() - startedAt > UP_LIMITS.helperHealthyAfterMs) backoffMs = UP_LIMITS.helperBackoffMs;
      context.log(`server ${server.name} ${ending}; starting it again in ${backoffMs} ms (its log: ${logFile})`);
      await sleep(backoffMs, undefined, { signal: stopping.signal }).catch(() => {});
      backoffMs = Math.min(backoffMs * 2, UP_LIMITS.helperBackoffMsMax);
      if (!stopping.signal.aborted) current = launch(server, port, logFile, context);
    }
  }
}

function launch(server: HelperServer, port: number, logFile: string, context: HelperContext): GuardedCommand {
  const output = openLog(logFile);
  const inherited = Object.entries(process.env).filter(([name]) => !PRIVATE_VARIABLE.test(name));
  try {
    return runGuarded(server.command, {
      cwd: context.dir,
      env: {
        ...Object.fromEntries(inherited),
        [server.portEnv]: String(port),
        DATA_DIR: context.data.folder(context.bundle, server.name),
      },
      output,
    });
  } finally {
    closeSync(output);
  }
}

/** One file and the one before it. */
function openLog(file: string): number {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > UP_LIMITS.helperLogBytesMax)
    renameSync(file, `${file}.1`);
  return openSync(file, 'a');
}

async function becomeReady(server: HelperServer, running: GuardedCommand, url: string, logFile: string): Promise<void> {
  const deadline = performance.now() + UP_LIMITS.helperReadyTimeoutMs;
  let ended: string | undefined;
  void running.exited.then((ending) => {
    ended = ending;
  });
  while (!(await answers(`${url}${server.ready}`))) {
    if (ended !== undefined) throw notReady(server, ended, logFile);
    if (performance.now() > deadline)
      throw notReady(
        server,
        `does not answer at ${url}${server.ready} after ${UP_LIMITS.helperReadyTimeoutMs} ms`,
        logFile,
      );
    await sleep(UP_LIMITS.helperPollMs);
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(UP_LIMITS.helperProbeTimeoutMs) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

function notReady(server: HelperServer, how: string, logFile: string): TuttiError {
  return new TuttiError(
    'unavailable',
    `the bundle's server "${server.name}" (${server.command.join(' ')}) ${how}. Its log: ${logFile}`,
  );
}
