/** Which spans and numbers a run's entries lead to, and that telling them again gives the same spans. */
import type { RunEntry } from '@tutti/contracts';
import { createMetrics, parseTraceparent, type SpanOptions, type Telemetry } from '@tutti/runtime';
import { expect, test } from 'vitest';
import type { ActiveRun, EndedRun, OpenStep, PartitionState } from '../core/state.ts';
import { emptyState } from '../core/state.ts';
import { silent } from '../test-world.ts';
import { PlannerMetrics } from './planner-metrics.ts';
import { RunTelemetry } from './run-telemetry.ts';
import { runTraceparent } from './tracing.ts';

type Written = SpanOptions & { name: string; end: object };

function recorder(sampled = true) {
  const written: Written[] = [];
  const telemetry: Telemetry = {
    enabled: true,
    samples: () => sampled,
    span: (name, options = {}) => ({
      traceparent: undefined,
      attributes() {},
      event() {},
      end: (end = {}) => written.push({ name, ...options, end }),
    }),
  };
  const metrics = createMetrics();
  const counts = new PlannerMetrics(metrics, () => []).of(0).runs;
  const own = new RunTelemetry({ telemetry, log: silent, counts });
  return { written, telemetry, own, text: () => metrics.text(), names: () => written.map(({ name }) => name) };
}

const TRACE = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
const start = (more: object = {}) => ({
  agent: 'travel',
  input: 'CANARY',
  bundle: 'f'.repeat(64),
  principal: { id: 'kim', roles: [] },
  limits: {},
  root: 'run_root',
  memorySession: 'ses_1',
  depth: 0,
  parent: null,
  brief: null,
  live: false,
  traceparent: TRACE,
  ...more,
});
const usage = { modelCalls: 2, toolCalls: 1, inputTokens: 10, outputTokens: 5, costUsd: 0.25 };
function active(more: object = {}): ActiveRun {
  return {
    id: 'run_1',
    tenant: 'acme',
    session: 'ses_1',
    status: 'running',
    acceptedAt: 1_000,
    start: start(),
    approvals: [],
    ...more,
  } as never;
}
function ended(more: object = {}): EndedRun {
  return {
    ...active(),
    status: 'completed',
    endedAt: 9_000,
    version: 12,
    usage,
    strategy: 'plan',
    error: null,
    output: 'CANARY',
    degraded: false,
    ...more,
  } as never;
}
function stateOf(run: ActiveRun | EndedRun): PartitionState {
  const state = emptyState();
  state.runs.set(run.id, run);
  if ('endedAt' in run) state.ended.add(run.id);
  return state;
}
const entry = (type: RunEntry['type'], at: number, more: object) =>
  ({ run: 'run_1', n: 1, type, at, ...more }) as RunEntry;
const planStep = (at = 2_000): OpenStep =>
  ({
    callId: 'call_p',
    step: { kind: 'complete', purpose: 'plan', messages: 0 },
    at,
    n: 3,
    attempt: 0,
    notBefore: 0,
  }) as OpenStep;
const planDone = entry('step.completed', 3_000, { callId: 'call_p', result: { kind: 'complete', purpose: 'plan' } });
const planMade = entry('plan.made', 3_000, {
  plan: {
    reason: 'CANARY',
    question: null,
    tasks: [
      { id: 'look', goal: 'CANARY', dependsOn: [] },
      { id: 'book', goal: 'CANARY', dependsOn: ['look'] },
    ],
  },
});

test('a plan is the parent of the model call that makes it, and says what depends on what, not what is to be done', () => {
  const { own, written } = recorder();
  const run = active();
  const traceparent = own.sent(run, planStep());
  own.told(stateOf(run), [planDone, planMade]);
  expect(written).toHaveLength(1);
  expect(written[0]).toMatchObject({
    name: 'plan travel',
    startedAt: 2_000,
    end: { endedAt: 3_000 },
    spanId: parseTraceparent(traceparent)!.spanId,
    attributes: { 'tutti.plan.tasks': ['look', 'book ← look'], 'tutti.plan.asks': false },
  });
  expect(JSON.stringify(written)).not.toContain('CANARY');
});

test('a plan that was being made when its run ended has its span all the same', () => {
  const { own, names } = recorder();
  own.sent(active(), planStep());
  own.told(stateOf(ended({ status: 'cancelled' })), [entry('run.cancelled', 9_000, { by: 'kim', reason: '', usage })]);
  expect(names()).toEqual(['plan travel', 'invoke_workflow travel']);
});

test('what the next owner tells again is the same, and is counted once', () => {
  const first = recorder();
  first.own.sent(active(), planStep());
  const asked = entry('step.requested', 2_000, { callId: 'call_p', step: planStep().step });
  const done = entry('run.completed', 9_000, { output: 'CANARY', citations: [], usage, degraded: false });
  const state = stateOf(ended());
  first.own.told(state, [asked, planDone, planMade, done]);
  const second = recorder();
  second.own.tellAgain(state, [asked, planDone, planMade, done]);
  expect(second.written).toEqual(first.written);
  expect(first.text()).toContain('tutti_runs_ended_total{kind="root",status="completed"} 1');
  expect(second.text()).not.toContain('tutti_runs_ended_total{');
  // The end alone is behind the last checkpoint: it is in the state.
  const third = recorder();
  third.own.tellAgain(state, [{ ...planMade, run: 'run_other', at: 9_500 }]);
  expect(third.names()).toEqual(['invoke_workflow travel']);
  const late = recorder();
  late.own.tellAgain(state, [{ ...planMade, run: 'run_other', at: 9_000_000 }]);
  expect(late.names()).toEqual([]);
});

test('a run that nobody traced begins a trace of its own, which its children go on with', () => {
  const { own, written, telemetry } = recorder();
  const run = ended({ start: start({ traceparent: undefined }) });
  own.told(stateOf(run), [entry('run.completed', 9_000, { output: '', citations: [], usage, degraded: false })]);
  const root = parseTraceparent(runTraceparent(telemetry, run))!;
  expect(written[0]).toMatchObject({ parent: undefined, traceId: root.traceId, spanId: root.spanId });
  const child = ended({
    id: 'run_2',
    start: start({
      traceparent: undefined,
      parent: { run: 'run_1', session: 'ses_1', callId: 'call_c', task: 'book' },
    }),
  });
  own.told(stateOf(child), [
    { ...entry('run.completed', 9_000, { output: '', citations: [], usage, degraded: false }), run: 'run_2' },
  ]);
  expect(written[1]).toMatchObject({
    name: 'invoke_agent travel',
    parent: `00-${root.traceId}-${root.spanId}-01`,
    attributes: { 'tutti.task.id': 'book', 'tutti.run.parent': 'run_1' },
  });
});

test('what is not sampled stays so below it', () => {
  const { own } = recorder(false);
  const given = own.sent(active({ start: start({ traceparent: TRACE.replace(/01$/, '00') }) }), planStep());
  expect(parseTraceparent(given)).toMatchObject({ sampled: false });
  expect(parseTraceparent(own.sent(active({ start: start({ traceparent: undefined }) }), planStep()))).toMatchObject({
    sampled: false,
  });
});

test('a step that fails has a span for each try, with the code and what was done next, and no message', () => {
  const { own, written, text } = recorder();
  const run = active();
  own.sent(run, { ...planStep(), callId: 'call_x', step: { kind: 'search' } });
  const error = { code: 'unavailable', message: 'CANARY', retryable: true };
  own.told(stateOf(run), [
    entry('step.retried', 3_000, { n: 5, callId: 'call_x', attempt: 1, notBefore: 4_000, error }),
    entry('step.failed', 6_000, { n: 6, callId: 'call_x', error, dead: true }),
  ]);
  expect(written).toMatchObject([
    {
      name: 'step.failed search',
      startedAt: 2_000,
      end: { endedAt: 3_000, error: expect.stringContaining('unavailable') },
      attributes: { 'tutti.step.next': 'again', 'tutti.step.delay_ms': 1_000, 'error.type': 'unavailable' },
    },
    { startedAt: 4_000, end: { endedAt: 6_000 }, attributes: { 'tutti.step.next': 'dead letter' } },
  ]);
  expect(JSON.stringify(written)).not.toContain('CANARY');
  expect(text()).toContain('tutti_step_duration_seconds_sum{step="search",outcome="failed"} 4');
});

test('the wait for a question is known after a restart, from the parked run', () => {
  const { own, written } = recorder();
  const run = active();
  const state = stateOf(run);
  state.parked.set('run_1', { question: { id: 'q_1', askedAt: 1_500 } } as never);
  own.arrived(state, [
    { kind: 'inbound', sequence: 1, message: { type: 'input', run: 'run_1', question: 'q_1' } as never },
  ]);
  own.told(state, [
    entry('question.answered', 5_000_000, { question: 'q_1', outcome: 'answered', text: 'CANARY', by: 'kim' }),
  ]);
  expect(written).toMatchObject([{ name: 'question.wait', startedAt: 1_500, end: { endedAt: 5_000_000 } }]);
  expect(JSON.stringify(written)).not.toContain('CANARY');
});

test('waiting for its turn is shown where it took a while', () => {
  const { own, names } = recorder();
  own.told(stateOf(active()), [entry('run.started', 1_050, {})]);
  expect(names()).toEqual([]);
  own.told(stateOf(active()), [entry('run.started', 1_500, {})]);
  expect(names()).toEqual(['queue.wait']);
});
