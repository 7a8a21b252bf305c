/** What operators need over real HTTP and a real bus: dead letters, load, and a door that closes when a partition is behind. */
import { type DeadLetter, newRunId, newSessionId, type PartitionLoad, partitionOf, subjects } from '@tutti/contracts';
import { until } from '@tutti/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '../testing/api.ts';
import { Journal } from '../testing/entries.ts';
import { BUNDLE, PARTITIONS, World } from '../testing/world.ts';

let world: World;
let url: string;
let keyed: string;
const as = (key: string) => ({ authorization: `Bearer ${key}` });
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

beforeAll(async () => {
  world = await World.start();
  await world.apply(BUNDLE);
  ({ url } = await world.gateway({ TUTTI_LAG_MAX: '100' }));
  ({ url: keyed } = await world.gateway({ TUTTI_API_KEYS: 'first-key:default,second-key:umbrella' }));
});
afterAll(() => world?.stop());
beforeEach(() => world.reset());

async function bury(letter: Partial<DeadLetter>): Promise<string> {
  const whole: DeadLetter = {
    v: 1,
    service: 'planner',
    kind: 'inbound',
    reason: 'no sense',
    at: 1,
    payload: {},
    ...letter,
  };
  return `dead_${await world.bus.append(subjects.dead(whole.service), encode(whole))}`;
}

describe('dead letters', () => {
  it('are listed newest first, read whole, and removed', async () => {
    const first = await bury({ tenant: 'default' });
    const second = await bury({
      tenant: 'default',
      service: 'memory',
      kind: 'record',
      payload: 'x',
      subject: 'tutti.log.1',
    });
    const { data } = (await api(`${url}/v1/dead-letters`)).body;
    expect(data.map((letter: { id: string }) => letter.id)).toEqual([second, first]);
    expect((await api(`${url}/v1/dead-letters?service=memory`)).body.data).toMatchObject([
      { id: second, kind: 'record' },
    ]);
    expect((await api(`${url}/v1/dead-letters/${second}`)).body).toMatchObject({
      payload: 'x',
      subject: 'tutti.log.1',
    });
    const resent = await api(`${url}/v1/dead-letters/${second}/resend`, 'POST');
    expect(resent).toMatchObject({
      status: 409,
      body: { error: { message: expect.stringContaining('nothing to send') } },
    });
    for (const id of [first, second]) expect((await api(`${url}/v1/dead-letters/${id}`, 'DELETE')).status).toBe(200);
    expect((await api(`${url}/v1/dead-letters/${first}`)).status).toBe(404);
    expect((await api(`${url}/v1/dead-letters/dead_x`)).status).toBe(404);
  });

  it('an inbound message is sent again as it was, once however often', async () => {
    const session = newSessionId();
    const run = newRunId(session);
    const subject = subjects.inbound(partitionOf(session, PARTITIONS), 'default', session, run);
    const payload = { v: 1, type: 'cancel', tenant: 'default', session, run, at: 1, by: 'x', reason: '' };
    const id = await bury({ tenant: 'default', run, subject, payload });
    for (let i = 0; i < 2; i++)
      expect(await api(`${url}/v1/dead-letters/${id}/resend`, 'POST')).toMatchObject({
        status: 202,
        body: { resent: { as: 'message', subject } },
      });
    await until('the message', () => world.inbound.some((message) => message.run === run));
    expect(world.inbound.filter((message) => message.run === run)).toEqual([payload]);
  });

  it('a tenant sees its own, and nobody’s letters are for open systems', async () => {
    const mine = await bury({ tenant: 'default' });
    const theirs = await bury({ tenant: 'umbrella' });
    const nobodys = await bury({});
    const seen = async (base: string, headers: Record<string, string>) =>
      (await api(`${base}/v1/dead-letters`, 'GET', undefined, headers)).body.data.map((one: { id: string }) => one.id);
    expect(await seen(url, {})).toEqual(expect.arrayContaining([mine, nobodys]));
    expect(await seen(url, {})).not.toContain(theirs);
    const second = await seen(keyed, as('second-key'));
    expect(second).toEqual([theirs]);
    for (const id of [mine, nobodys])
      expect((await api(`${keyed}/v1/dead-letters/${id}`, 'GET', undefined, as('second-key'))).status).toBe(404);
  });

  it('those that earlier versions wrote are shown too, and what they buried can be sent again', async () => {
    const raw = (service: string, payload: string, headers: Record<string, string>) =>
      world.bus.append(subjects.dead(service), new TextEncoder().encode(payload), { headers });
    const headers = { 'Tutti-Reason': 'not JSON', 'Tutti-Subject': 'tutti.log.2', 'Tutti-Sequence': '7' };
    const record = `dead_${await raw('memory', '{"v":1', headers)}`;
    const shown = { kind: 'record', reason: 'not JSON', subject: 'tutti.log.2', sequence: 7, payload: '{"v":1' };
    expect((await api(`${url}/v1/dead-letters/${record}`)).body).toMatchObject(shown);

    const session = newSessionId();
    const run = newRunId(session);
    const payload = { v: 1, type: 'cancel', tenant: 'default', session, run, at: 1, by: 'x', reason: '' };
    const inbound = `dead_${await raw('planner', JSON.stringify(payload), { 'Tutti-Reason': 'it threw' })}`;
    expect((await api(`${url}/v1/dead-letters?run=${run}`)).body.data).toMatchObject([
      { id: inbound, kind: 'inbound', reason: 'it threw', run, session },
    ]);
    expect((await api(`${url}/v1/dead-letters/${inbound}/resend`, 'POST')).status).toBe(202);
    await until('the message', () => world.inbound.some((message) => message.run === run));
  });

  it('a page says where the next one begins', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) ids.unshift(await bury({ tenant: 'umbrella', service: i % 2 ? 'memory' : 'planner' }));
    const seen: string[] = [];
    for (let before = '', pages = 0; pages < 20; pages++) {
      const path = `${keyed}/v1/dead-letters?limit=2&service=planner${before && `&before=${before}`}`;
      const { data, has_more, next } = (await api(path, 'GET', undefined, as('second-key'))).body;
      seen.push(...data.map(({ id }: { id: string }) => id));
      if (!has_more) break;
      before = next;
    }
    expect(seen.slice(0, 4)).toEqual(ids.filter((_, i) => i % 2 === 0));
    expect(await api(`${url}/v1/dead-letters?before=x`)).toMatchObject({ status: 400 });
  });

  it('a step is sent again as a fork of its run, the same one however often, and that is noted', async () => {
    const run = newRunId(newSessionId());
    const id = await bury({ tenant: 'default', kind: 'step', run, version: 12, callId: 'call_x' });
    const resend = () => api(`${url}/v1/dead-letters/${id}/resend`, 'POST');
    const [first, second] = [await resend(), await resend()];
    expect(first).toMatchObject({ status: 202, body: { resent: { as: 'run' } } });
    expect(second.body).toEqual(first.body);
    expect(world.forks[0]).toMatchObject({ run, version: 12, key: id, effects: 'approve' });
    const { resent } = (await api(`${url}/v1/dead-letters/${id}`)).body;
    expect(resent).toMatchObject({ by: 'local', as: 'run', run: first.body.resent.run });
    const listed = (await api(`${url}/v1/dead-letters?run=${run}`)).body.data;
    expect(listed).toMatchObject([{ id, resent }]);
    const nameless = await bury({ tenant: 'default', kind: 'step' });
    expect((await api(`${url}/v1/dead-letters/${nameless}/resend`, 'POST')).status).toBe(409);
  });

  it('a start whose run has failed with it starts another run; one whose run nobody knows, that run', async () => {
    const session = newSessionId();
    const failed = world.add(new Journal(newRunId(session), session));
    const base = { v: 1 as const, type: 'start' as const, tenant: 'default', session, at: 1 };
    const payload = { ...base, run: failed.run, start: failed.start };
    const id = await bury({ tenant: 'default', run: failed.run, subject: 'tutti.in.0.x', payload });
    const resend = (letter: string) => api(`${url}/v1/dead-letters/${letter}/resend`, 'POST');
    const [first, second] = [await resend(id), await resend(id)];
    expect(first).toMatchObject({ status: 202, body: { resent: { as: 'run', session } } });
    expect(second.body).toEqual(first.body);
    const { run } = first.body.resent;
    expect(run).not.toBe(failed.run);
    await until('the start', () => world.inbound.some((message) => message.run === run));
    expect(world.inbound.filter((message) => message.run === run)).toMatchObject([{ start: { root: run } }]);

    const unknown = newRunId(session);
    const subject = subjects.inbound(partitionOf(session, PARTITIONS), 'default', session, unknown);
    const fresh = await bury({
      tenant: 'default',
      run: unknown,
      subject,
      payload: { ...base, run: unknown, start: { ...failed.start, root: unknown } },
    });
    expect((await resend(fresh)).body.resent).toEqual({ as: 'message', subject });

    const parent = { run: failed.run, session, callId: 'call_x' };
    const child = world.add(new Journal(newRunId(session), session, { start: { parent, root: failed.run } }));
    const part = await bury({
      tenant: 'default',
      subject,
      payload: { ...base, run: child.run, start: child.start },
    });
    expect(await resend(part)).toMatchObject({
      status: 409,
      body: { error: { message: expect.stringContaining(failed.run) } },
    });
  });
});

describe('load', () => {
  const tell = (partition: number, lag: number) => {
    const load: PartitionLoad = {
      v: 1,
      partition,
      owner: 'planner-x',
      lag,
      active: 3,
      queued: 0,
      waiting: 1,
      inFlight: 2,
      heldBack: 0,
    };
    world.bus.publish(subjects.load(partition), encode(load));
  };

  it('is shown, and a partition that is too far behind takes no new runs until it has caught up', async () => {
    const start = () => api(`${url}/v1/runs`, 'POST', { agent: 'guide', input: 'hello' });
    for (let partition = 0; partition < PARTITIONS; partition++) tell(partition, 101);
    await until('the load to be known', async () => (await api(`${url}/v1/load`)).body.data.length === PARTITIONS);
    const refused = await start();
    expect(refused).toMatchObject({ status: 503, body: { error: { code: 'unavailable', retryable: true } } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(world.inbound).toEqual([]);
    for (let partition = 0; partition < PARTITIONS; partition++) tell(partition, 100);
    await until('the door to open', async () => (await start()).status === 202);
  });
});
