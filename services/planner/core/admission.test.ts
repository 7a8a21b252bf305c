/** Whose run begins next, and how many may be under way. */
import { LIMITS } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { Spec } from './test-kit/spec.ts';

describe('admission', () => {
  const counting = (admission: object) => new Spec({ a: { strategy: 'direct', tools: [] } }, admission);
  const running = (spec: Spec) => [...spec.state.runs.values()].filter((run) => run.status === 'running');

  test('a tenant with 10,000 queued runs does not delay another’s first', () => {
    const spec = counting({ activeRunsMax: 2, checked: false });
    for (let i = 0; i < 10_000; i++) spec.start('a', { tenant: 'many' });
    const one = spec.start('a', { tenant: 'few' });
    expect(running(spec)).toHaveLength(2);
    const next = running(spec)[0]!.id;
    spec.gather(next).model(next, 'ok');
    spec.remember(next);
    expect(spec.active(one).status).toBe('running');
  });

  test('a tenant has its own bound, and more than may wait is refused with when to come back', () => {
    const spec = counting({ tenantActiveRunsMax: 1, queuedRunsMax: 2 });
    const runs = Array.from({ length: 4 }, () => spec.start('a', { tenant: 'many' }));
    const other = spec.start('a', { tenant: 'few' });
    expect(running(spec).map(({ id }) => id)).toEqual([runs[0], other]);
    expect(spec.end(runs[3]!).error).toMatchObject({ code: 'overloaded', retryAfterMs: LIMITS.overloadedRetryMs });
  });

  test('a run that waits gives its place away', () => {
    const spec = new Spec({ a: { strategy: 'react', tools: ['*', 'sleep'] } }, { activeRunsMax: 1 });
    const first = spec.start('a');
    const second = spec.start('a');
    expect(spec.state.runs.get(second)!.status).toBe('queued');
    spec.gather(first).model(first, null, ['sleep', { seconds: 60 }]);
    expect(spec.active(second).status).toBe('running');
  });
});
