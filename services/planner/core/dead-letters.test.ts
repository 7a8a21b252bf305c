/** Steps that fail: tried again, given up, buried. */
import { LIMITS } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { Spec } from './test-kit/spec.ts';

describe('a step that keeps failing', () => {
  test('is tried again under its id, then is a dead letter that says where a fork begins', () => {
    const spec = new Spec({ a: { strategy: 'direct', tools: [] } });
    const run = spec.start('a');
    spec.gather(run);
    const { callId, n } = spec.open(run)[0]!;
    for (let i = 1; i < LIMITS.stepAttemptsMax; i++) {
      spec.fail(run, 'timeout', true);
      expect(spec.pass(20_000).toSend).toEqual([{ run, callId }]);
    }
    spec.fail(run, 'timeout', true);
    expect(spec.end(run)).toMatchObject({
      status: 'failed',
      error: { message: expect.stringContaining('asking a model') },
    });
    expect(spec.letters('dead:')).toMatchObject([{ letter: { kind: 'step', run, callId, version: n } }]);
  });

  test('one that can never work fails at once, and is no dead letter', () => {
    const spec = new Spec({ a: { strategy: 'direct', tools: [] } });
    const run = spec.start('a');
    spec.gather(run);
    spec.fail(run, 'internal', false);
    expect(spec.end(run).status).toBe('failed');
    expect(spec.letters('dead:')).toEqual([]);
  });
});
