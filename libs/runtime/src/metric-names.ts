/**
 * Every metric: its name as OpenTelemetry writes it, what it counts, in which unit, by which labels. No other file spells
 * one (tests/tidy/telemetry.test.ts); docs/observability.md lists the same. `/metrics` has them under the names that
 * OpenTelemetry's rules for Prometheus give (`tutti.requests` → `tutti_requests_total`).
 * Invariant: labels have few values; ids of runs, sessions, calls and tenants are none of them.
 */
import { ATTR } from './telemetry-names.ts';

export interface MetricSpec {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  /** With dots. */
  readonly name: string;
  readonly help: string;
  /** UCUM: `s`, `By`, `{request}`; braces are a remark. */
  readonly unit: string;
  readonly labels: readonly string[];
  /** Of a histogram: upper, ascending. */
  readonly bounds?: readonly number[];
  /** Where it is not what the rules give. */
  readonly prometheus?: string;
}

/** From an answer out of memory to a model that thinks for long. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
/** Runs wait for people. */
const RUN_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400];
/** As the GenAI conventions have them. */
const GEN_AI_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const GEN_AI_TOKENS = [
  1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864,
];
/** As the HTTP conventions have them. */
const HTTP_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

function counter(name: string, unit: string, help: string, ...labels: string[]) {
  return { kind: 'counter', name, unit, help, labels } as const;
}
function gauge(name: string, unit: string, help: string, ...labels: string[]) {
  return { kind: 'gauge', name, unit, help, labels } as const;
}
function histogram(name: string, bounds: readonly number[], unit: string, help: string, ...labels: string[]) {
  return { kind: 'histogram', name, unit, help, labels, bounds } as const;
}
const planner = (name: string) => `tutti.planner.${name}`;
const MODEL_LABELS = [ATTR.operation, ATTR.provider, ATTR.requestModel, ATTR.responseModel] as const;

export const METRIC = {
  // every service: what is asked of it
  requests: counter('tutti.requests', '{request}', 'Requests by what came of them.', 'verb', 'outcome'),
  requestDuration: histogram('tutti.request.duration', SECONDS, 's', 'From taken to answered.', 'verb'),
  requestsInFlight: gauge('tutti.requests.in_flight', '{request}', 'Requests that are worked on.'),
  requestsInFlightMax: gauge('tutti.requests.in_flight_max', '{request}', 'More than this at once are refused.'),
  requestsRepeated: counter(
    'tutti.requests.repeated',
    '{request}',
    'Requests that came again while they were worked on.',
    'verb',
  ),
  // every service: what it asks of others
  callsResent: counter(
    'tutti.calls.resent',
    '{call}',
    'Calls sent again: silence, nobody there, or a new connection.',
    'verb',
    'reason',
  ),
  deadLetters: counter('tutti.dead_letters', '{letter}', 'What was put among the dead letters.', 'kind'),
  prunedRuns: counter('tutti.memory.pruned_runs', '{run}', 'Runs that memory keeps no longer, by age or size.'),
  // planner: a partition
  lag: gauge(planner('lag'), '{message}', 'Inbound messages that are stored and not taken in yet.', 'partition'),
  active: gauge(planner('active'), '{run}', 'Runs that users started and that are under way.', 'partition'),
  queued: gauge(planner('queued'), '{run}', 'Runs that wait for their turn.', 'partition'),
  waiting: gauge(
    planner('waiting'),
    '{run}',
    'Runs that wait for a human, a time or their children; parked ones included.',
    'partition',
  ),
  parked: gauge(planner('parked'), '{run}', 'Runs that are written out while they wait.', 'partition'),
  inFlight: gauge(planner('in_flight'), '{step}', 'Steps sent that have no result.', 'partition'),
  heldBack: gauge(planner('held_back'), '{step}', 'Steps held back because the workers are busy.', 'partition'),
  epoch: gauge(planner('epoch'), '{takeover}', 'How often the partition was taken over.', 'partition'),
  entries: counter(planner('entries'), '{entry}', 'Entries written to the log.', 'partition'),
  appends: counter(planner('appends'), '{message}', 'Messages written to the log.', 'partition'),
  refusedAppends: counter(
    planner('refused_appends'),
    '{message}',
    'Appends refused because another planner had written.',
    'partition',
  ),
  takeovers: counter(
    planner('takeovers'),
    '{takeover}',
    'How often this planner has opened the partition.',
    'partition',
  ),
  plannerDeadLetters: counter(
    planner('dead_letters'),
    '{letter}',
    'Inbound messages and steps that were given up.',
    'partition',
  ),
  retries: counter(planner('retries'), '{step}', 'Steps that failed and are tried again.', 'partition'),
  // planner: runs and steps
  runsStarted: counter('tutti.runs.started', '{run}', 'Runs taken in.', 'kind'),
  runsEnded: counter('tutti.runs.ended', '{run}', 'Runs that ended, by how.', 'kind', 'status'),
  runErrors: counter('tutti.runs.errors', '{run}', 'Runs that failed, by the code of their error.', 'code'),
  runDuration: histogram(
    'tutti.run.duration',
    RUN_SECONDS,
    's',
    'From taken in to ended, waiting included.',
    'kind',
    'status',
  ),
  stepDuration: histogram(
    'tutti.step.duration',
    SECONDS,
    's',
    'From asked for to settled: being held back, sent again and tried again included.',
    'step',
    'outcome',
  ),
  approvalWait: histogram('tutti.approval.wait', RUN_SECONDS, 's', 'From asked for to decided.', 'status'),
  runCost: counter('tutti.run.cost_usd', '{USD}', 'What ended runs have cost, child runs in their own right.', 'kind'),
  dispatchWindow: gauge('tutti.dispatch.window', '{call}', 'Calls that may be under way at once.', 'verb'),
  dispatchInFlight: gauge('tutti.dispatch.in_flight', '{call}', 'Calls under way.', 'verb'),
  dispatchHeldBack: gauge('tutti.dispatch.held_back', '{call}', 'Calls held back because workers are busy.', 'verb'),
  dispatchOverloaded: counter('tutti.dispatch.overloaded', '{call}', 'Answers that said "busy".', 'verb'),
  // router
  tokenUsage: histogram(
    'gen_ai.client.token.usage',
    GEN_AI_TOKENS,
    '{token}',
    'Tokens of one model call.',
    ...MODEL_LABELS,
    ATTR.tokenType,
  ),
  operationDuration: histogram(
    'gen_ai.client.operation.duration',
    GEN_AI_SECONDS,
    's',
    'One model call with all its attempts.',
    ...MODEL_LABELS,
    ATTR.errorType,
  ),
  modelAttempts: counter(
    'tutti.model.attempts',
    '{attempt}',
    'Requests to models, by how they went and what was done next.',
    ATTR.provider,
    ATTR.requestModel,
    'outcome',
    'next',
  ),
  modelCost: counter(
    'tutti.model.cost_usd',
    '{USD}',
    'What models have cost by the prices of the catalogue.',
    ATTR.responseModel,
  ),
  modelDegraded: counter('tutti.model.degraded', '{call}', 'Calls that the last resort answered.'),
  modelCached: counter(
    'tutti.model.cached',
    '{call}',
    'Calls answered without asking a model: the same question before, now, or one that means the same.',
    'how',
  ),
  // tools
  toolDuration: histogram(
    'gen_ai.execute_tool.duration',
    GEN_AI_SECONDS,
    's',
    'One dispatch of a tool call with all its tries.',
    ATTR.toolName,
    ATTR.errorType,
  ),
  toolCalls: counter(
    'tutti.tool.calls',
    '{call}',
    'Deliveries of tool calls by what came of them.',
    'effect',
    'outcome',
  ),
  // gateway
  httpDuration: histogram(
    'http.server.request.duration',
    HTTP_SECONDS,
    's',
    'HTTP requests; of an event stream until it ends.',
    ATTR.httpMethod,
    ATTR.httpRoute,
    ATTR.httpStatus,
  ),
  watchers: gauge('tutti.gateway.watchers', '{client}', 'Clients that watch runs: event streams and waiting chats.'),
  watchersMax: gauge('tutti.gateway.watchers_max', '{client}', 'More than this at once are turned away.'),
  // a process of its own
  cpu: {
    ...counter('process.cpu.time', 's', 'CPU time used, user and system.'),
    prometheus: 'process_cpu_seconds_total',
  },
  memory: {
    ...gauge('process.memory.usage', 'By', 'Resident memory.'),
    prometheus: 'process_resident_memory_bytes',
  },
  started: {
    ...gauge('process.start_time', 's', 'When the process started, Unix time.'),
    prometheus: 'process_start_time_seconds',
  },
  heap: { ...gauge('nodejs.heap.used', 'By', 'Heap in use.'), prometheus: 'nodejs_heap_size_used_bytes' },
  loopLag: {
    ...gauge('nodejs.eventloop.delay', 's', 'Delay of the event loop since the last scrape.', 'stat'),
    prometheus: 'nodejs_eventloop_lag_seconds',
  },
  ready: gauge('tutti.ready', '{service}', '1 while requests may come.'),
} as const satisfies Record<string, MetricSpec>;

const UNIT_SUFFIX: Record<string, string> = { s: 'seconds', By: 'bytes' };

/** https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#otlp-metric-points-to-prometheus */
export function prometheusName(spec: MetricSpec): string {
  if (spec.prometheus !== undefined) return spec.prometheus;
  const base = spec.name.replaceAll(/[^a-zA-Z0-9_:]/g, '_');
  const unit = UNIT_SUFFIX[spec.unit];
  const withUnit = unit === undefined || base.endsWith(`_${unit}`) ? base : `${base}_${unit}`;
  return spec.kind === 'counter' && !withUnit.endsWith('_total') ? `${withUnit}_total` : withUnit;
}

export function prometheusLabel(label: string): string {
  return label.replaceAll(/[^a-zA-Z0-9_]/g, '_');
}
