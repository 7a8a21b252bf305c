/**
 * The trip of the travel example, traced: once undisturbed, once with its planner killed in the middle, and once with its
 * approval parked while every service is stopped and started anew. Each run's trace is read back from whoever collects, and
 * judged edge by edge (tree.ts).
 */
import { SERVICES } from '@tutti/contracts';
import { ATTR, parseTraceparent, SPAN } from '@tutti/runtime';
import { until } from '@tutti/testkit';
import { client } from '../e2e/client.ts';
import type { Stack } from '../e2e/stack.ts';
import type { Span } from './spans.ts';
import { distinct, type Judged, judge, shapeOf, treeOf } from './tree.ts';
import { TRIP_SHAPE } from './trip-shape.ts';

export const GOAL = 'Plan a business trip to Tokyo from 12 to 16 May 2027 and book the flights';
/** For the environment of the stack that the scenarios run on. */
export const SCENARIO_ENV = { TUTTI_PARK_AFTER_MS: '500' };
/** Spans leave within a second of their end. */
const SETTLE_MS = 1_500;

/** The spans of a trace that are known so far. */
export type ReadTrace = (traceId: string) => Promise<Span[]>;

export interface Seen extends Judged {
  name: string;
  traceId: string;
  spans: Span[];
  shape: string[];
}
export type Scenario = (stack: Stack, read: ReadTrace) => Promise<Seen>;

interface Entry {
  type: string;
  outcome?: { status: string };
}

async function begin(stack: Stack): Promise<{ id: string; traceId: string }> {
  const response = await fetch(`${stack.url}/v1/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ agent: 'travel', input: GOAL }),
  });
  const { id } = (await response.json()) as { id: string };
  const trace = parseTraceparent(response.headers.get('traceparent') ?? undefined);
  if (!trace) throw new Error(`the answer names no trace (${response.status})`);
  return { id, traceId: trace.traceId };
}

async function entries(stack: Stack, id: string): Promise<Entry[]> {
  const page = await client(stack.url).call<{ data: Entry[] }>('GET', `/v1/runs/${id}/journal`);
  return page.data;
}

/** All of it, once the run's own span is there and nothing more comes. */
async function settled(read: ReadTrace, name: string, traceId: string): Promise<Seen> {
  const spans = await until(`the trace of ${name}`, async () => {
    const found = await read(traceId).catch(() => []);
    return found.some((span) => span.name.startsWith('invoke_workflow ')) ? found : null;
  });
  let known = spans.length;
  let all = spans;
  for (let quiet = false; !quiet; ) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    all = await read(traceId);
    quiet = all.length === known;
    known = all.length;
  }
  const own = distinct(all);
  return { name, traceId, spans: own, shape: shapeOf(treeOf(own)), ...judge(own) };
}

/**
 * A first trip, whose trace is not looked at: sources of tools are started when they are first asked for, and on a starved
 * machine one that is late is left out of that run's plan.
 */
export async function warmUp(stack: Stack): Promise<void> {
  await client(stack.url).complete(GOAL);
}

export const undisturbed: Scenario = async (stack, read) => {
  const { id, traceId } = await begin(stack);
  const { run } = await client(stack.url).finish(id);
  if (run.status !== 'completed') throw new Error(`the trip ended as ${run.status}`);
  return settled(read, 'undisturbed', traceId);
};

/** Killed twice: right after a child run has ended, whose span is not sent yet, and while it waits for the approval. */
export const plannerKilled: Scenario = async (stack, read) => {
  const { id, traceId } = await begin(stack);
  await until('a child run to end', async () =>
    (await entries(stack, id).catch(() => [])).some(({ type }) => type === 'child.ended'),
  );
  await stack.kill('planner');
  await stack.start('planner');
  const api = client(stack.url);
  const { approval } = await api.approvalOrEnd(id);
  if (!approval) throw new Error('it ended without an approval');
  await stack.kill('planner');
  await stack.start('planner');
  await stack.ready();
  const { run } = await api.finish(id);
  if (run.status !== 'completed') throw new Error(`the trip ended as ${run.status}`);
  return settled(read, 'planner killed', traceId);
};

/** The run is written out; every service is stopped and started anew before the decision comes. */
export const parked: Scenario = async (stack, read) => {
  const { id, traceId } = await begin(stack);
  const api = client(stack.url);
  const { approval } = await api.approvalOrEnd(id);
  if (!approval) throw new Error('it ended without an approval');
  await until('it to be written out', async () => (await parkedRuns(stack)) >= 1);
  for (const service of SERVICES) await stack.drain(service);
  for (const service of SERVICES) await stack.start(service);
  await stack.ready();
  const waitedFrom = Date.now();
  const { run } = await api.finish(id);
  if (run.status !== 'completed') throw new Error(`the trip ended as ${run.status}`);
  const seen = await settled(read, 'parked', traceId);
  const wait = seen.spans.find(({ name }) => name === SPAN.approvalWait);
  if (wait && wait.startedAt >= waitedFrom) seen.problems.push('the wait for the approval began after the restart');
  return seen;
};

async function parkedRuns(stack: Stack): Promise<number> {
  const text = await fetch(`${stack.healthUrl('planner')}/metrics`).then((response) => response.text());
  const values = [...text.matchAll(/^tutti_planner_parked\{[^}]*\} (\d+)$/gm)].map((match) => Number(match[1]));
  return values.reduce((sum, value) => sum + value, 0);
}

/** What a person looks for in the trip's trace; a disturbed one has all of it too, and some of it more than once. */
export function missingIn({ spans }: Seen): string[] {
  const has = (name: string, attributes: Record<string, unknown> = {}) =>
    spans.some(
      (span) =>
        span.name === name && Object.entries(attributes).every(([key, value]) => span.attributes[key] === value),
    );
  const wanted: [string, Record<string, unknown>][] = [
    ['POST /v1/runs', { [ATTR.httpStatus]: 202 }],
    ['invoke_workflow travel', { [ATTR.runStatus]: 'completed', [ATTR.agent]: 'travel' }],
    ['plan travel', {}],
    ['chat offline', { [ATTR.routeAsked]: 'auto', [ATTR.responseModel]: 'offline' }],
    ['retrieval', {}],
    ['find turns', { [ATTR.dbSystem]: 'sqlite' }],
    ['upsert turns', {}],
    ['approval.wait', { [ATTR.approvalStatus]: 'approved', [ATTR.toolName]: 'bookFlight' }],
    ['execute_tool holdFlight', {}],
    ['execute_tool bookFlight', { [ATTR.toolEffect]: 'irreversible', [ATTR.decision]: 'allow' }],
    ...['search-flights', 'search-hotels', 'check-availability', 'book-flight'].map(
      (task): [string, Record<string, unknown>] => ['invoke_agent travel', { [ATTR.task]: task }],
    ),
  ];
  return wanted
    .filter(([name, attributes]) => !has(name, attributes))
    .map(([name, attributes]) => `${name} ${JSON.stringify(attributes)}`);
}

/** What is wrong with a trace of these; nothing where all is as it should be. */
export function faultsIn(seen: Seen): string[] {
  const missing = missingIn(seen).map((what) => `missing: ${what}`);
  // Whoever is killed may leave more, such as steps that failed.
  if (seen.name === 'planner killed') return [...seen.problems, ...missing];
  const odd = TRIP_SHAPE.findIndex((line, i) => seen.shape[i] !== line);
  const at = odd >= 0 ? odd : TRIP_SHAPE.length;
  if (odd < 0 && seen.shape.length === at) return [...seen.problems, ...missing];
  const told = (line: string | undefined) => (line === undefined ? 'nothing more' : `"${line.trim()}"`);
  const shape = `line ${at + 1} of trip-shape.ts is ${told(TRIP_SHAPE[at])}, and the trip has ${told(seen.shape[at])}`;
  return [...seen.problems, ...missing, shape];
}
