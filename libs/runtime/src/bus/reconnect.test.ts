/** The bus around a reconnect: watches, timers that came due, the payload limit. */
import { BUCKETS, STREAMS, subjects } from '@tutti/contracts';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLogger } from '../log.ts';
import { provision } from '../provision.ts';
import { connectNatsBus } from './nats-bus.ts';

let nats: TestNats;
const log = createLogger({}, { level: 'silent' });
beforeAll(async () => {
  nats = await startTestNats();
});
afterAll(() => nats.stop());
const connectBus = (name: string) => connectNatsBus({ url: nats.url, name, log });

describe('bus', () => {
  test('a timer whose time is over fires at once', async () => {
    const bus = await connectBus('a');
    await provision(bus, { partitions: 2, replicas: 1 });
    let fired = false;
    await bus.follow(STREAMS.inbound.name, ['tutti.in.>'], 1, () => {
      fired = true;
    });
    await bus.append(subjects.timer(0, 'apr_1'), new Uint8Array([1]), {
      headers: {
        'Nats-Schedule': `@at ${new Date(Date.now() - 3_600_000).toISOString()}`,
        'Nats-Schedule-Target': subjects.inbound(0, 't', 's', 'r'),
      },
    });
    await until('the timer', () => fired, 5_000);
    await bus.close();
  });

  test('the largest payload is known while the connection is being made anew', async () => {
    const bus = await connectBus('a');
    const before = bus.payloadBytesMax;
    const seen = new Set<number>();
    const poll = setInterval(() => seen.add(bus.payloadBytesMax), 1);
    process.kill(nats.server.pid, 'SIGKILL');
    await until('the loss', () => !bus.connected, 5_000);
    await until('the return', () => bus.connected, 20_000);
    clearInterval(poll);
    await bus.close();
    expect([...seen]).toEqual([before]);
  }, 30_000);

  test('a watch sees changes again soon after the server was killed', async () => {
    const bus = await connectBus('a');
    const other = await connectBus('b');
    await provision(bus, { partitions: 2, replicas: 1 });
    const bucket = await bus.bucket(BUCKETS.leases);
    const seen = new Set<string>();
    const watch = await bucket.watch((key) => seen.add(key));
    await watch.ready;
    process.kill(nats.server.pid, 'SIGKILL');
    await until('the loss', () => !bus.connected, 5_000);
    await until('the return', () => bus.connected && other.connected, 20_000);
    const theirs = await other.bucket(BUCKETS.leases);
    await until('a put', () => theirs.put('after', new Uint8Array([1])), 10_000);
    const from = performance.now();
    await until('the watch', () => seen.has('after'), 100_000);
    const ms = Math.round(performance.now() - from);
    await bus.close();
    await other.close();
    expect(ms).toBeLessThan(3_000);
  }, 150_000);
});
