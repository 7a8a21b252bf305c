/**
 * A real nats-server for a test: a temporary folder, a free port, gone when the test is. The binary comes from PATH, the
 * cache (`TUTTI_CACHE`, default `.cache` of the repository) or the network, in that order; without one the test fails.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { locateNatsServer, type NatsServer, startNatsServer } from '@tutti/runtime/nats-server';

export const repositoryRoot = resolve(import.meta.dirname, '../../..');
export const cacheDir = process.env.TUTTI_CACHE ?? join(repositoryRoot, '.cache');

export interface TestNats {
  url: string;
  dataDir: string;
  server: NatsServer;
  stop(): Promise<void>;
}

export async function startTestNats(options: { maxPayloadBytes?: number } = {}): Promise<TestNats> {
  const { path } = await locateNatsServer({
    cacheDir,
    env: process.env,
    log: (line) => process.stderr.write(`${line}\n`),
  });
  const dataDir = mkdtempSync(join(tmpdir(), 'tutti-test-'));
  const server = await startNatsServer({ path, dataDir, log: () => {}, ...options });
  return {
    url: server.url,
    dataDir,
    server,
    async stop() {
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
