/** Workers on a real bus: the examples as they are, and one that misbehaves. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { type Bus, connectNatsBus, createLogger } from '@tutti/runtime';
import { until } from '@tutti/testkit';
import { startTestNats, type TestNats } from '@tutti/testkit/nats';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createWorkerSource } from './source.ts';

const EXAMPLES = resolve(import.meta.dirname, '../../../../examples/workers');
const PYTHON = process.env.TUTTI_TEST_PYTHON ?? 'python3';
const hasNatsPy = spawnSync(PYTHON, ['-c', 'import nats']).status === 0;

let nats: TestNats;
let bus: Bus;
const children: ChildProcess[] = [];
const stops: { stop(): void }[] = [];
beforeAll(async () => {
  nats = await startTestNats();
  bus = await connectNatsBus({ url: nats.url, name: 'test', log: createLogger({}, { level: 'silent' }) });
}, 60_000);
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const subscription of stops.splice(0)) subscription.stop();
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

const source = (worker: string, silenceMs?: number) =>
  createWorkerSource({ bus, tenant: 'acme', worker, ...(silenceMs ? { silenceMs } : {}) });
const options = (more: object = {}) => ({ signal: AbortSignal.timeout(10_000), timeoutMs: 5_000, ...more });
const names = async (worker: string) =>
  (await source(worker).list(AbortSignal.timeout(5_000))).tools.map((tool) => [tool.name, tool.effect]);

function start(command: string, file: string): ChildProcess {
  const env = { ...process.env, NATS_URL: nats.url, TENANT: 'acme' };
  const child = spawn(command, [resolve(EXAMPLES, file)], { env, stdio: 'ignore' });
  children.push(child);
  return child;
}
const listed = (worker: string) =>
  until(`the worker ${worker}`, () =>
    names(worker).then(
      (found) => found,
      () => undefined,
    ),
  );

describe('the examples', () => {
  it('weather.ts is found when it comes, answers with progress, and is gone when it goes', async () => {
    await expect(names('weather')).rejects.toMatchObject({ code: 'unavailable' });
    const child = start(process.execPath, 'weather.ts');
    expect(await listed('weather')).toEqual([['forecast', 'pure']]);
    const progress: string[] = [];
    const result = await source('weather').call(
      'forecast',
      { city: 'Oslo' },
      options({ onProgress: (text: string) => progress.push(text) }),
    );
    expect(result).toMatchObject({ isError: false, data: { city: 'Oslo', sky: 'clear' } });
    expect(progress).toEqual(['looking out of the window']);
    child.kill('SIGKILL');
    await until('it is gone', () =>
      names('weather').then(
        () => false,
        () => true,
      ),
    );
    await expect(source('weather').call('forecast', { city: 'Oslo' }, options())).rejects.toMatchObject({ sent: 'no' });
  }, 60_000);

  it.skipIf(!hasNatsPy)(
    'notes.py keeps one note for one key (needs Python with nats-py: TUTTI_TEST_PYTHON)',
    async () => {
      start(PYTHON, 'notes.py');
      expect(await listed('notes')).toEqual([['add_note', 'keyed']]);
      const add = (text: string, idempotencyKey: string) =>
        source('notes').call('add_note', { text }, options({ idempotencyKey }));
      expect((await add('milk', 'call_1')).data).toEqual({ number: 1, text: 'milk' });
      expect((await add('milk', 'call_1')).data).toEqual({ number: 1, text: 'milk' });
      expect((await add('bread', 'call_2')).data).toEqual({ number: 2, text: 'bread' });
    },
    60_000,
  );
});

describe('a worker of any kind', () => {
  /** Answers each call with these messages in turn; keeps what it was told. */
  function worker(name: string, replies: unknown[] | string, description: unknown = { tools: [{ name: 'do' }] }) {
    const told: { calls: Record<string, unknown>[]; cancelled: string[] } = { calls: [], cancelled: [] };
    const encode = (value: unknown) =>
      new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
    const decode = (data: Uint8Array) => JSON.parse(new TextDecoder().decode(data));
    stops.push(
      bus.subscribe(`tutti.worker.acme.${name}.describe`, ({ reply }) => bus.publish(reply!, encode(description))),
      bus.subscribe(`tutti.worker.acme.${name}.call`, ({ data, reply }) => {
        told.calls.push(decode(data));
        for (const answer of replies) bus.publish(reply!, encode(answer));
      }),
      bus.subscribe(`tutti.worker.acme.${name}.cancel`, ({ data }) => told.cancelled.push(decode(data).id)),
    );
    return told;
  }
  const call = (name: string, more: object = {}, silenceMs?: number) =>
    source(name, silenceMs).call('do', { a: 1 }, options(more));

  it('that says little is taken at the least it may do', async () => {
    worker('terse', []);
    expect(await names('terse')).toEqual([['do', 'irreversible']]);
  });
  it('gets the arguments, the key and the time', async () => {
    const told = worker('plain', [{ result: 'done' }]);
    expect(await call('plain', { idempotencyKey: 'call_1' })).toEqual({ content: 'done', isError: false });
    expect(told.calls).toEqual([
      { id: expect.any(String), tool: 'do', arguments: { a: 1 }, idempotencyKey: 'call_1', timeoutMs: 5_000 },
    ]);
  });
  it('refuses in words, or puts off', async () => {
    worker('no', [{ error: { message: 'it is closed' } }]);
    expect(await call('no')).toEqual({ content: 'it is closed', isError: true });
    worker('later', [{ error: { message: 'try later', retryable: true } }]);
    await expect(call('later')).rejects.toMatchObject({ sent: 'no' });
  });
  it.each([
    ['that takes too long', [], { timeoutMs: 100 }, { sent: 'maybe', code: 'timeout' }],
    ['that is cancelled', [], 'cancel', { sent: 'maybe' }],
    ['that falls silent', [{ progress: 1 }], {}, { sent: 'maybe', message: 'the worker has said nothing for 200 ms' }],
    ['that answers nonsense', ['no JSON'], {}, { sent: 'maybe' }],
    ['that answers neither', [{ what: 1 }], {}, { sent: 'maybe' }],
  ])('%s may have done it, and is told to stop', async (what, replies, more, expected) => {
    const name = `w${what.length}`;
    const told = worker(name, replies);
    const how = more === 'cancel' ? { signal: AbortSignal.timeout(100) } : more;
    await expect(call(name, how as object, 200)).rejects.toMatchObject(expected);
    await until('it is told', () => told.cancelled.length > 0);
    expect(told.cancelled).toEqual([told.calls[0]!.id]);
  });
  it('that describes itself wrongly has no tools', async () => {
    worker('wrong', [], { tools: 'many' });
    await expect(names('wrong')).rejects.toMatchObject({ message: /no description/ });
  });
});
