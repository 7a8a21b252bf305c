/** A partition changes hands, by a crash or by a drain, with what is under way and what is parked: over a real bus. */
import { fork } from 'node:child_process';
import { type LogBatch, STREAMS, subjects } from '@tutti/contracts';
import { until } from '@tutti/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lastUser, type Script, type StartedRun, tool } from '../test-support.ts';
import { openWorld, type World } from '../test-world.ts';

const text = new TextDecoder();
const mainFile = new URL('../main.ts', import.meta.url).pathname;

let world: World;
const environment: Record<string, string> = { TUTTI_PARTITIONS: '2' };
beforeEach(async () => {
  world = await openWorld(environment);
});
afterEach(() => world.close());

/** A planner as a process, which can be killed. */
async function plannerProcess(): Promise<{ kill(): Promise<void> }> {
  const child = fork(mainFile, { env: { ...process.env, ...world.env }, stdio: 'ignore' });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await owned();
  return {
    async kill() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** Names of those who own the partitions. */
async function owned(but?: Set<string>): Promise<Set<string>> {
  return until('all partitions to have an owner', async () => {
    const loads = await Promise.all(
      Array.from({ length: world.partitions }, (_, partition) => world.load(partition).catch(() => undefined)),
    );
    const owners = loads.map((load) => load?.owner);
    return owners.every((owner) => owner !== undefined && !but?.has(owner)) ? new Set(owners as string[]) : null;
  });
}

/** What is asked of workers on the bus from here on. */
function listen(): { calls: { verb: string; callId: string }[]; stop(): void } {
  const calls: { verb: string; callId: string }[] = [];
  const { stop } = world.bus.subscribe('tutti.svc.>', ({ subject, data }) => {
    const { items = [] } = JSON.parse(text.decode(data)) as { items?: { callId: string }[] };
    for (const { callId } of items) calls.push({ verb: subject.split('.').at(-1)!, callId });
  });
  return { calls, stop };
}

const requested = (batches: LogBatch[]) =>
  batches.flatMap(({ entries }) => entries.flatMap((entry) => (entry.type === 'step.requested' ? entry.callId : [])));

async function allRequested(): Promise<string[]> {
  const logs = await Promise.all(Array.from({ length: world.partitions }, (_, partition) => world.log(partition)));
  return requested(logs.flat());
}

describe('a partition with many active runs', () => {
  const RUNS = 150;

  test('whose owner is killed: the next one sends what is open again, under the same ids, and nothing else', async () => {
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const workers = await world.workers({
      complete: ({ chat }) =>
        chat.messages.at(-1)!.role === 'tool' ? { content: 'done' } : { calls: [{ name: 'look', arguments: {} }] },
      async execute() {
        await released;
      },
    });
    const first = await plannerProcess();
    const bundle = await world.apply();
    const runs: StartedRun[] = [];
    for (let n = 0; n < RUNS; n++) runs.push(await world.start(bundle, `look ${n}`));
    const executing = () => workers.asked.filter(({ verb }) => verb === 'execute').map(({ callId }) => callId);
    await until('all runs to wait for their tool', () => executing().length === RUNS);
    const open = new Set(executing());
    const before = await owned();
    const requestedBefore = await allRequested();

    const wire = listen();
    await first.kill();
    await world.planner();
    await owned(before);
    await until('all open steps to be sent again', () => {
      const again = new Set(wire.calls.map(({ callId }) => callId));
      return [...open].every((callId) => again.has(callId));
    });
    expect(wire.calls.filter(({ callId }) => !open.has(callId))).toEqual([]);
    expect(wire.calls.every(({ verb }) => verb === 'execute')).toBe(true);
    expect(await allRequested()).toEqual(requestedBefore);
    wire.stop();

    release();
    for (const run of runs) expect((await world.ended(run)).status).toBe('completed');
    for (const verb of ['recall', 'search', 'complete', 'execute', 'remember']) {
      const calls = workers.asked.filter((item) => item.verb === verb).map(({ callId }) => callId);
      expect(new Set(calls).size, verb).toBe(calls.length);
    }
    expect(executing()).toHaveLength(RUNS);
  });
});

describe('a drain', () => {
  test('hands over at once: nobody waits for a lease to run out, and runs that come meanwhile are taken in', async () => {
    // The lease is far longer than this test may take, and so is the pause between two looks at all leases.
    const lease = { TUTTI_LEASE_MS: '600000' };
    await world.workers(lookThenAct);
    const first = await world.planner(lease);
    const bundle = await world.apply();
    const waiting = await world.start(bundle, 'act', world.sessionIn(0));
    await until('it to wait for its approval', async () => (await world.approvals(waiting)).length > 0);
    const before = await owned();
    await world.planner(lease);
    expect(await owned()).toEqual(before);

    const stopped = first.stop();
    const meanwhile = await Promise.all(
      [0, 1].map((partition) => world.start(bundle, 'look', world.sessionIn(partition))),
    );
    await stopped;
    expect((await owned(before)).size).toBe(1);
    for (const run of meanwhile) expect((await world.ended(run)).status).toBe('completed');
    await approve(waiting);
    expect((await world.ended(waiting)).status).toBe('completed');
  });
});

describe('parked runs', () => {
  beforeEach(() => {
    Object.assign(world.env, { TUTTI_PARK_AFTER_MS: '100', TUTTI_CHECKPOINT_ENTRIES: '1' });
  });

  test('outlive their log: purged up to the checkpoint, each is there, and goes on when it is told to', async () => {
    await world.workers(lookThenAct);
    const first = await world.planner();
    const bundle = await world.apply();
    const runs: StartedRun[] = [];
    for (let n = 0; n < 20; n++) runs.push(await world.start(bundle, 'act'));
    await until('all to be parked', async () => (await parked()).size === runs.length);
    await until('checkpoints to hold all that', checkpointed);
    await first.stop();
    const logs = [0, 1];
    for (const partition of logs) {
      const { sequence } = (await pointer(partition))!;
      await world.bus.purge(STREAMS.log.name, subjects.log(partition), sequence);
    }
    const left = (await Promise.all(logs.map((partition) => world.log(partition)))).flat();
    expect(left.flatMap(({ entries }) => entries)).toEqual([]);

    await world.planner();
    for (const run of runs) await approve(run);
    for (const run of runs) expect((await world.ended(run)).status).toBe('completed');
  });

  async function parked(): Promise<Set<string>> {
    const found = new Set<string>();
    for (const partition of [0, 1])
      for (const entry of (await world.log(partition)).flatMap((batch) => batch.partition))
        if (entry.type === 'run.parked') found.add(entry.run);
        else if (entry.type === 'run.unparked') found.delete(entry.run);
    return found;
  }
  async function pointer(partition: number): Promise<{ sequence: number } | undefined> {
    const message = await world.bus.last(STREAMS.checkpoints.name, subjects.checkpoint(partition));
    return message ? JSON.parse(text.decode(message.data)) : undefined;
  }
  async function checkpointed(): Promise<boolean> {
    for (const partition of [0, 1]) {
      const last = (await world.bus.last(STREAMS.log.name, subjects.log(partition)))!.sequence;
      if ((await pointer(partition))?.sequence !== last) return false;
    }
    return true;
  }
});

const lookThenAct: Script = {
  tools: [tool('look'), tool('act', 'irreversible')],
  complete: ({ chat }) => {
    if (chat.messages.at(-1)!.role === 'tool') return { content: 'done' };
    return { calls: [{ name: lastUser(chat.messages).includes('act') ? 'act' : 'look', arguments: {} }] };
  },
};

async function approve(run: StartedRun): Promise<void> {
  const [approval] = await until('its approval', async () => {
    const open = await world.approvals(run);
    return open.length > 0 ? open : null;
  });
  await world.say(run, { type: 'approve', approval: approval!.id, decision: 'approve', by: 'kim' });
}
