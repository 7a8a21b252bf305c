/** A run about which nothing can be decided, because deciding throws: it ends, and nothing else is any the worse for it. */
import { newSessionId } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { Spec } from './test-kit/spec.ts';

describe('a run that makes the state machine throw', () => {
  /** An agent that cannot be looked at. */
  const poisoned = () => {
    const spec = new Spec({ good: { strategy: 'direct', tools: [] }, bad: { strategy: 'react', tools: ['*'] } });
    const breakIt = () => {
      Object.defineProperty(spec.bundle.agents, 'bad', {
        get() {
          throw new Error('it is poison');
        },
      });
    };
    return { spec, breakIt };
  };

  test('as it begins behind another of its session: the other is completed, and those behind it begin', () => {
    const { spec, breakIt } = poisoned();
    const session = newSessionId();
    const first = spec.start('good', { session });
    const bad = spec.start('bad', { session });
    const last = spec.start('good', { session });
    breakIt();
    spec.gather(first).model(first, 'ok');
    spec.remember(first);
    expect(spec.end(first).status).toBe('completed');
    expect(spec.last.faults).toMatchObject([{ run: bad }]);
    expect(spec.end(bad)).toMatchObject({ status: 'failed', error: { code: 'internal' } });
    expect(spec.active(last).status).toBe('running');
  });

  test('as it begins under another owner', () => {
    const { spec, breakIt } = poisoned();
    const session = newSessionId();
    const first = spec.start('good', { session });
    const bad = spec.start('bad', { session });
    spec.takeOver();
    breakIt();
    spec.tell(first, { type: 'cancel', by: 'ann', reason: '' });
    expect(spec.end(first).status).toBe('cancelled');
    expect(spec.end(bad)).toMatchObject({ status: 'failed', error: { code: 'internal' } });
  });

  test('as something comes due: the others that are due are acted upon', () => {
    const spec = new Spec({ a: { strategy: 'react', tools: ['sleep'] } });
    const [bad, good] = [spec.start('a'), spec.start('a')];
    for (const run of [bad, good]) {
      spec.gather(run);
      spec.model(run, null, ['sleep', { seconds: 5 }]);
    }
    const state = spec.active(bad);
    const { sleeping } = state;
    Object.defineProperty(state, 'sleeping', {
      configurable: true,
      get() {
        Object.defineProperty(state, 'sleeping', { value: sleeping, enumerable: true, writable: true });
        throw new Error('it is poison');
      },
    });
    expect(spec.pass(5_000).faults).toMatchObject([{ run: bad }]);
    expect(spec.end(bad)).toMatchObject({ status: 'failed', error: { code: 'internal' } });
    expect(spec.active(good).status).toBe('running');
  });
});
