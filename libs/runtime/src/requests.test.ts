/** Callers and receivers when something is late, hangs or is closing. */
import { RequestBatch, subjects } from '@tutti/contracts';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectNatsBus } from './bus/nats-bus.ts';
import { createCaller } from './caller.ts';
import { createLogger } from './log.ts';
import { type StartedService, startService } from './service.ts';
import { defineService, type Handlers } from './service-types.ts';

let nats: TestNats;
let env: Record<string, string>;
const log = createLogger({}, { level: 'silent' });
beforeAll(async () => {
  nats = await startTestNats();
  env = { NATS_URL: nats.url, TUTTI_DATA: nats.dataDir, TUTTI_LOG_LEVEL: 'silent' };
});
afterAll(() => nats.stop());
const serve = (
  name: 'memory' | 'tools',
  handlers: Handlers,
  extra: Record<string, string> = {},
): Promise<StartedService> =>
  startService(defineService({ name, config: z.object({}), start: async () => ({ handlers }) }), {
    env: { ...env, ...extra },
  });
const empty = { turns: [], summary: null, facts: [] };
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

describe('requests', () => {
  test('a late answer to an earlier send of the same call is not taken for the answer to the new one', async () => {
    const bus = await connectNatsBus({ url: nats.url, name: 'planner', log });
    const worker = await connectNatsBus({ url: nats.url, name: 'tools', log });
    const caller = createCaller(bus, log);
    const replies: string[] = [];
    const items: { nonce: number }[] = [];
    worker.subscribe(subjects.request('tools', 'execute'), (message) => {
      replies.push(message.reply!);
      items.push(...RequestBatch.parse(JSON.parse(new TextDecoder().decode(message.data))).items);
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const callId = 'call_00000000000000000000000001';
    const send = (approval?: object) =>
      new Promise<{ ok: boolean; body?: { status: string } }>((resolve) =>
        caller.send(
          'execute',
          { bundle: 'b', agent: 'a', tool: 't', arguments: {}, ...(approval ? { approval } : {}) } as never,
          { callId, tenant: 'default', timeoutMs: 10_000 },
          (outcome) => resolve(outcome as never),
        ),
      );
    const asks = (nonce: number) =>
      json({
        v: 1,
        results: [
          {
            callId,
            nonce,
            ok: true,
            body: {
              status: 'approval_required',
              reason: 'r',
              policy: 'p',
              arguments: {},
              argumentsHash: 'h',
              effect: 'irreversible',
            },
          },
        ],
      });
    // Replica A stalls on the first send; the caller sends again (here: B's answer on the same inbox), a human approves.
    const first = send();
    await until('the first request', () => replies.length === 1);
    worker.publish(replies[0]!, asks(items[0]!.nonce));
    expect((await first).body?.status).toBe('approval_required');
    const second = send({ id: 'apr', argumentsHash: 'h', by: 'kim', at: 1 });
    await until('the second request', () => replies.length === 2);
    // A wakes up and answers what it was asked first. B makes the call.
    worker.publish(replies[0]!, asks(items[0]!.nonce));
    worker.publish(
      replies[1]!,
      json({
        v: 1,
        results: [
          {
            callId,
            nonce: items[1]!.nonce,
            ok: true,
            body: { status: 'done', content: 'booked', isError: false, effect: 'irreversible' },
          },
        ],
      }),
    );
    expect((await second).body?.status).toBe('done');
    caller.close();
    await bus.close();
    await worker.close();
  });

  test('a handler that hangs does not swallow the later tries of its call', async () => {
    let asked = 0;
    const memory = await serve(
      'memory',
      { recall: () => (asked++ === 0 ? new Promise(() => {}) : Promise.resolve(empty)) },
      { TUTTI_DRAIN_TIMEOUT_MS: '100' },
    );
    const bus = await connectNatsBus({ url: nats.url, name: 'caller', log });
    const caller = createCaller(bus, log);
    const call = () =>
      caller.call(
        'recall',
        { session: 's', query: 'q', turnsMax: 1 },
        { tenant: 'default', callId: 'call_00000000000000000000000002', timeoutMs: 700 },
      );
    await expect(call()).rejects.toThrow('in time');
    const again = await call().then(
      () => 'answered',
      (error: Error) => error.message,
    );
    caller.close();
    await bus.close();
    await memory.stop();
    expect({ again, asked }).toEqual({ again: 'answered', asked: 2 });
  });

  test('a handler that ends after the service has stopped does not crash the process', async () => {
    const crashes: string[] = [];
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => crashes.push(error.message));
    const memory = await serve(
      'memory',
      {
        recall: async () => {
          await new Promise((resolve) => setTimeout(resolve, 800));
          return empty;
        },
      },
      { TUTTI_DRAIN_TIMEOUT_MS: '100' },
    );
    const bus = await connectNatsBus({ url: nats.url, name: 'caller', log });
    const caller = createCaller(bus, log);
    void caller
      .call('recall', { session: 's', query: 'q', turnsMax: 1 }, { tenant: 'default', timeoutMs: 5_000 })
      .catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 200));
    await memory.stop();
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    caller.close();
    await bus.close();
    process.removeAllListeners('uncaughtException');
    for (const listener of before) process.on('uncaughtException', listener);
    expect(crashes).toEqual([]);
  });
});
