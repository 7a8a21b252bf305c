/** Schedules over real HTTP and a real bus: what is refused at the door, where a change goes, and what is shown. */
import { type InboundMessage, partitionOf, STREAMS, scheduleIdFor, subjects } from '@tutti/contracts';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { api } from '../testing/api.ts';
import { BUNDLE, PARTITIONS, World } from '../testing/world.ts';

let world: World;
let url: string;
const path = '/v1/schedules/nightly';
const weekdays = { cron: '30 6 * * 1-5', timeZone: 'Europe/Berlin', agent: 'guide', input: 'Good morning' };
const put = (body: object, name = path) => api(`${url}${name}`, 'PUT', body);

beforeAll(async () => {
  world = await World.start();
  await world.apply(BUNDLE);
  ({ url } = await world.gateway({ TUTTI_APPROVAL_CONFIRM_MS: '400' }));
});
afterAll(() => world?.stop());
beforeEach(() => {
  world.reset();
  world.keepsSchedules();
});

it('a schedule goes to the partition of its id, is shown with its next five ticks, and can be removed', async () => {
  const set = await put({ ...weekdays, session: 'mornings', limits: { stepsMax: 9 }, overlap: 'parallel' });
  expect(set.status).toBe(200);
  expect(set.body).toMatchObject({
    object: 'schedule',
    name: 'nightly',
    cron: '30 6 * * 1-5',
    timeZone: 'Europe/Berlin',
    session: 'mornings',
    missed: 'skip',
    overlap: 'parallel',
    paused: false,
    principal: 'local',
    last: null,
  });
  expect(set.body.next).toHaveLength(5);
  const days = set.body.next.slice(1).map((tick: string) => new Date(tick).getUTCDay());
  expect(days.every((day: number) => day >= 1 && day <= 5)).toBe(true);

  const id = scheduleIdFor('default', 'nightly');
  const stored = await world.bus.last(STREAMS.inbound.name, subjects.inboundOfRun(partitionOf(id, PARTITIONS), id));
  expect(stored!.subject).toBe(subjects.inbound(partitionOf(id, PARTITIONS), 'default', id, id));
  const message = JSON.parse(new TextDecoder().decode(stored!.data)) as InboundMessage;
  expect(message).toMatchObject({
    type: 'schedule_set',
    session: id,
    run: id,
    schedule: { id, agent: 'guide', limits: { stepsMax: 9 }, timing: { type: 'cron' }, graceMs: 60_000 },
  });

  await put(weekdays, '/v1/schedules/morning');
  const { data } = (await api(`${url}/v1/schedules`)).body;
  expect(data.map(({ name }: { name: string }) => name)).toEqual(['morning', 'nightly']);
  expect((await api(`${url}${path}`)).body).toMatchObject({ id, name: 'nightly' });
  expect(await api(`${url}${path}`, 'DELETE')).toMatchObject({ status: 200, body: { name: 'nightly', deleted: true } });
  expect((await api(`${url}${path}`)).status).toBe(404);
  expect((await api(`${url}${path}`, 'DELETE')).status).toBe(404);
});

it('a moment is one tick, and a paused schedule has none', async () => {
  const at = new Date(Date.now() + 3_600_000).toISOString();
  const once = await put({ at, agent: 'guide', input: 'x' });
  expect(once).toMatchObject({ status: 200, body: { at, next: [at] } });
  expect((await put({ ...weekdays, paused: true })).body).toMatchObject({ paused: true, next: [] });
});

it('each change is a message of its own, however fast they come', async () => {
  const inputs = ['a', 'b', 'c', 'd'];
  await Promise.all(inputs.map((input) => put({ ...weekdays, input })));
  const sets = world.inbound.filter((message) => message.type === 'schedule_set');
  expect(sets.map(({ schedule }) => schedule.input).sort()).toEqual(inputs);
});

it('is 202 while nobody takes it in, and 503 while an owner is away', async () => {
  world.onInbound = () => {};
  const accepted = await put(weekdays);
  expect(accepted.status).toBe(202);
  expect(accepted.body.next).toHaveLength(5);
  world.owner.silent = true;
  for (const answer of [await put(weekdays), await api(`${url}/v1/schedules`), await api(`${url}${path}`)])
    expect(answer).toMatchObject({ status: 503, body: { error: { code: 'unavailable', retryable: true } } });
});

it.each([
  ['a field out of range', 'cron', { ...weekdays, cron: '61 * * * *' }, '61'],
  ['a cron that is none', 'cron', { ...weekdays, cron: 'every day' }, 'every day'],
  ['a day that never comes', 'cron', { ...weekdays, cron: '0 0 30 2 *' }, 'never comes due'],
  ['a zone that is none', 'cron', { ...weekdays, timeZone: 'Mars/Olympus' }, 'Mars/Olympus'],
  ['a moment that has passed', 'at', { agent: 'guide', input: 'x', at: '2020-01-01T00:00:00Z' }, 'past'],
  ['a moment without an offset', 'at', { agent: 'guide', input: 'x', at: '2099-01-01T00:00:00' }, 'at'],
  ['both', 'cron', { ...weekdays, at: '2099-01-01T00:00:00Z' }, 'either'],
  ['neither', 'cron', { agent: 'guide', input: 'x' }, 'either'],
  [
    'a zone for a moment',
    'timeZone',
    { agent: 'guide', input: 'x', at: '2099-01-01T00:00:00Z', timeZone: 'UTC' },
    'cron',
  ],
  ['an unknown policy', 'overlap', { ...weekdays, overlap: 'perhaps' }, 'overlap'],
  ['an unknown field', 'body', { ...weekdays, crom: 'x' }, 'crom'],
])('is refused with the field and the reason: %s', async (_what, param, body, reason) => {
  const refused = await put(body);
  expect(refused).toMatchObject({ status: 400, body: { error: { param } } });
  expect(refused.body.error.message).toContain(reason);
  expect(world.inbound).toEqual([]);
});

it('names what is not there', async () => {
  expect((await put({ ...weekdays, agent: 'nobody' })).body.error.message).toContain('nobody');
  expect(await put(weekdays, '/v1/schedules/Not%20A%20Name')).toMatchObject({ status: 400 });
  const other = await world.gateway({ TUTTI_API_KEYS: 'second-key:umbrella' });
  await put(weekdays);
  const headers = { authorization: 'Bearer second-key' };
  expect((await api(`${other.url}${path}`, 'GET', undefined, headers)).status).toBe(404);
});
