/** What is chosen once for a bus. */
import { logStreams, STREAMS, subjects } from '@tutti/contracts';
import { startTestNats, type TestNats } from '@tutti/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectNatsBus } from './bus/nats-bus.ts';
import type { Bus } from './bus/port.ts';
import { createLogger } from './log.ts';
import { provision } from './provision.ts';
import { checkSettings, readPartitions, readSettings } from './settings.ts';

let nats: TestNats;
let bus: Bus;
beforeEach(async () => {
  nats = await startTestNats();
  bus = await connectNatsBus({ url: nats.url, name: 'one', log: createLogger({}, { level: 'silent' }) });
});
afterEach(async () => {
  await bus.close();
  await nats.stop();
});

test('provisioning is idempotent, and refuses another number of partitions', async () => {
  const eight = () => provision(bus, { replicas: 1, partitions: 8 });
  expect(await Promise.all([eight(), eight()])).toEqual([8, 8]);
  expect(await provision(bus, { replicas: 1 })).toBe(8);
  expect(await readPartitions(bus)).toBe(8);
  await expect(provision(bus, { replicas: 1, partitions: 16 })).rejects.toThrow(/8 partitions.*TUTTI_PARTITIONS=8/s);
  await expect(provision(bus, { replicas: 1, partitions: 0.5 })).rejects.toThrow(/TUTTI_PARTITIONS/);
});

describe('logs over several streams', () => {
  test('each partition has its own subject in one of them, and no stream takes two', async () => {
    const three = () => provision(bus, { replicas: 1, partitions: 4, logStreams: 3 });
    await Promise.all([three(), three()]);
    await three();
    for (let partition = 0; partition < 4; partition++) {
      await bus.append(subjects.log(partition), new Uint8Array([1]));
      expect(await bus.last(`TUTTI_LOG_${partition % 3}`, '>')).toMatchObject({ subject: subjects.log(partition) });
    }
    await expect(bus.last(STREAMS.log.name, '>')).rejects.toThrow();
    await expect(bus.append(subjects.log(4), new Uint8Array([1]))).rejects.toThrow(/no stream/);
  });

  test('another number is refused, with what to do, also by who does not provision', async () => {
    await provision(bus, { replicas: 1 });
    expect(await readSettings(bus)).toEqual({ partitions: 4, logStreams: 1 });
    const why = /1 log stream \(TUTTI_LOG\).*asks for 2.*TUTTI_LOG_STREAMS=1.*new NATS/s;
    await expect(provision(bus, { replicas: 1, logStreams: 2 })).rejects.toThrow(why);
    await expect(checkSettings(bus, { logStreams: 2 })).rejects.toThrow(why);
    await expect(checkSettings(bus, { partitions: 5 })).rejects.toThrow(/4 partitions/);
    await checkSettings(bus, { partitions: 4, logStreams: 1 });
  });

  test('a bus from before there could be several has one', async () => {
    await provision(bus, { replicas: 1 });
    await (await bus.bucket('tutti_settings')).delete('log_streams');
    expect(await readSettings(bus)).toEqual({ partitions: 4, logStreams: 1 });
    await provision(bus, { replicas: 1, logStreams: 1 });
    await expect(provision(bus, { replicas: 1, logStreams: 2 })).rejects.toThrow(/TUTTI_LOG_STREAMS=1/);
  });

  test('more streams than partitions are refused', async () => {
    await expect(provision(bus, { replicas: 1, partitions: 2, logStreams: 3 })).rejects.toThrow(/from 1 to 2/);
    expect(logStreams(3, 2).map(({ name }) => name)).toEqual(['TUTTI_LOG_0', 'TUTTI_LOG_1']);
  });
});
