/** Which calls of a stopped agent still leave: those that may have happened, whose outcome only the tools service knows. */
import { systemClock } from '@tutti/runtime';
import { expect, test } from 'vitest';
import { Spec } from '../core/test-kit/spec.ts';
import { CallsUnderWay } from './calls-under-way.ts';

function stopped(more: (spec: Spec, run: string) => void = () => {}) {
  const spec = new Spec({ a: {} });
  const run = spec.start('a');
  spec.gather(run).gather(run).model(run, null, ['act', {}]);
  const { callId } = spec.call(run, 'act');
  more(spec, run);
  const sent: string[] = [];
  const said: unknown[] = [];
  const calls = new CallsUnderWay({
    state: spec.state,
    dispatch: {
      send: (request) => void sent.push(request.verb),
      forget() {},
      cancel() {},
      bar() {},
      holds: () => false,
      inFlight: 0,
      heldBack: 0,
    },
    clock: systemClock,
    now: () => spec.now + 3_600_000,
    bundle: () => spec.bundle,
    push: (input) => said.push(input),
    telemetry: { sent: () => undefined },
    stop: () => 'kim has stopped the agent "a"',
  });
  return { spec, run, callId, calls, sent, said };
}

const refused = [{ kind: 'result', outcome: { ok: false, error: { code: 'forbidden' } } }];

test('a call that was never sent is refused', () => {
  const { calls, run, callId, sent, said } = stopped();
  calls.send(run, callId);
  expect(sent).toEqual([]);
  expect(said).toMatchObject(refused);
});

test('one that a new owner sends again goes out: the tools service says what came of it', async () => {
  const { calls, run, callId, sent, said } = stopped();
  await calls.sendAgain([[run, [callId]]]);
  expect(sent).toEqual(['execute']);
  expect(said).toEqual([]);
});

test('so does one that is tried again', () => {
  const { calls, run, callId, sent } = stopped((spec, id) => spec.fail(id, 'timeout', true, 'execute'));
  calls.send(run, callId);
  expect(sent).toEqual(['execute']);
});

test('a model is asked no more, whoever asks', async () => {
  const { spec, run, calls, sent, said } = stopped((world, id) => world.does(id, 'act'));
  await calls.sendAgain([[run, spec.open(run).map(({ callId }) => callId)]]);
  expect(sent).toEqual([]);
  expect(said).toMatchObject(refused);
});
