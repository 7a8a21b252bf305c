import { STREAMS, subjects } from '@tutti/contracts';
import { startTestNats, until } from '@tutti/testkit';
import { busContract } from '@tutti/testkit/bus-contract';
import { describe, expect, test } from 'vitest';
import { createLogger } from '../log.ts';
import { provision } from '../provision.ts';
import { connectNatsBus } from './nats-bus.ts';
import { BusUnknown } from './port.ts';

const log = createLogger({}, { level: 'silent' });
const bytes = (text: string) => new TextEncoder().encode(text);

busContract('nats-server', async () => {
  const nats = await startTestNats();
  const bus = await connectNatsBus({ url: nats.url, name: 'setup', log });
  await provision(bus, { replicas: 1 });
  await bus.close();
  return { connect: (name) => connectNatsBus({ url: nats.url, name, log }), stop: () => nats.stop() };
});

describe('when the server is killed', () => {
  test('followers go on where they were, and what was acknowledged is there', async () => {
    const nats = await startTestNats();
    const bus = await connectNatsBus({ url: nats.url, name: 'one', log });
    await provision(bus, { replicas: 1 });
    const subject = subjects.inbound(0, 't', 's', 'r');
    const acknowledged: number[] = [];
    const got: number[] = [];
    const follower = await bus.follow(
      STREAMS.inbound.name,
      [subjects.inboundOf(0)],
      1,
      (message) => void got.push(message.sequence),
    );
    let writing = true;
    const errors: unknown[] = [];
    const writer = (async () => {
      while (writing) {
        await bus.append(subject, bytes('x')).then(
          (sequence) => acknowledged.push(sequence),
          async (error) => {
            errors.push(error);
            await new Promise((resolve) => setTimeout(resolve, 50));
          },
        );
      }
    })();
    for (let kill = 0; kill < 2; kill++) {
      const before = acknowledged.length;
      await until('some writes', () => acknowledged.length > before + 200);
      process.kill(nats.server.pid, 'SIGKILL');
      await until('the connection to be lost', () => !bus.connected);
      await until('the connection to be back', () => bus.connected);
    }
    const before = acknowledged.length;
    await until('more writes', () => acknowledged.length > before + 200);
    writing = false;
    await writer;
    const last = acknowledged.at(-1)!;
    await until('the follower to have all', () => (got.at(-1) ?? 0) >= last);
    expect(errors.some((error) => error instanceof BusUnknown)).toBe(true);
    expect(got).toEqual(got.map((_, index) => index + 1));
    const seen = new Set(got);
    expect(acknowledged.filter((sequence) => !seen.has(sequence))).toEqual([]);
    follower.stop();
    await bus.close();
    await nats.stop();
  });
});
