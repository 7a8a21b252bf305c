/** The trip of the travel example through a gateway, with its approval, and its trace read back from Jaeger. */
import { until } from '@tutti/testkit';
import { type Approval, client } from '../e2e/client.ts';

const GOAL = 'Plan a business trip to Tokyo from 12 to 16 May 2027 and book the flights';
/** Generous: a machine may be busy with much else. */
const TRIP_MS = 300_000;
const TRACE_MS = 120_000;
/** Those that have a part in a trip. */
const PARTS = ['gateway', 'planner', 'memory', 'retriever', 'router', 'tools'];

interface Span {
  spanID: string;
  operationName: string;
  processID: string;
  references: { refType: string; spanID: string }[];
}
interface Trace {
  traceID: string;
  spans: Span[];
  processes: Record<string, { serviceName: string }>;
}

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
  const trace = await until('the trace in Jaeger', () => wholeTrace(jaegerUrl, run.id), TRACE_MS);
  const services = new Set(Object.values(trace.processes).map(({ serviceName }) => serviceName));
  return `the trip is booked in ${seconds} s after ${approvals[0]!.tool} was approved; trace ${trace.traceID} has ${trace.spans.length} spans of ${services.size} services, and every parent is there`;
}

/** Null while something of it is still on its way. */
async function wholeTrace(jaegerUrl: string, run: string): Promise<Trace | null> {
  const tags = encodeURIComponent(JSON.stringify({ 'tutti.run.id': run }));
  const response = await fetch(`${jaegerUrl}/api/traces?service=tutti-planner&limit=20&lookback=1h&tags=${tags}`);
  if (!response.ok) throw new Error(`Jaeger answers ${response.status}`);
  const { data } = (await response.json()) as { data: Trace[] };
  const trace = data[0];
  if (!trace) return null;
  const names = Object.values(trace.processes).map(({ serviceName }) => serviceName);
  if (!PARTS.every((part) => names.includes(`tutti-${part}`))) return null;
  const ids = new Set(trace.spans.map(({ spanID }) => spanID));
  const orphans = trace.spans.filter(({ references }) => references.some(({ spanID }) => !ids.has(spanID)));
  return orphans.length === 0 ? trace : null;
}
