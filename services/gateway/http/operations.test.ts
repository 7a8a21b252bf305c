/** What operators need over real HTTP and a real bus: dead letters, load, and a door that closes when a partition is behind. */
import { type DeadLetter, newRunId, newSessionId, type PartitionLoad, partitionOf, subjects } from '@tutti/contracts';
import { until } from '@tutti/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '../testing/api.ts';
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

  it('those that earlier versions wrote are shown too', async () => {
    const id = `dead_${await world.bus.append(subjects.dead('memory'), new TextEncoder().encode('{"v":1'))}`;
    expect((await api(`${url}/v1/dead-letters/${id}`)).body).toMatchObject({ kind: 'record', payload: '{"v":1' });
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
    expect(refused).toMatchObject({ status: 429, body: { error: { code: 'overloaded', retryable: true } } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(world.inbound).toEqual([]);
    for (let partition = 0; partition < PARTITIONS; partition++) tell(partition, 100);
    await until('the door to open', async () => (await start()).status === 202);
  });
});
