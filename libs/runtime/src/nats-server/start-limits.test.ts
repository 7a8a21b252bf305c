/** The ends of patience, with limits short enough for a test: a server that hangs, one that never comes back, one left behind. */
import { chmodSync, copyFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test, vi } from 'vitest';
import { findServers } from './find-servers.ts';
import { startNatsServer } from './start.ts';
import { isAlive, serverBinary, temporaryFolder } from './test-support.ts';

vi.mock('./limits.ts', async (original) => {
  const limits = await original<typeof import('./limits.ts')>();
  return {
    ...limits,
    RUN_LIMITS: { ...limits.RUN_LIMITS, stopTimeoutMs: 1_000, restartsInARowMax: 3, restartBackoffMs: 20 },
  };
});

let path: string;
beforeAll(async () => {
  path = await serverBinary();
}, 300_000);

test('a server that does not heed SIGTERM is killed after the named time', async () => {
  const server = await startNatsServer({ path, dataDir: temporaryFolder(), log: () => {} });
  process.kill(server.pid, 'SIGSTOP');
  const startedAtMs = performance.now();
  await server.stop();
  expect(performance.now() - startedAtMs).toBeGreaterThan(900);
  expect(isAlive(server.pid)).toBe(false);
});

test('a server that does not come back: given up after so many attempts, with the reason, and the folder is free', async () => {
  const dataDir = temporaryFolder();
  const ownPath = join(dataDir, 'nats-server');
  copyFileSync(path, ownPath);
  chmodSync(ownPath, 0o755);
  const lines: string[] = [];
  const server = await startNatsServer({ path: ownPath, dataDir, log: (line) => void lines.push(line) });
  writeFileSync(join(dataDir, 'broken'), '#!/bin/sh\necho "disk on fire" >&2\nexit 3\n', { mode: 0o755 });
  renameSync(join(dataDir, 'broken'), ownPath);
  process.kill(server.pid, 'SIGKILL');
  expect(await server.exited).toMatchObject({
    reason: 'gave_up',
    message: expect.stringMatching(/3 times in a row.*disk on fire/s),
  });
  expect(lines.filter((line) => line.includes('starting it again'))).toHaveLength(3);
  await server.stop();
  expect(await findServers(join(dataDir, 'nats/nats-server.conf'))).toEqual([]);
  await (await startNatsServer({ path, dataDir, log: () => {} })).stop();
});
