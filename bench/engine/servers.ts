/** The bus of a benchmark: one real nats-server, or three of them as a cluster, on file storage in a folder of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectNatsBus, createLogger } from '@tutti/runtime';
import { locateNatsServer, startNatsServer } from '@tutti/runtime/nats-server';
import type { Mode } from './options.ts';

const CLUSTER_SIZE = 3;
const READY_TRIES = 100;
const READY_WAIT_MS = 200;
const repositoryRoot = join(import.meta.dirname, '../..');

export interface Servers {
  /** For NATS_URL. */
  url: string;
  pids: number[];
  /** For whatever else the benchmark keeps on disk. */
  folder: string;
  stop(): Promise<void>;
}

export async function startServers(mode: Mode): Promise<Servers> {
  const cacheDir = process.env.TUTTI_CACHE ?? join(repositoryRoot, '.cache');
  const { path } = await locateNatsServer({
    cacheDir,
    env: process.env,
    log: (line) => process.stderr.write(`${line}\n`),
  });
  const folder = mkdtempSync(join(tmpdir(), 'tutti-bench-engine-'));
  try {
    return mode === 'cluster' ? await startCluster(path, folder) : await startOne(path, folder, mode === 'fsync');
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

async function startOne(path: string, folder: string, syncAlways: boolean): Promise<Servers> {
  const server = await startNatsServer({ path, dataDir: folder, syncAlways, log: () => {} });
  return {
    url: server.url,
    pids: [server.pid],
    folder,
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePorts(count: number): Promise<number[]> {
  const held = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of held) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports.push((server.address() as { port: number }).port);
  }
  for (const server of held) await new Promise((resolve) => server.close(resolve));
  return ports;
}

async function startCluster(path: string, folder: string): Promise<Servers> {
  const ports = await freePorts(CLUSTER_SIZE * 2);
  const routes = ports.slice(CLUSTER_SIZE).map((port) => `nats://127.0.0.1:${port}`);
  const children = Array.from({ length: CLUSTER_SIZE }, (_, index) => {
    const home = join(folder, `node-${index}`);
    mkdirSync(home);
    const config = [
      `server_name: "node-${index}"`,
      `listen: "127.0.0.1:${ports[index]}"`,
      `log_file: ${JSON.stringify(join(home, 'nats-server.log'))}`,
      `jetstream { store_dir: ${JSON.stringify(join(home, 'store'))} }`,
      `cluster { name: bench, listen: "127.0.0.1:${ports[CLUSTER_SIZE + index]}", routes: ${JSON.stringify(routes)} }`,
    ].join('\n');
    writeFileSync(join(home, 'nats-server.conf'), config);
    return spawn(path, ['-c', join(home, 'nats-server.conf')], { stdio: 'ignore' });
  });
  const url = ports
    .slice(0, CLUSTER_SIZE)
    .map((port) => `nats://127.0.0.1:${port}`)
    .join(',');
  const stop = async () => {
    await Promise.all(children.map(endChild));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await clusterReady(url);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, pids: children.map((child) => child.pid!), folder, stop };
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** A cluster takes streams once its members have elected a leader among themselves. */
async function clusterReady(url: string): Promise<void> {
  const log = createLogger({}, { level: 'silent' });
  let last: unknown;
  for (let attempt = 0; attempt < READY_TRIES; attempt++) {
    try {
      const bus = await connectNatsBus({ url, name: 'bench-ready', log });
      try {
        const reply = await bus.request('$JS.API.INFO', new Uint8Array(), 1_000);
        const info = JSON.parse(new TextDecoder().decode(reply)) as { error?: { description: string } };
        if (!info.error) return;
        last = new Error(info.error.description);
      } finally {
        await bus.close();
      }
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, READY_WAIT_MS));
  }
  throw new Error(`the cluster does not come up: ${(last as Error).message}`);
}
