/** A rolling deploy of the planner to a version with a later log format, and back, with runs under way all the while. */
import { join } from 'node:path';
import { repositoryRoot, until } from '@tutti/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Booking, client } from './client.ts';
import { type Stack, startStack } from './stack.ts';

const GOAL = 'Plan a business trip to Tokyo from 12 to 16 May 2027 and book the flights';
const NEXT = ['--import', join(repositoryRoot, 'tests/e2e/next-version.ts')];
/** So many runs a stage that, by their sessions, some fall to each of the four partitions. */
const RUNS = 8;

let stack: Stack;
let api: ReturnType<typeof client>;
beforeAll(async () => {
  stack = await startStack();
  api = client(stack.url);
});
afterAll(() => stack?.stop());

const startAll = () => Promise.all(Array.from({ length: RUNS }, async () => (await api.start(GOAL)).id));
/** All of them stand before their booking. */
const atApproval = (runs: string[]) =>
  Promise.all(runs.map(async (run) => expect((await api.approvalOrEnd(run)).approval).not.toBeNull()));
const takenOver = (name: string) => stack.logs(name).split('took over a partition').length - 1;

test('two versions run side by side, the later takes over, and every run ends with one booking', async () => {
  await stack.startBeside('planner', 'planner-2');
  await until('the second planner to have its share', () => takenOver('planner-2') > 0);
  const before = await startAll();
  await atApproval(before);

  // What reads the log goes first: it has to know what the planners will write.
  await stack.startBeside('memory', 'memory-next', NEXT);
  await stack.drain('memory');
  await stack.startBeside('planner', 'planner-next', NEXT);
  await until('the later version to have its share', () => takenOver('planner-next') > 0);
  const beside = await startAll();
  await atApproval(beside);

  const under = await startAll();
  await stack.drain('planner-2');
  await stack.drain('planner');
  await until('the later version to have everything', () => takenOver('planner-next') >= 4);
  const after = await startAll();

  const runs = [...before, ...beside, ...under, ...after];
  for (const run of await Promise.all(runs.map((id) => api.finish(id)))) {
    expect(run.run.status).toBe('completed');
    expect(run.approvals).toHaveLength(1);
  }
  const { bookings } = (await (await fetch(`${stack.flightsUrl}/bookings`)).json()) as { bookings: Booking[] };
  expect(bookings).toHaveLength(runs.length);
}, 120_000);

test('an earlier version leaves alone what a later one wrote, and nothing is lost by it', async () => {
  await stack.startBeside('planner', 'planner-back');
  await stack.drain('planner-next');
  await until('the earlier version to say so', () =>
    stack.logs('planner-back').includes('left to a planner of a later version'),
  );
  const { id } = await api.start(GOAL);
  await stack.startBeside('planner', 'planner-again', NEXT);
  expect((await api.finish(id)).run.status).toBe('completed');
  expect(stack.logs('planner-back')).not.toContain('cannot be opened yet');
}, 60_000);
