/** How agents go about goals: strategies, helpers, questions, sleeps, and plans that change. */
import { describe, expect, test } from 'vitest';
import { Spec } from './test-kit/spec.ts';

describe('direct', () => {
  test('asks a model once, remembers, and is done', () => {
    const spec = new Spec({ a: { strategy: 'direct', tools: [] } });
    const run = spec.start('a');
    spec.gather(run).model(run, 'hello');
    expect(spec.kinds(run)).toEqual(['remember']);
    spec.remember(run);
    expect(spec.end(run)).toMatchObject({ status: 'completed', output: 'hello', usage: { modelCalls: 1 } });
  });
});

describe('react', () => {
  const spec = new Spec({ a: { strategy: 'react' } });
  const run = spec.start('a');

  test('makes the calls of one turn at the same time, and goes on when all are back', () => {
    spec.gather(run).model(run, null, ['look', { at: 1 }], ['act', {}]);
    expect(spec.kinds(run)).toEqual(['look', 'act']);
    const [look, act] = spec.open(run);
    spec.done(run, act!.callId);
    expect(spec.kinds(run)).toEqual(['look']);
    spec.done(run, look!.callId);
    expect(spec.kinds(run)).toEqual(['complete']);
    spec.model(run, 'both');
    spec.remember(run);
    expect(spec.end(run).output).toBe('both');
  });
});

describe('auto', () => {
  const strategyOf = (input: string, agent = {}) => {
    const spec = new Spec({ a: { strategy: 'auto', ...agent } });
    return spec.entries(spec.start('a', { input }), 'run.started')[0]!;
  };
  test('is chosen for each goal, with the reason in the log', () => {
    expect(strategyOf('What is the ceiling?')).toMatchObject({ strategy: 'react', reason: 'one short question' });
    expect(strategyOf('Find a flight and then book it')).toMatchObject({ strategy: 'plan' });
    expect(strategyOf('Move it by a week').reason).toMatch(/done before/);
    expect(strategyOf('What is the ceiling?', { tools: [] })).toMatchObject({ strategy: 'direct' });
  });
});

describe('plan', () => {
  const planned = (tasks: { id: string; dependsOn?: string[]; agent?: string }[], limits = {}) => {
    const spec = new Spec({ a: { strategy: 'plan', agents: ['other'], limits }, other: { strategy: 'react' } });
    const run = spec.start('a');
    spec.gather(run).plan(run, tasks);
    return { spec, run };
  };

  test('independent tasks run at the same time, dependants after them, an answer at the end', () => {
    const { spec, run } = planned([{ id: 'a' }, { id: 'b' }, { id: 'c', dependsOn: ['a', 'b'] }]);
    const [a, b] = spec.children(run);
    expect(spec.children(run)).toHaveLength(2);
    spec.childEnds(run, a!);
    expect(spec.children(run)).toEqual([b]);
    spec.childEnds(run, b!);
    const [c] = spec.children(run);
    const started = spec.entries(run, 'child.started').at(-1)!;
    expect(started).toMatchObject({ task: 'c', child: c });
    expect(started.start.brief!.notes).toHaveLength(2);
    spec.childEnds(run, c!);
    expect(spec.kinds(run)).toEqual(['complete']);
    spec.model(run, 'all three');
    spec.remember(run);
    expect(spec.end(run)).toMatchObject({ output: 'all three', usage: { modelCalls: 5, toolCalls: 3 } });
  });

  test('children get shares of the limits, which together are never more than the whole', () => {
    const { spec, run } = planned([{ id: 'a' }, { id: 'b' }, { id: 'c' }], { modelCallsMax: 41, tokensMax: 1_000 });
    const shares = Object.values(spec.active(run).children).map(({ share }) => share);
    expect(shares.map(({ modelCalls }) => modelCalls)).toEqual([10, 10, 10]);
    expect(shares.reduce((sum, { tokens }) => sum + tokens, 0)).toBeLessThanOrEqual(1_000 - 20);
  });

  test('a task may be another agent’s, if the agent may ask it', () => {
    const { spec, run } = planned([{ id: 'a', agent: 'other' }]);
    expect(spec.entries(run, 'child.started')[0]!.start).toMatchObject({ agent: 'other', brief: { tools: ['*'] } });
    const { spec: refused, run: none } = planned([{ id: 'a', agent: 'stranger' }]);
    expect(refused.entries(none, 'plan.made')[0]!.plan.reason).toMatch(/stranger/);
  });

  test('a failed task skips its dependants and leads to another plan, until plansMax', () => {
    const { spec, run } = planned([{ id: 'a' }, { id: 'b', dependsOn: ['a'] }], { plansMax: 2 });
    const failed = { status: 'failed', error: { code: 'internal', message: 'broke', retryable: false } };
    spec.childEnds(run, spec.children(run)[0]!, failed);
    expect(spec.active(run).phase).toBe('plan');
    spec.plan(run, [{ id: 'a' }]);
    expect(spec.entries(run, 'plan.made').at(-1)).toMatchObject({ because: expect.stringContaining('broke') });
    const again = spec.children(run)[0]!;
    expect(new Set(spec.entries(run, 'child.started').map(({ child }) => child)).size).toBe(2);
    spec.childEnds(run, again, failed);
    // No third plan: it is answered from what there is.
    expect(spec.active(run).phase).toBe('answer');
  });

  test('what a task reports as a problem stops what was not begun, and leads to another plan', () => {
    const { spec, run } = planned([{ id: 'a' }, { id: 'b', dependsOn: ['a'] }]);
    spec.childEnds(run, spec.children(run)[0]!, { surprise: 'the hotel is closed' });
    expect(spec.children(run)).toEqual([]);
    expect(spec.active(run).phase).toBe('plan');
    spec.plan(run, []);
    expect(spec.entries(run, 'plan.made').at(-1)!.because).toMatch(/hotel is closed/);
    expect(spec.active(run).phase).toBe('answer');
  });

  test('a question waits for its answer, and the goal is planned again with it', () => {
    const spec = new Spec({ a: { strategy: 'plan' } });
    const run = spec.start('a');
    spec.gather(run).model(run, JSON.stringify({ reason: 'r', question: 'Where to?', tasks: [] }));
    const [question] = spec.entries(run, 'question.asked');
    expect(spec.active(run).status).toBe('waiting');
    spec.tell(run, { type: 'input', question: question!.question.id, text: 'Rome', by: 'ann' });
    expect(spec.active(run).thread.map((turn) => turn.content)).toEqual(['Where to?', 'Rome']);
    expect(spec.active(run).phase).toBe('plan');
  });

  test('a question that nobody answers ends the run, and says so', () => {
    const spec = new Spec({ a: { strategy: 'plan', limits: { questionTtlMs: 1_000 } } });
    const run = spec.start('a');
    spec.gather(run).model(run, JSON.stringify({ reason: 'r', question: 'Where to?', tasks: [] }));
    spec.pass(1_000);
    expect(spec.end(run)).toMatchObject({ status: 'failed', error: { code: 'timeout' } });
  });

  test('a question of another plan is answered before the goal is planned on, not instead of it', () => {
    const { spec, run } = planned([{ id: 'a' }]);
    spec.childEnds(run, spec.children(run)[0]!, { surprise: 'the hotel is closed' });
    spec.plan(run, [], 'Another hotel, or none?');
    expect(spec.active(run).status).toBe('waiting');
    const { id } = spec.entries(run, 'question.asked')[0]!.question;
    spec.tell(run, { type: 'input', question: id, text: 'The Ritz', by: 'ann' });
    expect(spec.story).toEqual(['question.answered answered', 'ask plan']);
    spec.plan(run, [{ id: 'b' }]);
    expect(spec.story).toEqual(['got plan', 'plan.made b', 'child.started b']);
    // The last plan that it may make: what is left is for a model with the tools in its hands.
    spec.childEnds(run, spec.children(run)[0]!);
    expect(spec.story).toEqual(['child.ended completed', 'ask answer']);
  });

  test('a question of the last plan is answered, then acted upon', () => {
    const { spec, run } = planned([{ id: 'a' }], { plansMax: 2 });
    spec.childEnds(run, spec.children(run)[0]!, { surprise: 'the hotel is closed' });
    spec.plan(run, [], 'Another hotel, or none?');
    const { id } = spec.entries(run, 'question.asked')[0]!.question;
    spec.tell(run, { type: 'input', question: id, text: 'The Ritz', by: 'ann' });
    expect(spec.story).toEqual(['question.answered answered', 'ask act']);
  });

  test.each([0, 1])('where nobody can be asked, the question of plan %i is the answer', (before) => {
    const spec = new Spec({ a: { strategy: 'plan' } });
    const run = spec.start('a', { onQuestion: 'end' });
    spec.gather(run);
    if (before > 0) {
      spec.plan(run, [{ id: 'a' }]);
      spec.childEnds(run, spec.children(run)[0]!, { surprise: 'the hotel is closed' });
    }
    spec.plan(run, [], 'Which hotel?');
    expect(spec.story).toEqual(['got plan', 'plan.made question', 'ask remember']);
    spec.remember(run);
    expect(spec.end(run)).toMatchObject({ status: 'completed', output: 'Which hotel?' });
  });
});
