/** Machines whose clocks do not agree still work for each other: how long something may take is never a matter of what time it is. */
import { MemoryServer, VirtualTime } from '@tutti/testkit';
import { expect, test } from 'vitest';
import { createCaller } from './caller.ts';
import { createLogger } from './log.ts';
import { createReceiver } from './receiver.ts';

const HOUR_MS = 3_600_000;
const log = createLogger({}, { level: 'silent' });
const telemetry = { enabled: false, span: () => ({ traceparent: undefined, attributes() {}, event() {}, end() {} }) };

async function ask(offsets: { caller: number; receiver: number; jumpMs?: number }, takesMs: number, timeoutMs: number) {
  const time = new VirtualTime(1);
  const server = new MemoryServer({ time });
  const [one, other] = [time.process('planner'), time.process('memory')];
  one.wallOffset = offsets.caller;
  other.wallOffset = offsets.receiver;
  createReceiver({
    bus: server.connect(other),
    service: 'memory',
    handlers: {
      recall: async (_body, { signal }) => {
        other.wallOffset += offsets.jumpMs ?? 0;
        await other.clock.sleep(takesMs);
        signal.throwIfAborted();
        return { turns: [], summary: null, facts: ['done'] };
      },
    },
    inFlightMax: 10,
    telemetry,
    log,
    clock: other.clock,
  });
  const caller = createCaller(server.connect(one), log, one.clock);
  let outcome: unknown;
  await time.run(() => false, { until: 10 });
  const call = { callId: 'call_1', tenant: 'default', timeoutMs };
  caller.send('recall', { session: 's', query: 'q', turnsMax: 1 }, call, (result) => {
    outcome = result.ok ? result.body : result.error.code;
  });
  await time.run(() => outcome !== undefined, { until: 120_000 });
  return outcome;
}

const done = expect.objectContaining({ facts: ['done'] });

test('a caller whose clock is behind, or ahead, is answered', async () => {
  expect(await ask({ caller: -HOUR_MS, receiver: 0 }, 100, 5_000)).toEqual(done);
  expect(await ask({ caller: HOUR_MS, receiver: 0 }, 100, 5_000)).toEqual(done);
});

test('a clock that is set while the work is under way does not cut it short', async () => {
  expect(await ask({ caller: 0, receiver: 0, jumpMs: HOUR_MS }, 100, 5_000)).toEqual(done);
});

test('what takes too long still ends, whatever the clocks say', async () => {
  expect(await ask({ caller: HOUR_MS, receiver: -HOUR_MS }, 60_000, 5_000)).toBe('timeout');
});
