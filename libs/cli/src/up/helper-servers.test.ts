import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HelperServer } from '../bundle/load.ts';
import { REPOSITORY } from '../paths.ts';
import { claimDataFolder, type DataFolder } from './data-folder.ts';
import { type RunningHelper, startHelpers } from './helper-servers.ts';

const SERVER = `
require('node:http').createServer((request, response) => {
  if (request.url === '/die') process.kill(process.pid, 'SIGKILL');
  response.end(JSON.stringify({ pid: process.pid, dataDir: process.env.DATA_DIR, secret: process.env.OPENAI_API_KEY ?? null }));
}).listen(process.env.PORT, '127.0.0.1');
`;
const server = HelperServer.parse({ name: 'stock', command: ['node', 'stock.cjs'] });

let dir: string;
let data: DataFolder;
let running: RunningHelper[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tutti-helpers-'));
  writeFileSync(join(dir, 'stock.cjs'), SERVER);
  data = claimDataFolder(join(dir, 'data'));
});
afterEach(async () => {
  await Promise.all(running.map((helper) => helper.stop()));
  running = [];
  data.release();
  rmSync(dir, { recursive: true });
});

const start = async (servers = [server]) => {
  running = await startHelpers(servers, { bundle: 'shop', dir, data, log: () => {} });
  return running[0]!;
};
const ask = async (url: string) =>
  (await (await fetch(url)).json()) as { pid: number; dataDir: string; secret: string | null };
async function becomesTrue(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await check())) await sleep(20);
}
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

it('gets a port, a data folder and no secrets; ends with us', async () => {
  process.env.OPENAI_API_KEY = 'sk-secret';
  const helper = await start();
  delete process.env.OPENAI_API_KEY;
  const { pid, dataDir, secret } = await ask(helper.url);
  expect([dataDir, secret]).toEqual([join(dir, 'data/shop/stock'), null]);
  await helper.stop();
  expect(lives(pid)).toBe(false);
});

it('is started again on the same port when it dies, and keeps its port from one start to the next', async () => {
  const helper = await start();
  const before = await ask(helper.url);
  await fetch(`${helper.url}/die`).catch(() => {});
  await becomesTrue(async () => (await ask(helper.url).catch(() => before)).pid !== before.pid);
  await helper.stop();
  expect((await start()).url).toBe(helper.url);
});

it('that does not start is an error with its log, and leaves nothing running', async () => {
  const broken = HelperServer.parse({
    name: 'broken',
    command: ['node', '-e', 'console.log("no luck"); process.exit(3)'],
  });
  const failed = start([server, broken]);
  await expect(failed).rejects.toThrow(/server "broken" .* ended with exit code 3. Its log: .*broken\.log/);
  expect(readFileSync(join(dir, 'data/shop/broken.log'), 'utf8')).toContain('no luck');
  const ports = JSON.parse(readFileSync(join(dir, 'data/servers.json'), 'utf8')) as { shop: { stock: number } };
  await expect(fetch(`http://127.0.0.1:${ports.shop.stock}`)).rejects.toThrow();
});

it('does not outlive a process that was killed', async () => {
  const script = `
    import { claimDataFolder } from '${REPOSITORY}libs/cli/src/up/data-folder.ts';
    import { startHelpers } from '${REPOSITORY}libs/cli/src/up/helper-servers.ts';
    const data = claimDataFolder(${JSON.stringify(join(dir, 'other'))});
    const [helper] = await startHelpers([${JSON.stringify(server)}], { bundle: 'shop', dir: ${JSON.stringify(dir)}, data, log: () => {} });
    console.log(helper.url);
  `;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await new Promise<string>((resolve) =>
    child.stdout.setEncoding('utf8').once('data', (text: string) => resolve(text.trim())),
  );
  const { pid } = await ask(url);
  expect(() => claimDataFolder(join(dir, 'other'))).toThrow(
    new RegExp(`up on .* already \\(process ${child.pid}, since `),
  );
  child.kill('SIGKILL');
  await becomesTrue(() => !lives(pid));
  claimDataFolder(join(dir, 'other')).release();
});
