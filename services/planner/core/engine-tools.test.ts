/** Calls that the engine carries out itself: helpers, questions, sleeps. */
import { describe, expect, test } from 'vitest';
import { Spec } from './test-kit/spec.ts';

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
});
