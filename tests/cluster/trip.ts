/** The trip of the travel example through a gateway, with its approval, and its trace read back from Jaeger. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ATTR } from '@tutti/runtime';
import { until } from '@tutti/testkit';
import { type Approval, client } from '../e2e/client.ts';
import { type JaegerTrace, type Span, spansOfJaeger } from '../trace/spans.ts';
import { distinct, judge } from '../trace/tree.ts';

const GOAL = 'Plan a business trip to Tokyo from 12 to 16 May 2027 and book the flights';
/** Generous: a machine may be busy with much else. */
const TRIP_MS = 300_000;
const TRACE_MS = 120_000;
/** Spans leave within a second of their end. */
const SETTLE_MS = 2_000;
/** Spans are ended a little late where the machine is busy. */
const SKEW_MS = 1_000;
/** Those that have a part in a trip. */
const PARTS = ['gateway', 'planner', 'memory', 'retriever', 'router', 'tools'];

/** Says what came of it. Throws when the trip is not booked, or the trace is not whole. */
export async function bookTrip(url: string, jaegerUrl: string): Promise<string> {
  const startedAt = Date.now();
  const api = client(url);
  const { id } = await api.start(GOAL);
  const { run } = await until('the trip to be over', () => api.finish(id), TRIP_MS);
  const { data: approvals } = await api.call<{ data: Approval[] }>('GET', `/v1/approvals?run=${id}`);
  const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1);
  if (run.status !== 'completed' || approvals.length !== 1 || !/booked/.test(run.output ?? ''))
    throw new Error(`the trip was not booked: ${run.status}, ${approvals.length} approvals: ${run.output}`);
  let known = 0;
  const spans = await until(
    'the trace in Jaeger',
    async () => {
      const found = distinct((await wholeTrace(jaegerUrl, run.id)) ?? []);
      const settled = found.length > 0 && found.length === known;
      known = found.length;
      if (!settled) await sleep(SETTLE_MS);
      return settled ? found : null;
    },
    TRACE_MS,
  );
  const { problems, edges, overBus } = judge(spans, SKEW_MS);
  if (problems.length > 0)
    throw new Error(`the trace of ${run.id} is not as it should be:\n  ${problems.join('\n  ')}`);
  return `the trip is booked in ${seconds} s after ${approvals[0]!.tool} was approved; Jaeger has its trace ${spans[0]!.traceId}: ${spans.length} spans of ${PARTS.length} services, ${edges} edges, ${overBus} over the bus, all as they should be`;
}

/** Null while something of it is still on its way. */
async function wholeTrace(jaegerUrl: string, run: string): Promise<Span[] | null> {
  const tags = encodeURIComponent(JSON.stringify({ [ATTR.run]: run }));
  const response = await fetch(`${jaegerUrl}/api/traces?service=tutti-planner&limit=20&lookback=1h&tags=${tags}`);
  if (!response.ok) throw new Error(`Jaeger answers ${response.status}`);
  const { data } = (await response.json()) as { data: JaegerTrace[] };
  const spans = data[0] ? spansOfJaeger(data[0]) : [];
  const services = new Set(spans.map(({ service }) => service));
  if (!PARTS.every((part) => services.has(`tutti-${part}`))) return null;
  const ids = new Set(spans.map(({ spanId }) => spanId));
  return spans.every(({ parentSpanId }) => parentSpanId === undefined || ids.has(parentSpanId)) ? spans : null;
}
