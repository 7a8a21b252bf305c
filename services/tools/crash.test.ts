/**
 * The tools service in a process of its own, killed with SIGKILL while calls are on their way; what happened is counted
 * outside, in the shops that it called.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApprovalGrant, BUCKETS, Bundle, contentHash, derivedCallId, subjects } from '@tutti/contracts';
import {
  type Bus,
  type Caller,
  connectNatsBus,
  createBundleStore,
  createCaller,
  createLogger,
  provision,
} from '@tutti/runtime';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createBusLedger } from './adapters/bus-ledger.ts';
import { SHOP_DOCUMENT, type Shop, startShop } from './test-support/shop-server.ts';

const MAIN = new URL('./main.ts', import.meta.url).pathname;
const log = createLogger({}, { level: 'silent' });
const NAMES = ['keyed', 'found', 'missing', 'blind'] as const;
const probe = { tool: 'findOrder', arguments: { key: '$idempotencyKey' }, foundAt: 'order' };
const orders = {
  keyed: { effect: 'keyed', timeoutMs: 1_000 },
  found: { effect: 'irreversible', probe, timeoutMs: 1_000 },
  missing: { effect: 'irreversible', probe, timeoutMs: 1_000 },
  blind: { effect: 'irreversible', timeoutMs: 1_000 },
} as const;

let nats: TestNats;
let shops: Record<(typeof NAMES)[number], Shop>;
let bus: Bus;
let caller: Caller;
let hash: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  nats = await startTestNats();
  const [keyed, found, missing, blind] = await Promise.all(NAMES.map(() => startShop()));
  shops = { keyed: keyed!, found: found!, missing: missing!, blind: blind! };
  shops.keyed.honoursKeys = true;
  bus = await connectNatsBus({ url: nats.url, name: 'test', log });
  await provision(bus, { replicas: 1 });
  caller = createCaller(bus, log);
  const bundle = Bundle.parse({
    v: 1,
    name: 'test',
    agents: { clerk: { name: 'clerk', instructions: '', tools: ['*'] } },
    tools: Object.fromEntries(
      NAMES.map((name) => [
        name,
        {
          type: 'openapi',
          document: SHOP_DOCUMENT,
          url: `${shops[name].url}/v1`,
          prefix: `${name}_`,
          tools: { order: orders[name] },
        },
      ]),
    ),
    collections: {},
  });
  hash = await createBundleStore(() => bus.bucket(BUCKETS.bundles)).apply('acme', bundle);
}, 60_000);
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  caller.close();
  await bus.close();
  await Promise.all([nats.stop(), ...NAMES.map((name) => shops[name].close())]);
});

function startTools(): ChildProcess {
  const child = spawn(process.execPath, [MAIN], {
    env: {
      ...process.env,
      NATS_URL: nats.url,
      TUTTI_DATA: mkdtempSync(join(tmpdir(), 'tutti-tools-')),
      TUTTI_LOG_LEVEL: 'silent',
      TUTTI_TOOLS_PRIVATE_NETWORKS: '127.0.0.1',
      TUTTI_TOOLS_PEER_GONE_MS: '200',
      TUTTI_TOOLS_PROBE_SETTLE_MS: '100',
      TUTTI_TOOLS_PAUSE_MAX_MS: '500',
    },
    stdio: 'ignore',
  });
  children.push(child);
  return child;
}

const args = (name: string) => ({ item: name, quantity: 1 });
function execute(name: (typeof NAMES)[number], more: { approval?: ApprovalGrant; run?: string } = {}) {
  const tool = `${name}_order`;
  const approval = { id: 'apr_1', argumentsHash: contentHash({ tool, arguments: args(name) }), by: 'kim', at: 1 };
  return caller.call(
    'execute',
    { bundle: hash, agent: 'clerk', tool, arguments: args(name), approval: more.approval ?? approval },
    { tenant: 'acme', callId: derivedCallId(more.run ?? 'run', name), timeoutMs: 50_000 },
  );
}

it('killed while four calls are out: each happens once, or a human is asked', async () => {
  shops.keyed.mode = 'hang-after';
  shops.found.mode = 'hang-after';
  shops.missing.mode = 'hang-before';
  shops.blind.mode = 'hang-after';
  const first = startTools();
  const results = NAMES.map((name) => execute(name));
  await Promise.all(NAMES.map((name) => shops[name].sawOrders(1)));
  first.kill('SIGKILL');
  for (const name of NAMES) shops[name].mode = 'ok';
  startTools();
  const [keyed, found, missing, blind] = await Promise.all(results);

  // Sent again under the same key, and recognised.
  expect(keyed).toMatchObject({ status: 'done', isError: false });
  expect(shops.keyed.orders.length).toBe(1);
  expect(shops.keyed.requests.filter((request) => request.method === 'POST').length).toBe(2);
  // Asked after and found: not sent again.
  expect(found).toMatchObject({ status: 'done', content: expect.stringContaining('"number":1') });
  expect(shops.found.requests.filter((request) => request.method === 'POST').length).toBe(1);
  expect(shops.found.orders.length).toBe(1);
  // Asked after twice and not found: sent again.
  expect(missing).toMatchObject({ status: 'done' });
  expect(shops.missing.orders.length).toBe(1);
  // Nothing can tell: a human has to.
  expect(blind).toMatchObject({ status: 'approval_required', policy: 'tutti.effect-unknown' });
  expect(shops.blind.orders.length).toBe(1);

  // Said again, the outcomes are the same, and a yes to the unknown one sends it exactly once more.
  expect(await execute('keyed')).toMatchObject({ status: 'done', replayed: true });
  expect(await execute('missing')).toMatchObject({ status: 'done', replayed: true });
  if (blind?.status !== 'approval_required') throw new Error('unexpected');
  const approval = { id: 'apr_2', argumentsHash: blind.argumentsHash, by: 'kim', at: 2 };
  expect(await execute('blind', { approval })).toMatchObject({ status: 'done', replayed: false });
  expect(await execute('blind', { approval })).toMatchObject({ status: 'done', replayed: true });
  expect(NAMES.map((name) => shops[name].orders.length)).toEqual([1, 1, 1, 2]);
}, 90_000);

it('killed between intent and dispatch: what the ledger then holds leads to one effect, or to a question', async () => {
  const before = Object.fromEntries(NAMES.map((name) => [name, shops[name].orders.length]));
  const ledger = createBusLedger(bus);
  for (const name of NAMES) {
    const tool = `${name}_order`;
    const argumentsHash = contentHash({ tool, arguments: args(name) });
    const callId = derivedCallId('second', name);
    await ledger.append(
      'acme',
      callId,
      {
        v: 1,
        kind: 'intent',
        tool,
        argumentsHash,
        requestHash: argumentsHash,
        bundle: hash,
        agent: 'clerk',
        effect: orders[name].effect,
        idempotencyKey: callId,
        instance: 'tools-killed',
        token: callId,
        attempt: 1,
        at: Date.now(),
        timeoutMs: 1_000,
      },
      0,
    );
  }
  const [keyed, found, missing, blind] = await Promise.all(NAMES.map((name) => execute(name, { run: 'second' })));
  for (const result of [keyed, found, missing]) expect(result).toMatchObject({ status: 'done', isError: false });
  expect(blind).toMatchObject({ status: 'approval_required', policy: 'tutti.effect-unknown' });
  expect(NAMES.map((name) => shops[name].orders.length - before[name]!)).toEqual([1, 1, 1, 0]);
}, 60_000);

it('stopped (SIGSTOP) in a call: another replica waits for it, and does nothing of its own', async () => {
  const running = children.at(-1)!;
  const before = shops.blind.orders.length;
  shops.blind.mode = 'hang-after';
  const result = execute('blind', { run: 'third' });
  await until('the order to be made', () => shops.blind.orders.length === before + 1);
  running.kill('SIGSTOP');
  shops.blind.mode = 'ok';
  startTools();
  // Sent again and again, until the other replica has it and asks the stopped one whether it still works on it.
  const callId = derivedCallId('third', 'blind');
  const { instance } = (await createBusLedger(bus).last('acme', callId))!.record;
  let asked = false;
  const listening = bus.subscribe(subjects.at('tools', instance), () => {
    asked = true;
  });
  await until('the other replica to ask', () => {
    sendAgain('blind', callId);
    return asked;
  });
  listening.stop();
  expect(shops.blind.orders.length).toBe(before + 1);
  running.kill('SIGCONT');
  expect(await result).toMatchObject({ status: 'approval_required', policy: 'tutti.effect-unknown' });
  expect(shops.blind.orders.length).toBe(before + 1);
}, 60_000);

function sendAgain(name: string, callId: string): void {
  const tool = `${name}_order`;
  const approval = { id: 'apr_1', argumentsHash: contentHash({ tool, arguments: args(name) }), by: 'kim', at: 1 };
  const body = { bundle: hash, agent: 'clerk', tool, arguments: args(name), approval };
  const item = { callId, tenant: 'acme', deadlineAt: Date.now() + 50_000, body };
  const data = new TextEncoder().encode(JSON.stringify({ v: 1, items: [item] }));
  bus.publish(subjects.request('tools', 'execute'), data, { reply: `${bus.inbox}.nobody` });
}
