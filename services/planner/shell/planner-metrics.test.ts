/** What an autoscaler reads of a planner. */
import { createServer } from 'node:net';
import { type PartitionLoad, TuttiError } from '@tutti/contracts';
import { until } from '@tutti/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Script } from '../test-support.ts';
import { openWorld, type World } from '../test-world.ts';

let world: World;
beforeEach(async () => {
  world = await openWorld({ TUTTI_PARTITIONS: '2' });
});
afterEach(() => world.close());

async function freePort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}
async function scrape(port: string): Promise<Record<string, number>> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

/** Acts, which needs an approval; its first model call fails once. */
function actsAfterOneFailure(): Script {
  let failed = false;
  return {
    complete: ({ chat }) => {
      if (!failed) {
        failed = true;
        throw new TuttiError('unavailable', 'once');
      }
      return chat.messages.some(({ role }) => role === 'tool')
        ? { content: 'ok' }
        : { calls: [{ name: 'act', arguments: {} }] };
    },
  };
}

test('gauges and counters of each partition, and the process', async () => {
  await world.workers(actsAfterOneFailure());
  const port = await freePort();
  await world.planner({ TUTTI_HEALTH_PORT: port, TUTTI_PARK_AFTER_MS: '100' });
  const hash = await world.apply({ knowledge: [] });
  const runs = [await world.start(hash, 'a', world.sessionIn(1)), await world.start(hash, 'b', world.sessionIn(1))];
  await until('both to be parked', async () => (await world.load(1)).waiting === 2);
  const metrics = await until('both to be parked', async () => {
    const now = await scrape(port);
    // The round in which they are parked counts as lag until it is over.
    return now['tutti_planner_parked{partition="1"}'] === 2 && now['tutti_planner_lag{partition="1"}'] === 0
      ? now
      : null;
  });
  expect(metrics).toMatchObject({
    'tutti_planner_parked{partition="0"}': 0,
    'tutti_planner_waiting{partition="1"}': 2,
    'tutti_planner_active{partition="1"}': 0,
    'tutti_planner_queued{partition="1"}': 0,
    'tutti_planner_lag{partition="1"}': 0,
    'tutti_planner_in_flight{partition="1"}': 0,
    'tutti_planner_held_back{partition="1"}': 0,
    'tutti_planner_epoch{partition="1"}': 1,
    'tutti_planner_takeovers_total{partition="1"}': 1,
    'tutti_planner_refused_appends_total{partition="1"}': 0,
    'tutti_planner_dead_letters_total{partition="1"}': 0,
    tutti_ready: 1,
    'tutti_dispatch_in_flight{verb="complete"}': 0,
  });
  expect(metrics['tutti_planner_entries_total{partition="1"}']).toBeGreaterThan(10);
  expect(metrics['tutti_planner_appends_total{partition="1"}']).toBe((await world.log(1)).length);
  expect(metrics.process_resident_memory_bytes).toBeGreaterThan(1e6);
  for (const run of runs) await world.say(run, { type: 'cancel', by: 'kim', reason: 'enough' });
  for (const run of runs) expect((await world.ended(run)).status).toBe('cancelled');
  expect((await scrape(port))['tutti_planner_parked{partition="1"}']).toBe(0);
});

test('a failed step that is tried again and a rubbish message are counted', async () => {
  await world.workers(actsAfterOneFailure());
  const port = await freePort();
  await world.planner({ TUTTI_HEALTH_PORT: port });
  const hash = await world.apply({ knowledge: [], tools: ['look'] });
  await world.bus.append('tutti.in.0.default.ses_x.run_x', new TextEncoder().encode('rubbish'));
  const run = await world.start(hash, 'a', world.sessionIn(0));
  await until('the retry', async () => (await scrape(port))['tutti_planner_retries_total{partition="0"}'] === 1);
  expect((await scrape(port))['tutti_planner_dead_letters_total{partition="0"}']).toBe(1);
  await world.say(run, { type: 'cancel', by: 'kim', reason: 'enough' });
  await world.ended(run);
});

test('every second the owner tells how far it lags', async () => {
  const told: PartitionLoad[] = [];
  world.bus.subscribe('tutti.load.*', ({ data }) => void told.push(JSON.parse(new TextDecoder().decode(data))));
  // No planner: what comes waits in the stream. No workers: the first run stays under way.
  const hash = await world.apply({ knowledge: [], tools: [] });
  const sessions = Array.from({ length: 1_500 }, () => world.sessionIn(0));
  const runs = await Promise.all(sessions.map((session) => world.start(hash, 'x', session)));
  const planner = world.planner({ TUTTI_BATCH_INPUTS_MAX: '1', TUTTI_ACTIVE_RUNS_MAX: '1' });
  const lags: number[] = [];
  await until('all to be taken in', async () => {
    const load = await world.load(0).catch(() => undefined);
    if (load) lags.push(load.lag);
    return load?.lag === 0 && load.queued === runs.length - 1 ? true : null;
  });
  await planner;
  expect(lags[0]).toBeGreaterThan(0);
  expect(lags.every((lag) => lag <= runs.length + 2)).toBe(true);
  expect(lags).toEqual([...lags].sort((a, b) => b - a));
  await until('every partition to tell', () => new Set(told.map(({ partition }) => partition)).size === 2);
});
