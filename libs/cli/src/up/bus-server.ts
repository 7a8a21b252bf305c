/** The bus that `tutti up` works on: the one that NATS_URL names, or one of our own. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { TuttiError } from '@tutti/contracts';
import { checkNatsServer, locateNatsServer, startNatsServer } from '@tutti/runtime/nats-server';
import type { DataFolder } from './data-folder.ts';
import { UP_LIMITS } from './limits.ts';

export interface BusServer {
  url: string;
  version: string;
  /** We run it, so we end it. */
  own: boolean;
  stop(): Promise<void>;
  /** Resolves with the reason when a server of our own is gone for good. */
  lost: Promise<string>;
}

export async function openBusServer(
  environment: Record<string, string | undefined>,
  data: DataFolder,
  log: (line: string) => void,
): Promise<BusServer> {
  if (environment.NATS_URL) return useServer(environment.NATS_URL);
  const cacheDir = environment.TUTTI_CACHE || join(data.path, 'cache');
  const located = await locateNatsServer({ cacheDir, log, env: environment });
  const server = await startNatsServer({ path: located.path, dataDir: data.path, log });
  const lost = server.exited.then((exit) => (exit.reason === 'gave_up' ? exit.message : new Promise<string>(() => {})));
  return { url: server.url, version: located.version, own: true, stop: () => server.stop(), lost };
}

/** Throws TuttiError `unavailable` when there is no server, or one that is too old. */
async function useServer(url: string): Promise<BusServer> {
  const first = url.split(',')[0]!.trim();
  const version = await readVersion(first);
  checkNatsServer(version);
  return { url, version, own: false, stop: async () => {}, lost: new Promise(() => {}) };
}

/** A server says who it is in its first line, before any authentication. */
function readVersion(url: string): Promise<string> {
  const { hostname, port } = new URL(url.includes('://') ? url : `nats://${url}`);
  return new Promise((resolve, reject) => {
    const fail = (why: string) =>
      reject(
        new TuttiError('unavailable', `NATS_URL is ${url}, but ${why}. Start a NATS server there, or unset NATS_URL.`),
      );
    const socket = connect({ host: hostname || '127.0.0.1', port: Number(port || 4222) });
    socket.setTimeout(UP_LIMITS.natsProbeTimeoutMs, () => {
      socket.destroy();
      fail('nothing that speaks NATS answers there');
    });
    let text = '';
    socket.on('error', (error) => fail(`it cannot be reached (${error.message})`));
    socket.on('close', () => fail('the connection was closed'));
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (!text.includes('\r\n')) return;
      socket.destroy();
      const info = /^INFO (\{.*\})/.exec(text)?.[1];
      if (info) resolve(String((JSON.parse(info) as { version?: string }).version));
      else fail('what answers there is no NATS server');
    });
  });
}
