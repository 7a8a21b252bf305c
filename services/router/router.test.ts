/** The whole router but for its bus and the offline model: the real `openai` package against a scripted server. */
import {
  Bundle,
  ChatRequest,
  type ChatResponse,
  CompleteBody,
  type LiveEvent,
  LiveMessage,
  planJsonSchema,
  TuttiError,
} from '@tutti/contracts';
import { createLogger, createTelemetry, type RequestContext } from '@tutti/runtime';
import { type OpenAiServer, startOpenAiServer } from '@tutti/testkit/openai-server';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOfflineProvider } from './adapters/offline-provider.ts';
import { createOpenAiProvider } from './adapters/openai/provider.ts';
import { catalogueOf, catalogueOfBundle } from './catalogue.ts';
import { createCompleter } from './complete.ts';
import { RouterConfig } from './config.ts';
import { createHandlers } from './handlers.ts';
import { createModelHealth } from './health.ts';
import type { ModelGate } from './policy.ts';
import { allowingGate } from './testing/providers.ts';
import type { WorkParts } from './work-down.ts';

type CompleterLimits = WorkParts['limits'];

let server: OpenAiServer;
beforeEach(async () => {
  server = await startOpenAiServer();
});
afterEach(async () => {
  const { finish } = server;
  await server.close();
  finish();
});

const OFFLINE_TEXT = 'I am the offline model and this is what I can say about it.';
const offlineAnswer = (request: ChatRequest): ChatResponse => ({
  message: {
    role: 'assistant',
    content: request.responseFormat.type === 'text' ? OFFLINE_TEXT : '{"reason":"offline","question":null,"tasks":[]}',
  },
  finishReason: 'stop',
  usage: { inputTokens: 0, outputTokens: 0 },
});

const defaults: CompleterLimits = {
  attemptTimeoutMs: 10_000,
  attemptsMax: 8,
  firstTokenTimeoutMs: 10_000,
  idleTimeoutMs: 10_000,
  charsPerSecondMin: 0,
  rateWindowMs: 100,
  restWaitMaxMs: 0,
  reserveMs: 100,
  retriesMax: 1,
  reasksMax: 1,
  refitsMax: 1,
  backoffMs: 1,
  retryAfterMaxMs: 1_000,
};

function router(
  options: {
    limits?: Partial<CompleterLimits>;
    environment?: Record<string, string>;
    failuresMax?: number;
    clock?: () => number;
    gate?: ModelGate;
  } = {},
) {
  const config = RouterConfig.parse({ OPENAI_BASE_URL: server.url, TUTTI_MODEL: 'scripted', ...options.environment });
  const events: LiveEvent[] = [];
  const published: string[] = [];
  const bus = {
    publish(subject: string, data: Uint8Array) {
      published.push(subject);
      events.push(...LiveMessage.parse(JSON.parse(new TextDecoder().decode(data))).events);
    },
  };
  const openai = createOpenAiProvider({ baseUrl: server.url, apiKey: 'none', outputCharsMax: 10_000 });
  const own = catalogueOf(config);
  const offline = createOfflineProvider(offlineAnswer);
  const bundle = Bundle.parse({ v: 1, name: 'b', agents: {}, tools: {}, collections: {} });
  const catalogues = { own, of: () => ({ bundle, catalogue: catalogueOfBundle(bundle, own, {}) }) };
  const complete = createCompleter({
    catalogues,
    stages: {},
    providerOf: ({ endpoint }) => (endpoint.provider === 'offline' ? offline : openai),
    health: createModelHealth({ failuresMax: options.failuresMax ?? 100, openMs: 1_000 }, options.clock),
    limits: { ...defaults, ...options.limits },
    fallback: config.TUTTI_OFFLINE_FALLBACK,
    gate: options.gate ?? allowingGate,
    telemetry: createTelemetry('router'),
    log: createLogger({}, { level: 'silent' }),
  });
  const handlers = createHandlers({ complete, catalogues, bus, resultsMax: 8 });
  let calls = 0;
  function ask(
    chat: Partial<ChatRequest> = {},
    more: { model?: string; live?: boolean; callId?: string; signal?: AbortSignal; deadlineMs?: number } = {},
  ) {
    calls += 1;
    const body = CompleteBody.parse({
      bundle: 'b',
      agent: 'a',
      model: more.model ?? 'auto',
      live: more.live ?? false,
      chat: ChatRequest.parse({ messages: [{ role: 'user', content: 'Hello' }], now: '2026-11-24T09:00:00Z', ...chat }),
    });
    const context: RequestContext = {
      item: {
        callId: more.callId ?? `call_${calls}`,
        nonce: 0,
        tenant: 'acme',
        run: 'run_1',
        root: 'run_root',
        deadlineAt: Date.now() + (more.deadlineMs ?? 30_000),
      },
      signal: more.signal ?? new AbortController().signal,
      traceparent: undefined,
      attributes() {},
    };
    return handlers.complete!(body, context);
  }
  const textOf = (attempt: number) =>
    events.map((event) => (event.type === 'token' && event.attempt === attempt ? event.text : '')).join('');
  return { ask, events, published, textOf, handlers };
}

const plan = { responseFormat: { type: 'json_schema' as const, name: 'plan', schema: planJsonSchema } };
const goodPlan = '{"reason":"simple","question":null,"tasks":[]}';
const tools = [{ name: 'find', description: 'Finds.', parameters: { type: 'object' }, effect: 'pure' as const }];

describe('an answer', () => {
  it('comes whole, with usage and cost', async () => {
    server.script({ kind: 'answer', text: 'Hello!', usage: [1_000_000, 500_000] });
    const result = await router({ environment: { TUTTI_MODEL_PRICE_INPUT: '2', TUTTI_MODEL_PRICE_OUTPUT: '4' } }).ask();
    expect(result).toMatchObject({
      message: { content: 'Hello!' },
      finishReason: 'stop',
      model: 'scripted',
      provider: 'openai',
      degraded: false,
      costUsd: 4,
      usage: { inputTokens: 1_000_000, outputTokens: 500_000 },
      candidates: [
        { model: 'scripted', kept: true },
        { model: 'offline', kept: true },
      ],
    });
  });

  it('streams to the live subject of the root run, in order', async () => {
    server.script({ kind: 'answer', text: 'One two three four five.', pauseMs: 1 });
    const { ask, published, textOf, events } = router();
    const result = await ask({}, { live: true });
    expect(result.message.content).toBe('One two three four five.');
    expect(textOf(1)).toBe('One two three four five.');
    expect(new Set(published)).toEqual(new Set(['tutti.live.acme.run_root']));
    expect(events[0]).toMatchObject({ run: 'run_1', callId: 'call_1' });
    expect(server.requests[0]?.body.stream_options).toEqual({ include_usage: true });
  });

  it.each([true, false])('carries tool calls (live: %s)', async (live) => {
    server.script({
      kind: 'answer',
      toolCalls: [
        { name: 'find', arguments: { to: 'Rome' }, id: 'c1' },
        { name: 'find', arguments: {}, id: 'c2' },
      ],
    });
    const result = await router().ask({ tools }, { live });
    expect(result.finishReason).toBe('tool_calls');
    expect(result.message.toolCalls).toEqual([
      { id: 'c1', name: 'find', arguments: { to: 'Rome' } },
      { id: 'c2', name: 'find', arguments: {} },
    ]);
  });

  it('is counted by estimate where the endpoint does not count', async () => {
    server.script({ kind: 'answer', text: 'Hello!', usage: null });
    expect((await router().ask()).usage.outputTokens).toBe(2);
  });
});

describe('failures', () => {
  it.each([
    ['500', { kind: 'status', status: 500 }],
    ['429', { kind: 'status', status: 429 }],
    ['429 with Retry-After', { kind: 'status', status: 429, headers: { 'retry-after-ms': '2' } }],
    ['a reset connection', { kind: 'reset' }],
    ['an empty answer', { kind: 'answer', text: '' }],
    ['half an answer', { kind: 'half', text: 'half of it', end: 'reset' }],
    ['a body that is no JSON', { kind: 'garbage' }],
  ] as const)('%s: one more try of the same model', async (_name, reply) => {
    server.script(reply, { kind: 'answer', text: 'Second.' });
    const result = await router().ask();
    expect(result.message.content).toBe('Second.');
    expect(result.attempts!.map(({ ok }) => ok)).toEqual([false, true]);
    expect(result.degraded).toBe(false);
  });

  it.each([
    ['dies', { kind: 'half', text: 'Half of what', end: 'reset' }],
    ['ends politely in the middle', { kind: 'half', text: 'Half of what', end: 'close' }],
  ] as const)('a stream that %s is void: the next attempt starts anew', async (_name, reply) => {
    server.script(reply, { kind: 'answer', text: 'A whole answer.' });
    const { ask, textOf } = router();
    const result = await ask({}, { live: true });
    expect(result.message.content).toBe('A whole answer.');
    expect([textOf(1), textOf(2)]).toEqual(['Half o', 'A whole answer.']);
  });

  it('an outage ends in a degraded answer of the offline model, streamed as its own attempt', async () => {
    server.script({ kind: 'status', status: 503 }, { kind: 'half', text: 'Half', end: 'reset' });
    const { ask, textOf } = router();
    const result = await ask({}, { live: true });
    expect(result).toMatchObject({
      model: 'offline',
      provider: 'offline',
      degraded: true,
      message: { content: OFFLINE_TEXT },
    });
    expect(textOf(3)).toBe(OFFLINE_TEXT);
    expect(result.attempts!.map(({ model }) => model)).toEqual(['scripted', 'scripted', 'offline']);
  });

  it.each([
    ['401', { kind: 'status', status: 401, message: 'bad key' }],
    ['a context overflow', { kind: 'status', status: 400, code: 'context_length_exceeded' }],
    ['an empty account', { kind: 'status', status: 429, code: 'insufficient_quota' }],
    ['a pause that is too long', { kind: 'status', status: 429, headers: { 'retry-after': '60' } }],
    ['a content filter', { kind: 'answer', text: '', finishReason: 'content_filter' }],
  ] as const)('%s: the next model at once', async (_name, reply) => {
    server.script(reply);
    const result = await router().ask();
    expect(result).toMatchObject({ model: 'offline', degraded: true });
  });

  it('without fallback all failures together are the error', async () => {
    server.script({ kind: 'status', status: 401, message: 'bad key' });
    const asked = router({ environment: { TUTTI_OFFLINE_FALLBACK: 'false' } }).ask();
    await expect(asked).rejects.toThrow(/no model gave a usable answer for "auto" \(scripted: 401 bad key\)/);
  });

  it('a hanging endpoint runs into the time limit of the attempt', async () => {
    server.script({ kind: 'hang' });
    const result = await router({ limits: { attemptTimeoutMs: 30 } }).ask();
    expect(result.model).toBe('offline');
    expect(result.attempts![0]?.error).toBe('timeout: no whole answer within 30 ms');
    await server.aborted();
  });

  it('a stream that falls silent runs into the idle limit, one that drips for ever into the attempt limit', async () => {
    server.script({ kind: 'stall', text: 'Well' }, { kind: 'drip', everyMs: 5 });
    const { ask } = router({ limits: { idleTimeoutMs: 40, attemptTimeoutMs: 300 } });
    expect((await ask({}, { live: true })).attempts![0]?.error).toBe('timeout: silent for 40 ms');
    expect((await ask({}, { live: true })).attempts![0]?.error).toBe('timeout: no whole answer within 300 ms');
  });

  it('an answer without end is cut off at its named limit', async () => {
    server.script({ kind: 'answer', text: 'x'.repeat(20_000) });
    const result = await router().ask({}, { live: true });
    expect(result.attempts![0]?.error).toMatch('TUTTI_MODEL_OUTPUT_CHARS_MAX');
  });

  it('keeps time before the deadline for the last resort', async () => {
    server.script({ kind: 'hang' });
    const result = await router({ limits: { reserveMs: 5_000 } }).ask({}, { deadlineMs: 5_050 });
    expect(result.model).toBe('offline');
  });
});

describe('giving up', () => {
  it('reaches the socket', async () => {
    server.script({ kind: 'hang' });
    const controller = new AbortController();
    const asked = router().ask({}, { signal: controller.signal });
    asked.catch(() => {});
    while (server.requests.length === 0) await new Promise(setImmediate);
    controller.abort();
    await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
    await server.aborted();
  });

  it('stops a stream under way and asks nobody else', async () => {
    server.script({ kind: 'drip', everyMs: 1 });
    const controller = new AbortController();
    const { ask, events } = router();
    const asked = ask({}, { signal: controller.signal, live: true });
    asked.catch(() => {});
    while (events.length === 0) await new Promise(setImmediate);
    controller.abort();
    await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
    await server.aborted();
  });
});

describe('JSON answers', () => {
  it('are asked for by schema, strictly where the schema permits', async () => {
    server.script({ kind: 'answer', text: goodPlan });
    const result = await router().ask(plan, { live: true });
    expect(result.message.content).toBe(goodPlan);
    expect(server.requests[0]?.body.response_format).toMatchObject({
      type: 'json_schema',
      json_schema: { name: 'plan', strict: true },
    });
    expect(server.requests[0]?.body.stream).toBe(false);
  });

  it.each([
    ['in a code fence', `\`\`\`json\n${goodPlan}\n\`\`\``],
    ['with prose around it', `Sure! ${goodPlan} Hope that helps.`],
    ['with a trailing comma', '{"reason":"simple","question":null,"tasks":[],}'],
  ])('%s are repaired', async (_name, text) => {
    server.script({ kind: 'answer', text });
    const result = await router().ask(plan);
    expect(JSON.parse(result.message.content!)).toEqual(JSON.parse(goodPlan));
  });

  it('that do not fit are asked for again with the mistakes, once', async () => {
    server.script(
      { kind: 'answer', text: '{"reason":"simple"}', usage: [10, 5] },
      {
        expect({ body }) {
          const said = body.messages.at(-1)?.content;
          if (!said?.includes("must have required property 'tasks'")) throw new Error(`told nothing: ${said}`);
        },
        reply: { kind: 'answer', text: goodPlan, usage: [20, 5] },
      },
    );
    const result = await router().ask(plan);
    expect(result.message.content).toBe(goodPlan);
    expect(result.usage).toEqual({ inputTokens: 30, outputTokens: 10 });
  });

  it('that never fit lead to the next model', async () => {
    server.script({ kind: 'answer', text: 'no' }, { kind: 'answer', text: 'never' });
    expect(await router().ask(plan)).toMatchObject({ model: 'offline', degraded: true });
  });

  it('step down for endpoints that know no schemas, and remember it', async () => {
    server.script(
      { kind: 'status', status: 400, message: 'response_format.type json_schema is not supported' },
      { kind: 'status', status: 400, message: 'response_format is not supported' },
      { kind: 'answer', text: goodPlan },
      { kind: 'answer', text: goodPlan },
    );
    const { ask } = router();
    const result = await ask(plan);
    expect(result.attempts).toHaveLength(1);
    await ask(plan);
    expect(server.requests.map(({ body }) => (body.response_format as { type: string } | undefined)?.type)).toEqual([
      'json_schema',
      'json_object',
      undefined,
      undefined,
    ]);
    expect(server.requests[3]?.body.messages[0]?.content).toContain('JSON Schema');
  });
});

describe('tool calls', () => {
  it('with broken arguments are repaired where possible', async () => {
    server.script({ kind: 'answer', toolCalls: [{ name: 'find', arguments: "{'to': 'Rome'" }] });
    const result = await router().ask({ tools });
    expect(result.message.toolCalls?.[0]?.arguments).toEqual({ to: 'Rome' });
  });

  it('beyond repair are asked for again, once', async () => {
    server.script(
      { kind: 'answer', toolCalls: [{ name: 'find', arguments: '[1, 2]' }] },
      { kind: 'answer', toolCalls: [{ name: 'find', arguments: { to: 'Rome' } }] },
    );
    const result = await router().ask({ tools });
    expect(result.message.toolCalls?.[0]?.arguments).toEqual({ to: 'Rome' });
    expect(server.requests[1]?.body.messages.at(-1)?.content).toContain('not a JSON object');
  });

  it('are not asked of a model that cannot call tools', async () => {
    const result = await router({ environment: { TUTTI_MODEL_TOOLS: 'false' } }).ask({ tools });
    expect(result).toMatchObject({
      model: 'offline',
      candidates: [{ kept: false, reason: 'cannot do tools' }, { kept: true }],
    });
  });
});

describe('the breaker', () => {
  it('skips a sick model, probes it later, and takes it back', async () => {
    let now = 0;
    const { ask } = router({ failuresMax: 2, limits: { retriesMax: 0 }, clock: () => now });
    server.script({ kind: 'status', status: 500 }, { kind: 'status', status: 500 });
    await ask();
    await ask();
    const skipped = await ask();
    expect(skipped.candidates?.[0]).toMatchObject({ kept: false, reason: 'left alone after 2 failures in a row' });
    expect(server.requests).toHaveLength(2);
    now = 1_000;
    server.script({ kind: 'answer', text: 'Well again.' }, { kind: 'answer', text: 'Still well.' });
    expect((await ask()).model).toBe('scripted');
    expect((await ask()).model).toBe('scripted');
  });

  it('honours a long Retry-After on later calls too', async () => {
    server.script({ kind: 'status', status: 429, headers: { 'retry-after': '60' } });
    const { ask } = router();
    await ask();
    expect((await ask()).candidates?.[0]).toMatchObject({
      kept: false,
      reason: 'left alone for as long as the provider asked',
    });
  });
});

describe('the same call id', () => {
  it('is one call, under way or done, and only within its tenant', async () => {
    server.script({ kind: 'answer', text: 'Once.', pauseMs: 1 });
    const { ask } = router();
    const [first, second] = await Promise.all([ask({}, { callId: 'call_x' }), ask({}, { callId: 'call_x' })]);
    expect(await ask({}, { callId: 'call_x' })).toEqual(first);
    expect(second).toEqual(first);
  });

  it('goes on while anyone waits for it', async () => {
    server.script({ kind: 'answer', text: 'A long answer, in pieces.', pauseMs: 2 });
    const { ask, events } = router();
    const leaver = new AbortController();
    const first = ask({}, { callId: 'call_x', signal: leaver.signal, live: true });
    const second = ask({}, { callId: 'call_x', live: true });
    while (events.length === 0) await new Promise(setImmediate);
    leaver.abort();
    expect((await second).message.content).toBe('A long answer, in pieces.');
    await first;
  });

  it('may be asked again after a failure', async () => {
    server.script({ kind: 'status', status: 401 }, { kind: 'answer', text: 'Now it works.' });
    const { ask } = router({ environment: { TUTTI_OFFLINE_FALLBACK: 'false' } });
    await expect(ask({}, { callId: 'call_x' })).rejects.toBeInstanceOf(TuttiError);
    expect((await ask({}, { callId: 'call_x' })).message.content).toBe('Now it works.');
  });
});

describe('names and configuration', () => {
  it('an unknown model is an error that says what there is', async () => {
    await expect(router().ask({}, { model: 'huge' })).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('there are: scripted, offline'),
    });
  });

  it('asked for by name, the offline model is not degraded', async () => {
    expect(await router().ask({}, { model: 'offline' })).toMatchObject({ model: 'offline', degraded: false });
  });

  it('TUTTI_MODEL=offline forces the offline model', async () => {
    const { ask, handlers } = router({ environment: { TUTTI_MODEL: 'offline' } });
    expect(await ask()).toMatchObject({ model: 'offline', degraded: false });
    const { models } = await handlers.models!({}, {} as RequestContext);
    expect(models.map(({ id }) => id)).toEqual(['offline']);
  });

  it.each([
    [{}, ['offline']],
    [{ OPENAI_API_KEY: '', TUTTI_MODEL: '' }, ['offline']],
    [{ OPENAI_API_KEY: 'sk-x' }, ['gpt-5-mini', 'offline']],
    [{ OPENAI_API_KEY: 'sk-x', TUTTI_MODEL: 'big' }, ['big', 'offline']],
    [{ OPENAI_API_KEY: 'sk-x', TUTTI_MODEL: 'offline' }, ['offline']],
  ])('%j → %j', (environment, expected) => {
    expect(catalogueOf(RouterConfig.parse(environment)).entries.map(({ id }) => id)).toEqual(expected);
  });

  it.each([
    [{ OPENAI_BASE_URL: 'http://localhost:1/v1' }, 'TUTTI_MODEL'],
    [{ TUTTI_MODEL: 'big' }, 'OPENAI_API_KEY'],
  ])('%j is refused with a hint', (environment, hint) => {
    expect(() => RouterConfig.parse(environment)).toThrow(hint);
  });
});
