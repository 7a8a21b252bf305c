/** A message that comes while its session is busy. */
import { newSessionId } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { Spec } from './test-kit/spec.ts';

describe('a session that is busy', () => {
  const busy = (whenBusy?: 'queue' | 'reject' | 'interrupt' | 'parallel') => {
    const spec = new Spec({ a: { strategy: 'direct', tools: [] } });
    const session = newSessionId();
    const first = spec.start('a', { session, input: 'first' });
    const second = spec.start('a', { session, input: 'second', ...(whenBusy ? { whenBusy } : {}) });
    return { spec, session, first, second };
  };
  const finish = (spec: Spec, run: string) => {
    spec.gather(run).model(run, 'ok');
    spec.remember(run);
  };

  test('queue: one after the other, in order', () => {
    const { spec, session, first, second } = busy();
    const third = spec.start('a', { session });
    expect([second, third].map((run) => spec.state.runs.get(run)!.status)).toEqual(['queued', 'queued']);
    finish(spec, first);
    expect(spec.active(second).status).toBe('running');
    spec.tell(third, { type: 'cancel', by: 'ann', reason: '' });
    finish(spec, second);
    expect(spec.end(third).status).toBe('cancelled');
    expect(spec.state.sessions.size).toBe(0);
  });
  test('reject', () => {
    const { spec, first, second } = busy('reject');
    expect(spec.end(second)).toMatchObject({ status: 'failed', error: { code: 'conflict' } });
    expect(spec.active(first).status).toBe('running');
  });
  test('interrupt: the one before is cancelled, and is part of the context', () => {
    const { spec, first, second } = busy('interrupt');
    expect(spec.end(first).status).toBe('cancelled');
    expect(spec.active(second).interrupted).toMatchObject([{ run: first, input: 'first' }]);
  });
  test('parallel', () => {
    const { spec, first, second } = busy('parallel');
    expect([spec.active(first).status, spec.active(second).status]).toEqual(['running', 'running']);
  });
});
