/** Requests and results that no message holds, over the real bus. */
import { CLAIMS, LIMITS } from '@tutti/contracts';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectNatsBus } from './bus/nats-bus.ts';
import type { Bus } from './bus/port.ts';
import { createCaller } from './caller.ts';
import type { Caller } from './caller-port.ts';
import { createLogger } from './log.ts';
import { type StartedService, startService } from './service.ts';
import { defineService, type Handlers } from './service-types.ts';

const MESSAGE_BYTES = 131_072;
const log = createLogger({}, { level: 'silent' });
let nats: TestNats;
let bus: Bus;
let caller: Caller;
let memory: StartedService;
let next = 0;
const asked: { callId: string; chars: number }[] = [];
const turn = (chars: number) => ({
  run: 'run',
  session: 'ses',
  agent: 'helper',
  at: 1,
  input: 'ü'.repeat(chars),
  output: 'out',
  actions: [],
});

const handlers: Handlers = {
  async remember({ turn: { input } }, { item }) {
    asked.push({ callId: item.callId, chars: input.length });
    return { stored: true };
  },
  /** As many characters as the query says. */
  recall: async ({ query }) => ({ turns: [turn(Number(query))], summary: null, facts: [] }),
};

beforeAll(async () => {
  nats = await startTestNats({ maxPayloadBytes: MESSAGE_BYTES });
  const env = { NATS_URL: nats.url, TUTTI_DATA: nats.dataDir, TUTTI_LOG_LEVEL: 'silent' };
  const definition = defineService({ name: 'memory', config: z.object({}), start: async () => ({ handlers }) });
  memory = await startService(definition, { env });
  bus = await connectNatsBus({ url: nats.url, name: 'caller', log });
  caller = createCaller(bus, log);
});
afterAll(async () => {
  caller.close();
  await memory.stop();
  await bus.close();
  await nats.stop();
});

const options = () => ({ tenant: 'default', callId: `call_${String(next++).padStart(26, '0')}`, timeoutMs: 20_000 });
const remember = (chars: number) => caller.call('remember', { turn: turn(chars) }, options());
const recall = (chars: number) => caller.call('recall', { session: 's', query: String(chars), turnsMax: 1 }, options());
/** The store of claims as the server sees it: how many live objects it holds. */
async function claimsLeft(): Promise<number> {
  const question = new TextEncoder().encode(JSON.stringify({ subjects_filter: `$O.${CLAIMS.name}.C.>` }));
  const reply = await bus.request(`$JS.API.STREAM.INFO.OBJ_${CLAIMS.name}`, question, 2_000);
  return Object.keys(JSON.parse(new TextDecoder().decode(reply)).state.subjects ?? {}).length;
}

describe('what is larger than a message', () => {
  test('a request goes by reference, together with small ones of the same moment', async () => {
    const sizes = [10, MESSAGE_BYTES * 3, 20, MESSAGE_BYTES];
    await expect(Promise.all(sizes.map(remember))).resolves.toEqual(sizes.map(() => ({ stored: true })));
    expect(asked.map(({ chars }) => chars).sort((a, b) => a - b)).toEqual(sizes.toSorted((a, b) => a - b));
  });

  test('a result goes by reference', async () => {
    const [large, small] = await Promise.all([recall(MESSAGE_BYTES * 3), recall(5)]);
    expect(large.turns[0]?.input).toBe('ü'.repeat(MESSAGE_BYTES * 3));
    expect(small.turns[0]?.input).toBe('ü'.repeat(5));
  });

  test('nothing of it stays', async () => {
    await remember(MESSAGE_BYTES);
    await recall(MESSAGE_BYTES);
    await until('an empty store', async () => (await claimsLeft()) === 0);
  });

  test('a request that is cancelled while it is being stored leaves nothing and is not made', async () => {
    const { callId, ...rest } = options();
    caller.send('remember', { turn: turn(MESSAGE_BYTES * 2) }, { ...rest, callId }, () => {});
    // The next turn of the event loop finds that it is too large and begins to store it.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    caller.forget(callId, true);
    await remember(MESSAGE_BYTES);
    await until('an empty store', async () => (await claimsLeft()) === 0);
    expect(asked.some((request) => request.callId === callId)).toBe(false);
  });

  test('over payloadBytesMax there is a clear error, both ways', async () => {
    const tooMuch = LIMITS.payloadBytesMax / 2 + 1;
    await expect(remember(tooMuch)).rejects.toThrow(/the request to memory\.remember has \d+ bytes.*payloadBytesMax/);
    await expect(recall(tooMuch)).rejects.toThrow(/the answer of memory has \d+ bytes.*payloadBytesMax/);
  });
});
