/** The small pure parts: keys, chat requests, what entries show. */
import { newRunId, newSessionId, type RunEntry, RunLimits } from '@tutti/contracts';
import { describe, expect, it } from 'vitest';
import { Journal } from '../testing/entries.ts';
import { ApiKeys, identify } from './api-keys.ts';
import { ChatCompletionRequest, readChat } from './chat-request.ts';
import { EntryViews, publicEntry } from './public-entry.ts';

describe('API keys', () => {
  it('tells callers apart by key, and keeps no key as text', () => {
    const keys = ApiKeys.parse('first-key:acme:ann, second-key:umbrella');
    expect(JSON.stringify(keys)).not.toContain('first-key');
    const known = new Map(keys.map((key) => [key.keyHash, key]));
    expect(identify(known, 'Bearer first-key')).toMatchObject({ tenant: 'acme', principal: { id: 'ann' } });
    expect(identify(known, 'bearer second-key')).toMatchObject({ tenant: 'umbrella', principal: { id: 'api' } });
    for (const wrong of [undefined, 'first-key', 'Bearer first-ke', 'Bearer ', 'Basic first-key'])
      expect(identify(known, wrong)).toBeUndefined();
  });

  it('reads the roles that policies ask for', () => {
    const [ann, bob] = ApiKeys.parse('first-key:acme:ann[lead+finance],second-key:acme:bob');
    expect(ann!.principal).toEqual({ id: 'ann', roles: ['lead', 'finance'] });
    expect(bob!.principal).toEqual({ id: 'bob', roles: [] });
    for (const wrong of ['[', 'ann[', 'ann[]', 'ann[lead]x', 'ann[+]'])
      expect(ApiKeys.safeParse(`first-key:acme:${wrong}`).success).toBe(false);
  });

  it.each(['no-tenant-here', 'short:acme', 'long-enough:Not A Tenant', 'long-enough:acme:ann:more'])(
    'refuses %s without repeating the key',
    (text) => {
      const parsed = ApiKeys.safeParse(text);
      expect(parsed.success).toBe(false);
      expect(parsed.error!.message).not.toContain(text.split(':')[0]);
    },
  );
});

describe('chat requests', () => {
  const read = (messages: unknown[], more = {}) =>
    readChat(ChatCompletionRequest.parse({ model: 'guide', messages, ...more }));

  it('takes the last user message as the input and the rest as history', () => {
    const chat = read([
      { role: 'user', content: 'one' },
      { role: 'assistant', content: null, tool_calls: [{ id: 'x' }] },
      { role: 'tool', tool_call_id: 'x', content: 'raw' },
      { role: 'assistant', content: 'first answer' },
      { role: 'user', content: [{ type: 'text', text: 'two' }] },
      { role: 'user', content: 'and three' },
    ]);
    expect(chat.input).toBe('two\n\nand three');
    expect(chat.history).toEqual([{ input: 'one', output: 'first answer' }]);
  });

  it('puts an application’s instructions before the input', () => {
    const chat = read([
      { role: 'system', content: 'Answer in French.' },
      { role: 'user', content: 'hello' },
    ]);
    expect(chat.input).toBe('Instructions from the application:\nAnswer in French.\n\nhello');
  });

  it('names what it does not use', () => {
    expect(read([{ role: 'user', content: 'x' }], { temperature: 0.2, user: 'u', seed: null }).ignored).toEqual([
      'temperature',
    ]);
  });

  it.each([
    ['messages', [{ role: 'assistant', content: 'x' }], {}],
    ['messages', [{ role: 'user', content: ' ' }], {}],
    ['messages.0.content', [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }], {}],
    ['messages.0.role', [{ role: 'robot', content: 'x' }], {}],
    ['n', [{ role: 'user', content: 'x' }], { n: 2 }],
    ['tools', [{ role: 'user', content: 'x' }], { tools: [{ type: 'function' }] }],
    ['response_format', [{ role: 'user', content: 'x' }], { response_format: { type: 'json_object' } }],
  ])('refuses what it cannot do: %s', (param, messages, more) => {
    expect(() => read(messages, more)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
  });
});

describe('public entries', () => {
  const session = newSessionId();

  it('show how long a step took, and no recalled or instructing text', () => {
    const journal = new Journal(newRunId(session), session, { start: { brief: null } });
    journal.requested('1');
    journal.answered('1', 'Hi');
    journal.add({
      type: 'step.completed',
      callId: journal.callId('recall'),
      result: { kind: 'recall', recall: { turns: [], summary: 'SECRET SUMMARY', facts: ['SECRET FACT'] } },
    });
    const views = new EntryViews();
    const shown = journal.entries.map((entry) => views.view(entry));
    expect(shown[2]).toMatchObject({ type: 'step.completed', durationMs: 10, content: 'Hi', model: 'offline' });
    expect(shown[3]).toMatchObject({ kind: 'recall', turns: 0, facts: 1, summary: true });
    expect(JSON.stringify(shown)).not.toContain('SECRET');
  });

  it('do not count the time that a human took as the call’s', () => {
    const head = { run: newRunId(session), n: 1 };
    const callId = 'call_00000000000000000000000001';
    const action = { callId, tool: 'book', arguments: {}, content: '{}', isError: false, effect: 'irreversible' };
    const views = new EntryViews();
    const entries = [
      {
        ...head,
        at: 0,
        type: 'step.requested',
        callId,
        step: { kind: 'execute', call: { id: callId, name: 'book', arguments: {} } },
      },
      {
        ...head,
        at: 10,
        type: 'approval.requested',
        approval: { id: 'apr_1', callId, requestedAt: 10, expiresAt: 20 },
      },
      { ...head, at: 5_000, type: 'approval.decided', approval: 'apr_1', decision: 'approved', by: 'kim' },
      { ...head, at: 5_040, type: 'step.completed', callId, result: { kind: 'execute', action, replayed: false } },
    ] as RunEntry[];
    expect(entries.map((entry) => views.view(entry)).at(-1)).toMatchObject({ durationMs: 40 });
  });

  it('do not show a parent’s briefing of a child', () => {
    const entry: RunEntry = {
      type: 'run.accepted',
      run: newRunId(session),
      n: 1,
      at: 0,
      tenant: 'default',
      session,
      limits: RunLimits.parse({}),
      start: {
        ...new Journal(newRunId(session), session).start,
        brief: { goal: 'g', task: 't', tools: [], actions: [], notes: [{ task: 'x', output: 'SECRET NOTE' }] },
      },
    };
    expect(publicEntry(entry)).toMatchObject({ task: 't' });
    expect(JSON.stringify(publicEntry(entry))).not.toContain('SECRET');
  });
});
