/** What a dispatch leaves in a trace: the effect, what policy said and who allowed it, every failed try; and content only where it is wanted. */
import { createMetrics, type SpanOptions, startTelemetry, stopTelemetry, type Telemetry } from '@tutti/runtime';
import { afterEach, expect, test } from 'vitest';
import type { Call } from './broker/types.ts';
import { ToolCallError } from './ports/tool-source.ts';
import { traceCalls } from './tracing.ts';

afterEach(stopTelemetry);

function recorder() {
  const spans: {
    name: string;
    options: SpanOptions;
    set: object;
    events: [string, object | undefined][];
    end: object;
  }[] = [];
  const telemetry: Telemetry = {
    enabled: true,
    span(name, options = {}) {
      const span = { name, options, set: {}, events: [] as [string, object | undefined][], end: {} };
      return {
        traceparent: undefined,
        attributes: (values) => Object.assign(span.set, values),
        event: (event, values) => span.events.push([event, values]),
        end: (end = {}) => spans.push(Object.assign(span, { end })),
      };
    },
  };
  const metrics = createMetrics();
  return { spans, traced: traceCalls(telemetry, metrics), text: () => metrics.text() };
}

const call = {
  request: { callId: 'call_1', run: 'run_1', agent: 'travel', tenant: 'acme', tool: 'bookFlight' },
  tool: { name: 'bookFlight', effect: 'irreversible', source: 'flights' },
  arguments: { passenger: 'CANARY', apiToken: 'hidden-anyway' },
  grant: { id: 'apr_1', argumentsHash: 'x', by: 'kim', at: 1 },
  decided: { decision: 'allow', policy: 'booking-needs-a-human', reason: 'CANARY' },
} as unknown as Call;

test('that succeeds after a failed try', async () => {
  const { spans, traced, text } = recorder();
  await traced(call, async (trace) => {
    trace!.failed(1, new ToolCallError('maybe', 'CANARY', { code: 'timeout' }));
    return { content: 'CANARY', isError: false };
  });
  expect(spans).toMatchObject([
    {
      name: 'execute_tool bookFlight',
      options: {
        kind: 'client',
        attributes: {
          'gen_ai.operation.name': 'execute_tool',
          'gen_ai.tool.call.id': 'call_1',
          'tutti.tool.effect': 'irreversible',
          'tutti.policy.decision': 'allow',
          'tutti.policy.id': 'booking-needs-a-human',
          'tutti.policy.approval': 'apr_1',
        },
      },
      events: [
        ['tutti.tool.try_failed', { 'tutti.tool.attempt': 1, 'error.type': 'timeout', 'tutti.tool.maybe_sent': true }],
      ],
    },
  ]);
  expect(JSON.stringify(spans)).not.toContain('CANARY');
  expect(text()).toContain('gen_ai_execute_tool_duration_seconds_count{gen_ai_tool_name="bookFlight",error_type=""} 1');
});

test('that fails, or whose tool says no', async () => {
  const { spans, traced } = recorder();
  const failing = traced(call, () => Promise.reject(new ToolCallError('no', 'CANARY')));
  await expect(failing).rejects.toThrow('CANARY');
  await traced(call, async () => ({ content: 'CANARY', isError: true }));
  expect(spans).toMatchObject([
    { set: { 'error.type': 'unavailable' }, end: { error: expect.stringMatching(/^unavailable: /) } },
    {
      set: { 'error.type': 'tool_error', 'tutti.tool.is_error': true },
      end: { error: 'the tool answered with an error' },
    },
  ]);
  expect(JSON.stringify(spans)).not.toContain('CANARY');
});

test('with content switched on has arguments, results and messages, without secrets', async () => {
  await startTelemetry({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', TUTTI_TRACE_CONTENT: 'true' });
  const { spans, traced } = recorder();
  await traced(call, async (trace) => {
    trace!.failed(1, new ToolCallError('no', 'said Bearer abcdefgh12345678'));
    return { content: '{"seat":"7A","password":"hidden-anyway"}', isError: false };
  });
  expect(spans[0]).toMatchObject({
    options: { attributes: { 'gen_ai.tool.call.arguments': '{"passenger":"CANARY","apiToken":"[redacted]"}' } },
    set: { 'gen_ai.tool.call.result': '{"seat":"7A","password":"[redacted]"}' },
    events: [['tutti.tool.try_failed', { 'exception.message': 'said [redacted]' }]],
  });
});
