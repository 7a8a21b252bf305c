/** What a model call leaves in a trace and in the numbers: one span whatever was tried, every attempt in it. */
import { ChatRequest, type ChatResponse, CompleteBody } from '@tutti/contracts';
import { createMetrics, type SpanOptions, startTelemetry, stopTelemetry, type Telemetry } from '@tutti/runtime';
import { afterEach, expect, test } from 'vitest';
import type { Candidate } from './core/choose.ts';
import { ModelFailure } from './core/failure.ts';
import type { ModelEntry } from './core/model.ts';
import { observeChats } from './tracing.ts';

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
  return { spans, begin: observeChats(telemetry, metrics), text: () => metrics.text() };
}

const entry = (id: string, lastResort = false): ModelEntry => ({
  id,
  provider: lastResort ? 'offline' : 'openai',
  description: '',
  abilities: ['tools'],
  price: { input: 1, output: 2 },
  lastResort,
});
const big = entry('big');
const offline = entry('offline', true);
const candidates: Candidate[] = [
  { entry: entry('blind'), kept: false, reason: 'cannot do tools' },
  { entry: big, kept: true, reason: 'first in the catalogue' },
  { entry: offline, kept: true, reason: 'last resort when every better model fails' },
];
const body = CompleteBody.parse({
  bundle: 'b',
  agent: 'travel',
  model: 'auto',
  chat: ChatRequest.parse({ messages: [{ role: 'user', content: 'CANARY' }], now: '2026-11-24T09:00:00Z' }),
});
const call = { traceparent: undefined, session: 'ses_1' };
const response: ChatResponse = {
  message: { role: 'assistant', content: 'CANARY' },
  finishReason: 'stop',
  usage: { inputTokens: 20, outputTokens: 4 },
} as ChatResponse;

test('the span is of the model that was chosen, says why, what failed, what was done next, and who answered', () => {
  const { spans, begin, text } = recorder();
  const trace = begin(body, call, candidates);
  trace.failed(big, new ModelFailure('rate_limited', 'CANARY'), { move: 'retry', delayMs: 40.4 }, 12);
  trace.failed(big, new ModelFailure('server_error', 'CANARY'), { move: 'next' }, 7);
  trace.answered(offline, response, { usage: response.usage, costUsd: 0.5, attempts: 3, degraded: true });
  expect(spans).toHaveLength(1);
  expect(spans[0]).toMatchObject({
    name: 'chat big',
    options: {
      kind: 'client',
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': 'big',
        'gen_ai.conversation.id': 'ses_1',
        'tutti.route.asked': 'auto',
        'tutti.route.candidates': [
          'blind: not used, cannot do tools',
          'big: first in the catalogue',
          'offline: last resort when every better model fails',
        ],
      },
    },
    events: [
      [
        'tutti.attempt',
        {
          'gen_ai.request.model': 'big',
          'error.type': 'rate_limited',
          'tutti.route.next': 'retry',
          'tutti.route.delay_ms': 40,
        },
      ],
      ['tutti.attempt', { 'error.type': 'server_error', 'tutti.route.next': 'next', 'tutti.route.duration_ms': 7 }],
    ],
    set: {
      'gen_ai.response.model': 'offline',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.usage.input_tokens': 20,
      'tutti.route.attempts': 3,
      'tutti.route.degraded': true,
    },
  });
  expect(JSON.stringify(spans)).not.toContain('CANARY');
  const counted = text();
  expect(counted).toContain(
    'tutti_model_attempts_total{gen_ai_provider_name="openai",gen_ai_request_model="big",outcome="rate_limited",next="retry"} 1',
  );
  expect(counted).toContain('tutti_model_cost_usd_total{gen_ai_response_model="offline"} 0.5');
  expect(counted).toContain('tutti_model_degraded_total 1');
  expect(counted).toMatch(/gen_ai_client_token_usage_sum\{.*gen_ai_token_type="input"\} 20/);
});

test('where no model answers, the span fails with the code alone', () => {
  const { spans, begin, text } = recorder();
  begin(body, call, candidates).ended(new ModelFailure('timeout', 'CANARY'), 2);
  expect(spans[0]).toMatchObject({
    set: { 'error.type': 'internal' },
    end: { error: expect.stringContaining('internal') },
  });
  expect(JSON.stringify(spans)).not.toContain('CANARY');
  expect(text()).toMatch(/gen_ai_client_operation_duration_seconds_count\{.*error_type="internal"\} 1/);
});

test('with content switched on there is what was asked and answered, in the shape of the conventions', async () => {
  await startTelemetry({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', TUTTI_TRACE_CONTENT: 'true' });
  const { spans, begin } = recorder();
  const answer = {
    ...response,
    message: { role: 'assistant', content: null, toolCalls: [{ id: 't1', name: 'find', arguments: { token: 'x' } }] },
  } as ChatResponse;
  begin(body, call, candidates).answered(big, answer, {
    usage: response.usage,
    costUsd: 0,
    attempts: 1,
    degraded: false,
  });
  const { attributes } = spans[0]!.options as { attributes: Record<string, string> };
  expect(JSON.parse(attributes['gen_ai.input.messages']!)).toEqual([
    { role: 'user', parts: [{ type: 'text', content: 'CANARY' }] },
  ]);
  expect(JSON.parse((spans[0]!.set as Record<string, string>)['gen_ai.output.messages']!)).toEqual([
    {
      role: 'assistant',
      parts: [{ type: 'tool_call', id: 't1', name: 'find', arguments: { token: '[redacted]' } }],
      finish_reason: 'stop',
    },
  ]);
});
