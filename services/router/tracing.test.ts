/** What a model call leaves in a trace and in the numbers: one span whatever was tried, every attempt in it. */
import { ChatRequest, CompleteBody, type CompleteResult } from '@tutti/contracts';
import { createMetrics, type SpanOptions, startTelemetry, stopTelemetry, type Telemetry } from '@tutti/runtime';
import { afterEach, expect, test } from 'vitest';
import type { Candidate } from './core/choose.ts';
import { ModelFailure } from './core/failure.ts';
import { type Endpoint, type ModelEntry, targetOf } from './core/model.ts';
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

const candidate = (id: string, reason: string, kept = true): Candidate => {
  const lastResort = id === 'offline';
  const provider = lastResort ? 'offline' : 'openai';
  const endpoint: Endpoint = {
    provider,
    model: `${id}-2026`,
    weight: 1,
    priority: 0,
    labels: [],
    price: { input: 1, output: 2 },
    keys: ['KEY'],
  };
  const entry: ModelEntry = { id, description: '', abilities: ['tools'], endpoints: [endpoint], lastResort };
  return { entry, endpoint, targets: kept ? [targetOf(entry, endpoint, 'KEY')] : [], kept, reason };
};
const candidates = [
  candidate('blind', 'cannot do tools', false),
  candidate('big', 'first in the catalogue'),
  candidate('offline', 'last resort when every better model fails'),
];
const big = candidates[1]!.targets[0]!;
const offline = candidates[2]!.targets[0]!;
const body = CompleteBody.parse({
  bundle: 'b',
  agent: 'travel',
  model: 'auto',
  chat: ChatRequest.parse({ messages: [{ role: 'user', content: 'CANARY' }], now: '2026-11-24T09:00:00Z' }),
});
const ask = { body, call: { traceparent: undefined, session: 'ses_1' } };
const route = {
  asked: 'auto',
  tier: 'large' as const,
  difficulty: 0.7,
  reason: 'auto: difficulty 0.70 asks for large',
};
const result = (more: Partial<CompleteResult> = {}): CompleteResult => ({
  message: { role: 'assistant', content: 'CANARY' },
  finishReason: 'stop',
  usage: { inputTokens: 20, outputTokens: 4 },
  model: 'offline',
  provider: 'offline',
  degraded: true,
  costUsd: 0.5,
  attempts: [],
  candidates: [],
  ...more,
});
const spent = { usage: { inputTokens: 20, outputTokens: 4, cachedInputTokens: 8 }, costUsd: 0.5, attempts: [1, 2, 3] };

test('the span is of the model that was chosen, says why, what failed, what was done next, and who answered', () => {
  const { spans, begin, text } = recorder();
  const trace = begin(ask, candidates, route);
  trace.failed(big, new ModelFailure('rate_limited', 'CANARY'), { move: 'same', delayMs: 40.4 }, 12, true);
  trace.failed(big, new ModelFailure('server_error', 'CANARY'), { move: 'other_model' }, 7, true);
  trace.failed(big, new ModelFailure('held_back', 'CANARY'), { move: 'other_model' }, 0, false);
  trace.succeeded(offline);
  trace.answered(result(), spent);
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
        'tutti.route.reason': 'auto: difficulty 0.70 asks for large',
        'tutti.route.tier': 'large',
        'tutti.route.difficulty': 0.7,
        'tutti.route.candidates': [
          'blind (openai): not used, cannot do tools',
          'big (openai): first in the catalogue',
          'offline (offline): last resort when every better model fails',
        ],
      },
    },
    events: [
      [
        'tutti.attempt',
        {
          'gen_ai.request.model': 'big',
          'error.type': 'rate_limited',
          'tutti.route.endpoint': 'openai/big-2026#KEY',
          'tutti.route.next': 'same',
          'tutti.route.delay_ms': 40,
        },
      ],
      [
        'tutti.attempt',
        { 'error.type': 'server_error', 'tutti.route.next': 'other_model', 'tutti.route.duration_ms': 7 },
      ],
      ['tutti.attempt.unsent', { 'error.type': 'held_back', 'tutti.route.next': 'other_model' }],
    ],
    set: {
      'gen_ai.response.model': 'offline',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.usage.input_tokens': 20,
      'gen_ai.usage.cache_read.input_tokens': 8,
      'tutti.route.endpoint': 'offline/offline-2026#KEY',
      'tutti.route.attempts': 3,
      'tutti.route.degraded': true,
    },
  });
  expect(JSON.stringify(spans)).not.toContain('CANARY');
  const counted = text();
  expect(counted).toContain(
    'tutti_model_attempts_total{gen_ai_provider_name="openai",gen_ai_request_model="big",outcome="rate_limited",next="same"} 1',
  );
  // no request has left
  expect(counted).not.toContain('held_back');
  expect(counted).toContain('tutti_model_cost_usd_total{gen_ai_response_model="offline"} 0.5');
  expect(counted).toContain('tutti_model_degraded_total 1');
  expect(counted).toMatch(/gen_ai_client_token_usage_sum\{.*gen_ai_token_type="input"\} 20/);
});

test('what was done to the request and to the answer is told in numbers and names', () => {
  const { spans, begin } = recorder();
  const grounding = { score: 0.4, threshold: 0.6, supported: false, unsupported: ['CANARY'] };
  const packing = {
    roomTokens: 100,
    inputTokens: 90,
    leftOut: [{ kind: 'passage', count: 2, tokens: 60 }],
    shrunk: [{ kind: 'tool', count: 1, tokens: 10 }],
  };
  begin(ask, candidates, route).answered(
    result({
      grounding,
      packing,
      masked: { EMAIL: 2 },
      notes: ['not_verified'],
      prompt: { name: 'house', version: '2', hash: 'h' },
    }),
    spent,
  );
  expect(spans[0]!.set).toMatchObject({
    'tutti.route.packed': ['left out: 2 passage', 'shrunk: 1 tool'],
    'tutti.route.masked': ['2 EMAIL'],
    'tutti.route.notes': ['not_verified'],
    'tutti.route.grounding': 0.4,
    'tutti.route.prompt': 'house 2',
  });
  expect(JSON.stringify(spans)).not.toContain('CANARY');
});

test('an answer of the cache has its span and its count, and no tokens, no money and no attempt', () => {
  const { spans, begin, text } = recorder();
  begin(ask, candidates, route).answered(
    result({ cached: 'exact', degraded: false, model: 'big', provider: 'openai' }),
    {
      usage: { inputTokens: 0, outputTokens: 0 },
      costUsd: 0,
      attempts: [],
    },
  );
  expect(spans[0]!.set).toMatchObject({
    'gen_ai.response.model': 'big',
    'tutti.route.cached': 'exact',
    'tutti.route.attempts': 0,
  });
  expect(text()).toContain('tutti_model_cached_total{how="exact"} 1');
  expect(text()).not.toMatch(/gen_ai_client_token_usage_count\{/);
  expect(text()).not.toMatch(/tutti_model_attempts_total\{/);
});

test('where no model answers, the span fails with the code alone', () => {
  const { spans, begin, text } = recorder();
  begin(ask, candidates, route).ended(new ModelFailure('timeout', 'CANARY'), 2);
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
  const answer = result({
    message: { role: 'assistant', content: null, toolCalls: [{ id: 't1', name: 'find', arguments: { token: 'x' } }] },
  });
  begin(ask, candidates, route).answered(answer, spent);
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
