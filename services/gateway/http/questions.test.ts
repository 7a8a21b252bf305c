/** Questions to the user over the native API and over chat, on real HTTP and a real bus. */
import { type InboundMessage, newRunId, newSessionId, type QuestionRecord, sessionIdFor } from '@tutti/contracts';
import { until } from '@tutti/testkit';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '../testing/api.ts';
import { Journal, NO_USAGE } from '../testing/entries.ts';
import { BUNDLE, World } from '../testing/world.ts';

let world: World;
let url: string;
let client: OpenAI;

beforeAll(async () => {
  world = await World.start();
  await world.apply(BUNDLE);
  ({ url } = await world.gateway({ TUTTI_APPROVAL_CONFIRM_MS: '400' }));
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
});
afterAll(() => world?.stop());
beforeEach(() => world.reset());

type Input = Extract<InboundMessage, { type: 'input' }>;
type Start = Extract<InboundMessage, { type: 'start' }>;
const inputs = () => world.inbound.filter((message): message is Input => message.type === 'input');
const starts = () => world.inbound.filter((message): message is Start => message.type === 'start');

function asking(text = 'Which colour?', session = newSessionId()): { journal: Journal; question: QuestionRecord } {
  const journal = world.add(new Journal(newRunId(session), session));
  return { journal, question: journal.asks(text) };
}
/** Plays the owner: answers are taken in, and `then` says what comes of it. */
function taking(then: (journal: Journal, message: Input) => void = () => {}): void {
  world.onInbound = (message) => {
    if (message.type !== 'input') return;
    const journal = world.journals.get(message.run);
    const entry = journal?.takes(message);
    if (!journal || !entry) return;
    world.live(journal, entry);
    then(journal, message);
  };
}

describe('POST /v1/runs/{id}/input', () => {
  const answer = (run: string, body: object) => api(`${url}/v1/runs/${run}/input`, 'POST', body);

  it('is shown with the run, and answered with 200 once the run has taken the answer in', async () => {
    const { journal, question } = asking();
    taking();
    const shown = (await api(`${url}/v1/runs/${journal.run}`)).body;
    expect(shown).toMatchObject({ status: 'waiting', waiting_for: 'input', question: { id: question.id } });
    const taken = await answer(journal.run, { text: 'blue' });
    expect(taken).toMatchObject({ status: 200, body: { status: 'running', question: null, answered: question.id } });
    const { session, run } = journal;
    expect(inputs()).toMatchObject([{ session, run, question: question.id, text: 'blue', by: 'local' }]);
  });

  it('the same answer again is 200 and changes nothing, another one is 409 and says which was taken', async () => {
    const { journal, question } = asking();
    taking((one) => one.completed('painted'));
    await answer(journal.run, { text: 'blue', question: question.id });
    for (const body of [{ text: 'blue', question: question.id }, { text: 'blue' }])
      expect(await answer(journal.run, body)).toMatchObject({ status: 200, body: { answered: question.id } });
    const late = await answer(journal.run, { text: 'red', question: question.id });
    expect(late).toMatchObject({
      status: 409,
      body: { error: { code: 'conflict', details: { outcome: 'answered', text: 'blue' } } },
    });
    expect(inputs()).toHaveLength(1);
  });

  it('of two answers at once the first counts, and the other is told so', async () => {
    const { journal } = asking();
    taking();
    const both = await Promise.all(['blue', 'red'].map((text) => answer(journal.run, { text })));
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    const won = both.find(({ status }) => status === 200)!;
    const entry = journal.entries.at(-1);
    expect(entry).toMatchObject({ type: 'question.answered', text: ['blue', 'red'][both.indexOf(won)] });
  });

  it('is 202 as long as nobody takes it in', async () => {
    const { journal, question } = asking();
    const waiting = await answer(journal.run, { text: 'blue' });
    expect(waiting).toMatchObject({ status: 202, body: { status: 'waiting', answered: question.id } });
  });

  it('goes to the child that asks, whichever of several open questions is meant', async () => {
    const session = newSessionId();
    const parent = world.add(new Journal(newRunId(session), session));
    const children = ['From where?', 'To where?'].map((text) => {
      const own = newSessionId();
      const start = { root: parent.run, parent: { run: parent.run, session, callId: 'call_x' } };
      const child = world.add(new Journal(newRunId(own), own, { start }));
      const question = child.asks(text);
      parent.add({ type: 'child.waiting', child: child.run, version: 2, approvals: [], questions: [question] });
      return { child, question };
    });
    parent.status = 'waiting';
    taking((child) => {
      parent.add({ type: 'child.waiting', child: child.run, version: 3, approvals: [], questions: [] });
    });
    const [first, second] = children;
    const later = await answer(parent.run, { text: 'Tokyo', question: second!.question.id });
    expect(later).toMatchObject({ status: 200, body: { answered: second!.question.id } });
    expect(await answer(parent.run, { text: 'Berlin' })).toMatchObject({
      status: 200,
      body: { answered: first!.question.id, question: null },
    });
    expect(inputs().map(({ run, text }) => [run, text])).toEqual([
      [second!.child.run, 'Tokyo'],
      [first!.child.run, 'Berlin'],
    ]);
  });

  it('is 409 where nothing is asked, or never was, or not any more', async () => {
    const session = newSessionId();
    const quiet = world.add(new Journal(newRunId(session), session));
    const none = await answer(quiet.run, { text: 'blue' });
    expect(none).toMatchObject({ status: 409, body: { error: { message: expect.stringContaining('asks nothing') } } });
    const { journal, question } = asking();
    const other = await answer(journal.run, { text: 'blue', question: 'qst_other' });
    expect(other).toMatchObject({ status: 409, body: { error: { details: { question: { id: question.id } } } } });
    journal.add({ type: 'run.cancelled', by: 'ann', reason: 'no more', usage: NO_USAGE });
    journal.status = 'cancelled';
    expect((await answer(journal.run, { text: 'blue' })).status).toBe(409);
    expect(inputs()).toEqual([]);
  });

  it('says which field is wrong, and knows no run of others', async () => {
    const { journal } = asking();
    expect(await answer(journal.run, { text: '' })).toMatchObject({ status: 400, body: { error: { param: 'text' } } });
    expect((await answer(newRunId(newSessionId()), { text: 'x' })).status).toBe(404);
  });
});

describe('a chat whose run asks', () => {
  const chat = { model: 'guide', messages: [{ role: 'user' as const, content: 'Paint it' }] };
  const inSession = { ...chat, metadata: { session: 'painting' } };
  const says = (content: string, more: object = {}) => ({
    ...inSession,
    messages: [{ role: 'user' as const, content }],
    ...more,
  });
  // biome-ignore lint/suspicious/noExplicitAny: `tutti` is not in OpenAI's types
  const tutti = (body: unknown) => (body as any).tutti;

  /** Each start asks for a colour; with the answer it is done. */
  function painter(): void {
    world.onInbound = (message) => {
      if (message.type === 'start') {
        const journal = world.add(new Journal(message.run, message.session, { start: message.start }));
        journal.asks('Which colour?');
        world.live(journal, ...journal.entries);
      }
      const journal = message.type === 'input' ? world.journals.get(message.run) : undefined;
      const entry = message.type === 'input' && journal?.takes(message);
      if (journal && entry && message.type === 'input')
        world.live(journal, entry, journal.completed(`painted ${message.text}`));
    };
  }

  it('answers with the question; the next message of the session is the answer, and the same run goes on', async () => {
    painter();
    const asked = await client.chat.completions.create(inSession);
    expect(asked.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'Which colour?' } });
    expect(tutti(asked)).toMatchObject({ status: 'waiting', question: { text: 'Which colour?' } });
    const messages = [
      { role: 'system' as const, content: 'Be brief.' },
      ...chat.messages,
      { role: 'assistant' as const, content: 'Which colour?' },
      { role: 'user' as const, content: 'blue' },
    ];
    const done = await client.chat.completions.create({ ...inSession, messages });
    expect(done.id).toBe(asked.id);
    expect(done.choices[0]!.message.content).toBe('painted blue');
    // The user's words alone: what the application tells models is no answer.
    expect(inputs().map(({ text }) => text)).toEqual(['blue']);
    expect(starts()).toHaveLength(1);
    expect(starts()[0]!.start.onQuestion).toBeUndefined();
  });

  it('does the same when it is streamed', async () => {
    painter();
    const collect = async (request: object) => {
      const stream = await client.chat.completions.create({ ...request, stream: true } as never as typeof inSession & {
        stream: true;
      });
      const chunks: OpenAI.ChatCompletionChunk[] = [];
      for await (const chunk of stream) chunks.push(chunk);
      return { last: chunks.at(-1)!, text: chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('') };
    };
    const asked = await collect(inSession);
    expect(asked.text).toBe('Which colour?');
    expect(asked.last.choices[0]!.finish_reason).toBe('stop');
    expect(tutti(asked.last)).toMatchObject({ status: 'waiting' });
    const done = await collect(says('green'));
    expect(done.text).toBe('painted green');
    expect(done.last.id).toBe(asked.last.id);
  });

  it('asks again where the run asks again, also where both questions were open at once', async () => {
    world.onInbound = (message) => {
      if (message.type === 'start') {
        const journal = world.add(new Journal(message.run, message.session, { start: message.start }));
        journal.asks('Which colour?');
        journal.asks('How many coats?');
        world.live(journal, ...journal.entries);
      }
      const journal = message.type === 'input' ? world.journals.get(message.run) : undefined;
      const entry = message.type === 'input' && journal?.takes(message);
      if (!journal || !entry) return;
      world.live(journal, entry);
      if (journal.openQuestions().length === 0) world.live(journal, journal.completed('painted'));
    };
    const contents = [];
    for (const text of ['Paint it', 'blue', '2'])
      contents.push((await client.chat.completions.create(says(text))).choices[0]!.message.content);
    expect(contents).toEqual(['Which colour?', 'How many coats?', 'painted']);
    expect(starts()).toHaveLength(1);
  });

  it('starts a run where the question was settled otherwise meanwhile', async () => {
    painter();
    await client.chat.completions.create(inSession);
    const play = world.onInbound;
    world.onInbound = (message) => {
      // Somebody else was first.
      if (message.type === 'input' && message.text === 'blue') play({ ...message, text: 'red' });
      else play(message);
    };
    const next = await client.chat.completions.create(says('blue'));
    expect(starts().map(({ start }) => start.input)).toEqual(['Paint it', 'blue']);
    expect(next.choices[0]!.message.content).toBe('Which colour?');
  });

  it('starts a run in another session, and without one the question is the answer', async () => {
    painter();
    await client.chat.completions.create(inSession);
    await client.chat.completions.create(says('hello', { metadata: { session: 'elsewhere' } }));
    expect(starts()).toHaveLength(2);
    expect(inputs()).toEqual([]);
    world.onInbound = (message) => {
      if (message.type !== 'start') return;
      expect(message.start.onQuestion).toBe('end');
      const journal = world.add(new Journal(message.run, message.session, { start: message.start }));
      world.live(journal, ...journal.entries, journal.completed('Which colour?'));
    };
    expect((await client.chat.completions.create(chat)).choices[0]!.message.content).toBe('Which colour?');
  });

  it('finds the question with memory while its owner is away', async () => {
    painter();
    await client.chat.completions.create(inSession);
    world.owner.silent = true;
    const done = await client.chat.completions.create(says('blue'));
    expect(done.choices[0]!.message.content).toBe('painted blue');
    expect(starts()).toHaveLength(1);
  });

  it('takes an answer with an Idempotency-Key once, and answers a repeat of it alike', async () => {
    painter();
    const first = await client.chat.completions.create(inSession, { headers: { 'idempotency-key': 'k-ask' } });
    const asked = await client.chat.completions.create(inSession, { headers: { 'idempotency-key': 'k-ask' } });
    expect([asked.id, asked.choices[0]!.message.content]).toEqual([first.id, 'Which colour?']);
    const headers = { 'idempotency-key': 'k-answer' };
    for (let i = 0; i < 2; i++) {
      const done = await client.chat.completions.create(says('blue'), { headers });
      expect([done.id, done.choices[0]!.message.content]).toEqual([first.id, 'painted blue']);
    }
    // The same words under another key are another message.
    await client.chat.completions.create(says('blue'), { headers: { 'idempotency-key': 'k-more' } });
    expect(inputs()).toHaveLength(1);
    expect(starts()).toHaveLength(2);
    expect(starts()[1]!.session).toBe(sessionIdFor('default', 'painting'));
  });

  it('does not wait for ever for somebody to take the answer in', async () => {
    const { url: hasty } = await world.gateway({ TUTTI_CHAT_WAIT_MS: '300' });
    const session = sessionIdFor('default', 'painting');
    asking('Which colour?', session);
    const late = await api(`${hasty}/v1/chat/completions`, 'POST', says('blue'));
    expect(late).toMatchObject({ status: 504, body: { error: { message: expect.stringContaining('is stored') } } });
    expect(late.headers.get('x-should-retry')).toBe('false');
    await until('the answer', () => inputs().length === 1);
    expect(starts()).toEqual([]);
  });

  it('an overloaded run may be tried again', async () => {
    world.onInbound = (message) => {
      if (message.type !== 'start') return;
      const journal = world.add(new Journal(message.run, message.session, { start: message.start }));
      const error = { code: 'overloaded' as const, message: 'too many wait', retryable: true, retryAfterMs: 2_000 };
      journal.status = 'failed';
      world.live(journal, ...journal.entries, journal.add({ type: 'run.failed', error, output: '', usage: NO_USAGE }));
    };
    const refused = await api(`${url}/v1/chat/completions`, 'POST', chat);
    expect(refused).toMatchObject({ status: 429, body: { error: { code: 'overloaded', retryable: true } } });
    expect(refused.headers.get('retry-after')).toBe('2');
    expect(refused.headers.get('x-should-retry')).toBe('true');
    const [{ run }] = starts() as [Start];
    expect((await api(`${url}/v1/runs/${run}`)).body.error).toMatchObject({ code: 'overloaded', retryAfterMs: 2_000 });
  });
});
