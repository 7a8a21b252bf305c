/** Tutti as a plain LLM gateway: the unmodified OpenAI client → gateway → bus → routers → scripted providers. */
import { Bundle } from '@tutti/contracts';
import { createGatewayService } from '@tutti/gateway';
import { routerService } from '@tutti/router';
import { createLogger, type StartedService, startService } from '@tutti/runtime';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { type OpenAiServer, startOpenAiServer } from '@tutti/testkit/openai-server';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const log = createLogger({}, { level: 'silent' });
const started: StartedService[] = [];
let nats: TestNats;
let one: OpenAiServer;
let two: OpenAiServer;
let url: string;
let client: OpenAI;
const variable = (name: string) => `\${${name}}`;

function bundle(price = 1): Bundle {
  return Bundle.parse({
    v: 1,
    name: 'direct',
    agents: { guide: { name: 'guide', instructions: 'Answer.', offlineFallback: false } },
    tools: {},
    collections: {},
    providers: { one: { baseUrl: variable('ONE_URL') }, two: { baseUrl: variable('TWO_URL') } },
    models: {
      'gpt-x': {
        price: { input: price, output: price },
        providers: [
          { provider: 'one', model: 'remote-x' },
          { provider: 'two', priority: 1 },
        ],
      },
    },
    routes: { thrift: { models: ['gpt-x'], priceMax: { output: 2 }, offlineFallback: false } },
  });
}
const apply = (body: Bundle) =>
  fetch(`${url}/v1/bundles`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

beforeAll(async () => {
  nats = await startTestNats();
  // known to the routers once and for all: scripts change, addresses stay
  [one, two] = await Promise.all([startOpenAiServer(), startOpenAiServer()]);
  const env = {
    NATS_URL: nats.url,
    OPENAI_API_KEY: '',
    OPENAI_BASE_URL: '',
    TUTTI_MODEL: '',
    TUTTI_PORT: '0',
    TUTTI_VAR_ONE_URL: one.url,
    TUTTI_VAR_TWO_URL: two.url,
    TUTTI_BUNDLE_FRESH_MS: '0',
    TUTTI_MODEL_BACKOFF_MS: '1',
    TUTTI_BREAKER_FAILURES_MAX: '100',
  };
  const gateway = createGatewayService({
    onListening: (at) => {
      url = at;
    },
  });
  started.push(await startService(routerService, { env, log }), await startService(routerService, { env, log }));
  started.push(await startService(gateway, { env, log }));
  expect((await apply(bundle())).status).toBe(200);
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none' });
}, 60_000);
afterAll(async () => {
  await Promise.all(started.map((service) => service.stop()));
  await Promise.all([one?.close(), two?.close()]);
  await nats?.stop();
});
beforeEach(() => {
  one.requests.length = 0;
  two.requests.length = 0;
});
afterEach(() => {
  one.finish();
  two.finish();
});

type Params = OpenAI.ChatCompletionCreateParamsNonStreaming;
const user = (content: string) => ({ role: 'user' as const, content });
const hello = { model: 'model/gpt-x', messages: [user('Hello')] };
// biome-ignore lint/suspicious/noExplicitAny: `tutti` is not in OpenAI's types
const tutti = (body: unknown) => (body as any).tutti;
async function collect(more: Partial<Params> = {}, headers: Record<string, string> = {}) {
  const stream = await client.chat.completions.create({ ...hello, ...more, stream: true } as never, { headers });
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  for await (const chunk of stream as unknown as AsyncIterable<OpenAI.ChatCompletionChunk>) chunks.push(chunk);
  return { chunks, text: chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('') };
}

describe('a model without an agent', () => {
  it('answers, and says which one it was and why', async () => {
    one.script({ kind: 'answer', text: 'Hi!', usage: [7, 3] });
    const answer = await client.chat.completions.create({
      ...hello,
      messages: [{ role: 'developer', content: 'Be brief.' }, user('Hello')],
      top_p: 0.5,
      stop: ['END'],
      max_tokens: 20,
    });
    expect(answer).toMatchObject({
      object: 'chat.completion',
      model: 'gpt-x',
      choices: [{ message: { role: 'assistant', content: 'Hi!' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
    });
    expect(tutti(answer)).toMatchObject({
      degraded: false,
      route: {
        asked: 'gpt-x',
        model: 'gpt-x',
        provider: 'one',
        costUsd: 0.00001,
        attempts: [{ provider: 'one', ok: true }],
      },
    });
    expect(tutti(answer).route.candidates.map(({ kept }: { kept: boolean }) => kept)).toEqual([true, true, true]);
    // as they are: no date, no facts, nothing of Tutti's
    expect(one.requests[0]?.body).toMatchObject({
      model: 'remote-x',
      messages: [{ role: 'system', content: 'Be brief.' }, user('Hello')],
      top_p: 0.5,
      stop: ['END'],
    });
  });

  it('carries tools there and back', async () => {
    one.script({ kind: 'answer', toolCalls: [{ name: 'find', arguments: { to: 'Rome' }, id: 'c1' }] });
    const tools = [{ type: 'function' as const, function: { name: 'find', parameters: { type: 'object' } } }];
    const answer = await client.chat.completions.create({ ...hello, tools });
    expect(answer.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: [{ id: 'c1', type: 'function', function: { name: 'find', arguments: '{"to":"Rome"}' } }] },
    });
    one.script({ kind: 'answer', text: 'At noon.' });
    const { message } = answer.choices[0]!;
    const next = [user('Go'), message, { role: 'tool' as const, tool_call_id: 'c1', content: '12:00' }];
    await client.chat.completions.create({ ...hello, tools, messages: next });
    expect(one.requests[1]?.body.messages.slice(1)).toMatchObject([
      { role: 'assistant', tool_calls: [{ id: 'c1' }] },
      { role: 'tool', tool_call_id: 'c1', content: '12:00' },
    ]);
    one.script({ kind: 'answer', toolCalls: [{ name: 'find', arguments: { to: 'Rome' }, id: 'c1' }] });
    const { chunks } = await collect({ tools });
    expect(chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? [])).toMatchObject([
      { index: 0, id: 'c1', function: { name: 'find', arguments: '{"to":"Rome"}' } },
    ]);
  });

  it('holds a schema', async () => {
    one.script({ kind: 'answer', text: '```json\n{"n": 1,}\n```' });
    const schema = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] };
    const answer = await client.chat.completions.create({
      ...hello,
      response_format: { type: 'json_schema', json_schema: { name: 'n', schema } },
    });
    expect(JSON.parse(answer.choices[0]!.message.content!)).toEqual({ n: 1 });
  });

  it('streams, with usage where it is asked for', async () => {
    one.script({ kind: 'answer', text: 'One two three four five.', pauseMs: 2, usage: [4, 6] });
    const { chunks, text } = await collect({ stream_options: { include_usage: true } } as never);
    expect(text).toBe('One two three four five.');
    expect(chunks.filter((chunk) => chunk.choices[0]?.delta.content).length).toBeGreaterThan(1);
    expect(chunks.at(-1)?.usage).toMatchObject({ prompt_tokens: 4, completion_tokens: 6 });
    expect(tutti(chunks.at(-2)).route).toMatchObject({ model: 'gpt-x', provider: 'one' });
  });

  it('a route is a name like any other, and is listed', async () => {
    one.script({ kind: 'answer', text: 'Cheaply.' });
    const answer = await client.chat.completions.create({ ...hello, model: 'thrift' });
    expect(answer.choices[0]?.message.content).toBe('Cheaply.');
    const models = [];
    for await (const model of client.models.list()) models.push(model.id);
    expect(models).toEqual(['guide', 'model/gpt-x', 'thrift']);
    expect((await client.models.retrieve('model/gpt-x')).id).toBe('model/gpt-x');
  });

  it('the bundle may change: the next call goes by the new one, on every router', async () => {
    await apply(bundle(5));
    for (let i = 0; i < 4; i++)
      await expect(client.chat.completions.create({ ...hello, model: 'thrift' })).rejects.toMatchObject({
        status: 502,
        message: expect.stringContaining('above the ceiling of $2'),
      });
    await apply(bundle());
    one.script({ kind: 'answer', text: 'Again.' });
    expect((await client.chat.completions.create({ ...hello, model: 'thrift' })).choices[0]?.message.content).toBe(
      'Again.',
    );
  });

  it.each([
    [{ model: 'model/nobody' }, 404, 'there is no model "nobody"'],
    [{ n: 2 }, 400, 'n: one answer'],
    [
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] }] },
      400,
      'only text parts',
    ],
    [{ messages: [{ role: 'tool', tool_call_id: 'x', content: '' }] }, 400, 'no earlier message calls a tool'],
  ])('%j is refused', async (more, status, message) => {
    const asked = client.chat.completions.create({ ...hello, ...more } as Params);
    await expect(asked).rejects.toMatchObject({ status, message: expect.stringContaining(message) });
  });
});

describe('when providers fail', () => {
  const fault = { kind: 'status' as const, status: 500 };

  it('another one answers, and the client retries nothing by itself', async () => {
    one.script(fault, fault);
    two.script({ kind: 'answer', text: 'Here.' });
    const answer = await client.chat.completions.create(hello);
    expect(answer.choices[0]?.message.content).toBe('Here.');
    expect(tutti(answer).route.attempts.map(({ provider, next }: Record<string, string>) => [provider, next])).toEqual([
      ['one', 'same'],
      ['one', 'other_provider'],
      ['two', undefined],
    ]);
    one.script(fault, fault);
    two.script(fault, fault);
    await expect(client.chat.completions.create({ ...hello, model: 'thrift' })).rejects.toMatchObject({ status: 502 });
  });

  it('a stream that dies after its first words is never spliced with another: an error, or a reset for who can', async () => {
    const half = { kind: 'half' as const, text: 'Half of what', end: 'reset' as const };
    one.script(half, { kind: 'answer', text: 'A whole answer.' });
    await expect(collect()).rejects.toThrow('begun anew after part of it had been sent');
    one.script(half, { kind: 'answer', text: 'A whole answer.' });
    const { chunks } = await collect({}, { 'x-tutti-superseded': 'reset' });
    let shown = '';
    for (const chunk of chunks) {
      if (tutti(chunk)?.superseded) shown = '';
      shown += chunk.choices[0]?.delta.content ?? '';
    }
    expect(shown).toBe('A whole answer.');
    expect(chunks.filter((chunk) => tutti(chunk)?.superseded)).toHaveLength(1);
  });

  it('a client that leaves ends the call, down to the socket', async () => {
    one.script({ kind: 'drip', everyMs: 5 });
    const controller = new AbortController();
    const stream = await client.chat.completions.create({ ...hello, stream: true }, { signal: controller.signal });
    const reading = (async () => {
      for await (const chunk of stream) if (chunk.choices[0]?.delta.content) controller.abort();
    })().catch(() => {});
    await reading;
    await one.aborted();
    one.script({ kind: 'hang' });
    one.requests.length = 0;
    const left = new AbortController();
    const asked = client.chat.completions.create(hello, { signal: left.signal }).catch(() => {});
    await until('the request', () => one.requests.length === 1);
    left.abort();
    await asked;
    await one.aborted();
  });
});
