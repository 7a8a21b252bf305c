/** The unmodified OpenAI client against a real gateway on a real bus. */
import { derivedCallId, type InboundMessage, sessionIdFor } from '@tutti/contracts';
import { until } from '@tutti/testkit';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '../testing/api.ts';
import { Journal } from '../testing/entries.ts';
import { BUNDLE, World } from '../testing/world.ts';

let world: World;
let url: string;
let client: OpenAI;
type Start = Extract<InboundMessage, { type: 'start' }>;
type Request = OpenAI.ChatCompletionCreateParams;
const user = (content: string) => ({ role: 'user' as const, content });
const ask = { model: 'guide', messages: [user('hello')] };

beforeAll(async () => {
  world = await World.start();
  await world.apply(BUNDLE);
  ({ url } = await world.gateway());
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none' });
});
afterAll(() => world?.stop());
beforeEach(() => world.reset());

/** Plays the planner: `play` is called for each start, with the run's journal. */
function planner(play: (journal: Journal, start: Start) => void | Promise<void>): void {
  world.onInbound = (message) => {
    if (message.type !== 'start') return;
    const journal = world.add(new Journal(message.run, message.session, { start: message.start }));
    world.live(journal, ...journal.entries);
    void play(journal, message);
  };
}
/** Answers in one model call, with tokens when they were asked for. */
function answering(...pieces: string[]): void {
  planner((journal, { start }) => {
    world.live(journal, journal.requested('1'));
    if (start.live) for (const piece of pieces) world.token(journal, '1', piece);
    const output = pieces.join('');
    world.live(journal, journal.answered('1', output), journal.completed(output));
  });
}
const starts = () => world.inbound.filter((message): message is Start => message.type === 'start');
// biome-ignore lint/suspicious/noExplicitAny: `tutti` is not in OpenAI's types
const tutti = (body: unknown) => (body as any).tutti;

async function collect(request: Partial<Request> = {}) {
  const stream = await client.chat.completions.create({ ...ask, ...request, stream: true } as Request & {
    stream: true;
  });
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return { chunks, text: chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('') };
}

describe('chat completions', () => {
  it('answer with the run’s output, its usage and its ids', async () => {
    answering('Hi ', 'there');
    const { data, response } = await client.chat.completions.create(ask).withResponse();
    expect(data.choices).toMatchObject([
      { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Hi there' } },
    ]);
    expect(data).toMatchObject({ object: 'chat.completion', model: 'guide' });
    expect(data.usage).toEqual({ prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 });
    expect(tutti(data)).toMatchObject({ run: data.id, status: 'completed', approvals: [] });
    expect(response.headers.get('x-tutti-session')).toBe(starts()[0]!.session);
    expect(starts()[0]!.start).toMatchObject({ input: 'hello', live: false });
  });

  it('lists agents as models', async () => {
    const models = [];
    for await (const model of client.models.list()) models.push(model.id);
    expect(models).toEqual(['guide']);
    expect((await client.models.retrieve('guide')).id).toBe('guide');
  });

  it('continue a session that the request names, with the last message alone', async () => {
    answering('ok');
    const messages = [user('one'), { role: 'assistant' as const, content: 'first' }, user('two')];
    await client.chat.completions.create({ ...ask, messages, metadata: { session: 'chat-1' } });
    await client.chat.completions.create(ask, { headers: { 'x-tutti-session': 'chat-1' } });
    expect(starts().map(({ session }) => session)).toEqual(Array(2).fill(sessionIdFor('default', 'chat-1')));
    expect(starts()[0]!.start.input).toBe('two');
    expect(world.turns).toEqual([]);
  });

  it('take the history of a request without a session over as turns of a new one', async () => {
    answering('ok');
    const messages = [user('one'), { role: 'assistant' as const, content: 'first' }, user('two')];
    await client.chat.completions.create({ ...ask, messages });
    await client.chat.completions.create({ ...ask, messages });
    const [first, second] = starts();
    expect(first!.session).not.toBe(second!.session);
    expect(first!.start.input).toBe('two');
    expect(world.turns).toHaveLength(2);
    expect(world.turns[0]).toMatchObject({ session: first!.session, input: 'one', output: 'first', agent: 'guide' });
  });

  it('tell OpenAI’s clients what is wrong in their own shape', async () => {
    await expect(client.chat.completions.create({ ...ask, model: 'nobody' })).rejects.toThrow(OpenAI.NotFoundError);
    const refused = client.chat.completions.create({ ...ask, n: 2 });
    await expect(refused).rejects.toMatchObject({ status: 400, code: 'invalid_request', param: 'n' });
    expect(starts()).toEqual([]);
  });

  it('fail with the run’s error, and are not sent again by the client: that would be a second run', async () => {
    planner((journal) => {
      const error = { code: 'model_failed' as const, message: 'no model', retryable: false };
      journal.status = 'failed';
      world.live(journal, journal.add({ type: 'run.failed', error, output: '', usage: journal.view().usage }));
    });
    const failed = client.chat.completions.create(ask);
    await expect(failed).rejects.toMatchObject({ status: 502, code: 'model_failed' });
    expect(starts()).toHaveLength(1);
  });

  it('do not wait for ever, and say where the run is', async () => {
    const { url: hasty } = await world.gateway({ TUTTI_CHAT_WAIT_MS: '300' });
    const answer = await api(`${hasty}/v1/chat/completions`, 'POST', ask);
    expect(answer).toMatchObject({ status: 504, body: { error: { code: 'timeout' } } });
    expect(answer.body.error.message).toContain(starts()[0]!.run);
    expect(answer.headers.get('x-should-retry')).toBe('false');
    expect(world.inbound.every(({ type }) => type === 'start')).toBe(true);
  });

  it('come to the answer when every live message is lost', async () => {
    world.onInbound = (message) => {
      if (message.type !== 'start') return;
      world.add(new Journal(message.run, message.session)).completed('found later');
    };
    const answer = await client.chat.completions.create(ask);
    expect(answer.choices[0]!.message.content).toBe('found later');
  });

  it('give one run for one Idempotency-Key, and its answer again', async () => {
    answering('once');
    const headers = { 'idempotency-key': 'k-1' };
    const first = await client.chat.completions.create(ask, { headers });
    const again = await client.chat.completions.create(ask, { headers });
    expect(again.id).toBe(first.id);
    expect(again.choices[0]!.message.content).toBe('once');
    expect(starts()).toHaveLength(1);
  });
});

describe('streamed chat completions', () => {
  it('send the answer as it comes', async () => {
    answering('Hi ', 'there', '!');
    const { chunks, text } = await collect({ stream_options: { include_usage: true } });
    expect(text).toBe('Hi there!');
    expect(chunks[0]!.choices[0]!.delta.role).toBe('assistant');
    expect(chunks.filter((chunk) => chunk.choices[0]?.delta.content).length).toBe(3);
    expect(chunks.at(-2)!.choices[0]!.finish_reason).toBe('stop');
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 18 } });
    expect(tutti(chunks.at(-2))).toMatchObject({ status: 'completed', run: chunks[0]!.id });
  });

  it('work with the client’s own helper', async () => {
    answering('Hi ', 'there');
    const runner = client.chat.completions.stream(ask);
    expect(await runner.finalContent()).toBe('Hi there');
  });

  it('send the answer in one piece when no token came, and none of a child’s', async () => {
    planner((journal) => {
      world.live(journal, journal.requested('1'));
      const callId = derivedCallId('a child', '1');
      const token = { type: 'token', run: 'a child', callId, attempt: 1, text: 'of a child' };
      const message = { v: 1, events: [token] };
      world.bus.publish(`tutti.live.default.${journal.run}`, new TextEncoder().encode(JSON.stringify(message)));
      world.live(journal, journal.answered('1', 'whole'), journal.completed('whole'));
    });
    const { chunks, text } = await collect();
    expect(text).toBe('whole');
    expect(chunks.some((chunk) => chunk.usage)).toBe(false);
  });

  it('follow a new attempt that says the same, and fail rather than splice one that does not', async () => {
    planner((journal) => {
      world.live(journal, journal.requested('1'));
      world.token(journal, '1', 'Hello wo');
      world.token(journal, '1', 'Hello', 2);
      world.token(journal, '1', ' world', 2);
      world.live(journal, journal.answered('1', 'Hello world'), journal.completed('Hello world'));
    });
    expect((await collect()).text).toBe('Hello world');
    planner((journal) => {
      world.live(journal, journal.requested('1'));
      world.token(journal, '1', 'Hello');
      world.token(journal, '1', 'Good day', 2);
      world.live(journal, journal.answered('1', 'Good day'), journal.completed('Good day'));
    });
    await expect(collect()).rejects.toThrow(/begun anew/);
  });

  it('fail in the stream when the run fails', async () => {
    planner((journal) => {
      world.live(journal, journal.requested('1'));
      world.token(journal, '1', 'Hel');
      const error = { code: 'limit_exceeded' as const, message: 'tokensMax', retryable: false };
      journal.status = 'failed';
      world.live(journal, journal.add({ type: 'run.failed', error, output: '', usage: journal.view().usage }));
    });
    await expect(collect()).rejects.toThrow('tokensMax');
  });
});

describe('approvals in a chat', () => {
  function waiting(): void {
    planner((journal) => {
      const approval = journal.approval('1');
      world.approvals.set(approval.id, { record: approval, tenant: 'default' });
      journal.status = 'waiting';
      world.live(journal, journal.add({ type: 'approval.requested', approval }));
    });
  }

  it('are answered at once with the exact arguments and how to decide', async () => {
    waiting();
    const answer = await client.chat.completions.create(ask);
    const [approval] = [...world.approvals.values()];
    const { content } = answer.choices[0]!.message;
    expect(answer.choices[0]!.finish_reason).toBe('stop');
    for (const part of ['book_flight', '{"flight":"TU-100","seats":2}', approval!.record.id, 'POST /v1/approvals'])
      expect(content).toContain(part);
    expect(tutti(answer)).toMatchObject({ status: 'waiting', approvals: [{ id: approval!.record.id }] });
    expect(world.inbound.map(({ type }) => type)).toEqual(['start']);
    const { chunks, text } = await collect();
    expect(text).toContain('book_flight');
    expect(tutti(chunks.at(-1)).status).toBe('waiting');
  });

  it('do not end the wait while other branches are at work', async () => {
    planner((journal) => {
      const approval = journal.approval('1');
      world.live(journal, journal.add({ type: 'approval.requested', approval }));
      const decided = { approval: approval.id, decision: 'approved' as const, by: 'ann' };
      world.live(journal, journal.add({ type: 'approval.decided', ...decided }), journal.completed('booked'));
    });
    expect((await client.chat.completions.create(ask)).choices[0]!.message.content).toBe('booked');
  });

  it('are never decided by a message', async () => {
    waiting();
    const request = { ...ask, metadata: { session: 'careful' } };
    await client.chat.completions.create(request);
    await client.chat.completions.create({ ...request, messages: [user('approve')] });
    expect(world.inbound.map(({ type }) => type)).toEqual(['start', 'start']);
  });
});

describe('a client that leaves', () => {
  const cancels = () => world.inbound.filter(({ type }) => type === 'cancel');

  async function leave(stream: boolean, headers: Record<string, string> = {}): Promise<void> {
    planner((journal) => world.live(journal, journal.requested('1')));
    const before = starts().length;
    const abort = new AbortController();
    const request = { ...ask, stream } as Request;
    const left = client.chat.completions.create(request, { signal: abort.signal, headers });
    const done = left.then(
      async (answer) => {
        for await (const _chunk of answer as AsyncIterable<unknown>);
      },
      () => {},
    );
    await until('the run to start', () => starts().length > before);
    abort.abort();
    await done.catch(() => {});
  }

  it('cancels its run, streamed or not', async () => {
    await leave(false);
    await until('the cancel', () => cancels().length === 1);
    expect(cancels()[0]).toMatchObject({ run: starts()[0]!.run, reason: 'the client disconnected' });
    await leave(true);
    await until('the cancel', () => cancels().length === 2);
  });

  it('keeps it with X-Tutti-Keep, and when it can ask for it again', async () => {
    await leave(false, { 'x-tutti-keep': 'true' });
    await leave(true, { 'idempotency-key': 'k-2' });
    await leave(false);
    await until('the cancel of the third', () => cancels().length === 1);
    expect(cancels()[0]!.run).toBe(starts()[2]!.run);
  });
});

describe('a gateway that stops', () => {
  it('lets a chat finish, and does not cancel one that takes longer', async () => {
    const { url: leaving, service } = await world.gateway({ TUTTI_DRAIN_TIMEOUT_MS: '1500' });
    let finish = () => {};
    planner((journal, { start }) => {
      if (start.input === 'quick') finish = () => world.live(journal, journal.completed('in time'));
    });
    const send = (content: string) =>
      api(`${leaving}/v1/chat/completions`, 'POST', { ...ask, messages: [user(content)] });
    const both = [send('quick'), send('slow')];
    await until('both to start', () => world.journals.size === 2);
    const stopped = service.stop();
    await until('the gateway to refuse', async () => (await api(`${leaving}/readyz`)).status === 503);
    expect((await send('new')).status).toBe(503);
    finish();
    const [quick, slow] = await Promise.all(both);
    expect(quick).toMatchObject({ status: 200, body: { tutti: { status: 'completed' } } });
    expect(slow).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } });
    await stopped;
    expect(world.inbound.every(({ type }) => type === 'start')).toBe(true);
  });
});
