/** Calls that the engine carries out itself: helpers, questions, sleeps. */
import { describe, expect, test } from 'vitest';
import { Spec } from './test-kit/spec.ts';
import { viewOf } from './view.ts';

describe('helpers', () => {
  const acting = () => {
    const spec = new Spec({
      a: { strategy: 'react', agents: ['b', 'c'], tools: ['*', 'ask_user', 'sleep'] },
      b: {},
      c: {},
    });
    const run = spec.start('a');
    spec.gather(run);
    return { spec, run };
  };

  test('several are asked at once, and their answers come back as the calls’ results', () => {
    const { spec, run } = acting();
    spec.model(run, null, ['delegate', { agent: 'b', task: 'x' }], ['delegate', { agent: 'c', task: 'y' }]);
    const [b, c] = spec.children(run);
    expect(spec.entries(run, 'child.started').map(({ kind, start }) => [kind, start.agent, start.input])).toEqual([
      ['call', 'b', 'x'],
      ['call', 'c', 'y'],
    ]);
    spec.childEnds(run, c!);
    spec.childEnds(run, b!);
    expect(spec.kinds(run)).toEqual(['complete']);
    expect(spec.active(run).actions.map(({ tool, isError }) => [tool, isError])).toEqual([
      ['delegate', false],
      ['delegate', false],
    ]);
  });

  test('whoever is handed the goal answers it', () => {
    const { spec, run } = acting();
    spec.model(run, null, ['hand_over', { agent: 'b', reason: 'knows better' }]);
    spec.childEnds(run, spec.children(run)[0]!, { output: 'the answer' });
    spec.remember(run);
    expect(spec.end(run)).toMatchObject({ status: 'completed', output: 'the answer', usage: { modelCalls: 2 } });
  });

  test('an agent that is not theirs, and calls without sense, are told to the model', () => {
    const { spec, run } = acting();
    spec.model(run, null, ['delegate', { agent: 'zed', task: 'x' }], ['sleep', {}], ['ask_user', { question: 7 }]);
    expect(spec.active(run).actions.map(({ isError }) => isError)).toEqual([true, true, true]);
    expect(spec.active(run).actions[0]!.content).toMatch(/zed.*b, c/);
    expect(spec.kinds(run)).toEqual(['complete']);
  });

  test('ask_user: the first answer counts; the model sees it', () => {
    const { spec, run } = acting();
    spec.model(run, null, ['ask_user', { question: 'Which?' }], ['look', {}]);
    const { id } = spec.entries(run, 'question.asked')[0]!.question;
    expect(spec.active(run).status).toBe('running');
    spec.done(run, spec.open(run)[0]!.callId);
    expect(spec.active(run).status).toBe('waiting');
    spec.tell(run, { type: 'input', question: id, text: 'the red one', by: 'ann' });
    spec.tell(run, { type: 'input', question: id, text: 'the blue one', by: 'ann' });
    expect(spec.entries(run, 'question.answered')).toHaveLength(1);
    expect(spec.active(run).actions.map(({ content }) => content)).toContain('the red one');
    expect(spec.kinds(run)).toEqual(['complete']);
  });

  test('an answer at the very moment of expiry is too late, and either way only one outcome is written', () => {
    const { spec, run } = acting();
    spec.model(run, null, ['ask_user', { question: 'Which?' }]);
    const { id, expiresAt } = spec.entries(run, 'question.asked')[0]!.question;
    spec.now = expiresAt;
    spec.tell(run, { type: 'input', question: id, text: 'late', by: 'ann' });
    expect(spec.entries(run, 'question.answered')).toEqual([]);
    spec.pass(0);
    expect(spec.entries(run, 'question.answered')).toMatchObject([{ outcome: 'expired' }]);
    expect(spec.active(run).actions.at(-1)).toMatchObject({ isError: true });
  });

  test('sleep: for seconds or until a moment, no longer than it may, without using up the run’s time', () => {
    const { spec, run } = acting();
    spec.model(
      run,
      null,
      ['sleep', { seconds: 3_600 }],
      ['sleep', { until: new Date(spec.now + 7_200_000).toISOString() }],
    );
    expect(spec.active(run).status).toBe('waiting');
    spec.pass(3_600_000);
    expect(spec.entries(run, 'sleep.ended')).toHaveLength(1);
    spec.pass(3_600_000);
    expect(spec.kinds(run)).toEqual(['complete']);
    expect(spec.active(run).waitedMs).toBe(7_200_000);
    spec.model(run, null, ['sleep', { seconds: 365 * 86_400 }]);
    expect(spec.active(run).actions.at(-1)).toMatchObject({
      isError: true,
      content: expect.stringContaining('sleepMaxMs'),
    });
  });

  test.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])(
    'an answer to the question "%s" that nobody asked is no answer',
    (question) => {
      for (const from of ['log', 'checkpoint'] as const) {
        const { spec, run } = acting();
        spec.model(run, null, ['ask_user', { question: 'Which?' }]);
        spec.takeOver(from).tell(run, { type: 'input', question, text: 'x', by: 'ann' });
        expect(spec.last.entries).toEqual([]);
      }
    },
  );

  test.each(['constructor', '__proto__'])('word of a child "%s" that is not there means nothing', (child) => {
    const { spec, run } = acting();
    spec.model(run, null, ['delegate', { agent: 'b', task: 'x' }]);
    const usage = { modelCalls: 1, toolCalls: 1, inputTokens: 5, outputTokens: 5, costUsd: 0.01 };
    const outcome = { child, callId: 'x', status: 'completed', output: '', actions: [], passages: [], usage };
    spec.tell(run, { type: 'child_ended', outcome });
    spec.tell(run, { type: 'child_waiting', child, version: 1_000, approvals: [] });
    spec.take({ kind: 'result', run, callId: child, outcome: { ok: true, body: {} } });
    expect(spec.last.entries).toEqual([]);
  });

  test('arguments of any shape are told to the model, and break nothing', () => {
    const { spec, run } = acting();
    const hostile = JSON.parse('{"toString": 1, "valueOf": 2, "__proto__": 3}');
    for (const given of [hostile, null, 7, [], { constructor: 1 }, 'x'.repeat(100_000)]) {
      const fields = ['agent', 'task', 'reason', 'question', 'seconds', 'until'];
      const all = Object.fromEntries(fields.map((field) => [field, given]));
      spec.model(run, null, ['delegate', all], ['hand_over', all], ['ask_user', all], ['sleep', all]);
      const refused = spec.entries(run, 'call.settled').slice(-3);
      expect(refused.every(({ action }) => action.isError)).toBe(true);
      for (const id of Object.keys(spec.active(run).sleeping)) expect(id).toBeDefined();
      if (spec.kinds(run).length === 0) spec.pass(86_400_000);
    }
  });

  test.each([
    ['2026-01-31T09:00:00+01:00', Date.UTC(2026, 0, 31, 8)],
    ['2026-01-31T09:00Z', Date.UTC(2026, 0, 31, 9)],
    // Whose nine o'clock? Another machine would sleep until another moment.
    ['2026-01-31T09:00:00', undefined],
    ['2026-01-31', undefined],
    ['31 January 2026 09:00', undefined],
    ['1', undefined],
    ['2026-99-99T99:99Z', undefined],
  ])('sleep until %s', (until, wakesAt) => {
    const { spec, run } = acting();
    spec.now = Date.UTC(2026, 0, 30);
    spec.model(run, null, ['sleep', { until }]);
    expect(spec.entries(run, 'sleep.started').map((entry) => entry.until)).toEqual(wakesAt ? [wakesAt] : []);
    if (!wakesAt) expect(spec.active(run).actions.at(-1)).toMatchObject({ isError: true });
  });

  test('sleep ends once, though it survives an owner and is written out; what is over already ends at once', () => {
    const { spec, run } = acting();
    spec.model(run, null, ['sleep', { seconds: 60 }], ['sleep', { until: new Date(0).toISOString() }]);
    expect(spec.pass(0).entries.map(({ type }) => type)).toEqual(['sleep.ended']);
    spec.takeOver('checkpoint');
    spec.park(run);
    expect(spec.status(run)).toBe('parked');
    spec.takeOver('log');
    expect(spec.pass(59_999).wanted).toEqual([]);
    expect(spec.pass(1).entries.map(({ type }) => type)).toEqual(['sleep.ended', 'step.requested']);
    expect(spec.pass(60_000).entries).toEqual([]);
  });

  test('whoever is handed the goal cites its own passages', () => {
    const spec = new Spec({ a: { agents: ['b'], knowledge: ['notes'] }, b: { knowledge: ['notes'] } });
    const run = spec.start('a');
    const passage = (id: string) => ({ id, document: id, title: id, text: `what ${id} says` });
    const gatherWith = (which: string, ...found: string[]) => {
      const search = spec.open(which).find(({ step }) => step.kind === 'search')!;
      spec.result(which, search.callId, { passages: found.map(passage) });
      spec.gather(which);
    };
    gatherWith(run, 'mine');
    spec.model(run, null, ['hand_over', { agent: 'b', reason: 'knows better' }]);
    const [child] = spec.children(run);
    spec.mail();
    gatherWith(child!, 'first', 'second');
    spec.model(child!, 'It is so [2].');
    spec.mail();
    spec.remember(run);
    expect(spec.end(run)).toMatchObject({ output: 'It is so [2].', citations: [{ n: 2, document: 'second' }] });
  });

  test('a question that a helper asks shows at the top, and its answer reaches the helper', () => {
    const { spec, run } = acting();
    spec.bundle.agents.b!.tools = ['ask_user'];
    spec.model(run, null, ['delegate', { agent: 'b', task: 'x' }]);
    const [child] = spec.children(run);
    spec
      .mail()
      .gather(child!)
      .model(child!, null, ['ask_user', { question: 'Which?' }]);
    spec.mail();
    expect(viewOf(spec.active(run))).toMatchObject({
      status: 'waiting',
      waitingFor: 'input',
      question: { text: 'Which?' },
    });
    const { question } = viewOf(spec.active(run));
    expect(question).toMatchObject({ run, waitingRun: child });
    spec.tell(question!.waitingRun, { type: 'input', question: question!.id, text: 'that one', by: 'ann' });
    spec.mail();
    expect(viewOf(spec.active(run))).toMatchObject({ status: 'running', waitingFor: null, question: null });
  });
});
