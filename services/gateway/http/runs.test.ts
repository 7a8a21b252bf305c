/** Runs, approvals, documents, bundles, keys and health over real HTTP and a real bus. */
import { get } from 'node:http';
import { BUCKETS, newRunId, newSessionId, routeOf, sessionIdFor } from '@tutti/contracts';
import { until } from '@tutti/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '../testing/api.ts';
import { Journal } from '../testing/entries.ts';
import { BUNDLE, World } from '../testing/world.ts';

let world: World;
let url: string;

beforeAll(async () => {
  world = await World.start();
  await world.apply(BUNDLE);
  ({ url } = await world.gateway({ TUTTI_APPROVAL_CONFIRM_MS: '400' }));
});
afterAll(() => world?.stop());
beforeEach(() => world.reset());

function journal(options: ConstructorParameters<typeof Journal>[2] = {}): Journal {
  const session = newSessionId();
  return world.add(new Journal(newRunId(session), session, options));
}
const start = (body: object, headers = {}) => api(`${url}/v1/runs`, 'POST', body, headers);
const inboundOf = (run: string) =>
  until('the inbound message', () => world.inbound.filter((one) => one.run === run)[0]);

describe('POST /v1/runs', () => {
  it('stores a start, then answers with ids that lead to one partition', async () => {
    const { status, body } = await start({
      agent: 'guide',
      input: 'hello',
      session: 'my chat',
      limits: { stepsMax: 5 },
    });
    expect(status).toBe(202);
    expect(body).toMatchObject({ object: 'run', status: 'queued', session: sessionIdFor('default', 'my chat') });
    expect(routeOf(body.id)).toBe(routeOf(body.session));
    expect(await inboundOf(body.id)).toMatchObject({
      type: 'start',
      tenant: 'default',
      session: body.session,
      start: { agent: 'guide', input: 'hello', limits: { stepsMax: 5 }, root: body.id, principal: { id: 'local' } },
    });
  });

  it('passes the caller’s trace on to the run and back', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const { body, headers } = await start({ agent: 'guide', input: 'hello' }, { traceparent });
    expect(headers.get('traceparent')).toBe(traceparent);
    expect(await inboundOf(body.id)).toMatchObject({ start: { traceparent } });
  });

  it('makes one run of one Idempotency-Key, however often and however late it comes', async () => {
    const headers = { 'idempotency-key': 'order-7' };
    const request = { agent: 'guide', input: 'book it' };
    const answers = await Promise.all([start(request, headers), start(request, headers), start(request, headers)]);
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    const { id, session } = answers[0]!.body;
    await inboundOf(id);
    // Long after the bus has forgotten the message id, the run itself says that it was there.
    world.add(new Journal(id, session, { start: { input: 'book it' } }));
    expect((await start(request, headers)).body).toEqual(answers[0]!.body);
    expect(world.inbound.filter((one) => one.run === id)).toHaveLength(1);
    const other = await start({ ...request, input: 'book another' }, headers);
    expect(other).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } });
  });

  it.each([
    ['a missing field', 'input', { agent: 'guide' }],
    ['an empty input', 'input', { agent: 'guide', input: '' }],
    ['a long input', 'input', { agent: 'guide', input: 'x'.repeat(100_001) }],
    ['a broken session id', 'session', { agent: 'guide', input: 'x', session: 'ses_short' }],
    ['a long session name', 'session', { agent: 'guide', input: 'x', session: 'y'.repeat(201) }],
    ['a wrong limit', 'limits.stepsMax', { agent: 'guide', input: 'x', limits: { stepsMax: 0 } }],
    ['an unknown field', 'body', { agent: 'guide', input: 'x', more: 1 }],
  ])('names the field that is wrong: %s', async (_what, param, request) => {
    const answer = await start(request);
    expect(answer).toMatchObject({ status: 400, body: { error: { type: 'invalid_request_error', param } } });
  });

  it('names the agents that there are', async () => {
    const { status, body } = await start({ agent: 'nobody', input: 'x' });
    expect(status).toBe(404);
    expect(body.error.message).toContain('guide');
  });

  it('refuses broken JSON and bodies over the limit in the same shape', async () => {
    expect((await start('{' as never)).body.error).toMatchObject({ code: 'invalid_request' });
    const { url: small } = await world.gateway({ TUTTI_HTTP_BODY_BYTES_MAX: '100' });
    const big = await api(`${small}/v1/runs`, 'POST', { agent: 'guide', input: 'x'.repeat(200) });
    expect(big).toMatchObject({ status: 413, body: { error: { code: 'payload_too_large' } } });
    expect(await api(`${url}/v1/nothing`)).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } });
  });
});

describe('GET /v1/runs/{id}', () => {
  it('asks the owner first, and memory for what the owner does not hold', async () => {
    const mine = journal();
    mine.completed('done');
    world.memory.knows = new Set();
    expect((await api(`${url}/v1/runs/${mine.run}`)).body).toMatchObject({ object: 'run', output: 'done' });
    world.owner.knows = new Set();
    world.memory.knows = undefined;
    const { body } = await api(`${url}/v1/runs/${mine.run}`);
    expect(body).toMatchObject({ status: 'completed', ended_at: expect.stringMatching(/^\d{4}-.*Z$/) });
  });

  it('shows memory’s view while the owner is unreachable', async () => {
    const mine = journal();
    world.owner.silent = true;
    expect((await api(`${url}/v1/runs/${mine.run}`)).body).toMatchObject({ status: 'running' });
  });

  it('sees a run that nobody took in yet, also after it was told to cancel', async () => {
    const { body } = await start({ agent: 'guide', input: 'wait for me' });
    const queued = { status: 'queued', input: 'wait for me', session: body.session, version: 0 };
    expect((await api(`${url}/v1/runs/${body.id}`)).body).toMatchObject(queued);
    expect((await api(`${url}/v1/runs/${body.id}/cancel`, 'POST')).status).toBe(202);
    expect((await api(`${url}/v1/runs/${body.id}`)).body).toMatchObject(queued);
  });

  it('says so when nobody can know: neither owner nor memory answers', async () => {
    world.owner.silent = true;
    world.memory.silent = true;
    const { status, body } = await api(`${url}/v1/runs/${newRunId(newSessionId())}`);
    expect(status).toBeGreaterThanOrEqual(503);
    expect(body.error.retryable).toBe(true);
  });

  it('knows nothing of other tenants’ runs, wherever they are', async () => {
    const theirs = journal({ tenant: 'umbrella' });
    const approval = theirs.approval('1');
    world.approvals.set(approval.id, { record: approval, tenant: 'umbrella' });
    for (const knows of [undefined, new Set<string>()]) {
      world.owner.knows = knows;
      for (const path of ['', '/events', '/journal'])
        expect((await api(`${url}/v1/runs/${theirs.run}${path}`)).status).toBe(404);
      expect((await api(`${url}/v1/runs/${theirs.run}/cancel`, 'POST')).status).toBe(404);
      expect((await api(`${url}/v1/approvals?run=${theirs.run}`)).status).toBe(404);
    }
    expect((await api(`${url}/v1/approvals/${approval.id}`)).status).toBe(404);
    const decided = await api(`${url}/v1/approvals/${approval.id}`, 'POST', { decision: 'approve' });
    expect(decided.status).toBe(404);
    expect((await api(`${url}/v1/runs`)).body.data).toEqual([]);
    expect((await api(`${url}/v1/runs/run_no-such-form`)).status).toBe(404);
  });
});

describe('more of a run', () => {
  it('lists runs by status', async () => {
    journal().completed('x');
    const running = journal();
    const { body } = await api(`${url}/v1/runs?status=running&limit=10`);
    expect(body).toMatchObject({ object: 'list', has_more: false, data: [{ id: running.run }] });
    expect((await api(`${url}/v1/runs?limit=1000`)).body.error.param).toBe('limit');
  });

  it('cancels a run that is under way, and refuses where it has ended', async () => {
    const mine = journal();
    const { status, body } = await api(`${url}/v1/runs/${mine.run}/cancel`, 'POST', { reason: 'changed my mind' });
    expect(status).toBe(202);
    expect(body.cancelling).toBe(true);
    expect(await inboundOf(mine.run)).toMatchObject({ type: 'cancel', by: 'local', reason: 'changed my mind' });
    mine.completed('done');
    expect((await api(`${url}/v1/runs/${mine.run}/cancel`, 'POST')).status).toBe(409);
  });

  it('gives the journal, public or as it is stored', async () => {
    const mine = journal();
    mine.requested('1');
    mine.answered('1', 'Hi');
    mine.completed('Hi');
    const { data } = (await api(`${url}/v1/runs/${mine.run}/journal?after=2`)).body;
    expect(data.map((entry: { n: number }) => entry.n)).toEqual([3, 4]);
    const full = (await api(`${url}/v1/runs/${mine.run}/journal?view=full`)).body;
    expect(full.data).toEqual(JSON.parse(JSON.stringify(mine.entries)));
    expect((await api(`${url}/v1/runs/${mine.run}/journal?limit=2`)).body.has_more).toBe(true);
  });

  it('gives a session’s turns, by id and by name', async () => {
    const session = sessionIdFor('default', 'ann/1');
    world.turns.push({ run: 'r', session, agent: 'guide', at: 0, input: 'a', output: 'b', actions: [] });
    for (const name of [session, encodeURIComponent('ann/1')])
      expect((await api(`${url}/v1/sessions/${name}`)).body).toMatchObject({ id: session, turns: [{ input: 'a' }] });
  });
});

describe('approvals', () => {
  function waiting() {
    const mine = journal();
    const record = mine.approval('1');
    world.approvals.set(record.id, { record, tenant: 'default' });
    return { mine, record, path: `${url}/v1/approvals/${record.id}` };
  }
  const decide = (path: string, decision: string) => api(path, 'POST', { decision, reason: 'fine' });

  it('shows the exact arguments', async () => {
    const { mine, record, path } = waiting();
    const shown = {
      id: record.id,
      status: 'pending',
      arguments: record.arguments,
      expiresAt: expect.stringMatching(/Z$/),
    };
    expect((await api(path)).body).toMatchObject(shown);
    expect((await api(`${url}/v1/approvals?run=${mine.run}`)).body.data).toMatchObject([shown]);
    world.memory.silent = true;
    expect((await api(`${url}/v1/approvals?run=${mine.run}&status=pending`)).body.data).toMatchObject([shown]);
    world.memory.silent = false;
    expect((await api(`${url}/v1/approvals`)).body.data).toMatchObject([shown]);
    expect((await api(`${url}/v1/approvals?status=approved`)).body.data).toEqual([]);
  });

  it('answers 200 once the owner has taken the decision in, and the same again changes nothing', async () => {
    const { record, path } = waiting();
    world.onInbound = (message) => {
      if (message.type !== 'approve') return;
      record.status = message.decision === 'approve' ? 'approved' : 'denied';
      record.decidedBy = message.by;
    };
    expect(await decide(path, 'approve')).toMatchObject({
      status: 200,
      body: { status: 'approved', decidedBy: 'local' },
    });
    expect(await inboundOf(record.waitingRun)).toMatchObject({ type: 'approve', approval: record.id, reason: 'fine' });
    expect(await decide(path, 'approve')).toMatchObject({ status: 200, body: { status: 'approved' } });
    expect(await decide(path, 'deny')).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } });
    expect(world.inbound).toHaveLength(1);
  });

  it('answers 409 when another decision won in the meantime', async () => {
    const { record, path } = waiting();
    world.onInbound = () => {
      record.status = 'denied';
    };
    expect((await decide(path, 'approve')).status).toBe(409);
  });

  it('answers 202 when nobody has taken it in yet', async () => {
    const { path } = waiting();
    expect(await decide(path, 'deny')).toMatchObject({ status: 202, body: { status: 'pending' } });
  });

  it('does not take anything else for a decision', async () => {
    const { path } = waiting();
    expect((await decide(path, 'yes')).body.error.param).toBe('decision');
    expect((await api(path, 'POST')).status).toBe(400);
  });
});

describe('bundles, agents and documents', () => {
  it('applies a bundle and shows its agents as agents and as models', async () => {
    const applied = await api(`${url}/v1/bundles`, 'POST', BUNDLE);
    expect(applied.status).toBe(200);
    expect((await api(`${url}/v1/bundles/current`)).body).toMatchObject({ hash: applied.body.hash, bundle: BUNDLE });
    expect((await api(`${url}/v1/models`)).body.data).toMatchObject([{ id: 'guide', object: 'model' }]);
    const { body } = await api(`${url}/v1/agents/guide`);
    expect(body).toMatchObject({ id: 'guide', object: 'agent' });
    expect(JSON.stringify(body)).not.toContain('SECRET');
    const wrong = await api(`${url}/v1/bundles`, 'POST', { v: 1, name: 'x' });
    expect(wrong).toMatchObject({ status: 422, body: { error: { code: 'bundle_invalid' } } });
  });

  it('stores documents and tombstones in their log', async () => {
    const path = `${url}/v1/collections/docs/documents/rules`;
    expect(await api(path, 'PUT', { title: 'Rules', text: 'Be kind.' })).toMatchObject({ status: 202 });
    const [stored] = await until('the document', () => world.documents[0] && world.documents);
    expect(stored).toMatchObject({
      subject: 'tutti.kb.default.docs.rules',
      body: { text: 'Be kind.', deleted: false },
    });
    expect((await api(`${url}/v1/collections/docs/documents`)).body.data).toMatchObject([{ id: 'rules' }]);
    expect((await api(path, 'DELETE')).status).toBe(202);
    await until('the tombstone', () => world.documents[1]?.body.deleted);
    const large = await api(path, 'PUT', { title: 'Large', text: 'x'.repeat(1_900_000) });
    expect([202, 413]).toContain(large.status);
    expect((await api(`${url}/v1/collections/Not%20a%20name/documents`)).status).toBe(400);
  });
});

describe('who is asking', () => {
  it('asks for a key, and keeps tenants apart', async () => {
    const { url: guarded } = await world.gateway({ TUTTI_API_KEYS: 'first-key:default:ann,second-key:umbrella' });
    const as = (key: string) => ({ authorization: `Bearer ${key}` });
    const mine = journal();
    const refused = await api(`${guarded}/v1/runs/${mine.run}`, 'GET', undefined, as('third-key'));
    expect(refused).toMatchObject({
      status: 401,
      body: { error: { type: 'authentication_error', code: 'unauthenticated' } },
    });
    expect((await api(`${guarded}/v1/models`)).status).toBe(401);
    expect((await api(`${guarded}/v1/runs/${mine.run}`, 'GET', undefined, as('first-key'))).status).toBe(200);
    expect((await api(`${guarded}/v1/runs/${mine.run}`, 'GET', undefined, as('second-key'))).status).toBe(404);
    const unset = await api(`${guarded}/v1/runs`, 'POST', { agent: 'guide', input: 'x' }, as('second-key'));
    expect(unset.status).toBe(503);
    expect(unset.body.error.message).toContain('tutti apply DIR');
    const { body } = await api(`${guarded}/v1/runs`, 'POST', { agent: 'guide', input: 'x' }, as('first-key'));
    expect(await inboundOf(body.id)).toMatchObject({ tenant: 'default', start: { principal: { id: 'ann' } } });
    expect((await api(`${guarded}/healthz`)).status).toBe(200);
  });

  it('without keys keeps pages of other origins out', async () => {
    const evil = { origin: 'https://evil.example' };
    expect((await api(`${url}/v1/models`, 'GET', undefined, evil)).status).toBe(403);
    expect((await api(`${url}/v1/models`, 'GET', undefined, { origin: url })).status).toBe(200);
    // A name that somebody else's DNS points at this machine; fetch would not send it.
    const status = await new Promise((resolve) =>
      get(`${url}/v1/models`, { headers: { host: 'evil.example' } }, (response) => resolve(response.statusCode)),
    );
    expect(status).toBe(403);
  });

  it('does not open the API to a network unasked', async () => {
    await expect(world.gateway({ TUTTI_HOST: '0.0.0.0' })).rejects.toThrow('TUTTI_API_KEYS');
    const { url: open } = await world.gateway({ TUTTI_HOST: '0.0.0.0', TUTTI_OPEN: 'true' });
    expect((await api(`${open}/v1/models`)).status).toBe(200);
  });
});

describe('health', () => {
  it('tells each check, those of others in the process too, and goes off when it stops', async () => {
    let ok = false;
    const { url: mine, service } = await world.gateway(
      {},
      { extraReady: () => ({ planner: { ok, detail: 'opening' } }) },
    );
    expect(await api(`${mine}/readyz`)).toMatchObject({
      status: 503,
      body: { checks: { bus: { ok: true }, partitions: { ok: true, detail: '4' }, planner: { ok: false } } },
    });
    ok = true;
    expect((await api(`${mine}/readyz`)).status).toBe(200);
    await service.stop();
    await expect(api(`${mine}/healthz`)).rejects.toThrow();
  });

  it('lives, and says what is missing, before the bus is set up', async () => {
    const settings = await world.bus.bucket(BUCKETS.settings);
    const partitions = (await settings.get('partitions'))!;
    await settings.delete('partitions');
    let bare = '';
    const starting = world.gateway(
      { TUTTI_PROVISION: 'false' },
      {
        onListening: (at) => {
          bare = at;
        },
      },
    );
    await until('the gateway to listen', () => bare !== '');
    expect((await api(`${bare}/healthz`)).status).toBe(200);
    expect(await api(`${bare}/readyz`)).toMatchObject({ status: 503, body: { checks: { partitions: { ok: false } } } });
    const early = await api(`${bare}/v1/runs`, 'POST', { agent: 'guide', input: 'x' });
    expect(early).toMatchObject({ status: 503, body: { error: { code: 'unavailable', retryable: true } } });
    await settings.put('partitions', partitions.value);
    await starting;
    expect((await api(`${bare}/v1/runs`, 'POST', { agent: 'guide', input: 'x' })).status).toBe(202);
  });

  it('tells what it is, to people and to programs', async () => {
    const page = await (await fetch(url, { headers: { accept: 'text/html' } })).text();
    expect(page).toContain('/v1/chat/completions');
    expect((await api(`${url}/`)).body.endpoints).toContain('POST /v1/runs');
    const { body } = await api(`${url}/openapi.json`);
    expect(body.paths['/v1/runs'].post.requestBody.content['application/json'].schema.required).toEqual([
      'agent',
      'input',
    ]);
  });
});
