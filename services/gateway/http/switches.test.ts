/** The kill switch over HTTP: who may set it, what it does to new runs, and what is told of it. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api } from '../testing/api.ts';
import { BUNDLE, World } from '../testing/world.ts';

let world: World;
let url: string;
beforeAll(async () => {
  world = await World.start();
  await world.apply(BUNDLE);
  ({ url } = await world.gateway());
});
afterAll(() => world?.stop());
const put = (body: object) => api(`${url}/v1/switches`, 'PUT', body);
const start = () => api(`${url}/v1/runs`, 'POST', { agent: 'guide', input: 'Hello' });

it('a stopped agent starts nothing until it is released, and every decision is told', async () => {
  const set = await put({ kind: 'agent', name: 'guide', stopped: true, reason: 'odd answers' });
  expect(set).toMatchObject({ status: 200, body: { kind: 'agent', name: 'guide', stopped: true, by: 'local' } });
  expect(await start()).toMatchObject({
    status: 403,
    body: {
      error: {
        code: 'forbidden',
        message: 'local has stopped the agent "guide": odd answers: no run of "guide" is started',
      },
    },
  });
  await put({ kind: 'agent', name: 'guide', stopped: false });
  expect((await start()).status).toBe(202);
  const { data } = (await api(`${url}/v1/switches`)).body;
  expect(data).toMatchObject([
    {
      kind: 'agent',
      name: 'guide',
      stopped: false,
      decisions: [{ stopped: false }, { stopped: true, reason: 'odd answers' }],
    },
  ]);
});

it('a tenant and everything', async () => {
  for (const kind of ['tenant', 'all']) {
    expect((await put({ kind, stopped: true })).status).toBe(200);
    expect((await start()).status).toBe(403);
    expect((await put({ kind, stopped: false })).status).toBe(200);
    expect((await start()).status).toBe(202);
  }
});

it('what does not name a thing is refused', async () => {
  for (const body of [
    { kind: 'tool', stopped: true },
    { kind: 'agent', name: 'Not A Name', stopped: true },
  ])
    expect(await put(body)).toMatchObject({ status: 400, body: { error: { code: 'invalid_request' } } });
});

it('with keys: everything is for operators, and a tenant sees its own switches alone', async () => {
  const keys = 'key-of-kim:acme:kim,key-of-ops:ops:op[operator],key-of-lee:other:lee';
  const { url: guarded } = await world.gateway({ TUTTI_API_KEYS: keys });
  const as = (key: string, method: string, body?: object) =>
    api(`${guarded}/v1/switches`, method, body, { authorization: `Bearer ${key}` });
  expect((await as('key-of-kim', 'PUT', { kind: 'all', stopped: true })).status).toBe(403);
  expect((await as('key-of-ops', 'PUT', { kind: 'all', stopped: true })).status).toBe(200);
  expect((await as('key-of-ops', 'PUT', { kind: 'all', stopped: false })).status).toBe(200);
  expect((await as('key-of-kim', 'PUT', { kind: 'tool', name: 'pay', stopped: true })).status).toBe(200);
  const kinds = async (key: string) =>
    (await as(key, 'GET')).body.data.map(({ kind }: { kind: string }) => kind).sort();
  expect(await kinds('key-of-kim')).toEqual(['all', 'tool']);
  expect(await kinds('key-of-lee')).toEqual(['all']);
});
