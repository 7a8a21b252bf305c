/** Limits of a run: reaching one ends it, with the name of the limit and what was achieved. */
import { describe, expect, test } from 'vitest';
import { again } from './test-kit/forks.ts';
import { Spec } from './test-kit/spec.ts';

describe('limits', () => {
  const limited = (limits: object) => {
    const spec = new Spec({ a: { strategy: 'react', limits } });
    const run = spec.start('a');
    return { spec, run };
  };
  const turn = ({ spec, run }: ReturnType<typeof limited>) => {
    spec.model(run, null, ['look', {}]);
    if (spec.state.runs.get(run)!.status === 'running') spec.done(run, spec.open(run)[0]!.callId, 'seen');
  };

  test.each([
    ['modelCallsMax', { modelCallsMax: 1 }],
    ['tokensMax', { tokensMax: 20 }],
    ['costUsdMax', { costUsdMax: 0.01 }],
    ['stepsMax', { stepsMax: 4 }],
    ['journalEntriesMax', { journalEntriesMax: 16 }],
  ])('%s ends the run with its name and what was achieved', (name, limits) => {
    const world = limited(limits);
    world.spec.gather(world.run);
    for (let i = 0; i < 10 && world.spec.state.runs.get(world.run)?.status === 'running'; i++) turn(world);
    const end = world.spec.end(world.run);
    expect(end).toMatchObject({ status: 'failed', error: { code: 'limit_exceeded' } });
    expect(end.error!.message).toContain(name);
    expect(end.output).toContain('look: seen');
  });

  test('a journal that is full ends its run with whatever it is told next, and preflight knows that', () => {
    const waiting = (limits: object) => {
      const spec = new Spec({ a: { strategy: 'plan', limits } });
      const run = spec.start('a');
      spec.gather(run).plan(
        run,
        ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((id) => ({ id })),
      );
      return { spec, run, journal: () => spec.log.filter((entry) => entry.run === run) };
    };
    const journalEntriesMax = waiting({}).journal().length;
    const { spec, run, journal } = waiting({ journalEntriesMax });
    expect(spec.active(run).status).toBe('running');
    spec.tell(run, { type: 'child_waiting', child: spec.children(run)[0]!, version: 0, approvals: [] });
    expect(spec.end(run).error!.message).toContain(`journalEntriesMax (${journalEntriesMax})`);
    expect(again(spec, journal())).toEqual({ verdict: 'same' });
  });

  test('toolCallsMax counts calls that wait for their approval', () => {
    const { spec, run } = limited({ toolCallsMax: 1 });
    spec.gather(run).model(run, null, ['act', {}], ['look', {}]);
    expect(spec.end(run).error!.message).toContain('toolCallsMax');
  });

  test('wallTimeMs', () => {
    const { spec, run } = limited({ wallTimeMs: 5_000 });
    spec.pass(4_999);
    expect(spec.active(run).status).toBe('running');
    spec.pass(1);
    expect(spec.end(run).error!.message).toContain('wallTimeMs');
  });

  test('a request lowers what its agent allows, and raises nothing', () => {
    const spec = new Spec({ a: { limits: { modelCallsMax: 10, tokensMax: 100 } } });
    const run = spec.start('a', { limits: { modelCallsMax: 3, tokensMax: 1_000 } });
    expect(spec.active(run).limits).toMatchObject({ modelCallsMax: 3, tokensMax: 100 });
  });

  test('depthMax holds for all below the run that a user started', () => {
    const spec = new Spec({ a: { agents: ['b'], limits: { depthMax: 1 } }, b: { agents: ['c'] }, c: {} });
    const run = spec.start('a');
    spec.gather(run).model(run, null, ['delegate', { agent: 'b', task: 'x' }]);
    const [child] = spec.children(run);
    spec
      .mail()
      .gather(child!)
      .model(child!, null, ['delegate', { agent: 'c', task: 'y' }]);
    expect(spec.active(child!).actions.at(-1)).toMatchObject({
      isError: true,
      content: 'Not done: the run reached depthMax (1).',
    });
  });
});
