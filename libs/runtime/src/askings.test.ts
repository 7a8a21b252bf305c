/** One call asked for by two runs (a fork goes on with its original's calls), and calls that nobody wants any more. In virtual time. */
import { subjects } from '@tutti/contracts';
import { type MemoryBus, MemoryServer, noFaults, VirtualTime } from '@tutti/testkit';
import { describe, expect, test } from 'vitest';
import { createCaller } from './caller.ts';
import { createLogger } from './log.ts';
import { createReceiver } from './receiver.ts';

const log = createLogger({}, { level: 'silent' });
const telemetry = { enabled: false, span: () => ({ traceparent: undefined, attributes() {}, event() {}, end() {} }) };
const body = { session: 's', query: 'q', turnsMax: 1 };
const base = { callId: 'call_1', tenant: 'default', timeoutMs: 60_000 };

async function world(takesMs: number) {
  const time = new VirtualTime(1);
  const server = new MemoryServer({ time });
  const [planner, memory] = [time.process('planner'), time.process('memory')];
  const seen = { begun: 0, aborted: 0 };
  createReceiver({
    bus: server.connect(memory),
    service: 'memory',
    handlers: {
      recall: async (_body, { signal }) => {
        seen.begun++;
        await memory.clock.sleep(takesMs);
        if (signal.aborted) seen.aborted++;
        signal.throwIfAborted();
        return { turns: [], summary: null, facts: ['done'] };
      },
    },
    inFlightMax: 10,
    telemetry,
    log,
    clock: memory.clock,
  });
  const bus: MemoryBus = server.connect(planner);
  const caller = createCaller(bus, log, planner.clock);
  await time.run(() => false, { until: 10 });
  const outcomes: Record<string, string> = {};
  const ask = (run: string) =>
    caller.send('recall', body, { ...base, run }, (outcome) => {
      outcomes[run] = outcome.ok ? 'done' : outcome.error.code;
    });
  const pass = (ms: number) => time.run(() => false, { until: time.now + ms });
  return { time, server, planner, caller, ask, outcomes, pass, seen };
}

describe('a call that two runs ask for', () => {
  test('is worked on once, and both are told', async () => {
    const { ask, outcomes, pass, seen } = await world(100);
    ask('a');
    ask('b');
    await pass(1_000);
    expect(outcomes).toEqual({ a: 'done', b: 'done' });
    expect(seen.begun).toBe(1);
  });

  test('goes on when one of them gives it up, and ends when both do', async () => {
    const one = await world(2_000);
    one.ask('a');
    one.ask('b');
    await one.pass(100);
    one.caller.forget('call_1', true, 'b');
    await one.pass(5_000);
    expect(one.outcomes).toEqual({ a: 'done' });
    expect(one.seen.aborted).toBe(0);

    const both = await world(2_000);
    both.ask('a');
    both.ask('b');
    await both.pass(100);
    both.caller.forget('call_1', true, 'b');
    both.caller.cancel('call_1', 'a');
    await both.pass(5_000);
    expect(both.outcomes).toEqual({ a: 'cancelled' });
    expect(both.seen.aborted).toBe(1);
  });

  test('is under way already when the same run asks again', async () => {
    const { ask } = await world(100);
    ask('a');
    expect(() => ask('a')).toThrow(/under way/);
  });
});

test('work beside some that does not stop is joined when it is asked for again, also when the other is over', async () => {
  const { server, planner, pass, seen } = await world(60_000);
  const bus = server.connect(planner);
  const ask = (nonce: number) => {
    const item = {
      callId: 'call_1',
      nonce,
      tenant: 'default',
      run: 'a',
      session: 's',
      deadlineAt: 0,
      leftMs: 600_000,
      body,
    };
    const data = new TextEncoder().encode(JSON.stringify({ v: 1, items: [item] }));
    bus.publish(subjects.request('memory', 'recall'), data, { reply: 'answers' });
  };
  ask(1);
  await pass(100);
  const cancel = { v: 1, callIds: ['call_1'], run: 'a' };
  bus.publish(subjects.cancel('memory'), new TextEncoder().encode(JSON.stringify(cancel)));
  await pass(100);
  ask(2);
  await pass(100);
  expect(seen.begun).toBe(2);
  // the first one has had its time to stop
  await pass(5_000);
  ask(2);
  await pass(100);
  expect(seen.begun).toBe(2);
});

test('a call that was cancelled is not sent again, however silent it is', async () => {
  const { server, caller, ask, outcomes, pass, seen } = await world(100);
  // The request is lost on its way, and so is what it would have been told.
  server.faults = { ...noFaults, core: (subject) => ({ copies: subject.startsWith('tutti.svc.') ? 0 : 1, lateMs: 0 }) };
  ask('a');
  await pass(100);
  server.faults = noFaults;
  caller.cancel('call_1', 'a');
  await pass(30_000);
  expect(seen.begun).toBe(0);
  expect(outcomes).toEqual({ a: 'cancelled' });
});

test('a process that stood still waits for what has come meanwhile before it asks again', async () => {
  const { planner, ask, outcomes, pass, seen } = await world(100);
  ask('a');
  await pass(50);
  planner.freeze(20_000);
  await pass(30_000);
  expect(outcomes).toEqual({ a: 'done' });
  expect(seen.begun).toBe(1);
});
