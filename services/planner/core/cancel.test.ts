/** Cancelling, at every moment of a run. */
import { newSessionId } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { Spec } from './test-kit/spec.ts';

describe('cancel', () => {
  test('reaches what is open and every child, and ends at once', () => {
    const spec = new Spec({ a: { strategy: 'react', agents: ['helper'] } });
    const run = spec.start('a');
    spec.gather(run).model(run, null, ['look', {}], ['delegate', { agent: 'helper', task: 'x' }]);
    const [child] = spec.children(run);
    const look = spec.open(run)[0]!.callId;
    spec.tell(run, { type: 'cancel', by: 'ann', reason: 'enough' });
    expect(spec.end(run).status).toBe('cancelled');
    expect(spec.last.forgotten.map(({ callId }) => callId)).toEqual([look]);
    expect(spec.letters(`cancel:${child}`)).toHaveLength(1);
  });

  test('what a call came to afterwards is written down, and changes nothing', () => {
    const spec = new Spec({ a: { strategy: 'react' } });
    const run = spec.start('a');
    spec.gather(run).model(run, null, ['act', {}]);
    const act = spec.open(run)[0]!.callId;
    spec.tell(run, { type: 'cancel', by: 'ann', reason: '' });
    spec.done(run, act, 'it happened');
    expect(spec.last.partitionEntries).toMatchObject([
      { type: 'result.late', run, callId: act, ok: true, content: 'it happened' },
    ]);
    expect(spec.last.entries).toEqual([]);
    spec.done(run, act, 'again');
    expect(spec.last.partitionEntries).toEqual([]);
  });

  test('that comes before the start keeps the run from beginning', () => {
    const spec = new Spec({ a: {} });
    const session = newSessionId();
    const run = session.replace('ses_', 'run_');
    spec.inbound({ v: 1, type: 'cancel', tenant: 'default', session, run, at: 1, by: 'ann', reason: '' });
    expect(spec.last.partitionEntries).toMatchObject([{ type: 'run.barred', run }]);
  });
});
