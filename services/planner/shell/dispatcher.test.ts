/** The window of dispatch: what is held, when it shrinks, and how it finds out that there is room. */

import type { Caller } from '@tutti/runtime';
import { VirtualProcess, VirtualTime } from '@tutti/testkit';
import { expect, test } from 'vitest';
import { DISPATCH_LIMITS, Dispatcher } from './dispatcher.ts';

type Done = Parameters<Caller['send']>[3];

/** Workers that take so many calls at once and refuse the rest, and answer when told to. */
function setUp(capacity: number) {
  const time = new VirtualTime(1);
  const { clock } = new VirtualProcess(time, 'planner', 1);
  const open = new Map<string, Done>();
  let refused = 0;
  const caller = {
    send(_verb: string, _body: unknown, { callId }: { callId: string }, done: Done) {
      if (open.size < capacity) return void open.set(callId, done);
      refused++;
      clock.after(1, () => done({ ok: false, error: { code: 'overloaded', message: 'busy', retryable: true } }));
    },
    forget: (callId: string) => void open.delete(callId),
    cancel() {},
  } as unknown as Caller;
  const dispatcher = new Dispatcher(caller, clock);
  let answered = 0;
  const send = (count: number) => {
    for (let i = 0; i < count; i++) {
      const call = {
        callId: `call-${i}`,
        tenant: 't',
        run: 'r',
        root: 'r',
        session: 's',
        traceparent: undefined,
        timeoutMs: 1,
      };
      dispatcher.send({ verb: 'models', body: {} } as never, call, () => answered++);
    }
  };
  const answerAll = () => {
    for (const [callId, done] of [...open]) {
      open.delete(callId);
      done({ ok: true, body: {} as never });
    }
  };
  const run = (ms: number) => time.run(() => false, { until: time.now + ms });
  return { dispatcher, send, answerAll, run, open, counts: () => ({ answered, refused }) };
}

test('slow answers do not keep calls from workers that have room', async () => {
  const { send, run, open, counts } = setUp(10_000);
  send(10_000);
  expect(open.size).toBe(DISPATCH_LIMITS.windowStart);
  await run(10 * DISPATCH_LIMITS.widenEveryMs);
  expect(open.size).toBe(10_000);
  expect(counts().refused).toBe(0);
});

test('workers that have no room are not asked in vain again and again, and everything is answered in the end', async () => {
  const { send, answerAll, run, open, counts, dispatcher } = setUp(200);
  send(3_000);
  await run(60_000);
  expect(open.size).toBe(200);
  expect(dispatcher.heldBack + dispatcher.inFlight).toBe(3_000);
  // The first burst, and from then on a few now and then to see whether there is room.
  expect(counts().refused).toBeLessThan(3_000 + 60 * 200);
  for (let i = 0; i < 60; i++) {
    answerAll();
    await run(1_000);
  }
  expect(counts().answered).toBe(3_000);
});
