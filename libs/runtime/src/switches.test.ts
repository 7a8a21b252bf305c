/** The kill switch on a real bus: known everywhere within a second, remembered, and heard of again after the bus was gone. */
import { BUCKETS, type SwitchTarget } from '@tutti/contracts';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { connectNatsBus } from './bus/nats-bus.ts';
import type { Bus } from './bus/port.ts';
import { createLogger } from './log.ts';
import { provision } from './provision.ts';
import { openSwitches, type Switches } from './switches.ts';

let nats: TestNats;
const log = createLogger({}, { level: 'silent' });
const opened: { bus: Bus; switches: Switches }[] = [];
beforeAll(async () => {
  nats = await startTestNats();
});
afterEach(async () => {
  for (const { bus, switches } of opened.splice(0)) {
    switches.close();
    await bus.close();
  }
});
afterAll(() => nats.stop());

async function open(name: string) {
  const bus = await connectNatsBus({ url: nats.url, name, log });
  await provision(bus, { partitions: 2, replicas: 1 });
  const switches = await openSwitches(bus, log);
  opened.push({ bus, switches });
  return { bus, switches };
}
const tool: SwitchTarget = { kind: 'tool', tenant: 'acme', name: 'pay' };
const decision = (stopped: boolean, reason = 'odd payments') => ({ stopped, by: 'kim', at: 1, reason });
const call = { tenant: 'acme', agent: 'clerk', tool: 'pay' };

test('what one sets all others know within a second; what was set before is known from the start', async () => {
  const a = await open('a');
  const b = await open('b');
  expect(b.switches.stop(call)).toBeUndefined();
  const from = performance.now();
  await a.switches.set(tool, decision(true));
  expect(a.switches.stop(call)).toBe('kim has stopped the tool "pay": odd payments');
  await until('the other to know', () => b.switches.stop(call) !== undefined, 5_000);
  expect(performance.now() - from).toBeLessThan(1_000);
  const late = await open('late');
  expect(late.switches.stop(call)).toBe('kim has stopped the tool "pay": odd payments');
  for (const other of [{ ...call, tool: 'look' }, { ...call, tenant: 'other' }, { tenant: 'acme' }])
    expect(late.switches.stop(other)).toBeUndefined();
  await late.switches.set(tool, decision(false, 'found it'));
  await until('the first to know', () => a.switches.stop(call) === undefined, 5_000);
  expect(b.switches.list()).toEqual([{ v: 1, target: tool, decisions: [decision(false, 'found it'), decision(true)] }]);
});

test('agents, tenants and everything', async () => {
  const { switches } = await open('a');
  const targets: [SwitchTarget, object[], object[]][] = [
    [
      { kind: 'agent', tenant: 'acme', name: 'clerk' },
      [call, { tenant: 'acme', agent: 'clerk' }],
      [{ ...call, agent: 'other' }],
    ],
    [{ kind: 'tenant', tenant: 'acme' }, [call, { tenant: 'acme' }], [{ ...call, tenant: 'other' }]],
    [{ kind: 'all' }, [call, { tenant: 'other' }], []],
  ];
  for (const [target, stopped, others] of targets) {
    await switches.set(target, decision(true, ''));
    for (const what of stopped) expect(switches.stop(what as typeof call)).toMatch(/^kim has stopped/);
    for (const what of others) expect(switches.stop(what as typeof call)).toBeUndefined();
    await switches.set(target, decision(false));
    expect(switches.stop(call)).toBeUndefined();
  }
});

test('a switch that cannot be read stops what it is for', async () => {
  const { bus, switches } = await open('a');
  await (await bus.bucket(BUCKETS.switches)).put('tool.acme.odd', new TextEncoder().encode('{'));
  await until('it to be seen', () => switches.stop({ ...call, tool: 'odd' }) !== undefined, 5_000);
  expect(switches.stop({ ...call, tool: 'odd' })).toMatch(/cannot be read/);
});

test('what is set right after the bus came back is known, too', async () => {
  const a = await open('a');
  const b = await open('b');
  process.kill(nats.server.pid, 'SIGKILL');
  await until('the loss', () => !a.bus.connected, 5_000);
  await until('the return', () => a.bus.connected && b.bus.connected, 20_000);
  await until('it to be set', () => a.switches.set(tool, decision(true)).then(() => true), 10_000);
  const from = performance.now();
  await until('the other to know', () => b.switches.stop(call) !== undefined, 30_000);
  expect(performance.now() - from).toBeLessThan(3_000);
}, 60_000);
