/** What a decision is bound to and who may make it, and undoing what a run left behind, over real HTTP and a real bus. */
import { type ApprovalRecord, contentHash, newRunId, newSessionId, RESULTS, resultBlob } from '@tutti/contracts';
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

function journal(): Journal {
  const session = newSessionId();
  const made = new Journal(newRunId(session), session);
  world.journals.set(made.run, made);
  return made;
}
function waiting(more: Partial<ApprovalRecord> = {}) {
  const record = { ...journal().approval('1'), ...more };
  world.approvals.set(record.id, { record, tenant: 'default' });
  const decide = (body: object) => api(`${url}/v1/approvals/${record.id}`, 'POST', body);
  return { record, decide };
}

describe('a decision', () => {
  it('is told with what it is about, and with what is to be done instead', async () => {
    const { decide } = waiting();
    await decide({ decision: 'approve', arguments: { flight: 'TU-100', seats: 1 }, argumentsHash: 'abc' });
    expect(world.inbound[0]).toMatchObject({ argumentsHash: 'abc', arguments: { flight: 'TU-100', seats: 1 } });
  });
  it('about something else than is asked by now is refused', async () => {
    const { decide } = waiting();
    const answer = await decide({ decision: 'approve', argumentsHash: 'older' });
    expect(answer).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } });
    expect(world.inbound).toEqual([]);
  });
  it('after another approver has changed the arguments has to say which it is about', async () => {
    const { decide } = waiting({ quorum: 2, asked: { flight: 'TU-100', seats: 2 }, approvedBy: ['kim'] });
    const { status, body } = await decide({ decision: 'approve' });
    expect(status).toBe(409);
    expect(body.error.details).toMatchObject({ argumentsHash: 'abc' });
    expect(world.inbound).toEqual([]);
    await decide({ decision: 'approve', argumentsHash: 'abc' });
    await waiting({ asked: {} }).decide({ decision: 'deny' });
    expect(world.inbound).toMatchObject([{ decision: 'approve' }, { decision: 'deny' }]);
  });
  it('is for those whom the policy names, and no arguments go with a no', async () => {
    const { decide } = waiting({ approvers: ['ann', 'finance'] });
    expect((await decide({ decision: 'approve' })).status).toBe(403);
    const other = waiting();
    expect((await other.decide({ decision: 'deny', arguments: {} })).status).toBe(400);
    const unknown = waiting({ policy: 'tutti.effect-unknown' });
    expect((await unknown.decide({ decision: 'approve', arguments: {} })).status).toBe(400);
    expect(world.inbound).toEqual([]);
  });
  it('that is one of several is in when it counts', async () => {
    const { record, decide } = waiting({ quorum: 2 });
    world.onInbound = () => {
      record.approvedBy = ['local'];
    };
    expect(await decide({ decision: 'approve' })).toMatchObject({
      status: 200,
      body: { status: 'pending', quorum: 2, approvedBy: ['local'] },
    });
  });
});

describe('undoing', () => {
  const offer = (n: number, more = {}) => ({
    callId: `call_${n}`,
    tool: 'book_flight',
    undo: 'cancel_flight',
    arguments: { id: n } as Record<string, unknown> | null,
    ...more,
  });
  function left(...undo: ReturnType<typeof offer>[]) {
    const made = journal();
    made.status = 'cancelled';
    made.add({
      type: 'run.cancelled',
      by: 'kim',
      reason: 'no',
      usage: { modelCalls: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, costUsd: 0 },
      undo,
    });
    const path = `${url}/v1/runs/${made.run}`;
    return { made, path, undo: (body: object = {}) => api(`${path}/undo`, 'POST', body) };
  }
  it('is offered in the run, and starts one run however often it is asked for', async () => {
    const { made, path, undo } = left(offer(2, { uncertain: true }), offer(1), offer(3, { arguments: null }));
    expect((await api(path)).body.undo).toHaveLength(3);
    const first = await undo();
    expect(first).toMatchObject({ status: 202, body: { undoes: made.run, agent: 'guide' } });
    expect((await undo()).body.id).toBe(first.body.id);
    expect(world.inbound[0]).toMatchObject({
      type: 'start',
      run: first.body.id,
      start: { agent: 'guide', bundle: made.start.bundle, undo: { run: made.run, offers: [offer(1)] } },
    });
    const chosen = await undo({ calls: ['call_2'] });
    expect(chosen.body.id).not.toBe(first.body.id);
    expect(world.inbound.at(-1)).toMatchObject({ start: { undo: { offers: [offer(2, { uncertain: true })] } } });
  });
  it('is refused where there is nothing to undo, or no way', async () => {
    const { undo } = left(offer(3, { arguments: null }));
    expect((await undo()).status).toBe(409);
    expect((await undo({ calls: ['call_3'] })).body.error.message).toMatch(/by hand/);
    expect((await undo({ calls: ['call_9'] })).status).toBe(400);
    expect((await api(`${url}/v1/runs/${journal().run}/undo`, 'POST', {})).status).toBe(409);
    expect(world.inbound).toEqual([]);
  });
});

it('a large result is told in full, of the run that it belongs to alone', async () => {
  const made = journal();
  const callId = made.callId('1');
  const text = `<b>${'x'.repeat(50_000)}`;
  await (await world.bus.blobs(RESULTS.name)).put(
    resultBlob('default', made.run, callId),
    new TextEncoder().encode(text),
  );
  const response = await fetch(`${url}/v1/runs/${made.run}/results/${callId}`);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
  expect(contentHash(await response.text())).toBe(contentHash(text));
  for (const path of [`${journal().run}/results/${callId}`, `${made.run}/results/..%2fx`])
    expect((await fetch(`${url}/v1/runs/${path}`)).status).toBe(404);
});
