/** Compensation: what a run that ends early offers to undo, and what a run that undoes makes of it. */
import { derivedCallId, type ToolDefinition, type UndoOffer } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { again } from './test-kit/forks.ts';
import { approvalRequired, done, runId, sessionId, tool } from './test-kit/parts.ts';
import { Spec, type SpecOptions } from './test-kit/spec.ts';

const book: ToolDefinition = {
  ...tool('book', 'irreversible'),
  undo: 'cancel',
  undoWith: { id: '$result.booking.id', why: 'undone', key: '$idempotencyKey', seat: '$arguments.seat' },
};
const TOOLS = [tool('look'), book, tool('cancel', 'keyed'), { ...tool('mail', 'irreversible'), undo: 'recall' }];
const booked = (id: number) => done(JSON.stringify({ booking: { id } }), { effect: 'irreversible' });

function acting(options: SpecOptions = {}) {
  const spec = new Spec({ a: {} }, { tools: TOOLS, ...options });
  const run = spec.start('a');
  spec.gather(run).model(run, null, ['book', { seat: '1A' }], ['look', {}], ['book', { seat: '2B' }]);
  const [first, second] = spec.open(run).filter(({ step }) => step.kind === 'execute' && step.call.name === 'book');
  const cancel = () => spec.tell(run, { type: 'cancel', by: 'kim', reason: 'no' });
  const offers = () => (spec.end(run) as { undo?: UndoOffer[] }).undo;
  return { spec, run, first: first!.callId, second: second!.callId, cancel, offers };
}

describe('a run that ends early', () => {
  test('offers to undo what it did, the newest first, and what it does not know of as uncertain', () => {
    const { spec, run, first, second, cancel, offers } = acting();
    spec.result(run, first, booked(1));
    spec.does(run, 'look');
    cancel();
    expect(offers()).toEqual([
      { callId: second, tool: 'book', undo: 'cancel', arguments: null, uncertain: true },
      {
        callId: first,
        tool: 'book',
        undo: 'cancel',
        arguments: { id: 1, why: 'undone', key: first, seat: '1A' },
      },
    ]);
    expect(spec.entries(run, 'run.cancelled')[0]!.undo).toEqual(offers());
  });
  test('offers nothing for what was refused, what is pure, and what it has undone itself', () => {
    const { spec, run, first, second, cancel, offers } = acting();
    spec.result(run, first, booked(1));
    spec.result(run, second, done('HTTP 422', { isError: true, effect: 'irreversible' }));
    spec.does(run, 'look');
    spec.model(run, null, ['cancel', { id: 1, why: 'undone', key: first, seat: '1A' }]);
    spec.does(run, 'cancel', done('{}', { effect: 'keyed' }));
    cancel();
    expect(offers()).toBeUndefined();
  });
  test('says that something has to be undone by hand where the bundle does not say how', () => {
    const spec = new Spec({ a: { limits: { modelCallsMax: 1 } } }, { tools: TOOLS });
    const run = spec.start('a');
    spec.gather(run).model(run, null, ['mail', {}]);
    const { callId } = spec.call(run, 'mail');
    spec.does(run, 'mail', done('{}', { effect: 'irreversible' }));
    expect(spec.status(run)).toBe('failed');
    expect(spec.entries(run, 'run.failed')[0]!.undo).toEqual([
      { callId, tool: 'mail', undo: 'recall', arguments: null },
    ]);
  });
  test('offers what a human was asked about because it may have happened, not what waits for its first yes', () => {
    const { spec, run, first, second, cancel, offers } = acting();
    spec.result(run, first, approvalRequired({ policy: 'tutti.effect-unknown' }));
    spec.result(run, second, approvalRequired());
    cancel();
    expect(offers()).toMatchObject([{ callId: first, uncertain: true }]);
  });
  test.each([
    'it is not known whether book took effect',
    'an attempt at book may have taken effect, and its arguments do not fit the tool any more',
  ])('ends when nobody can tell whether a call happened (%s), offers it as uncertain, and bars it', (message) => {
    const { spec, run, first, second, offers } = acting();
    spec.does(run, 'look');
    spec.result(run, second, booked(2));
    const error = { code: 'effect_unknown', message, retryable: false };
    const { forgotten } = spec.take({ kind: 'result', run, callId: first, outcome: { ok: false, error } } as never);
    expect(spec.end(run)).toMatchObject({ status: 'failed', error: { code: 'effect_unknown' } });
    expect(offers()).toMatchObject([
      { callId: first, uncertain: true },
      { callId: second, tool: 'book' },
    ]);
    expect(spec.entries(run, 'step.failed')).toEqual([]);
    expect(forgotten).toMatchObject([{ callId: first, bar: expect.any(String) }]);
    expect(
      again(
        spec,
        spec.log.filter((entry) => entry.run === run),
      ),
    ).toEqual({ verdict: 'same' });
  });
  test('that completes offers nothing', () => {
    const { spec, run, first, second, offers } = acting();
    spec.result(run, first, booked(1));
    spec.result(run, second, booked(2));
    spec.does(run, 'look');
    spec.model(run, 'done');
    spec.remember(run);
    expect(spec.status(run)).toBe('completed');
    expect(offers()).toBeUndefined();
  });
});

describe('a run that undoes', () => {
  const of = runId(sessionId(90), 91);
  const offer = (n: number): UndoOffer => ({ callId: `call_${n}`, tool: 'book', undo: 'cancel', arguments: { id: n } });
  const undoing = () => {
    const spec = new Spec({ a: {} }, { tools: TOOLS });
    const run = spec.start('a', { undo: { run: of, offers: [offer(2), offer(1)] } });
    return { spec, run };
  };
  const idOf = (n: number) => derivedCallId(of, `undo\ncall_${n}`);

  test('asks no model and no memory; makes one call after the other, each under an id of the effect', () => {
    const { spec, run } = undoing();
    expect(spec.open(run).map(({ callId, step }) => [callId, step])).toEqual([
      [idOf(2), { kind: 'execute', call: { id: idOf(2), name: 'cancel', arguments: { id: 2 } } }],
    ]);
    spec.does(run, 'cancel');
    expect(spec.open(run).map(({ callId }) => callId)).toEqual([idOf(1)]);
    spec.does(run, 'cancel');
    expect(spec.end(run)).toMatchObject({ status: 'completed', output: 'Undone: book (by cancel), book (by cancel).' });
  });
  test('waits for a human where a policy wants one', () => {
    const { spec, run } = undoing();
    spec.does(run, 'cancel', approvalRequired());
    expect(spec.active(run).status).toBe('waiting');
    const { approval } = spec.entries(run, 'approval.requested')[0]!;
    spec.tell(run, { type: 'approve', approval: approval.id, decision: 'approve', by: 'kim' });
    spec.does(run, 'cancel');
    spec.does(run, 'cancel');
    expect(spec.status(run)).toBe('completed');
  });
  test('goes on where one cannot be undone, and fails in the end', () => {
    const { spec, run } = undoing();
    spec.does(run, 'cancel', done('HTTP 409: too late', { isError: true }));
    spec.does(run, 'cancel');
    expect(spec.end(run)).toMatchObject({
      status: 'failed',
      error: { code: 'tool_failed', message: `1 of 2 effects of ${of} were not undone` },
    });
    expect((spec.end(run) as { undo?: unknown }).undo).toBeUndefined();
  });
  test('goes on with another owner', () => {
    const { spec, run } = undoing();
    spec.does(run, 'cancel');
    spec.takeOver('checkpoint');
    expect(spec.open(run).map(({ callId }) => callId)).toEqual([idOf(1)]);
    spec.does(run, 'cancel');
    expect(spec.status(run)).toBe('completed');
  });
});
