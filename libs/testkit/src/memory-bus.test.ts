import { STREAMS, subjects } from '@tutti/contracts';
import { BusConflict, BusUnknown, type StoredMessage } from '@tutti/runtime';
import { describe, expect, test } from 'vitest';
import { busContract } from './bus-contract.ts';
import { MemoryServer, noFaults } from './memory-server.ts';
import { VirtualTime } from './virtual-clock.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

// The suite waits in real time: virtual time goes along with it.
busContract('memory', async () => {
  const time = new VirtualTime(1, Date.now());
  const server = new MemoryServer({ time });
  const startedAt = performance.now();
  let stopped = false;
  const keepUp = (async () => {
    while (!stopped) {
      await time.run(() => false, { until: performance.now() - startedAt });
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  return {
    connect: async (name) => server.connect(time.process(name)),
    async stop() {
      stopped = true;
      await keepUp;
    },
  };
});

function oneServer(seed = 7) {
  const time = new VirtualTime(seed);
  const server = new MemoryServer({ time, faults: { ...noFaults, latencyMs: () => time.random.between(0.1, 2) } });
  const connect = (name: string) => {
    const process = time.process(name);
    return { process, bus: server.connect(process) };
  };
  /** Runs until what was promised has come. */
  async function settled<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    promise.then(
      () => (over = true),
      () => (over = true),
    );
    const outcome = await time.run(() => over, { eventsMax: 10_000 });
    if (outcome !== 'done') throw new Error(`nothing came of it: ${outcome}`);
    return promise;
  }
  return { time, server, connect, settled };
}

const subject = subjects.log(0);

describe('a memory bus', () => {
  test('leaves an append whose answer is lost unknown, and stored', async () => {
    const { server, connect, settled } = oneServer();
    const { bus } = connect('a');
    server.faults = { ...server.faults, call: () => 'unanswered' };
    await expect(settled(bus.append(subject, bytes('x')))).rejects.toBeInstanceOf(BusUnknown);
    expect(server.stream(STREAMS.log.name).messages).toHaveLength(1);
    server.faults = noFaults;
    await expect(settled(bus.append(subject, bytes('y'), { expectedLastSubjectSequence: 0 }))).rejects.toBeInstanceOf(
      BusConflict,
    );
  });

  test('that was dropped fails what is under way as unknown, and followers go on where they were', async () => {
    const { time, server, connect, settled } = oneServer();
    const { bus } = connect('a');
    const other = connect('b').bus;
    const got: number[] = [];
    await settled(bus.follow(STREAMS.log.name, [subject], 1, (message) => void got.push(message.sequence)));
    await settled(other.append(subject, bytes('1')));
    const statuses: string[] = [];
    bus.onStatus((status) => statuses.push(status));
    const pending = bus.append(subjects.log(1), bytes('2'));
    server.drop([...server.connections][0]!, 1_000);
    await expect(settled(pending)).rejects.toBeInstanceOf(BusUnknown);
    await settled(other.append(subject, bytes('3')));
    await time.run(() => got.length === 2, { eventsMax: 10_000 });
    expect(got).toEqual([1, server.stream(STREAMS.log.name).last(subject)!.sequence]);
    expect(statuses).toEqual(['disconnected', 'connected']);
  });

  test('delivers in order however long each way takes, and behind a handler that waits', async () => {
    const { time, connect, settled } = oneServer();
    const { bus, process } = connect('a');
    const writer = connect('b').bus;
    const got: number[] = [];
    await settled(
      bus.follow(STREAMS.log.name, [subject], 1, async (message: StoredMessage) => {
        if (message.sequence % 3 === 0) await process.clock.sleep(5);
        got.push(message.sequence);
      }),
    );
    await settled(Promise.all(Array.from({ length: 50 }, (_, i) => writer.append(subject, bytes(String(i))))));
    await time.run(() => got.length === 50, { eventsMax: 10_000 });
    expect(got).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  });

  test('a process that has died does nothing any more, not even with what it waited for', async () => {
    const { time, server, connect, settled } = oneServer();
    const { bus, process } = connect('a');
    const went: string[] = [];
    void (async () => {
      await bus.append(subject, bytes('1'));
      went.push('on');
      await bus.append(subject, bytes('2'));
    })();
    process.clock.every(1, () => went.push('tick'));
    // What was sent before the end still arrives; its answer finds nobody.
    server.onStored = () => process.kill();
    await time.run(() => false, { until: 100 });
    expect(server.stream(STREAMS.log.name).messages).toHaveLength(1);
    expect(went.filter((item) => item === 'on')).toEqual([]);
    const ticks = went.length;
    await time.run(() => false, { until: 200 });
    expect(went).toHaveLength(ticks);
    await settled(connect('b').bus.append(subject, bytes('3')));
  });

  test('a process that was stopped finds everything that came meanwhile, in order', async () => {
    const { time, connect, settled } = oneServer();
    const { bus, process } = connect('a');
    const writer = connect('b').bus;
    const got: { sequence: number; at: number }[] = [];
    await settled(
      bus.follow(
        STREAMS.log.name,
        [subject],
        1,
        (message) => void got.push({ sequence: message.sequence, at: time.now }),
      ),
    );
    const before = time.now;
    process.freeze(10_000);
    for (let i = 0; i < 20; i++) await settled(writer.append(subject, bytes('x')));
    expect(got).toEqual([]);
    await time.run(() => got.length === 20, { eventsMax: 10_000 });
    expect(got.map((item) => item.sequence)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(got[0]!.at).toBeGreaterThan(before + 10_000);
  });
});

describe('virtual time', () => {
  test('brings the same with the same seed, and something else with another', async () => {
    const run = async (seed: number) => {
      const { time, connect } = oneServer(seed);
      const { bus } = connect('a');
      const other = connect('b').bus;
      void Promise.allSettled(
        Array.from({ length: 20 }, (_, i) => (i % 2 ? bus : other).append(subject, bytes(String(i)))),
      );
      await time.run(() => false);
      return time.trace;
    };
    expect(await run(3)).toBe(await run(3));
    expect(await run(3)).not.toBe(await run(4));
  });

  test('a clock that is set wrong shows it in what time it is, not in how long things take', async () => {
    const time = new VirtualTime(1);
    const process = time.process('a');
    const [wall, monotonic] = [process.clock.now(), process.clock.monotonic()];
    process.wallOffset = -3_600_000;
    await time.run(() => false, { until: 2_000 });
    expect(process.clock.now() - wall).toBe(2_000 - 3_600_000);
    expect(process.clock.monotonic() - monotonic).toBeCloseTo(2_000);
  });
});
