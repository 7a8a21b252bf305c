/** Provisioning on a real bus: what is made, what is left, and that a refusal has changed nothing. */
import { DiscardPolicy, StorageType } from '@nats-io/jetstream';
import { STREAMS } from '@tutti/contracts';
import { startTestNats, type TestNats } from '@tutti/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectNatsBus, type NatsBusInternals } from './bus/nats-bus.ts';
import type { Bus } from './bus/port.ts';
import { createLogger } from './log.ts';
import { checkProvisioned, provision } from './provision.ts';

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
const streams = () => (bus as unknown as NatsBusInternals).manager.streams;
const one = { replicas: 1 };

test('everything is made once, and a check finds nothing afterwards', async () => {
  expect(await checkProvisioned(bus, { ...one, partitions: 8 })).toContain('TUTTI_LOG: made');
  const said: string[] = [];
  await provision(bus, { ...one, partitions: 8, tell: (line) => said.push(line) });
  expect(said).toContain('TUTTI_INBOUND: made');
  expect(await checkProvisioned(bus, one)).toEqual([]);
  const again: string[] = [];
  await provision(bus, { ...one, tell: (line) => again.push(line) });
  expect(again).toHaveLength(said.length);
  expect(again.filter((line) => !line.endsWith(': as it should be'))).toEqual([]);
  await expect(checkProvisioned(bus, { ...one, partitions: 4 })).rejects.toThrow(/8 partitions/);
});

test('what an operator keeps longer, or bounds without losing anything, stays so', async () => {
  await provision(bus, one);
  await streams().update(STREAMS.effects.name, { max_age: 0 });
  await streams().update(STREAMS.parked.name, { max_bytes: 1_000_000_000, discard: DiscardPolicy.New });
  await provision(bus, one);
  expect((await streams().info(STREAMS.effects.name)).config.max_age).toBe(0);
  expect((await streams().info(STREAMS.parked.name)).config).toMatchObject({
    max_bytes: 1_000_000_000,
    discard: 'new',
  });
});

test('what would lose data is refused, all of it in one go, before anything is made', async () => {
  await streams().add({
    name: STREAMS.inbound.name,
    subjects: ['tutti.in.>', 'tutti.timer.>'],
    storage: StorageType.Memory,
  });
  await streams().add({ name: STREAMS.knowledge.name, subjects: ['tutti.kb.>'], max_bytes: 1_000_000 });
  const refused = provision(bus, one);
  await expect(refused).rejects.toThrow(/nothing was changed/);
  await expect(refused).rejects.toThrow(/TUTTI_INBOUND: it is kept in memory/);
  await expect(refused).rejects.toThrow(/TUTTI_KNOWLEDGE: with max_bytes.*\n.*TUTTI_KNOWLEDGE: it keeps all messages/);
  const names: string[] = [];
  for await (const { config } of streams().list()) names.push(config.name);
  expect(names.toSorted()).toEqual([STREAMS.inbound.name, STREAMS.knowledge.name]);
});

test('more copies than there can be are refused with what to do', async () => {
  await expect(provision(bus, { replicas: 3 })).rejects.toThrow(/3 copies.*no cluster.*TUTTI_NATS_REPLICAS=1/);
});
