/** `tutti up` as people run it: a process, with a bundle, a helper server and a real nats-server. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheDir, startTestNats } from '@tutti/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type RunningCommand, runTutti, startTutti } from '../test-support/tutti.ts';

const HELPER = `require('node:http').createServer((_, response) => response.end('{}')).listen(process.env.PORT, '127.0.0.1');\n`;
const STOCK = {
  openapi: '3.1.0',
  info: { title: 'Stock', version: '1' },
  paths: { '/items': { get: { operationId: 'listItems', responses: { '200': { description: 'All.' } } } } },
};

let root: string;
let dir: string;
let commands: RunningCommand[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tutti-up-'));
  dir = join(root, 'shop');
  const files: Record<string, string> = {
    'tutti.yaml': 'name: shop\nservers: [{ name: stock, command: [node, stock.cjs] }]\n',
    'stock.cjs': HELPER,
    'agents/clerk.yaml': 'instructions: Sell things.\nknowledge: [rules]\ntools: [listItems]\n',
    'tools/stock.yaml': `type: openapi\ndocument: stock.json\nurl: $\{STOCK_URL}\n`,
    'stock.json': JSON.stringify(STOCK),
    'knowledge/rules/returns.md': '# Returning things\n\nA lamp may be returned within 14 days.\n',
    'knowledge/rules/hours.md': '# Opening hours\n\nThe shop is open from nine to five.\n',
  };
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(dir, file, '..'), { recursive: true });
    writeFileSync(join(dir, file), text);
  }
});
afterEach(async () => {
  for (const command of commands) command.child.kill('SIGKILL');
  await Promise.all(commands.map(({ ended }) => ended));
  commands = [];
  await nothingRuns();
  rmSync(root, { recursive: true });
});

const environment = (more: Record<string, string> = {}) => ({
  TUTTI_DATA: join(root, 'data'),
  TUTTI_CACHE: cacheDir,
  TUTTI_PORT: '0',
  ...more,
});
function up(more: Record<string, string> = {}): RunningCommand {
  const command = startTutti(['up', dir], { env: environment(more) });
  commands.push(command);
  return command;
}
const field = (command: RunningCommand, label: string) =>
  new RegExp(`^  ${label} +(.*?)(?:  .*)?$`, 'm').exec(command.output())?.[1];
const state = () => JSON.parse(readFileSync(join(root, 'data/up.json'), 'utf8')) as { url: string };

/** Every process that we started names our folder, or runs in it. */
function running(): string {
  const ours = (pid: string) => {
    try {
      const cwd = execFileSync('readlink', [`/proc/${pid}/cwd`], { encoding: 'utf8' }).trim();
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return cwd.startsWith(root) || command.includes(root) ? [`${pid} ${command}`] : [];
    } catch {
      return [];
    }
  };
  return execFileSync('ps', ['-eo', 'pid='], { encoding: 'utf8' })
    .split('\n')
    .map((pid) => pid.trim())
    .filter(Boolean)
    .flatMap(ours)
    .join('\n');
}
async function nothingRuns(): Promise<void> {
  while (running()) await sleep(50);
}

it('comes up, works, stops at SIGTERM with nothing left, and comes up again as it was', async () => {
  const first = up();
  await first.says(/Ctrl-C stops everything/);
  expect(field(first, 'Bundle')).toBe('shop');
  expect(first.output()).toContain('2 documents, 2 new or changed');
  expect(field(first, 'Model')).toBe('offline');
  const { url } = state();
  expect(field(first, 'Gateway')).toBe(url);

  const answer = await runTutti(['run', 'clerk', 'When is the shop open?'], { env: { TUTTI_URL: url } });
  expect([answer.code, answer.output]).toEqual([0, expect.stringContaining('nine to five')]);

  const second = await runTutti(['up', dir], { env: environment() });
  expect([second.code, second.errors]).toEqual([1, expect.stringMatching(/up on .* already \(process \d+, since /)]);

  const helper = field(first, 'Server');
  first.child.kill('SIGTERM');
  expect((await first.ended).code).toBe(0);
  expect(running()).toBe('');

  writeFileSync(join(dir, 'knowledge/rules/hours.md'), '# Opening hours\n\nThe shop is open from ten to four.\n');
  rmSync(join(dir, 'knowledge/rules/returns.md'));
  const again = up();
  await again.says(/Ctrl-C stops everything/);
  expect(again.output()).toContain('1 document, 2 new or changed');
  expect(field(again, 'Server')).toBe(helper);
  const { output } = await runTutti(['runs'], { env: { TUTTI_URL: state().url } });
  expect(output).toContain('When is the shop open?');
});

it('works on a NATS server that is there already, and leaves it running', async () => {
  const nats = await startTestNats();
  try {
    const command = up({ NATS_URL: nats.url });
    await command.says(/Ctrl-C stops everything/);
    expect(command.output()).toContain('from NATS_URL');
    command.child.kill('SIGTERM');
    expect((await command.ended).code).toBe(0);
    expect(() => process.kill(nats.server.pid, 0)).not.toThrow();
  } finally {
    await nats.stop();
  }
});

it('leaves nothing running when it is killed', async () => {
  const command = up();
  await command.says(/Ctrl-C stops everything/);
  expect(running()).not.toBe('');
  command.child.kill('SIGKILL');
  await nothingRuns();
});

it('stops at once when it is interrupted while it starts', async () => {
  const command = up();
  await command.says(/^/);
  while (!running().includes('stock.cjs')) await sleep(10);
  command.child.kill('SIGINT');
  expect((await command.ended).code).toBe(0);
  expect(running()).toBe('');
});

it('says what is wrong, and starts nothing: port, bundle, helper, NATS', async () => {
  const taken = createServer((socket) => socket.end('220 mail.example.com\r\n')).listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const port = String((taken.address() as AddressInfo).port);
  const failures = await Promise.all([
    runTutti(['up', dir], { env: environment({ TUTTI_PORT: port, TUTTI_DATA: join(root, 'a') }) }),
    runTutti(['up', root], { env: environment({ TUTTI_DATA: join(root, 'b') }) }),
    runTutti(['up', dir], { env: environment({ NATS_URL: 'nats://127.0.0.1:1', TUTTI_DATA: join(root, 'c') }) }),
    runTutti(['up', dir], { env: environment({ NATS_URL: `nats://127.0.0.1:${port}`, TUTTI_DATA: join(root, 'd') }) }),
  ]);
  taken.close();
  expect(failures.map(({ errors }) => errors.trim())).toEqual([
    expect.stringContaining(`port ${port} is taken`),
    expect.stringContaining('has no tutti.yaml'),
    expect.stringContaining('NATS_URL is nats://127.0.0.1:1, but it cannot be reached'),
    expect.stringContaining('but what answers there is no NATS server'),
  ]);
  expect(failures.every(({ code }) => code !== 0)).toBe(true);
});
