/** The policy gate over real HTTP and a real bus: who may start, decide, apply and read, and what was decided about a call. */
import { type Bundle, contentHash, newRunId, newSessionId, RESULTS, resultBlob } from '@tutti/contracts';
import { until } from '@tutti/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '../testing/api.ts';
import { Journal, USAGE } from '../testing/entries.ts';
import { BUNDLE, World } from '../testing/world.ts';

const POLICIES = `
@id("guides-lead") @reason("Only leads start guides.")
forbid (principal is User, action == Action::"run.start", resource == Agent::"guide")
when { !principal.roles.contains("lead") };

@id("four-eyes") @reason("Nobody approves what they asked for.")
forbid (principal is User, action == Action::"approval.decide", resource)
when { (resource.startedBy == "ann" && principal == User::"ann") || (resource.startedBy == "bob" && principal == User::"bob") };

@id("operators-apply")
forbid (principal is User, action == Action::"bundle.apply", resource) when { !principal.roles.contains("operator") };

@id("own-runs") @reason("Ann's runs are hers.")
forbid (principal is User, action == Action::"journal.read", resource)
when { resource.startedBy == "ann" && principal != User::"ann" };

@id("closed-collection")
forbid (principal, action == Action::"knowledge.read", resource == Collection::"hr");

@id("closed-session")
forbid (principal is User, action == Action::"memory.read", resource) when { !principal.roles.contains("lead") };`;

const bundle: Bundle = { ...BUNDLE, policies: { 'who.cedar': POLICIES } };
let world: World;
let url: string;
beforeAll(async () => {
  world = await World.start();
  await world.apply(bundle);
  ({ url } = await world.gateway({
    TUTTI_API_KEYS: 'anns-own-key:default:ann[lead],bobs-own-key:default:bob,opas-own-key:default:opa[operator]',
    TUTTI_APPROVAL_CONFIRM_MS: '50',
  }));
});
afterAll(() => world?.stop());
beforeEach(() => world.reset());

const as = (who: 'ann' | 'bob' | 'opa') => ({ authorization: `Bearer ${who}s-own-key` });
const ask = (who: 'ann' | 'bob' | 'opa', method: string, path: string, body?: object) =>
  api(`${url}${path}`, method, body, as(who));
const denied = (policy: string, reason = '') => ({
  status: 403,
  body: { error: { code: 'forbidden', message: expect.stringMatching(new RegExp(`${reason}.*policy ${policy}`)) } },
});

function journal(by: string): Journal {
  const session = newSessionId();
  return world.add(new Journal(newRunId(session), session, { start: { principal: { id: by, roles: [] } } }));
}

describe('run.start', () => {
  it('is asked by whoever starts: a run, a chat, a schedule, a fork, an answer', async () => {
    const start = { agent: 'guide', input: 'hello' };
    expect(await ask('bob', 'POST', '/v1/runs', start)).toMatchObject(denied('guides-lead', 'Only leads'));
    expect(world.inbound).toEqual([]);
    expect((await ask('ann', 'POST', '/v1/runs', start)).status).toBe(202);
    const chat = { model: 'guide', messages: [{ role: 'user', content: 'hi' }] };
    expect(await ask('bob', 'POST', '/v1/chat/completions', chat)).toMatchObject(denied('guides-lead'));
    const schedule = { agent: 'guide', input: 'x', cron: '0 9 * * 1' };
    expect(await ask('bob', 'PUT', '/v1/schedules/monday', schedule)).toMatchObject(denied('guides-lead'));
    const mine = journal('bob');
    mine.asks('which?');
    expect(await ask('bob', 'POST', `/v1/runs/${mine.run}/fork`, { version: 1 })).toMatchObject(denied('guides-lead'));
    expect(await ask('bob', 'POST', `/v1/runs/${mine.run}/input`, { text: 'this' })).toMatchObject(
      denied('guides-lead'),
    );
    expect(await ask('bob', 'POST', `/v1/runs/${mine.run}/cancel`)).toMatchObject(denied('guides-lead'));
    expect(world.forks).toEqual([]);
    expect(world.inbound.map(({ type }) => type)).toEqual(['start']);
  });
});

describe('approval.decide', () => {
  it('is asked with who started the run', async () => {
    const mine = journal('bob');
    const record = mine.approval('book');
    world.approvals.set(record.id, { record, tenant: 'default' });
    const path = `/v1/approvals/${record.id}`;
    expect(await ask('bob', 'POST', path, { decision: 'approve' })).toMatchObject(
      denied('four-eyes', 'Nobody approves'),
    );
    expect(world.inbound).toEqual([]);
    expect((await ask('opa', 'POST', path, { decision: 'approve' })).status).toBe(202);
    await until('the decision', () => world.inbound.some(({ type }) => type === 'approve'));
  });
});

describe('bundle.apply', () => {
  it('is asked of whoever applies one, and of whoever would run under one of their own', async () => {
    expect(await ask('ann', 'POST', '/v1/bundles', BUNDLE)).toMatchObject(denied('operators-apply'));
    expect(await world.bus.bucket('tutti_bundles').then((bucket) => bucket.get('current.default'))).toMatchObject({
      value: new TextEncoder().encode(contentHash(bundle)),
    });
    const mine = journal('ann');
    const fork = { version: 1, bundle: BUNDLE };
    expect(await ask('ann', 'POST', `/v1/runs/${mine.run}/fork`, fork)).toMatchObject(denied('operators-apply'));
    const known = { version: 1, bundle: contentHash(bundle) };
    expect(await ask('ann', 'POST', `/v1/runs/${mine.run}/fork`, known)).toMatchObject(denied('operators-apply'));
    expect(await ask('ann', 'POST', '/v1/preflight', { bundle: BUNDLE })).toMatchObject(denied('operators-apply'));
    expect([world.forks, world.preflights]).toEqual([[], []]);
    expect((await ask('opa', 'POST', '/v1/bundles', bundle)).status).toBe(200);
  });
  it('takes no bundle whose policies could fail, or whose schema or attributes are wrong', async () => {
    const wrong: [object, RegExp][] = [
      [{ policies: { 'a.cedar': 'permit (principal, action, resource) when { resource.colour == 1 };' } }, /a\.cedar/],
      [
        {
          policies: {
            'a.cedar':
              'forbid (principal, action == Action::"tool.call", resource) when { context.run.calls + 1 > 2 };',
          },
        },
        /overflow/,
      ],
      [{ policySchema: 'entity Tool { effect?: String };' }, /schema\.cedarschema.*already/],
      [
        { agents: { guide: { ...BUNDLE.agents.guide, attributes: { level: 3 } } } },
        /agent guide has an attribute "level"/,
      ],
      [{ agents: 7 }, /agents/],
    ];
    for (const [more, says] of wrong) {
      const answer = await ask('opa', 'POST', '/v1/bundles', { ...bundle, ...more });
      expect(answer).toMatchObject({ status: 422, body: { error: { code: 'bundle_invalid' } } });
      expect(answer.body.error.message).toMatch(says);
    }
  });
});

describe('what changes a bundle without applying one', () => {
  it('the kill switches are bundle.apply of the current bundle, stopping and releasing', async () => {
    for (const target of [{ kind: 'tool', name: 'pay' }, { kind: 'agent', name: 'guide' }, { kind: 'tenant' }])
      for (const stopped of [true, false])
        expect(await ask('ann', 'PUT', '/v1/switches', { ...target, stopped })).toMatchObject(
          denied('operators-apply'),
        );
    expect((await ask('ann', 'GET', '/v1/switches')).body.data).toEqual([]);
    for (const stopped of [true, false])
      expect((await ask('opa', 'PUT', '/v1/switches', { kind: 'tool', name: 'pay', stopped })).status).toBe(200);
  });
  it('stopping everything needs the role beside that: a policy can forbid it to an operator', async () => {
    expect(await ask('bob', 'PUT', '/v1/switches', { kind: 'all', stopped: true })).toMatchObject(
      denied('operators-apply'),
    );
    const tired = `@id("no-nights") forbid (principal == User::"opa", action == Action::"bundle.apply", resource == Bundle::"test");`;
    await world.apply({ ...bundle, policies: { 'who.cedar': tired } });
    try {
      expect(await ask('opa', 'PUT', '/v1/switches', { kind: 'all', stopped: true })).toMatchObject(
        denied('no-nights'),
      );
      expect(await ask('ann', 'PUT', '/v1/switches', { kind: 'all', stopped: true })).toMatchObject({
        status: 403,
        body: { error: { message: expect.stringContaining('role "operator"') } },
      });
    } finally {
      await world.apply(bundle);
    }
  });
});

describe('undo', () => {
  it('is journal.read of the run and run.start of its agent', async () => {
    const [hers, his] = [journal('ann'), journal('bob')];
    for (const mine of [hers, his]) mine.add({ type: 'run.cancelled', reason: '', by: 'x', usage: USAGE });
    const undo = (who: 'ann' | 'bob', run: string) => ask(who, 'POST', `/v1/runs/${run}/undo`, {});
    expect(await undo('bob', hers.run)).toMatchObject(denied('own-runs'));
    expect(await undo('bob', his.run)).toMatchObject(denied('guides-lead'));
    expect(await undo('ann', his.run)).toMatchObject({ status: 409 });
    expect(world.inbound).toEqual([]);
  });
  it('a result in full is journal.read', async () => {
    const hers = journal('ann');
    const path = `/v1/runs/${hers.run}/results/${hers.callId('a')}`;
    const blobs = await world.bus.blobs(RESULTS.name);
    await blobs.put(resultBlob('default', hers.run, hers.callId('a')), new TextEncoder().encode('"all of it"'));
    expect(await ask('bob', 'GET', path)).toMatchObject(denied('own-runs'));
    expect((await ask('ann', 'GET', path)).status).toBe(200);
  });
});

describe('reading', () => {
  it('of a run, its journal, state and events, and of lists, is journal.read', async () => {
    const [hers, his] = [journal('ann'), journal('bob')];
    for (const path of ['', '/journal', '/journal?format=jsonl', '/state', '/events'])
      expect(await ask('bob', 'GET', `/v1/runs/${hers.run}${path}`)).toMatchObject(denied('own-runs', "Ann's runs"));
    expect((await ask('ann', 'GET', `/v1/runs/${hers.run}/journal`)).status).toBe(200);
    const listed = async (who: 'ann' | 'bob') =>
      (await ask(who, 'GET', '/v1/runs')).body.data.map(({ id }: { id: string }) => id).sort();
    expect(await listed('bob')).toEqual([his.run]);
    expect(await listed('ann')).toEqual([hers.run, his.run].sort());
    expect(await ask('bob', 'GET', `/v1/approvals?run=${hers.run}`)).toMatchObject(denied('own-runs'));
  });
  it('of documents is knowledge.read, of conversations memory.read', async () => {
    expect(await ask('ann', 'GET', '/v1/collections/hr/documents')).toMatchObject(denied('closed-collection'));
    expect(await ask('ann', 'GET', '/v1/collections/hr/documents/x')).toMatchObject(denied('closed-collection'));
    expect((await ask('ann', 'GET', '/v1/collections/open/documents')).status).toBe(200);
    expect(await ask('bob', 'GET', '/v1/sessions/mine')).toMatchObject(denied('closed-session'));
    expect((await ask('ann', 'GET', '/v1/sessions/mine')).status).toBe(200);
  });
});

describe('GET /v1/calls/{id}/decisions', () => {
  const call = (mine: Journal, step: string) => mine.callId(step);
  function made(by = 'ann'): Journal {
    const session = newSessionId();
    const start = { principal: { id: by, roles: [] }, bundle: contentHash(bundle) };
    const mine = world.add(new Journal(newRunId(session), session, { start }));
    const step = (name: string, tool: string) => ({
      callId: mine.callId(name),
      step: { kind: 'execute' as const, call: { id: mine.callId(name), name: tool, arguments: { n: 1 } } },
    });
    const action = (name: string, tool: string, content: string) => ({
      callId: mine.callId(name),
      tool,
      arguments: { n: 1 },
      content,
      isError: false,
      effect: 'keyed' as const,
    });
    mine.add({ type: 'step.requested', ...step('a', 'order') });
    mine.add({ type: 'step.requested', ...step('b', 'wipe') });
    mine.add({ type: 'step.requested', ...step('c', 'book') });
    mine.add({
      type: 'step.completed',
      callId: mine.callId('a'),
      result: {
        kind: 'execute',
        replayed: false,
        action: action('a', 'order', 'ok'),
        policy: 'builtin.tool-calls-without-lasting-harm',
      },
    });
    mine.add({
      type: 'step.completed',
      callId: mine.callId('b'),
      result: {
        kind: 'execute',
        replayed: false,
        dispatched: false,
        action: action('b', 'wipe', 'Not done'),
        policy: 'default-deny',
      },
    });
    const approval = mine.approval('c');
    mine.add({ type: 'approval.requested', approval: { ...approval, policy: 'builtin.untrusted-needs-approval' } });
    mine.add({ type: 'approval.decided', approval: approval.id, decision: 'denied', by: 'opa', reason: 'too dear' });
    mine.add({ type: 'run.completed', output: '', citations: [], usage: USAGE, degraded: false });
    return mine;
  }
  const read = (who: 'ann' | 'bob', mine: Journal, step: string, more = '') =>
    ask(who, 'GET', `/v1/calls/${call(mine, step)}/decisions${more}`);

  it('tells which policies decided, on what ground, with their text', async () => {
    const mine = made();
    expect(await read('ann', mine, 'a')).toMatchObject({
      status: 200,
      body: {
        run: mine.run,
        tool: 'order',
        arguments: { n: 1 },
        decisions: [{ decision: 'allow', policy: 'builtin.tool-calls-without-lasting-harm' }],
        policies: [{ file: 'builtin.cedar', text: expect.stringContaining('permit') }],
        ledger: null,
      },
    });
    expect((await read('ann', mine, 'b', `?run=${mine.run}`)).body.decisions).toMatchObject([
      { decision: 'deny', policy: 'default-deny' },
    ]);
    expect((await read('ann', mine, 'c')).body).toMatchObject({
      decisions: [
        { decision: 'approval', policy: 'builtin.untrusted-needs-approval' },
        { decision: 'denied', by: 'opa', reason: 'too dear' },
      ],
      policies: [{ id: 'builtin.untrusted-needs-approval' }],
    });
  });
  it('is journal.read of the run, and says what to do about a call that is not found', async () => {
    const mine = made();
    expect(await read('bob', mine, 'a')).toMatchObject(denied('own-runs'));
    const other = journal('ann');
    const wrong = await read('ann', mine, 'a', `?run=${other.run}`);
    expect(wrong).toMatchObject({ status: 404, body: { error: { message: expect.stringContaining('never made') } } });
    world.reset();
    expect((await read('ann', mine, 'a')).body.error.message).toMatch(/name the run/);
    expect((await ask('ann', 'GET', '/v1/calls/nonsense/decisions')).status).toBe(404);
  });
});
