// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are placeholders of tool sources.
/** The service as it runs: real nats-server, real HTTP, two replicas in this process. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BUCKETS,
  Bundle,
  contentHash,
  derivedCallId,
  keptResultBlob,
  type Label,
  RESULTS,
  STREAMS,
  subjects,
  type TuttiError,
  USER_LABEL,
} from '@tutti/contracts';
import {
  type Bus,
  BusConflict,
  type Caller,
  connectNatsBus,
  createBundleStore,
  createCaller,
  createLogger,
  openSwitches,
  type StartedService,
  startService,
} from '@tutti/runtime';
import { until } from '@tutti/testkit';
import { startTestNats, type TestNats } from '@tutti/testkit/nats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBusLedger } from './adapters/bus-ledger.ts';
import { toolsService } from './service.ts';
import { SHOP_DOCUMENT, type Shop, startShop } from './test-support/shop-server.ts';

const log = createLogger({}, { level: 'silent' });
const bundle = Bundle.parse({
  v: 1,
  name: 'test',
  agents: {
    clerk: {
      name: 'clerk',
      instructions: '',
      tools: ['order', 'getItem', 'calc*', 'keyed_order', 'bad_order', 'big_big', 'nothing'],
    },
    reader: { name: 'reader', instructions: '', tools: ['big_big', 'y_read_result'] },
    trader: { name: 'trader', instructions: '', tools: ['desk_*', 'order', 'x_calculator'] },
  },
  tools: {
    shop: { type: 'openapi', document: SHOP_DOCUMENT, url: '${SHOP_URL}/v1' },
    keyed: {
      type: 'openapi',
      document: SHOP_DOCUMENT,
      url: '${SHOP_URL}/v1',
      prefix: 'keyed_',
      allow: ['order'],
      tools: { order: { effect: 'keyed', tags: ['x'] }, ordr: { tags: ['y'] } },
    },
    bad: { type: 'openapi', document: SHOP_DOCUMENT, url: '${NOWHERE_URL}', prefix: 'bad_' },
    large: {
      type: 'openapi',
      document: SHOP_DOCUMENT,
      url: '${SHOP_URL}/v1',
      prefix: 'big_',
      allow: ['big'],
      labels: { confidentiality: 'hr' },
    },
    desk: {
      type: 'openapi',
      document: SHOP_DOCUMENT,
      url: '${SHOP_URL}/v1',
      prefix: 'desk_',
      allow: ['order', 'getItem'],
      labels: { integrity: 'tool:trusted', clearance: 'internal' },
      tools: {
        getItem: { labels: { confidentiality: 'hr' } },
        order: { effect: 'keyed', sums: { pieces: '$arguments.quantity' } },
      },
    },
    builtin: { type: 'builtin' },
    more: { type: 'builtin' },
    brought: { type: 'builtin', prefix: 'x_' },
    // Whatever a bundle says of it, what is read on is what it was.
    reading: {
      type: 'builtin',
      prefix: 'y_',
      allow: ['read_result'],
      tools: { read_result: { labels: { integrity: 'system', confidentiality: 'public' } } },
    },
  },
  collections: {},
  policies: {
    'pieces.cedar': `
      @id("ten-pieces") @reason("Ten pieces a run are enough.")
      forbid (principal, action == Action::"tool.call", resource) when { context.run.sumsWithCall.pieces > 10 };`,
  },
});

let nats: TestNats;
let shop: Shop;
let bus: Bus;
let caller: Caller;
let replicas: StartedService[];
let hash: string;
beforeAll(async () => {
  [nats, shop] = await Promise.all([startTestNats(), startShop()]);
  const env = {
    NATS_URL: nats.url,
    TUTTI_DATA: mkdtempSync(join(tmpdir(), 'tutti-tools-')),
    TUTTI_VAR_SHOP_URL: shop.url,
    TUTTI_LOG_LEVEL: 'silent',
    TUTTI_TOOLS_PEER_GONE_MS: '100',
  };
  replicas = [await startService(toolsService, { env }), await startService(toolsService, { env })];
  bus = await connectNatsBus({ url: nats.url, name: 'test', log });
  caller = createCaller(bus, log);
  hash = await createBundleStore(() => bus.bucket(BUCKETS.bundles)).apply('acme', bundle);
}, 60_000);
afterAll(async () => {
  caller.close();
  await Promise.all(replicas.map((replica) => replica.stop()));
  await bus.close();
  await Promise.all([nats.stop(), shop.close()]);
});

const options = (callId = derivedCallId('run', Math.random())) => ({ tenant: 'acme', callId, timeoutMs: 10_000 });
const execute = (tool: string, args: Record<string, unknown>, more: object = {}, callId?: string) =>
  caller.call('execute', { bundle: hash, agent: 'clerk', tool, arguments: args, ...more }, options(callId));

describe('describe', () => {
  const describeClerk = (have: string[] = []) =>
    caller.call('describe', { bundle: hash, agent: 'clerk', have }, options());
  it('tells the agent’s tools by name with a hash, and what is wrong', async () => {
    const result = await describeClerk();
    expect(result.tools!.map((tool) => [tool.name, tool.effect])).toEqual([
      ['big_big', 'pure'],
      ['getItem', 'pure'],
      ['keyed_order', 'keyed'],
      ['order', 'irreversible'],
    ]);
    expect(result.hash).toBe(contentHash(result.tools));
    expect(result.problems).toEqual([
      expect.stringMatching(/^bad: the tool source "bad" needs the variable NOWHERE_URL: set TUTTI_VAR_NOWHERE_URL/),
      expect.stringMatching(/^desk: .*left out/),
      expect.stringMatching(/^keyed: .*left out/),
      'keyed: the bundle speaks of "ordr", which the source does not have',
      expect.stringMatching(/^large: .*upload/),
      expect.stringMatching(/^shop: .*upload/),
      '"calculator" is left out: builtin and more both have it; give one a prefix',
      ...['current_time', 'date_math', 'fetch_page', 'read_result', 'run_javascript'].map(
        (name) => `"${name}" is left out: builtin and more both have it; give one a prefix`,
      ),
      'the agent "clerk" asks for "calc*", which no source offers right now',
      'the agent "clerk" asks for "bad_order", which no source offers right now',
      'the agent "clerk" asks for "nothing", which no source offers right now',
    ]);
  });
  it('leaves the tools out when the asker has them', async () => {
    const { hash: known } = await describeClerk();
    expect(await describeClerk([known])).not.toHaveProperty('tools');
  });
  it('an unknown agent or bundle', async () => {
    const ask = (body: { bundle: string; agent: string }) =>
      caller.call('describe', body, options()).catch((error: TuttiError) => error.code);
    expect(await ask({ bundle: hash, agent: 'nobody' })).toBe('not_found');
    expect(await ask({ bundle: 'gone', agent: 'clerk' })).toBe('not_found');
  });
});

describe('execute', () => {
  it('a pure call', async () => {
    expect(await execute('getItem', { id: 'tea' })).toMatchObject({ status: 'done', effect: 'pure', isError: false });
  });
  it('a keyed call once, whichever replica gets it and however often', async () => {
    const callId = derivedCallId('run', 'keyed');
    const before = shop.orders.length;
    const args = { item: 'tea', quantity: 1 };
    const results = [];
    for (let i = 0; i < 8; i++) results.push(await execute('keyed_order', args, {}, callId));
    expect(shop.orders.length).toBe(before + 1);
    expect(shop.orders.at(-1)!.key).toBe(callId);
    expect(results.map((result) => result.status === 'done' && result.replayed)).toEqual([
      false,
      ...Array(7).fill(true),
    ]);
    const other = await execute('keyed_order', { item: 'gold', quantity: 1 }, {}, callId).catch(
      (error: TuttiError) => error.code,
    );
    expect(other).toBe('call_mismatch');
  });
  it('an irreversible call after a yes to exactly its arguments', async () => {
    const callId = derivedCallId('run', 'irreversible');
    const before = shop.orders.length;
    const asked = await execute('order', { item: 'ship', quantity: '2' }, {}, callId);
    if (asked.status !== 'approval_required') throw new Error(`unexpected ${asked.status}`);
    expect(asked).toMatchObject({ arguments: { item: 'ship', quantity: 2 }, effect: 'irreversible' });
    expect(shop.orders.length).toBe(before);
    const approval = { id: 'apr_1', argumentsHash: asked.argumentsHash, by: 'kim', at: 1 };
    expect(await execute('order', { item: 'ship', quantity: '2' }, { approval }, callId)).toMatchObject({
      status: 'done',
    });
    expect(shop.orders.at(-1)).toMatchObject({ item: 'ship', quantity: 2 });
    expect(await execute('order', { item: 'whale', quantity: 1 }, { approval })).toMatchObject({
      status: 'approval_required',
    });
    expect(shop.orders.length).toBe(before + 1);
  });
  it('a source whose variable is missing says which', async () => {
    const error = await execute('bad_order', { item: 'a', quantity: 1 }).catch((thrown: TuttiError) => thrown);
    expect(error).toMatchObject({ code: 'unavailable', retryable: false });
    expect((error as TuttiError).message).toContain('TUTTI_VAR_NOWHERE_URL');
  });
});

it('the ledger on the bus keeps the promises of its port', async () => {
  const ledger = createBusLedger(bus);
  const callId = derivedCallId('run', 'ledger');
  expect(await ledger.last('acme', callId)).toBeNull();
  const record = {
    v: 1,
    kind: 'intent',
    tool: 't',
    argumentsHash: 'a',
    requestHash: 'r',
    bundle: hash,
    agent: 'clerk',
    effect: 'keyed',
    idempotencyKey: callId,
    instance: 'i',
    token: '1',
    attempt: 1,
    at: 1,
    timeoutMs: 1,
  } as const;
  const attempts = await Promise.allSettled(
    Array.from({ length: 8 }, (_, i) => ledger.append('acme', callId, { ...record, token: `${i}` }, 0)),
  );
  expect(attempts.filter((attempt) => attempt.status === 'fulfilled').length).toBe(1);
  for (const attempt of attempts)
    if (attempt.status === 'rejected') expect(attempt.reason).toMatchObject({ name: 'LedgerConflict' });
  const last = (await ledger.last('acme', callId))!;
  await ledger.append('acme', callId, { ...record, attempt: 2 }, last.sequence);
  await expect(ledger.append('acme', callId, { ...record, attempt: 2 }, last.sequence)).rejects.toThrow();
  expect((await ledger.last('acme', callId))!.record.attempt).toBe(2);
  expect(await ledger.last('other', callId)).toBeNull();
  // What a careless writer would do is refused by the stream as well.
  await expect(
    bus.append(subjects.effect('acme', callId), new Uint8Array(), { expectedLastSubjectSequence: 0 }),
  ).rejects.toThrow(BusConflict);
  expect((await bus.last(STREAMS.effects.name, subjects.effect('acme', callId)))!.subject).toContain(callId);
});

describe('what was stopped or given up', () => {
  it('the kill switch: no call within a second of its being set, on any replica', async () => {
    const switches = await openSwitches(bus, log);
    const target = { kind: 'tool', tenant: 'acme', name: 'getItem' } as const;
    expect(await execute('getItem', { id: 'tea' })).toMatchObject({ status: 'done' });
    await switches.set(target, { stopped: true, by: 'kim', at: 1, reason: 'odd' });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const seen = shop.requests.length;
    const results = await Promise.all(Array.from({ length: 8 }, () => execute('getItem', { id: 'tea' })));
    for (const result of results) expect(result).toMatchObject({ status: 'denied', policy: 'tutti.kill-switch' });
    expect(shop.requests.length).toBe(seen);
    await switches.set(target, { stopped: false, by: 'kim', at: 2, reason: '' });
    await until('it to be released', async () => (await execute('getItem', { id: 'tea' })).status === 'done');
    switches.close();
  });
  it('a call whose run was cancelled before it came does nothing when it comes', async () => {
    const callId = derivedCallId('run', 'late');
    const call = { tenant: 'acme', run: 'run_late', callId };
    caller.bar('execute', call);
    const ledger = createBusLedger(bus);
    await until('it to be in the ledger', async () => (await ledger.last('acme', callId)) !== null);
    const seen = shop.orders.length;
    const late = caller.call(
      'execute',
      { bundle: hash, agent: 'clerk', tool: 'keyed_order', arguments: { item: 'tea', quantity: 1 }, label: USER_LABEL },
      { ...call, timeoutMs: 10_000 },
    );
    await expect(late).rejects.toMatchObject({ code: 'cancelled', retryable: false });
    expect(shop.orders.length).toBe(seen);
    expect((await ledger.last('acme', callId))!.record).toMatchObject({ kind: 'void', barred: true, run: 'run_late' });
  });
  it('a large result lies in the object store in full', async () => {
    const result = await execute('big_big', {});
    if (result.status !== 'done') throw new Error(result.status);
    expect(result.content.length).toBeLessThanOrEqual(32_000);
    const whole = await (await bus.blobs(RESULTS.name)).get(result.whole!.blob);
    expect(whole!.length).toBe(result.whole!.bytes);
    expect(new TextDecoder().decode(whole!).startsWith('xxx')).toBe(true);
  });
});

describe('reading on in a large result', () => {
  const as = (run: string, tool: string, args: Record<string, unknown>, more: object = {}) =>
    caller.call(
      'execute',
      { bundle: hash, agent: 'reader', tool, arguments: args },
      { tenant: 'acme', run, callId: derivedCallId(run, Math.random()), timeoutMs: 10_000, ...more },
    );
  const contentOf = (result: Awaited<ReturnType<typeof as>>) => (result.status === 'done' ? result.content : '');
  const referenceIn = (content: string) => /To read on: y_read_result (\{.*?\})/.exec(content)?.[1];

  it('the excerpt says how, on any replica, and every part has the label of the whole', async () => {
    const whole = await as('run_a', 'big_big', {});
    const label = { integrity: 'untrusted', confidentiality: ['hr'] };
    expect(whole).toMatchObject({ status: 'done', label });
    const how = JSON.parse(referenceIn(contentOf(whole))!);
    expect(how).toMatchObject({ result: expect.stringMatching(/^res_[0-9a-f]{20}$/), offset: expect.any(Number) });
    for (let i = 0; i < 4; i++) {
      const part = await as('run_a', 'y_read_result', { ...how, limit: '1000' });
      expect(part).toMatchObject({ status: 'done', isError: false, effect: 'pure', label });
      expect(contentOf(part)).toMatch(/^\[Characters \d+ to \d+ of \d+ of the result of big_big; offset/);
    }
    expect(await as('run_a', 'y_read_result', { result: how.result, find: 'x' })).toMatchObject({
      isError: false,
      label,
    });
  });
  it('is for its own run, tree and conversation, and for no other tenant', async () => {
    const own = { root: 'run_top', session: 'ses_1' };
    const { result } = JSON.parse(referenceIn(contentOf(await as('run_b', 'big_big', {}, own)))!);
    const reads = (run: string, more: object) => as(run, 'y_read_result', { result }, more);
    for (const more of [
      { root: 'run_top', session: 'ses_2' },
      { root: 'run_c', session: 'ses_1' },
    ])
      expect(await reads('run_c', more)).toMatchObject({ isError: false });
    expect(await reads('run_c', { root: 'run_c', session: 'ses_3' })).toMatchObject({ isError: true });
    await createBundleStore(() => bus.bucket(BUCKETS.bundles)).apply('other', bundle);
    expect(await reads('run_b', { ...own, tenant: 'other' })).toMatchObject({ isError: true });
  });
  it('a text that is not the one that the label was said of is not read', async () => {
    const { result } = JSON.parse(referenceIn(contentOf(await as('run_d', 'big_big', {})))!);
    const blobs = await bus.blobs(RESULTS.name);
    const about = JSON.parse(new TextDecoder().decode((await blobs.get(keptResultBlob('acme', result)))!));
    await blobs.put(about.blob, new TextEncoder().encode('another text'));
    expect(await as('run_d', 'y_read_result', { result })).toMatchObject({ isError: true });
  });
  it('an agent that has no tool for it is told to ask for less', async () => {
    const content = contentOf(await execute('big_big', {}));
    expect(content).toContain('Ask for less at once');
    expect(content).not.toContain('read_result');
  });
});

describe('labels', () => {
  const ask = (tool: string, args: Record<string, unknown>, label?: Label, more: object = {}) =>
    execute(tool, args, { agent: 'trader', ...(label ? { label } : {}), ...more });
  const label = (integrity: Label['integrity'], ...confidentiality: string[]): Label => ({
    integrity,
    confidentiality,
  });

  it('of tools are told with them, and stand beside their results', async () => {
    const { tools } = await caller.call('describe', { bundle: hash, agent: 'trader' }, options());
    const told = Object.fromEntries(tools!.map((tool) => [tool.name, [tool.label, tool.sums]]));
    expect(told).toEqual({
      desk_getItem: [label('tool:trusted', 'hr'), undefined],
      desk_order: [label('tool:trusted'), { pieces: '$arguments.quantity' }],
      order: [undefined, undefined],
      x_calculator: [label('tool:trusted'), undefined],
    });
    const result = await ask('desk_getItem', { id: 'tea' }, label('user'));
    expect(result).toMatchObject({ status: 'done', label: label('tool:trusted', 'hr') });
    const callId = derivedCallId('run', 'labelled');
    const order = () =>
      execute('desk_order', { item: 'tea', quantity: 1 }, { agent: 'trader', label: label('user') }, callId);
    const done = { label: label('tool:trusted'), policy: 'builtin.tool-calls-without-lasting-harm' };
    expect(await order()).toMatchObject({ ...done, replayed: false });
    expect(await order()).toMatchObject({ ...done, replayed: true });
  });

  it('of what led to a call decide whether a human is asked, who is shown them', async () => {
    const args = { item: 'tea', quantity: 1 };
    const leaky = label('untrusted', 'hr');
    const before = shop.orders.length;
    expect(await ask('desk_order', args, leaky)).toMatchObject({
      status: 'approval_required',
      policy: 'builtin.confidential-needs-approval, builtin.secret-needs-approval',
      label: leaky,
    });
    expect(await ask('order', args, label('untrusted'))).toMatchObject({ policy: 'builtin.untrusted-needs-approval' });
    // Without a word of what led to it: anybody's.
    expect(await ask('order', args)).toMatchObject({ policy: 'builtin.untrusted-needs-approval' });
    expect(shop.orders.length).toBe(before);
    expect(await ask('x_calculator', { expression: '1+1' }, label('untrusted', 'hr'))).toMatchObject({
      status: 'done',
    });
  });

  it('and what was done before are asked for with it', async () => {
    const history = (pieces: number) => {
      const run = { calls: 1, effects: 1, tools: { desk_order: 1 }, collections: [], sums: { pieces } };
      return { history: { run, session: run } };
    };
    const args = { item: 'tea', quantity: 4 };
    expect(await ask('desk_order', args, label('user'), history(6))).toMatchObject({ status: 'done' });
    expect(await ask('desk_order', args, label('user'), history(7))).toEqual({
      status: 'denied',
      policy: 'ten-pieces',
      reason: 'Ten pieces a run are enough.',
    });
  });

  it('of arguments that do not fit are the bundle’s own word, and nothing was done', async () => {
    expect(await ask('desk_order', { item: 1 }, label('user'))).toMatchObject({
      isError: true,
      dispatched: false,
      label: label('system'),
    });
  });
});
