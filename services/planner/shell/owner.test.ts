/** Owners that lose their partition at bad moments, poison, and workers that are busy: over a real bus. */
import {
  BUCKETS,
  contentHash,
  DeadLetter,
  type InboundMessage,
  LOG_FORMAT,
  newSessionId,
  type OwnerReply,
  partitionOf,
  STREAMS,
  subjects,
  TuttiError,
} from '@tutti/contracts';
import {
  type Bus,
  BusConflict,
  connectNatsBus,
  createBundleStore,
  createLogger,
  createMetrics,
  nextTick,
  readPartitions,
  type StartedService,
  startService,
  systemClock,
} from '@tutti/runtime';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PlannerConfig } from '../config.ts';
import { applyBatch } from '../core/replay.ts';
import type { Dispatch } from '../ports/dispatch.ts';
import { plannerService } from '../service.ts';
import { type Script, type StartedRun, startRun, startWorkers, tell, testBundle, tool } from '../test-support.ts';
import { LogStore } from './log-store.ts';
import { PartitionOwner } from './owner.ts';
import { PlannerMetrics } from './planner-metrics.ts';
import { Suspects } from './suspects.ts';

let nats: TestNats;
let bus: Bus;
let env: Record<string, string>;
let partitions = 4;
const log = createLogger({}, { level: 'silent' });
beforeEach(async () => {
  nats = await startTestNats();
  env = {
    NATS_URL: nats.url,
    TUTTI_DATA: nats.dataDir,
    TUTTI_LOG_LEVEL: 'silent',
    TUTTI_LEASE_MS: '900',
  };
  bus = await connectNatsBus({ url: nats.url, name: 'test', log });
  const first = await startService(plannerService, { env });
  partitions = (await readPartitions(bus))!;
  await first.stop();
});
afterEach(async () => {
  await bus.close();
  await nats.stop();
});

async function ask(run: StartedRun): Promise<OwnerReply> {
  const data = await bus.request(
    subjects.owner(partitionOf(run.id, partitions)),
    new TextEncoder().encode(JSON.stringify({ op: 'run', run: run.id })),
    2_000,
  );
  return JSON.parse(new TextDecoder().decode(data));
}
const view = async (run: StartedRun) => {
  const reply = await ask(run);
  return reply.op === 'run' ? reply.run : undefined;
};
const ended = (run: StartedRun, limitMs = 30_000) =>
  until(`run ${run.id} to end`, async () => ((await view(run))?.endedAt ? view(run) : null), limitMs);
const bundles = () => createBundleStore(() => bus.bucket(BUCKETS.bundles));
const sessionIn = (partition: number) => {
  for (;;) {
    const session = newSessionId();
    if (partitionOf(session, partitions) === partition) return session;
  }
};
async function withPlanner(
  script: Script,
  work: (w: Awaited<ReturnType<typeof startWorkers>>, planner: StartedService) => Promise<void>,
  workerEnv = env,
) {
  const workers = await startWorkers(workerEnv, script);
  const planner = await startService(plannerService, { env });
  await until('ready', () => planner.ready());
  try {
    await work(workers, planner);
  } finally {
    await planner.stop();
    await workers.stop();
  }
}

/** The same thing but for what is done otherwise. */
function over<T extends object>(thing: T, other: Partial<T>): T {
  return new Proxy(thing, {
    get(target, key) {
      if (key in other) return other[key as keyof T];
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const logOn = (on: Bus, partition: number) => new LogStore({ bus: on, partition, log, clock: systemClock });
function ownerOf(
  on: Bus,
  instance: string,
  partition: number,
  send: Dispatch['send'],
  settings: Record<string, unknown> = {},
): PartitionOwner {
  return new PartitionOwner({
    partition,
    partitions,
    onLost: () => {},
    suspects: new Suspects(),
    counts: new PlannerMetrics(createMetrics(), () => []).of(partition),
    store: logOn(on, partition),
    dispatch: { send, forget() {}, cancel() {}, bar() {}, holds: () => false, inFlight: 0, heldBack: 0 },
    nextTick,
    context: {
      name: 'planner',
      instance,
      bus: on,
      log,
      bundles: bundles(),
      clock: systemClock,
      dataDir: nats.dataDir,
      config: PlannerConfig.parse({ TUTTI_LEASE_MS: 900, ...settings }),
      caller: {} as never,
      telemetry: { enabled: false, span: () => ({}) as never },
      metrics: createMetrics(),
    },
  });
}

test('a start that waits while a checkpoint is made has its bundle still', async () => {
  const partition = 1;
  const hash = await bundles().apply('default', testBundle());
  let gate: Promise<void> | undefined;
  let waiting = false;
  const delayed = over(bus, {
    async append(subject, data, options) {
      if (gate && subject === subjects.log(partition)) {
        waiting = true;
        await gate;
      }
      return bus.append(subject, data, options);
    },
  });
  const owner = ownerOf(delayed, 'busy', partition, () => {}, { TUTTI_CHECKPOINT_ENTRIES: 1 });
  await owner.open();
  let release = () => {};
  gate = new Promise((resolve) => {
    release = resolve;
  });
  await startRun(bus, partitions, hash, 'one', sessionIn(partition));
  await until('the append', () => waiting);
  // the first run of a new revision: nothing else has pinned it
  const other = await bundles().apply('default', testBundle({ instructions: 'Help better.' }));
  const second = await startRun(bus, partitions, other, 'two', sessionIn(partition));
  await until('the start', () => owner.load.lag > 1);
  // its bundle is being fetched, or is there
  await new Promise((resolve) => setTimeout(resolve, 300));
  gate = undefined;
  release();
  const known = () => view(second);
  await until('the second run', async () => (await known()) !== undefined);
  expect(await known()).toMatchObject({ status: 'running' });
  await owner.close();
});

describe('hand-over', () => {
  test('an owner whose last append is refused while it closes leaves no checkpoint of what was never written', async () => {
    const partition = 1;
    const hash = await bundles().apply('default', testBundle());
    let hold: ((value: unknown) => void) | undefined;
    let armed = false;
    const held: Bus = new Proxy(bus, {
      get(target, key) {
        if (key === 'append')
          return async (subject: string, data: Uint8Array, options: object) => {
            if (armed && subject === subjects.log(partition)) {
              await new Promise((resolve) => {
                hold = resolve;
              });
              throw new BusConflict('somebody else has written');
            }
            return target.append(subject, data, options);
          };
        const value = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const owner = ownerOf(held, 'stalled', partition, () => {});
    await owner.open();
    const first = await startRun(bus, partitions, hash, 'one', sessionIn(partition));
    await until('the first run', () => owner.activeRuns === 1);
    // From here on it is a stranger: its next append will be refused, while it hands over.
    armed = true;
    const second = await startRun(bus, partitions, hash, 'two', sessionIn(partition));
    await until('the append', () => hold);
    const closing = owner.close();
    hold!(undefined);
    await closing;
    const opened = await logOn(bus, partition).open();
    expect([...opened.state.runs.keys()]).toContain(first.id);
    // `second` is in no log message; the next owner has to read its start from the inbound.
    const start = await bus.last(STREAMS.inbound.name, subjects.inboundOfRun(partition, second.id));
    expect({
      runs: [...opened.state.runs.keys()].includes(second.id),
      passedOver: opened.state.readUpTo >= start!.sequence,
    }).toEqual({ runs: false, passedOver: false });
  });

  test('a stalled owner that is closed after another took over does not make the partition unreadable', async () => {
    const partition = 1;
    const hash = await bundles().apply('default', testBundle({ knowledge: [], tools: [] }));
    let gate: Promise<void> | undefined;
    let waiting = false;
    const delayed: Bus = new Proxy(bus, {
      get(target, key) {
        if (key === 'append')
          return async (subject: string, data: Uint8Array, options: object) => {
            if (gate && subject === subjects.log(partition)) {
              waiting = true;
              await gate;
            }
            return target.append(subject, data, options);
          };
        const value = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const make = (instance: string, on: Bus) => {
      const dones: ((outcome: unknown) => void)[] = [];
      const owner = ownerOf(on, instance, partition, (_request, _call, done) => void dones.push(done as never));
      return { owner, dones };
    };
    const recalled = { ok: true, body: { turns: [], summary: null, facts: [] } };
    const a = make('a', delayed);
    await a.owner.open();
    const run = await startRun(bus, partitions, hash, 'one', sessionIn(partition));
    await until('the recall', () => a.dones.length === 1);
    // a is stopped (SIGSTOP) with an append on its way; b takes over; a wakes up, learns that its lease is gone, and closes.
    let open = () => {};
    gate = new Promise((resolve) => {
      open = resolve;
    });
    a.dones[0]!(recalled);
    await until('the append of a', () => waiting);
    const b = make('b', bus);
    await b.owner.open();
    const closing = a.owner.close();
    open();
    await closing;
    // b goes on with the same run: it asks the model, which says something.
    await until('the recall of b', () => b.dones.length === 1);
    b.dones[0]!(recalled);
    await until('the model', () => b.dones.length === 2);
    const opened = await logOn(bus, partition)
      .open()
      .then(
        (value) => value.state.runs.has(run.id),
        (error: Error) => error.message,
      );
    await b.owner.close();
    expect(opened).toBe(true);
  });

  test('a run that begins while a new owner comes asks for nothing before the log has it', async () => {
    const partition = 1;
    const hash = await bundles().apply('default', testBundle());
    let appending = false;
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = over(bus, {
      // What came meanwhile is delivered, and being written, by the time it is known to follow.
      async follow(...args) {
        const follower = await bus.follow(...args);
        await until('the append of what came', () => appending);
        return follower;
      },
      async append(subject, data, options) {
        if (subject === subjects.log(partition) && JSON.parse(new TextDecoder().decode(data)).entries.length > 0) {
          appending = true;
          await gate;
        }
        return bus.append(subject, data, options);
      },
    });
    await startRun(bus, partitions, hash, 'one', sessionIn(partition));
    const asked: string[] = [];
    const owner = ownerOf(slow, 'new', partition, ({ verb }) => void asked.push(verb));
    await owner.open();
    expect(asked).toEqual([]);
    release();
    await until('what it asks for', () => asked.length > 0);
    await owner.close();
  });
});

test('a log that is purged up to a newer checkpoint while it is read is read again', async () => {
  const partition = 2;
  const former = logOn(bus, partition);
  const { state, lastSequence } = await former.open();
  let end = lastSequence;
  const write = async (hash: string) => {
    const toolset = { type: 'toolset.learned' as const, at: 1, hash, tools: [] };
    const head = { v: 1 as const, format: LOG_FORMAT, epoch: state.epoch + 1, owner: 'former', at: 1, readUpTo: 0 };
    const batch = { ...head, delivered: [], partition: [toolset], entries: [] };
    applyBatch(state, batch);
    end = await former.append(batch, end);
  };
  await former.checkpoint(state, end);
  await write('one');
  await write('two');
  let reads = 0;
  const purging = over(bus, {
    async *read(stream, subject, from) {
      if (reads++ === 0) {
        await former.checkpoint(state, end);
        await bus.purge(stream, subject, end);
      }
      yield* bus.read(stream, subject, from);
    },
  });
  const opened = await logOn(purging, partition).open();
  expect(reads).toBe(2);
  expect([...opened.state.toolsets.keys()]).toEqual(['one', 'two']);
});

test('a checkpoint that cannot be had just now is waited for: the log without it is not all there', async () => {
  const partition = 2;
  const former = logOn(bus, partition);
  const { state, lastSequence } = await former.open();
  await former.checkpoint(state, lastSequence);
  let asked = 0;
  const away = over(bus, {
    blobs: async (name) =>
      over(await bus.blobs(name), {
        async get(key) {
          if (asked++ === 0) throw new TuttiError('unavailable', `${key}: no answer in time`);
          return (await bus.blobs(name)).get(key);
        },
      }),
  });
  await expect(logOn(away, partition).open()).rejects.toThrow('no answer in time');
  expect((await logOn(away, partition).open()).lastSequence).toBe(lastSequence);
});

describe('one poisoned message or run does not stop its partition', () => {
  /** Starts the poison, then a plain run in the same partition, which has to end. */
  async function others(partition: number, poison: () => Promise<unknown>, limitMs = 8_000) {
    const hash = await bundles().apply('default', testBundle({ knowledge: [], tools: [] }));
    await poison();
    const plain = await startRun(bus, partitions, hash, 'plain', sessionIn(partition));
    return ended(plain, limitMs);
  }
  const say: Script = { complete: () => ({ content: 'ok' }) };

  test('a start that makes the state machine throw: that run fails with the reason, the next one goes on', async () => {
    await withPlanner(say, async () => {
      // What no gateway of ours lets through: an agent without the list of tools that every decision reads.
      const broken = { ...testBundle(), agents: { helper: { ...testBundle().agents.helper, tools: undefined } } };
      const hash = contentHash(broken);
      await (await bus.bucket(BUCKETS.bundles)).put(`bundle.${hash}`, new TextEncoder().encode(JSON.stringify(broken)));
      let poisoned: StartedRun | undefined;
      const plain = await others(0, async () => {
        poisoned = await startRun(bus, partitions, hash, 'x', sessionIn(0));
      });
      expect(plain.status).toBe('completed');
      expect(await ended(poisoned!)).toMatchObject({ status: 'failed', error: { code: 'internal' } });
      expect(await bus.last(STREAMS.deadLetters.name, 'tutti.dead.planner')).not.toBeNull();
    });
  });

  test('rubbish so large that its dead letter cannot hold it: what it was can be seen, the next one goes on', async () => {
    await withPlanner(say, async () => {
      const data = new TextEncoder().encode('"'.repeat(bus.payloadBytesMax - 1_000));
      const plain = await others(0, () => bus.append(subjects.inbound(0, 'default', 'ses_x', 'run_x'), data));
      expect(plain.status).toBe('completed');
      const stored = await bus.last(STREAMS.deadLetters.name, 'tutti.dead.planner');
      const letter = DeadLetter.parse(JSON.parse(new TextDecoder().decode(stored!.data)));
      expect(letter).toMatchObject({ kind: 'inbound', sequence: 1, payload: expect.stringMatching(/^"+$/) });
      expect(letter.reason).toContain(`${data.length} characters`);
    });
  });

  test('a bundle in the bucket that this version cannot read', async () => {
    await withPlanner(say, async () => {
      const bucket = await bus.bucket(BUCKETS.bundles);
      await bucket.put(
        'bundle.newer',
        new TextEncoder().encode(JSON.stringify({ ...testBundle(), added: 'by a later version' })),
      );
      expect((await others(0, () => startRun(bus, partitions, 'newer', 'x', sessionIn(0)))).status).toBe('completed');
    });
  }, 30_000);

  test('a plan whose last task gets more from the others than one message holds', async () => {
    const content = 'z'.repeat(3_000_000);
    const script: Script = {
      tools: [tool('look')],
      execute: () => ({ status: 'done', content, isError: false, effect: 'pure' }),
      complete: ({ chat }) => {
        if (chat.responseFormat?.type === 'json_schema')
          return {
            content: JSON.stringify({
              reason: 'r',
              question: null,
              tasks: [
                ...['a', 'b', 'c'].map((id) => ({ id, goal: id, tools: ['look'], dependsOn: [] })),
                { id: 'd', goal: 'd', tools: ['look'], dependsOn: ['a', 'b', 'c'] },
              ],
            }),
          };
        if (chat.messages.some((message) => message.role === 'tool') || !chat.tools?.length) return { content: 'ok' };
        return { calls: [{ name: 'look', arguments: {} }] };
      },
    };
    await withPlanner(script, async () => {
      const hash = await bundles().apply('default', testBundle({ strategy: 'plan', knowledge: [] }));
      const run = await startRun(bus, partitions, hash, 'big', sessionIn(2));
      let endedChildren = 0;
      await bus.follow(STREAMS.inbound.name, [subjects.inbound(2, 'default', run.session, run.id)], 1, (message) => {
        const told = JSON.parse(new TextDecoder().decode(message.data)) as InboundMessage;
        if (told.type === 'child_ended') endedChildren++;
      });
      await until('all three children to have told their ends', () => endedChildren >= 3);
      const plain = await others(2, async () => {});
      expect(plain.status).toBe('completed');
      expect((await ended(run, 5_000)).status).toMatch(/completed|failed/);
    });
  }, 60_000);
});

describe('an accepted run is carried out', () => {
  test('also when 64 other bundles were used meanwhile', async () => {
    let approved = false;
    const script: Script = {
      complete: ({ chat }) => {
        if (chat.tools?.length && !chat.messages.some((message) => message.role === 'tool'))
          return { calls: [{ name: 'act', arguments: {} }] };
        return { content: 'ok' };
      },
      execute: ({ approved: yes }) => {
        approved ||= yes;
        return undefined;
      },
    };
    await withPlanner(script, async () => {
      const store = bundles();
      const first = await store.apply('default', testBundle({ knowledge: [], instructions: 'the first' }));
      const run = await startRun(bus, partitions, first, 'waits', sessionIn(3));
      await until('it to wait', async () => (await view(run))?.status === 'waiting');
      for (let i = 0; i < 64; i++) {
        const hash = await store.apply(
          'default',
          testBundle({ knowledge: [], tools: [], instructions: `number ${i}` }),
        );
        await ended(await startRun(bus, partitions, hash, 'x', sessionIn(3)));
      }
      const data = await bus.request(
        subjects.owner(3),
        new TextEncoder().encode(JSON.stringify({ op: 'approvals', run: run.id })),
        2_000,
      );
      const [approval] = JSON.parse(new TextDecoder().decode(data)).approvals;
      await tell(bus, partitions, {
        v: 1,
        type: 'approve',
        tenant: 'default',
        session: run.session,
        run: run.id,
        at: Date.now(),
        approval: approval.id,
        decision: 'approve',
        by: 'kim',
      } as InboundMessage);
      const result = await ended(run);
      expect({ status: result.status, error: result.error?.message, approved }).toEqual({
        status: 'completed',
        error: undefined,
        approved: true,
      });
    });
  }, 60_000);

  test('also when the workers are busy for two seconds', async () => {
    const script: Script = { complete: () => ({ content: 'ok' }) };
    const workers = await startWorkers({ ...env, TUTTI_IN_FLIGHT_MAX: '4' }, script);
    await workers.stop();
    // A router that takes three seconds and works on four at a time.
    const { defineService } = await import('@tutti/runtime');
    const { z } = await import('zod');
    const slow = await startService(
      defineService({
        name: 'router',
        config: z.object({}),
        start: async () => ({
          handlers: {
            complete: async () => {
              await new Promise((resolve) => setTimeout(resolve, 3_000));
              return {
                message: { role: 'assistant', content: 'ok' },
                finishReason: 'stop',
                usage: { inputTokens: 1, outputTokens: 1 },
                model: 'm',
                provider: 'p',
              };
            },
          },
        }),
      }),
      { env: { ...env, TUTTI_IN_FLIGHT_MAX: '4' } },
    );
    const memory = await startService(
      defineService({
        name: 'memory',
        config: z.object({}),
        start: async () => ({
          handlers: {
            recall: async () => ({ turns: [], summary: null, facts: [] }),
            remember: async () => ({ stored: true as const }),
          },
        }),
      }),
      { env },
    );
    const planner = await startService(plannerService, { env });
    await until('ready', () => planner.ready());
    try {
      const hash = await bundles().apply('default', testBundle({ knowledge: [], tools: [] }));
      const runs = await Promise.all(Array.from({ length: 8 }, () => startRun(bus, partitions, hash, 'x')));
      const results = await Promise.all(runs.map((run) => ended(run)));
      expect(results.map((result) => result.error?.message ?? result.status)).toEqual(Array(8).fill('completed'));
    } finally {
      await planner.stop();
      await slow.stop();
      await memory.stop();
    }
  }, 60_000);
});
