/** Journals as a product, over real HTTP and a real bus: export, state, forks, preflight. */
import { newRunId, newSessionId } from '@tutti/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '../testing/api.ts';
import { Journal, USAGE } from '../testing/entries.ts';
import { BUNDLE, World } from '../testing/world.ts';

let world: World;
let url: string;
beforeAll(async () => {
  world = await World.start();
  await world.apply(BUNDLE);
  ({ url } = await world.gateway());
});
afterAll(() => world?.stop());
beforeEach(() => world.reset());

function journal(options: ConstructorParameters<typeof Journal>[2] = {}): Journal {
  const session = newSessionId();
  return world.add(new Journal(newRunId(session), session, options));
}

describe('GET /v1/runs/{id}/journal?format=jsonl', () => {
  const lines = async (run: string, more = '') => {
    const response = await fetch(`${url}/v1/runs/${run}/journal?format=jsonl${more}`);
    expect(response.headers.get('content-type')).toBe('application/jsonl');
    return (await response.text())
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  };

  it('is the whole journal as it is stored, however long', async () => {
    const mine = journal();
    for (let i = 0; i < 800; i++) mine.requested(`${i}`);
    mine.completed('done');
    expect(await lines(mine.run)).toEqual(mine.entries);
    // From memory alone: a page at a time.
    world.owner.silent = true;
    expect(await lines(mine.run)).toEqual(mine.entries);
  });

  it('has the children’s too, where they are asked for', async () => {
    const parent = journal();
    const start = { root: parent.run, parent: { run: parent.run, session: parent.session, callId: 'call_x' } };
    const child = journal({ start });
    child.completed('part');
    parent.add({
      type: 'child.started',
      callId: 'call_x',
      child: child.run,
      session: child.session,
      task: 'part',
      start: child.start,
    });
    const outcome = { child: child.run, callId: 'call_x', output: 'part', actions: [], passages: [], usage: USAGE };
    parent.add({ type: 'child.ended', task: 'part', outcome: { ...outcome, status: 'completed' } });
    parent.completed('whole');
    expect(await lines(parent.run)).toEqual(parent.entries);
    expect(await lines(parent.run, '&children=true')).toEqual([...parent.entries, ...child.entries]);
  });

  it('has behind the entries what came too late for the run', async () => {
    const mine = journal();
    mine.completed('done');
    const late = { callId: 'call_x', tool: 'book', ok: true, content: 'booked', at: 1_700_000_000_000 };
    world.late.set(mine.run, [late]);
    expect(await lines(mine.run)).toEqual([...mine.entries, { type: 'result.late', run: mine.run, ...late }]);
    world.memory.silent = true;
    const response = await fetch(`${url}/v1/runs/${mine.run}/journal?format=jsonl`);
    await expect(response.text()).rejects.toThrow();
  });

  it('breaks off rather than give a part for the whole', { timeout: 30_000 }, async () => {
    const mine = journal();
    mine.completed('done');
    const view = mine.view();
    // The owner's view says that there is more than anybody can read.
    mine.view = () => ({ ...view, version: view.version + 1 });
    const response = await fetch(`${url}/v1/runs/${mine.run}/journal?format=jsonl`);
    await expect(response.text()).rejects.toThrow();
  });
});

describe('GET /v1/runs/{id}/journal', () => {
  it('says with its last page what came too late for the run', async () => {
    const mine = journal();
    mine.completed('done');
    const late = { callId: 'call_x', tool: 'book', ok: true, content: 'booked' };
    world.late.set(mine.run, [{ ...late, at: 1_700_000_000_000 }]);
    const page = (query: string) => api(`${url}/v1/runs/${mine.run}/journal${query}`);
    expect((await page('?limit=1')).body).toEqual({ object: 'list', data: [expect.anything()], has_more: true });
    const shown = [{ ...late, at: '2023-11-14T22:13:20.000Z' }];
    expect((await page('?after=1')).body).toMatchObject({ has_more: false, late: shown });
    world.memory.silent = true;
    expect((await page('')).body).toMatchObject({ data: [{ n: 1 }, { n: 2 }], late: null });
  });
});

describe('GET /v1/runs/{id}/state', () => {
  it('is the planner’s, at the version that is asked for', async () => {
    const mine = journal();
    mine.completed('done');
    const at = (query = '') => api(`${url}/v1/runs/${mine.run}/state${query}`);
    expect((await at('?version=1')).body).toMatchObject({ object: 'run.state', run: mine.run, version: 1 });
    expect((await at()).body).toMatchObject({ version: 2, state: { phase: 'gather' } });
    expect(await at('?version=9')).toMatchObject({ status: 400, body: { error: { code: 'invalid_request' } } });
    expect(await at('?version=none')).toMatchObject({ status: 400, body: { error: { param: 'version' } } });
  });
});

describe('POST /v1/runs/{id}/fork', () => {
  const fork = (run: string, body: object, headers = {}) => api(`${url}/v1/runs/${run}/fork`, 'POST', body, headers);

  it('passes on what changes, and answers with the new run', async () => {
    const mine = journal();
    const changes = { input: 'again', instructions: 'Be kind.', model: 'other' };
    const forked = await fork(mine.run, { version: 1, ...changes, effects: 'block' });
    expect(forked).toMatchObject({ status: 202, body: { object: 'run', fork_of: mine.run, version: 1 } });
    expect(forked.body.links.self).toBe(`/v1/runs/${forked.body.id}`);
    const principal = { id: 'local' };
    expect(world.forks).toMatchObject([{ run: mine.run, version: 1, changes, effects: 'block', principal }]);
  });

  it('an Idempotency-Key makes one fork of it', async () => {
    const mine = journal();
    const headers = { 'idempotency-key': 'k-1' };
    const ids = [await fork(mine.run, { version: 1 }, headers), await fork(mine.run, { version: 1 }, headers)];
    expect(new Set(ids.map(({ body }) => body.id)).size).toBe(1);
    expect(world.forks.map(({ key, effects }) => [key, effects])).toEqual(Array(2).fill(['k-1', 'approve']));
  });

  it('takes a bundle by its hash or as it is, which does not become the current one', async () => {
    const mine = journal();
    const before = (await api(`${url}/v1/bundles/current`)).body.hash;
    const bundle = structuredClone(BUNDLE);
    bundle.agents.guide!.instructions = 'Speak French.';
    await fork(mine.run, { version: 1, bundle });
    const [{ changes }] = world.forks as [(typeof world.forks)[number]];
    expect(changes.bundle).toMatch(/^[0-9a-f]{64}$/);
    expect(changes.bundle).not.toBe(before);
    await fork(mine.run, { version: 1, bundle: changes.bundle });
    expect(world.forks[1]!.changes.bundle).toBe(changes.bundle);
    expect((await api(`${url}/v1/bundles/current`)).body.hash).toBe(before);
    expect(await fork(mine.run, { version: 1, bundle: 'no-such-hash' })).toMatchObject({ status: 404 });
    expect((await fork(mine.run, { version: 1, bundle: { ...bundle, v: 2 } })).status).toBe(400);
  });

  it('says which field is wrong', async () => {
    const mine = journal();
    expect(await fork(mine.run, {})).toMatchObject({ status: 400, body: { error: { param: 'version' } } });
    expect(await fork(mine.run, { version: 1, effects: 'do' })).toMatchObject({
      body: { error: { param: 'effects' } },
    });
    expect((await fork(newRunId(newSessionId()), { version: 1 })).status).toBe(404);
  });
});

describe('POST /v1/preflight', () => {
  const preflight = (body: object) => api(`${url}/v1/preflight`, 'POST', body);

  it('tries a bundle that nobody applied, and says what differs', async () => {
    const runs = [journal().run, journal().run];
    const { status, body } = await preflight({ bundle: BUNDLE, runs });
    expect(status).toBe(200);
    expect(body).toMatchObject({ object: 'preflight', same: 1, diverging: 1 });
    expect(body.data[1]).toMatchObject({ run: runs[1], verdict: 'diverges', step: 3, reason: 'other instructions' });
    expect(world.preflights).toMatchObject([{ bundle: body.bundle, runs, scope: 'waiting', limit: 50 }]);
  });

  it('takes a scope instead, and says which field is wrong', async () => {
    const before = newRunId(newSessionId());
    const { body } = await preflight({ bundle: BUNDLE, scope: 'recent', limit: 5, before });
    expect(world.preflights).toMatchObject([{ scope: 'recent', limit: 5, before }]);
    expect(body).toMatchObject({ data: [], next: null });
    expect(await preflight({ bundle: BUNDLE, limit: 0 })).toMatchObject({
      status: 400,
      body: { error: { param: 'limit' } },
    });
    expect(await preflight({ bundle: BUNDLE, runs: ['x'] })).toMatchObject({ body: { error: { param: 'runs.0' } } });
    expect(await preflight({ bundle: 'no-such-hash' })).toMatchObject({ status: 404 });
  });
});
