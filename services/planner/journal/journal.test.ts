/** What can be done with journals, on a real bus: states at versions, forks, preflight. Memory is played from the log. */
import {
  BUCKETS,
  type Bundle,
  contentHash,
  FORKS,
  newRunId,
  newSessionId,
  type PreflightReport,
  partitionOf,
  type ReadBody,
  type ReadResult,
  type RunEntry,
  type RunView,
  type ToolDefinition,
} from '@tutti/contracts';
import { type Caller, createBundleStore, createCaller, type StartedService, systemClock } from '@tutti/runtime';
import { until } from '@tutti/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Script, type StartedRun, testBundle, tool } from '../test-support.ts';
import { openWorld, silent, type World } from '../test-world.ts';
import { preflightHandler } from './preflight-runs.ts';
import { createJournalReader, type JournalReader } from './reader.ts';

let world: World;
let caller: Caller;
let planner: StartedService;
const memory = { read: played as (body: ReadBody) => ReadResult | Promise<ReadResult>, runs: [] as RunView[] };
/** What the tools service has on record: one effect a call. */
const ledger = new Map<string, string>();
const listings = new Map<string, ToolDefinition[]>();

/** Acts once, on what the user says, and says so. */
const script: Script = {
  complete: ({ chat }) => {
    const done = chat.messages.some((message) => message.role === 'tool');
    const what = chat.messages.findLast(({ role }) => role === 'user')!.content!;
    return done ? { content: 'done' } : { calls: [{ name: 'act', arguments: { what } }] };
  },
  execute: ({ tool: name, arguments: given, approved, callId }) => {
    if (name !== 'act') return undefined;
    const done = { status: 'done', content: '{}', isError: false, effect: 'irreversible' };
    if (ledger.has(callId)) return { ...done, replayed: true };
    if (!approved) return undefined;
    ledger.set(callId, String(given.what));
    return done;
  },
  toolsOf: (bundle) => listings.get(bundle) ?? [tool('look'), tool('act', 'irreversible')],
  read: (body) => memory.read(body),
};

/** As memory would have it, had it projected everything. */
async function played(body: ReadBody): Promise<ReadResult> {
  if (body.op === 'runs') {
    const older = memory.runs.filter(({ id }) => body.before === undefined || id < body.before);
    return { op: 'runs', runs: older.sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, body.limit) };
  }
  if (body.op !== 'journal') throw new Error(`nobody asks memory for ${body.op} here`);
  const batches = await world.log(partitionOf(body.run, world.partitions));
  const entries = batches.flatMap((batch) => batch.entries).filter(({ run, n }) => run === body.run && n > body.after);
  return { op: 'journal', entries: entries.slice(0, body.limit) };
}

beforeAll(async () => {
  world = await openWorld({ TUTTI_PARK_AFTER_MS: '200', TUTTI_CHECKPOINT_ENTRIES: '5' });
  await world.workers(script);
  planner = await world.planner();
  caller = createCaller(world.bus, silent);
}, 60_000);
afterAll(async () => {
  caller?.close();
  await world?.close();
});
beforeEach(() => {
  memory.read = played;
  memory.runs = [];
  ledger.clear();
});

const options = { tenant: 'default', timeoutMs: 20_000 };
const state = (run: string, version?: number, tenant = 'default') =>
  caller.call('state', { run, ...(version === undefined ? {} : { version }) }, { ...options, tenant });
const fork = (run: string, version: number, more: object = {}) =>
  caller
    .call('fork', { run, version, principal: { id: 'ann', roles: [] }, ...more }, options)
    .then(({ run: id, session }): StartedRun => ({ id, session, tenant: 'default' }));
const preflight = (bundle: string, more: object) => caller.call('preflight', { bundle, ...more }, options);
const journal = async ({ id }: StartedRun): Promise<RunEntry[]> => {
  const read = await played({ op: 'journal', run: id, after: 0, limit: 1_000 });
  return read.op === 'journal' ? read.entries : [];
};
const store = (bundle: Bundle) => createBundleStore(() => world.bus.bucket(BUCKETS.bundles)).store(bundle);

/** A run that waits for the yes to its call, and is written out. */
async function parked(input: string, overrides: Parameters<typeof testBundle>[0] = {}) {
  const bundle = await world.apply(overrides);
  const run = await world.start(bundle, input);
  const [approval] = await until('it to ask', async () => {
    const open = await world.approvals(run);
    return open.length > 0 ? open : null;
  });
  await until('it to be written out', async () => {
    const entries = (await world.log(partitionOf(run.session, world.partitions))).flatMap((batch) => batch.partition);
    return entries.some((entry) => entry.type === 'run.parked' && entry.run === run.id);
  });
  return { run, bundle, approval: approval!, entries: await journal(run) };
}
const approve = (run: StartedRun, approval: string) =>
  world.say(run, { type: 'approve', approval, decision: 'approve', by: 'ann' });
const view = async (run: StartedRun) => (await world.view(run))!;
async function completed(input: string) {
  const waiting = await parked(input);
  await approve(waiting.run, waiting.approval.id);
  expect(await world.ended(waiting.run)).toMatchObject({ status: 'completed' });
  return { ...waiting, entries: await journal(waiting.run) };
}

describe('the state of a run', () => {
  test('can be had at every version it had, while it is written out too, and no other', async () => {
    const { run, entries } = await parked('a');
    for (const { n } of entries) expect(await state(run.id, n)).toMatchObject({ version: n, state: { version: n } });
    expect(await state(run.id)).toMatchObject({ version: entries.length, state: { status: 'waiting' } });
    await expect(state(run.id, entries.length + 1)).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(state(run.id, 1, 'other')).rejects.toMatchObject({ code: 'not_found' });
    await expect(state('nothing')).rejects.toMatchObject({ code: 'not_found' });
    await expect(state(newRunId(newSessionId()))).rejects.toMatchObject({ code: 'not_found' });
  });

  test('is put together from owner and memory, which may be behind, and never from a part', async () => {
    const { run, entries } = await parked('b');
    await anotherPlanner();
    let asked = 0;
    memory.read = async (body) => {
      const all = await played(body);
      return all.op === 'journal' ? { ...all, entries: all.entries.slice(0, asked++) } : all;
    };
    expect(await state(run.id)).toMatchObject({ version: entries.length });
    expect(asked).toBeGreaterThan(1);
    memory.read = () => ({ op: 'journal', entries: entries.slice(0, 2) });
    await expect(state(run.id)).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  }, 60_000);
});

describe('a fork', () => {
  test('of a run that waits asks for a yes of its own, and both do what they were allowed', async () => {
    const { run, approval, entries } = await parked('c');
    const made = await fork(run.id, entries.length);
    const own = await until('it to ask', async () => (await world.approvals(made))[0] ?? null);
    expect([own.callId, own.run]).toEqual([approval.callId, made.id]);
    expect(own.id).not.toBe(approval.id);
    await approve(made, own.id);
    expect(await world.ended(made)).toMatchObject({ status: 'completed', output: 'done' });
    expect(await world.view(run)).toMatchObject({ status: 'waiting' });
    // It is the same call: what the fork did is on record when the original is allowed to.
    await approve(run, approval.id);
    expect(await world.ended(run)).toMatchObject({ status: 'completed' });
    expect([...ledger.values()]).toEqual(['c']);
    // What it began with is in its own journal by now.
    const blobs = await world.bus.blobs(FORKS.name);
    await until('its beginning to be taken away', async () => (await blobs.get(`fork.${made.id}`)) === null);
  });

  test('does not do again what was done, and what it does itself is asked for or refused', async () => {
    const { run, entries } = await completed('d');
    const call = entries.find((entry) => entry.type === 'step.requested' && entry.step.kind === 'execute')!.n;
    const done = entries.findLast((entry) => entry.type === 'step.completed' && entry.result.kind === 'execute')!.n;
    for (const version of [call, done]) {
      const again = await fork(run.id, version, { effects: 'block' });
      expect(await world.ended(again)).toMatchObject({ status: 'completed', output: 'done' });
    }
    expect(ledger.size).toBe(1);
    const model = entries.find((entry) => entry.type === 'step.requested' && entry.step.kind === 'complete')!.n;
    const other = await fork(run.id, model, { changes: { input: 'e' }, effects: 'approve' });
    const own = await until('it to ask', async () => (await world.approvals(other))[0] ?? null);
    expect(own.arguments).toEqual({ what: 'e' });
    await approve(other, own.id);
    await world.ended(other);
    expect([...ledger.values()]).toEqual(['d', 'e']);
  });

  test('has the words, the model and the tools that it was made with', async () => {
    const { run, entries } = await completed('f');
    const bundle = await store({ ...testBundle({ limits: { modelCallsMax: 7 } }), name: 'later' });
    listings.set(bundle, [tool('other')]);
    const done = entries.findLast((entry) => entry.type === 'step.completed' && entry.result.kind === 'execute')!.n;
    const changes = { instructions: 'Be brief.', model: 'big', bundle };
    const made = await fork(run.id, done, { changes });
    await world.ended(made);
    const journalOfIt = await journal(made);
    const forked = journalOfIt.find((entry) => entry.type === 'run.forked')!;
    expect(forked).toMatchObject({ of: run.id, version: done, start: changes, limits: { modelCallsMax: 7 } });
    expect(forked).toMatchObject({ toolset: contentHash([tool('other')]), start: { principal: { id: 'ann' } } });
    expect(journalOfIt.map(({ n }) => n)).toEqual(journalOfIt.map((_, index) => index + 1));
  });

  test('is one fork a key, and another request under that key is refused', async () => {
    const { run, entries } = await completed('g');
    const version = entries.length - 3;
    const first = await fork(run.id, version, { key: 'k' });
    await world.ended(first);
    expect(await fork(run.id, version, { key: 'k' })).toEqual(first);
    await expect(fork(run.id, version, { key: 'k', effects: 'block' })).rejects.toMatchObject({ code: 'conflict' });
    expect((await fork(run.id, version, { key: 'l' })).id).not.toBe(first.id);
  });

  test.each([
    ['a version that there is not', { version: 99 }, 'invalid_request'],
    ['a bundle that there is not', { changes: { bundle: 'none' } }, 'not_found'],
    ['words without end', { changes: { input: 'x'.repeat(1_000_000) } }, 'invalid_request'],
    ['a model without a name', { changes: { model: '' } }, 'invalid_request'],
  ])('with %s is refused', async (_what, more, code) => {
    const { run } = await parked('h');
    await expect(fork(run.id, 2, more)).rejects.toMatchObject({ code });
  });

  test('of what ended is refused behind its end, and so is one of another tenant’s run or without its agent', async () => {
    const { run, entries } = await completed('i');
    await expect(fork(run.id, entries.length)).rejects.toMatchObject({ code: 'invalid_request' });
    const body = { run: run.id, version: 2, principal: { id: 'ann', roles: [] } };
    await expect(caller.call('fork', body, { ...options, tenant: 'other' })).rejects.toMatchObject({
      code: 'not_found',
    });
    const bundle = await store({ ...testBundle(), agents: {} });
    await expect(fork(run.id, 2, { changes: { bundle } })).rejects.toMatchObject({ code: 'not_found' });
  });

  test('that would not go into one message of the log is refused, and says from where it could be made', async () => {
    // Its owner has forgotten it: all of it is memory's.
    const gone = newRunId(newSessionId());
    const error = { code: 'internal' as const, message: 'x'.repeat(200_000), retryable: true };
    const entries = (await completed('j')).entries.map((entry) => ({ ...entry, run: gone }));
    while (entries.length < 100)
      entries.push({ run: gone, n: entries.length + 1, at: 1, type: 'step.failed', callId: 'call_x', error });
    entries.splice(1, entries.findIndex(({ type }) => type === 'step.failed') - 1);
    for (const [index, entry] of entries.entries()) entry.n = index + 1;
    memory.read = (body) => {
      const { after = 0 } = body as { after?: number };
      return { op: 'journal', entries: entries.slice(after, after + 5) };
    };
    await expect(fork(gone, 80)).rejects.toMatchObject({ code: 'payload_too_large' });
    expect((await fork(gone, 1)).id).not.toBe(gone);
  });
});

describe('preflight', () => {
  const verdicts = (reports: PreflightReport[]) => reports.map(({ run, verdict }) => [run, verdict]);

  test('says of each run whether it is the same, where it would not be, or why that cannot be said', async () => {
    const { run, bundle } = await completed('k');
    const waits = await parked('l');
    const other = await store(testBundle({ instructions: 'Do something else.' }));
    const effects = ledger.size;
    const log = async () => (await Promise.all([...Array(world.partitions).keys()].map((at) => world.log(at)))).flat();
    const before = (await log()).flatMap(({ entries }) => entries).length;
    const unknown = newRunId(newSessionId());
    const runs = [run.id, unknown, waits.run.id, run.id];
    const same = await preflight(bundle, { runs });
    expect(verdicts(same.reports)).toEqual([
      [run.id, 'same'],
      [unknown, 'unreadable'],
      [waits.run.id, 'same'],
    ]);
    expect(same.next).toBeNull();
    expect(same.reports.map(({ agent, status }) => [agent, status])).toEqual([
      ['helper', 'completed'],
      ['', ''],
      ['helper', 'under way'],
    ]);
    const { reports } = await preflight(other, { runs: [run.id, waits.run.id] });
    for (const report of reports)
      expect(report).toMatchObject({ verdict: 'diverges', step: 4, reason: expect.stringContaining('instructions') });
    // Nobody was asked for anything but what there is, and nothing was done.
    expect(ledger.size).toBe(effects);
    expect((await log()).flatMap(({ entries }) => entries)).toHaveLength(before);
  });

  test('knows the tools of the bundle that is tried, those of then also when there are others now', async () => {
    const { run, bundle } = await completed('m');
    const tools = await store({ ...testBundle(), name: 'tools' });
    listings.set(tools, [tool('look'), tool('act', 'keyed')]);
    const one = async (tried: string) => (await preflight(tried, { runs: [run.id] })).reports[0]!;
    expect(await one(tools)).toMatchObject({
      verdict: 'diverges',
      reason: 'the tool act is keyed, no longer irreversible',
    });
    listings.set(tools, [tool('act', 'irreversible')]);
    expect(await one(tools)).toMatchObject({ verdict: 'diverges', reason: 'the model has no tool look any more' });
    // What the bundle of the run lists by now is not what it listed then: the owner knows.
    listings.set(bundle, [tool('look')]);
    listings.set(tools, [tool('look'), tool('act', 'irreversible')]);
    expect(await one(tools)).toMatchObject({ verdict: 'same' });
    listings.delete(bundle);
  });

  test('goes through all runs of a scope, page by page', async () => {
    const all: string[] = [];
    let bundle = '';
    for (const name of ['n', 'o', 'p']) {
      const made = await parked(name);
      all.push(made.run.id);
      memory.runs.push(await view(made.run));
      bundle = made.bundle;
    }
    const seen: string[] = [];
    for (let before: string | undefined; ; ) {
      const { reports, next } = await preflight(bundle, { limit: 2, ...(before === undefined ? {} : { before }) });
      for (const { run, verdict } of reports) if (verdict === 'same') seen.push(run);
      if (next === null) break;
      before = next;
    }
    expect(seen).toEqual(all.sort().reverse());
  });

  test('leaves for the next request what there is no time for', async () => {
    const [newer, older] = [await parked('q'), await parked('r')].sort((a, b) => (a.run.id < b.run.id ? 1 : -1));
    memory.runs = [await view(newer!.run), await view(older!.run)];
    let now = 1_000;
    const clock = { ...systemClock, now: () => now };
    const reader = createJournalReader(world.bus, caller, clock, world.partitions);
    const slow: JournalReader = {
      ...reader,
      async read(...wanted) {
        now += 10_000;
        return reader.read(...wanted);
      },
    };
    const bundles = createBundleStore(() => world.bus.bucket(BUCKETS.bundles));
    const handler = preflightHandler({ caller, bundles, clock, log: silent }, slow);
    const tried = async (more: object) => {
      const request = { item: { tenant: 'default', deadlineAt: now + 10_500 }, signal: new AbortController().signal };
      const body = { bundle: newer!.bundle, scope: 'waiting' as const, limit: 50, ...more };
      return handler(body, request as never) as Promise<{ reports: PreflightReport[]; next: string | null }>;
    };
    const first = await tried({});
    expect([verdicts(first.reports), first.next]).toEqual([[[newer!.run.id, 'same']], newer!.run.id]);
    expect(verdicts((await tried({ before: first.next })).reports)).toEqual([[older!.run.id, 'same']]);
    // Those that somebody names are all answered for.
    const named = await tried({ runs: [newer!.run.id, older!.run.id] });
    expect(named.reports).toMatchObject([
      { verdict: 'same' },
      { verdict: 'unreadable', reason: 'there was no time left for it' },
    ]);
  });
});

/** The planner is replaced: whoever takes over has a checkpoint, and has seen no entries. */
async function anotherPlanner(): Promise<void> {
  await planner.stop();
  planner = await world.planner();
}
