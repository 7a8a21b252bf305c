/** What memory tells of how far it is: on a real nats-server, after what it depends on. */
import { BUCKETS } from '@tutti/contracts';
import { type Bus, connectNatsBus, createLogger, provision } from '@tutti/runtime';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tellPositions } from './positions.ts';

const log = createLogger({}, { level: 'silent' });
let nats: TestNats;
let bus: Bus;
beforeAll(async () => {
  nats = await startTestNats();
  bus = await connectNatsBus({ url: nats.url, name: 'test', log });
  await provision(bus, { partitions: 3, logStreams: 2, replicas: 1 });
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

async function told(partition: number): Promise<string | undefined> {
  const entry = await (await bus.bucket(BUCKETS.positions)).get(`memory.${partition}`);
  return entry ? new TextDecoder().decode(entry.value) : undefined;
}

test('each partition has the position of its stream, once that would survive a power loss', async () => {
  const positions: Record<string, number | null> = { TUTTI_LOG_0: null, TUTTI_LOG_1: 7 };
  let settled = 0;
  let refuse = true;
  const telling = tellPositions({
    bus,
    log,
    partitions: 3,
    logStreams: 2,
    everyMs: 10,
    position: (stream) => positions[stream] ?? null,
    async settle() {
      settled++;
      if (refuse) throw new Error('the disk is away');
    },
  });
  await until('it to try', () => settled > 3);
  expect(await told(1)).toBeUndefined();
  refuse = false;
  await until('it to tell', async () => (await told(1)) === '7');
  expect(await told(0)).toBeUndefined();
  positions.TUTTI_LOG_0 = 3;
  await until('both', async () => (await told(2)) === '3' && (await told(0)) === '3');
  // Nothing moves: nothing is written.
  const writes = settled;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(settled).toBe(writes);
  telling.stop();
});
