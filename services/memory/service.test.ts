/** The whole service over a real nats-server: verbs, catching up, dead letters, a log that was made anew. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUCKETS, Bundle, newRunId, newSessionId, STREAMS, subjects } from '@tutti/contracts';
import {
  type Bus,
  type Caller,
  connectNatsBus,
  createBundleStore,
  createCaller,
  createLogger,
  type StartedService,
  startService,
} from '@tutti/runtime';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DEAD_LETTERS_SUBJECT } from './dead-letters.ts';
import { memoryService } from './service.ts';
import { approvalId, batchOf, lateOf, travelRun, turnOf } from './testing/entries.ts';

const log = createLogger({}, { level: 'silent' });
const ASK = { tenant: 'acme', timeoutMs: 20_000 };

let nats: TestNats;
let folder: string;
let bus: Bus;
let caller: Caller;
let services: StartedService[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tutti-memory-service-'));
  services = [];
  await connectTo(await startTestNats());
});
afterEach(async () => {
  for (const service of services) await service.stop();
  await disconnect();
  rmSync(folder, { recursive: true, force: true });
});

async function connectTo(server: TestNats): Promise<void> {
  nats = server;
  bus = await connectNatsBus({ url: nats.url, name: 'test', log });
  caller = createCaller(bus, log);
}
async function disconnect(): Promise<void> {
  caller.close();
  await bus.close();
  await nats.stop();
}
async function start(env: Record<string, string> = {}): Promise<StartedService> {
  const service = await startService(memoryService, {
    env: { MONGODB_URL: '', ...env, NATS_URL: nats.url, TUTTI_DATA: folder },
    log,
  });
  services.push(service);
  await until('the service to be ready', () => service.ready());
  return service;
}
function append(content: unknown, partition = 0): Promise<number> {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  return bus.append(subjects.log(partition), new TextEncoder().encode(text));
}

test('projects what was in the log before it was ready, and what comes then, from every partition', async () => {
  const first = await start();
  await first.stop();
  const [early, late] = [travelRun({ startAt: 1 }), travelRun({ startAt: 2 })];
  await append(batchOf(early.entries.slice(0, 5)), 1);
  await append(batchOf(early.entries.slice(5)), 1);
  await start();
  const read = (run: string) => caller.call('read', { op: 'run', run }, ASK);
  expect(await read(early.run)).toMatchObject({ run: { status: 'completed', version: 10 } });
  await append(batchOf(late.entries), 3);
  await until('the late run', async () => (await read(late.run)).op === 'run' && (await readRun(late.run)));

  expect(await caller.call('read', { op: 'runs' }, ASK)).toMatchObject({ runs: [{ id: late.run }, { id: early.run }] });
  const journal = await caller.call('read', { op: 'journal', run: early.run, after: 4, limit: 2 }, ASK);
  expect(journal).toEqual({ op: 'journal', entries: early.entries.slice(4, 6) });
  const approval = { id: approvalId(early.run, 2), status: 'approved' };
  expect(await caller.call('read', { op: 'approval', approval: approval.id }, ASK)).toMatchObject({ approval });
  expect(await caller.call('read', { op: 'approvals', run: early.run }, ASK)).toMatchObject({ approvals: [approval] });

  const stranger = { ...ASK, tenant: 'other' };
  expect(await caller.call('read', { op: 'run', run: early.run }, stranger)).toEqual({ op: 'run', run: null });
  expect(await caller.call('read', { op: 'runs' }, stranger)).toEqual({ op: 'runs', runs: [] });
});

test('projects logs that lie in several streams, each from where it was', async () => {
  const env = { TUTTI_PARTITIONS: '4', TUTTI_LOG_STREAMS: '3' };
  const first = await start(env);
  const runs = [0, 1, 2, 3].map((partition) => travelRun({ startAt: partition }));
  for (const [partition, { entries }] of runs.entries()) await append(batchOf(entries.slice(0, 5)), partition);
  await until('all runs', async () => (await Promise.all(runs.map(({ run }) => readRun(run)))).every(Boolean));
  await first.stop();
  for (const [partition, { entries }] of runs.entries()) await append(batchOf(entries.slice(5)), partition);
  await start(env);
  for (const { run } of runs) expect(await readRun(run)).toMatchObject({ status: 'completed', version: 10 });
  // Nothing was read again and found in the wrong place.
  expect(await bus.last(STREAMS.deadLetters.name, DEAD_LETTERS_SUBJECT)).toBeNull();
});

async function readRun(run: string) {
  const result = await caller.call('read', { op: 'run', run }, ASK);
  return result.op === 'run' ? result.run : null;
}

test('remembers, and recalls the latest turns with older ones that belong to the question', async () => {
  await start({ TUTTI_MEMORY_OLDER_TURNS_MAX: '3', TUTTI_MEMORY_ACTION_CONTENT_CHARS_MAX: '100' });
  const session = newSessionId();
  const turns = Array.from({ length: 30 }, (_, i) =>
    turnOf(session, i, { input: `Weather of day ${i}`, output: 'Sunny' }),
  );
  turns[4] = {
    ...turns[4]!,
    input: 'My seat is always at the aisle',
    actions: [{ callId: 'c', tool: 't', arguments: {}, content: 'x'.repeat(500), isError: false, effect: 'pure' }],
  };
  await Promise.all(turns.map((turn) => caller.call('remember', { turn }, ASK)));
  await caller.call('remember', { turn: turns[4]! }, ASK);
  const recall = async (query: string, options = ASK) =>
    caller.call('recall', { session, query, turnsMax: 5 }, options);
  const found = await recall('Which seat do I want?');
  expect(found.turns.map(({ at }) => at)).toEqual([3, 4, 5, 25, 26, 27, 28, 29]);
  expect(found.turns[1]!.actions[0]!.content).toMatch(/ \[cut: \d+ more characters\]$/);
  expect(found).toMatchObject({ summary: null, facts: [] });
  expect((await recall('nothing of the kind')).turns.map(({ at }) => at)).toEqual([25, 26, 27, 28, 29]);
  expect((await recall('seat', { ...ASK, tenant: 'other' })).turns).toEqual([]);
  const listed = await caller.call('read', { op: 'turns', session, limit: 2 }, ASK);
  expect(listed).toMatchObject({ turns: [{ at: 28 }, { at: 29 }] });
});

test('pages end before they are too large for the bus, lists cut their texts', async () => {
  await start();
  const log = travelRun({ input: 'i'.repeat(90_000) });
  for (let i = 0; i < 20; i++) log.entries.splice(-1, 0, { ...log.entries[0]!, n: 0 });
  const entries = log.entries.map((entry, i) => ({ ...entry, n: i + 1 }));
  for (const entry of entries) await append(batchOf([entry]));
  await until('the run', async () => (await readRun(log.run))?.status === 'completed');
  const seen: number[] = [];
  for (let pages = 0; seen.length < entries.length; pages++) {
    const page = await caller.call('read', { op: 'journal', run: log.run, after: seen.length, limit: 1_000 }, ASK);
    if (page.op !== 'journal' || page.entries.length === 0) throw new Error(`page ${pages} is empty`);
    seen.push(...page.entries.map(({ n }) => n));
  }
  expect(seen).toEqual(entries.map(({ n }) => n));
  const list = await caller.call('read', { op: 'runs' }, ASK);
  expect(list.op === 'runs' && list.runs[0]!.input).toMatch(/^i{1900,2000} \[cut/);
  expect((await readRun(log.run))!.input).toHaveLength(90_000);
});

test('what cannot be read is in the dead letters, with the reason', async () => {
  await start();
  const run = travelRun();
  const sequence = await append('{"v":1');
  await append(batchOf(run.entries));
  await until('the run behind it', () => readRun(run.run));
  const letter = await bus.last(STREAMS.deadLetters.name, DEAD_LETTERS_SUBJECT);
  expect(JSON.parse(new TextDecoder().decode(letter!.data))).toMatchObject({ kind: 'record', payload: '{"v":1' });
  expect(sequence).toBe(1);
});

test('tells how far each partition is projected, and shows results that came too late', async () => {
  await start();
  const run = travelRun();
  await append(batchOf(run.entries), 2);
  const sequence = await append(batchOf([], [lateOf(run.run, 7)]), 2);
  const position = () =>
    bus.bucket(BUCKETS.positions).then(async (bucket) => {
      const entry = await bucket.get('memory.2');
      return entry ? Number(new TextDecoder().decode(entry.value)) : 0;
    });
  await until('the position', async () => (await position()) === sequence);
  const late = await caller.call('read', { op: 'late', run: run.run }, ASK);
  expect(late).toMatchObject({ op: 'late', results: [{ tool: 'book', ok: true, content: 'booked' }] });
  expect(await caller.call('read', { op: 'late', run: run.run }, { ...ASK, tenant: 'other' })).toMatchObject({
    results: [],
  });
});

test('two replicas with a file of their own each come to the same', async () => {
  const other = mkdtempSync(join(tmpdir(), 'tutti-memory-service-'));
  await start();
  const second = await startService(memoryService, {
    env: { MONGODB_URL: '', NATS_URL: nats.url, TUTTI_DATA: other },
    log,
  });
  services.push(second);
  const run = travelRun();
  for (const entry of run.entries) await append(batchOf([entry]));
  // Either may answer: ask until both have.
  await until('both', async () => {
    const views = await Promise.all(Array.from({ length: 8 }, () => readRun(run.run)));
    return views.every((view) => view?.status === 'completed');
  });
  rmSync(other, { recursive: true, force: true });
});

test('a log that was made anew is projected from its beginning', async () => {
  const first = await start();
  const [before, after] = [travelRun(), travelRun()];
  for (const entry of before.entries) await append(batchOf([entry]));
  await until('the first run', async () => (await readRun(before.run))?.status === 'completed');
  await first.stop();
  await disconnect();

  await connectTo(await startTestNats());
  const provisioned = await start({ TUTTI_DATA: folder });
  await provisioned.stop();
  // As long as the old one, so that the number alone does not tell.
  await append(batchOf(after.entries));
  for (let i = 1; i < before.entries.length + 3; i++) await append(batchOf(travelRun().entries));
  await start();
  expect(await readRun(after.run)).toMatchObject({ status: 'completed' });
  expect(await readRun(before.run)).toMatchObject({ status: 'completed' });
});

test('nothing there: null and empty lists; a cursor that is unknown is an error', async () => {
  await start();
  const session = newSessionId();
  const run = newRunId(session);
  expect(await readRun(run)).toBeNull();
  expect(await caller.call('read', { op: 'journal', run }, ASK)).toEqual({ op: 'journal', entries: [] });
  expect(await caller.call('read', { op: 'turns', session }, ASK)).toEqual({ op: 'turns', turns: [] });
  await expect(caller.call('read', { op: 'runs', before: run }, ASK)).rejects.toMatchObject({
    code: 'invalid_request',
  });
});

test('asks the policy before an agent recalls or remembers, and keeps what a turn is labelled with', async () => {
  await start();
  const policies = {
    'memory.cedar': `
      @id("no-secrets-kept") @reason("Secrets are not remembered.")
      forbid (principal, action == Action::"memory.write", resource) when { context.confidentiality.contains("secret") };
      @id("forgetful") @reason("It begins anew each time.")
      forbid (principal == Agent::"forgetful", action == Action::"memory.read", resource);`,
  };
  const agents = { clerk: { name: 'clerk', instructions: '' }, forgetful: { name: 'forgetful', instructions: '' } };
  const made = Bundle.parse({ v: 1, name: 'test', agents, tools: {}, collections: {}, policies });
  const bundle = await createBundleStore(() => bus.bucket(BUCKETS.bundles)).apply('acme', made);
  const session = newSessionId();
  const label = { integrity: 'untrusted' as const, confidentiality: ['internal'] };
  const did = { calls: 2, effects: 1, tools: { mail: 2 }, collections: ['hr'], sums: { spent: 3 } };
  const turn = { ...turnOf(session, 1), agent: 'clerk', label, did };
  await caller.call('remember', { turn, bundle }, ASK);
  const secret = {
    ...turnOf(session, 2),
    agent: 'clerk',
    label: { integrity: 'user' as const, confidentiality: ['secret'] },
  };
  await expect(caller.call('remember', { turn: secret, bundle }, ASK)).rejects.toMatchObject({
    code: 'forbidden',
    message: expect.stringContaining('no-secrets-kept'),
  });
  const recall = (agent: string) => caller.call('recall', { session, query: 'q', turnsMax: 5, bundle, agent }, ASK);
  expect(await recall('clerk')).toMatchObject({ turns: [turn] });
  expect((await recall('clerk')).turns).toHaveLength(1);
  expect(await recall('forgetful')).toMatchObject({
    turns: [],
    withheld: [{ what: session, policy: 'forgetful', reason: 'It begins anew each time.' }],
  });
});
