/**
 * Runs the nats-server of a data folder and keeps it running: one owner, one server, one port for as long as it is owned. A
 * server that dies by itself is started again on the same port, so that clients which reconnect never notice more than a pause.
 */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openServerFolder, type ServerFolder, type ServerSettings, writeConfig } from './config-file.ts';
import { endServers } from './find-servers.ts';
import type { GuardedServer } from './guard.ts';
import { endServer, launchServer, type RunningServer } from './launch.ts';
import { RUN_LIMITS } from './limits.ts';
import { claimFolder, type Ownership } from './owner.ts';

export interface StartOptions {
  /** The server binary, from `locateNatsServer`. */
  path: string;
  /** Configuration, log and store go to `<dataDir>/nats`. */
  dataDir: string;
  /** Default: any free one. */
  port?: number;
  log: (line: string) => void;
  maxPayloadBytes?: number;
  /** An fsync for every message: survives power loss on a single node, at the price that FACTS.md gives. */
  syncAlways?: boolean;
  serverName?: string;
}

export type NatsServerExit = { reason: 'stopped' } | { reason: 'gave_up'; message: string };

export interface NatsServer {
  /** `nats://127.0.0.1:<port>`; the same after every restart. */
  readonly url: string;
  /** Of the nats-server process that runs now. */
  readonly pid: number;
  /** Graceful, bounded, and may be called again. Nothing is left running, and the folder is free, when it resolves. */
  stop(): Promise<void>;
  /** Resolves when the server is gone for good. Never rejects. */
  readonly exited: Promise<NatsServerExit>;
}

interface Keeper {
  options: StartOptions;
  files: ServerFolder;
  ownership: Ownership;
  settings: ServerSettings;
  /** The process that runs or is about to; a stop ends it whatever it is at. */
  process?: GuardedServer;
  pid: number;
  stopping: AbortController;
}

/**
 * Resolves once the server accepts connections and its JetStream answers.
 * Throws TuttiError: `conflict` when another living process runs this folder, `unavailable` when the server does not start.
 */
export async function startNatsServer(options: StartOptions): Promise<NatsServer> {
  const files = openServerFolder(options.dataDir);
  const ownership = await claimFolder(files.folder);
  const keeper: Keeper = {
    options,
    files,
    ownership,
    settings: settingsOf(options),
    pid: 0,
    stopping: new AbortController(),
  };
  try {
    await endServers(files.configPath, RUN_LIMITS.previousServerGraceMs, options.log);
    return handleOf(keeper, await launch(keeper));
  } catch (error) {
    ownership.release();
    throw error;
  }
}

function settingsOf(options: StartOptions): ServerSettings {
  return {
    serverName: options.serverName ?? 'tutti',
    port: options.port ?? -1,
    maxPayloadBytes: options.maxPayloadBytes ?? RUN_LIMITS.payloadBytesMax,
    syncAlways: options.syncAlways ?? false,
  };
}

async function launch(keeper: Keeper): Promise<RunningServer> {
  writeConfig(keeper.files, keeper.settings);
  const running = await launchServer(resolve(keeper.options.path), keeper.files, (process) => {
    keeper.process = process;
    if (keeper.stopping.signal.aborted) process.end();
  });
  keeper.settings = { ...keeper.settings, port: running.port };
  keeper.pid = running.pid;
  return running;
}

function handleOf(keeper: Keeper, first: RunningServer): NatsServer {
  const exited = keepRunning(keeper, first).finally(() => keeper.ownership.release());
  return {
    url: `nats://127.0.0.1:${first.port}`,
    get pid() {
      return keeper.pid;
    },
    exited,
    async stop() {
      keeper.stopping.abort();
      if (keeper.process) await endServer(keeper.process);
      await exited;
    },
  };
}

async function keepRunning(keeper: Keeper, first: RunningServer): Promise<NatsServerExit> {
  const { stopping } = keeper;
  let running: RunningServer | undefined = first;
  let restartsInARow = 0;
  let ending = '';
  while (true) {
    const startedAtMs = performance.now();
    if (running) ending = await describeEnd(running.server);
    if (stopping.signal.aborted) return stopped(keeper);
    if (performance.now() - startedAtMs > RUN_LIMITS.healthyAfterMs) restartsInARow = 0;
    restartsInARow += 1;
    if (restartsInARow > RUN_LIMITS.restartsInARowMax) return giveUp(keeper, ending);
    const backoffMs = Math.min(RUN_LIMITS.restartBackoffMs * 2 ** (restartsInARow - 1), RUN_LIMITS.restartBackoffMsMax);
    keeper.options.log(`nats-server ${ending}; starting it again in ${backoffMs} ms`);
    await sleep(backoffMs, undefined, { signal: stopping.signal }).catch(() => {});
    if (stopping.signal.aborted) return stopped(keeper);
    running = await relaunch(keeper).catch((error: Error) => {
      ending = error.message;
      return undefined;
    });
  }
}

async function describeEnd(server: GuardedServer): Promise<string> {
  const ending = await server.exit;
  const words = server.stderrTail();
  return words ? `${ending} (${words})` : ending;
}

async function relaunch(keeper: Keeper): Promise<RunningServer> {
  await endServers(keeper.files.configPath, 0, keeper.options.log);
  const running = await launch(keeper);
  keeper.options.log(`nats-server runs again on port ${running.port} (process ${running.pid})`);
  return running;
}

/** The guard has ended the server; should the guard have been killed, this does. */
async function stopped(keeper: Keeper): Promise<NatsServerExit> {
  await endServers(keeper.files.configPath, 0, keeper.options.log).catch((error: Error) =>
    keeper.options.log(error.message),
  );
  return { reason: 'stopped' };
}

function giveUp(keeper: Keeper, ending: string): NatsServerExit {
  const message = `nats-server died ${RUN_LIMITS.restartsInARowMax} times in a row, last: ${ending}. Its log: ${keeper.files.logPath}`;
  keeper.options.log(message);
  return { reason: 'gave_up', message };
}
