/** A follower whose handler is slower than the stream. */
import { STREAMS, subjects } from '@tutti/contracts';
import { startTestNats, type TestNats } from '@tutti/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '../log.ts';
import { provision } from '../provision.ts';
import { connectNatsBus, type NatsBusInternals } from './nats-bus.ts';

let nats: TestNats;
const log = createLogger({}, { level: 'silent' });
beforeAll(async () => {
  nats = await startTestNats();
});
afterAll(() => nats.stop());

test('a handler that takes its time is not flooded: what is received and not handled stays bounded', async () => {
  const writer = await connectNatsBus({ url: nats.url, name: 'writer', log });
  await provision(writer, { partitions: 2, replicas: 1 });
  const size = 65_536;
  for (let i = 0; i < 40; i++)
    await Promise.all(
      Array.from({ length: 100 }, () => writer.append(subjects.inbound(0, 't', 's', 'r'), new Uint8Array(size))),
    );
  const reader = await connectNatsBus({ url: nats.url, name: 'reader', log });
  const { connection } = reader as unknown as NatsBusInternals;
  let release = () => {};
  const blocked = new Promise<void>((resolve) => {
    release = resolve;
  });
  const follower = await reader.follow(STREAMS.inbound.name, [subjects.inboundOf(0)], 1, () => blocked);
  const received: number[] = [];
  for (let i = 0; i < 6; i++) {
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    received.push(Math.round(connection.stats().inBytes / 1e6));
  }
  process.stderr.write(`received MB, every 2 s, nothing handled: ${received.join(' ')}\n`);
  follower.stop();
  release();
  await reader.close();
  await writer.close();
  expect(received.at(-1)! - received[0]!).toBeLessThan(10);
}, 60_000);
