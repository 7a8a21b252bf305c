// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are placeholders of tool sources.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bundle, type ToolSource as Manifest } from '@tutti/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createPlaceholders } from '../../core/placeholders.ts';
import type { ToolSource } from '../../ports/tool-source.ts';
import { createGrants, NO_GRANTS, parseGrants } from '../outbound/grants.ts';
import { createOutbound } from '../outbound/outbound.ts';
import { createMcpSource } from './source.ts';

const FIXTURE = new URL('../../test-support/mcp-fixture.ts', import.meta.url).pathname;
const counter = join(mkdtempSync(join(tmpdir(), 'tutti-mcp-')), 'counter');
const open: ToolSource[] = [];

function source(transport: object, idleMs = 60_000, more: object = {}): ToolSource {
  const manifest = Bundle.shape.tools.parse({ m: { type: 'mcp', transport, ...more } }).m as Extract<
    Manifest,
    { type: 'mcp' }
  >;
  const placeholders = createPlaceholders('m', { TOKEN: 'very-secret', FIXTURE, COUNTER: counter, NAME: 'nobody' });
  const outbound = createOutbound(createGrants(parseGrants('127.0.0.1')));
  const made = createMcpSource({ manifest, placeholders, outbound, connectTimeoutMs: 10_000, idleMs });
  open.push(made);
  return made;
}
const fixture = () =>
  ({
    type: 'stdio',
    command: 'node',
    args: ['${FIXTURE}'],
    env: { TOKEN: '${TOKEN}', COUNTER: '${COUNTER}' },
  }) as const;
const options = (more: object = {}) => ({ signal: AbortSignal.timeout(15_000), timeoutMs: 10_000, ...more });
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((made) => made.close()));
});

describe('over stdio', () => {
  it('lists tools with schemas and effect kinds, and calls them', async () => {
    const made = source(fixture());
    const { tools } = await made.list(AbortSignal.timeout(15_000));
    const kinds = Object.fromEntries(tools.map((tool) => [tool.name, tool.effect]));
    expect(kinds).toMatchObject({ sum: 'pure', 'add.entry': 'keyed', fail: 'irreversible' });
    const sum = tools.find((tool) => tool.name === 'sum')!;
    expect(sum.parameters).toMatchObject({ type: 'object', required: ['a', 'b'] });
    expect(sum.returns).toMatchObject({ properties: { sum: { type: 'number' } } });

    expect(await made.call('sum', { a: 2, b: 3 }, options())).toEqual({
      content: '{"sum":5}',
      isError: false,
      data: { sum: 5 },
    });
    expect(await made.call('fail', {}, options())).toMatchObject({ isError: true, content: 'it is full' });
    expect(await made.call('add.entry', { line: 'x' }, options({ idempotencyKey: 'call_9' }))).toMatchObject({
      isError: false,
      content: 'added\nx',
    });
    expect(readFileSync(counter, 'utf8')).toBe('x call_9\n');
    expect(await made.call('sum', { a: 'two', b: 3 }, options())).toMatchObject({ isError: true });
    expect(await made.call('unknown', {}, options())).toMatchObject({ isError: true });
    // Our own environment does not reach the server, and what was filled in does not come back.
    expect((await made.call('secret', {}, options())).content).toBe('token [TOKEN], home clean');
  });

  it('a server that dies in a call leaves it unknown, and is started again', async () => {
    const made = source(fixture());
    const first = Number((await made.call('pid', {}, options())).content);
    await expect(made.call('die', {}, options())).rejects.toMatchObject({ name: 'ToolCallError', sent: 'maybe' });
    const second = Number((await made.call('pid', {}, options())).content);
    expect(second).not.toBe(first);
    await made.close();
    await gone(second);
    await expect(made.call('pid', {}, options())).rejects.toMatchObject({ sent: 'no' });
  });

  it('a call has a time limit and can be given up; the connection lives on', async () => {
    const made = source(fixture());
    const pid = (await made.call('pid', {}, options())).content;
    await expect(made.call('sleep', {}, options({ timeoutMs: 100 }))).rejects.toMatchObject({
      sent: 'maybe',
      code: 'timeout',
    });
    const controller = new AbortController();
    const given = made.call('sleep', {}, options({ signal: controller.signal }));
    controller.abort();
    await expect(given).rejects.toMatchObject({ sent: 'maybe' });
    expect((await made.call('pid', {}, options())).content).toBe(pid);
  });

  it('a connection that nobody uses is closed, and opened again', async () => {
    const made = source(fixture(), 50);
    const pid = Number((await made.call('pid', {}, options())).content);
    await gone(pid);
    expect(Number((await made.call('pid', {}, options())).content)).not.toBe(pid);
  });

  it('a command that does not exist: nothing was sent, and no value is shown', async () => {
    const made = source({ type: 'stdio', command: '/nowhere/${NAME}' });
    await expect(made.list(AbortSignal.timeout(5_000))).rejects.toMatchObject({
      code: 'unavailable',
      message: 'cannot connect to the MCP server (ENOENT)',
    });
    await expect(made.call('x', {}, options())).rejects.toMatchObject({ sent: 'no' });
  });
});

describe('the reference server over stdio', () => {
  const main = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js');
  const everything = (more: object = {}) =>
    source({ type: 'stdio', command: 'node', args: [main, 'stdio'] }, 60_000, more);

  it('lists tools, and calls them with progress', async () => {
    const made = everything();
    const { tools, problems } = await made.list(AbortSignal.timeout(15_000));
    expect(problems).toEqual([]);
    expect(tools.length).toBeGreaterThan(8);
    expect(await made.call('echo', { message: 'hello' }, options())).toMatchObject({ content: 'Echo: hello' });
    expect(await made.call('get-sum', { a: 2, b: 3 }, options())).toMatchObject({ isError: false });
    const progress: string[] = [];
    const long = await made.call(
      'trigger-long-running-operation',
      { duration: 0.5, steps: 3 },
      options({ onProgress: (text: string) => progress.push(text) }),
    );
    expect(long.isError).toBe(false);
    expect(progress.length).toBeGreaterThan(0);
    const structured = await made.call('get-structured-content', { location: 'New York' }, options());
    expect(structured.data).toMatchObject({ temperature: expect.any(Number) });
  }, 60_000);

  it('gives resources and prompts as tools where the bundle asks for them', async () => {
    const made = everything({ resources: true, prompts: true });
    const { tools } = await made.list(AbortSignal.timeout(15_000));
    expect(tools.slice(0, 4).map(({ name, effect }) => [name, effect])).toEqual([
      ['list_resources', 'pure'],
      ['read_resource', 'pure'],
      ['list_prompts', 'pure'],
      ['get_prompt', 'pure'],
    ]);
    const { data } = (await made.call('list_resources', {}, options())) as { data: { resources: { uri: string }[] } };
    expect(data.resources.length).toBeGreaterThan(0);
    const read = await made.call('read_resource', { uri: data.resources[0]!.uri }, options());
    expect(read.content.length).toBeGreaterThan(0);
    expect(await made.call('read_resource', { uri: 'nowhere://x' }, options())).toMatchObject({ isError: true });
    const prompts = (await made.call('list_prompts', {}, options())).data as { name: string }[];
    expect(prompts.map(({ name }) => name)).toContain('simple-prompt');
    const prompt = await made.call('get_prompt', { name: 'simple-prompt' }, options());
    expect(prompt.content).toMatch(/^user: /);
  }, 60_000);
});

describe('over Streamable HTTP, against the reference server', () => {
  let child: ReturnType<typeof spawn>;
  let url: string;
  beforeAll(async () => {
    const port = await freePort();
    url = `http://127.0.0.1:${port}/mcp`;
    const main = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js');
    child = spawn(process.execPath, [main, 'streamableHttp'], {
      env: { ...process.env, PORT: String(port) },
      stdio: 'ignore',
    });
    for (;;) {
      const answers = await fetch(url).then(
        () => true,
        () => false,
      );
      if (answers || child.exitCode !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }, 20_000);
  afterAll(() => void child.kill('SIGKILL'));

  it('lists and calls', async () => {
    const made = source({ type: 'http', url });
    const { tools } = await made.list(AbortSignal.timeout(15_000));
    expect(tools.map((tool) => tool.name)).toContain('echo');
    const result = await made.call('echo', { message: 'hello' }, options());
    expect(result).toMatchObject({ isError: false, content: 'Echo: hello' });
  });
  it('on loopback is out of reach unless somebody granted it', async () => {
    const manifest = Bundle.shape.tools.parse({ m: { type: 'mcp', transport: { type: 'http', url } } }).m;
    const closed = createMcpSource({
      manifest: manifest as Extract<Manifest, { type: 'mcp' }>,
      placeholders: createPlaceholders('m', {}),
      outbound: createOutbound(NO_GRANTS),
      connectTimeoutMs: 5_000,
      idleMs: 5_000,
    });
    open.push(closed);
    await expect(closed.list(AbortSignal.timeout(5_000))).rejects.toThrow(/not on the public internet \(loopback\)/);
    await expect(closed.call('echo', {}, options())).rejects.toMatchObject({ sent: 'no' });
  });
  it('nobody there: nothing was sent', async () => {
    const made = source({ type: 'http', url: 'http://127.0.0.1:9/mcp' });
    await expect(made.call('echo', { message: 'x' }, options())).rejects.toMatchObject({ sent: 'no' });
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
