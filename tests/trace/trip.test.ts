/** One trace a run, over real processes and a real bus, asserted edge by edge; `npm run trace` does the same with a real Jaeger. */
import { ATTR } from '@tutti/runtime';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { collectSpans } from '../e2e/collector.ts';
import { type Stack, startStack } from '../e2e/stack.ts';
import { faultsIn, parked, plannerKilled, type ReadTrace, SCENARIO_ENV, undisturbed, warmUp } from './scenarios.ts';
import { judge } from './tree.ts';
import { TRIP_SHAPE } from './trip-shape.ts';

let collector: Awaited<ReturnType<typeof collectSpans>>;
let stack: Stack;
/** Processes start and stop again and again: only a hang reaches this. */
const HANGS_MS = 300_000;
vi.setConfig({ testTimeout: HANGS_MS });
const read: ReadTrace = async (traceId) => collector.spans().filter((span) => span.traceId === traceId);

beforeAll(async () => {
  collector = await collectSpans();
  stack = await startStack({ ...SCENARIO_ENV, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  await warmUp(stack);
}, HANGS_MS);
afterAll(async () => {
  await stack?.stop();
  collector?.stop();
});

test('of the trip: every edge is the one that belongs there, over all services and the bus', async () => {
  const seen = await undisturbed(stack, read);
  expect(faultsIn(seen)).toEqual([]);
  expect(seen.shape).toEqual(TRIP_SHAPE);
  expect(seen.edges).toBe(seen.spans.length - 1);
  expect(seen.overBus).toBeGreaterThan(30);
  // The judge sees what is wrong: without any one of the spans that others hang below, it says so.
  const parents = new Set(seen.spans.map((span) => span.parentSpanId));
  for (const span of seen.spans.filter(({ spanId }) => parents.has(spanId)))
    expect(judge(seen.spans.filter((other) => other !== span)).problems.join()).toMatch(/orphan/);
  // So does the list of names, of one that is not there and of one too many.
  expect(faultsIn({ ...seen, shape: seen.shape.slice(0, -1) }).join()).toMatch(/has nothing more/);
  expect(faultsIn({ ...seen, shape: [...seen.shape, 'more'] }).join()).toMatch(
    /is nothing more, and the trip has "more"/,
  );
});

test('with the planner killed twice in the middle: no orphan, and nothing that a person looks for is missing', async () => {
  const seen = await plannerKilled(stack, read);
  expect(faultsIn(seen)).toEqual([]);
});

test('with the approval parked and every service started anew meanwhile: the wait is one span of its whole length', async () => {
  const seen = await parked(stack, read);
  expect(faultsIn(seen)).toEqual([]);
  expect(seen.shape).toEqual(TRIP_SHAPE);
  expect(seen.spans.filter(({ attributes }) => attributes[ATTR.approval]).length).toBe(1);
});
