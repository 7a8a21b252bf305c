/** The gateway as a process of its own, as Compose and Kubernetes run it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api } from './testing/api.ts';

let nats: TestNats;
beforeAll(async () => {
  nats = await startTestNats();
});
afterAll(() => nats?.stop());

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

function launch(env: Record<string, string>) {
  const main = join(import.meta.dirname, 'main.ts');
  const settings = { NATS_URL: nats.url, TUTTI_DATA: nats.dataDir, TUTTI_LOG_LEVEL: 'silent', ...env };
  const child = spawn(process.execPath, [main], { env: { PATH: process.env.PATH, ...settings } });
  const said: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
  return { child, said, ended: once(child, 'exit') };
}

it('gets ready, and ends with 0 on SIGTERM', async () => {
  const port = await freePort();
  const { child, said, ended } = launch({ TUTTI_PORT: String(port) });
  try {
    await until('the gateway to be ready', async () => (await api(`http://127.0.0.1:${port}/readyz`)).status === 200);
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(said.join('')).toBe('');
  } finally {
    child.kill('SIGKILL');
  }
});

it('says what is wrong with its configuration', async () => {
  const { said, ended } = launch({ TUTTI_HOST: '0.0.0.0', TUTTI_PORT: '0' });
  expect(await ended).toEqual([1, null]);
  expect(said.join('')).toContain('TUTTI_API_KEYS');
});
