import { BUCKETS, LogBatch, type OwnerReply, partitionOf, type RunEntry, STREAMS, subjects } from '@tutti/contracts';
import {
  type Bus,
  connectNatsBus,
  createBundleStore,
  createLogger,
  readPartitions,
  type StartedService,
  startService,
} from '@tutti/runtime';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { plannerService } from './service.ts';
import {
  lastUser,
  type Script,
  type StartedRun,
  startRun,
  startWorkers,
  tell,
  testBundle,
  tool,
} from './test-support.ts';

let nats: TestNats;
let bus: Bus;
let env: Record<string, string>;
let partitions: number;
const log = createLogger({}, { level: 'silent' });

beforeAll(async () => {
  nats = await startTestNats();
  env = { NATS_URL: nats.url, TUTTI_DATA: nats.dataDir, TUTTI_LOG_LEVEL: 'silent', TUTTI_LEASE_MS: '600' };
  bus = await connectNatsBus({ url: nats.url, name: 'test', log });
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

async function withPlanner(
  script: Script,
  work: (tools: { workers: Awaited<ReturnType<typeof startWorkers>>; planner: StartedService }) => Promise<void>,
): Promise<void> {
  const workers = await startWorkers(env, script);
  const planner = await startService(plannerService, { env });
  partitions = (await readPartitions(bus))!;
  try {
    await work({ workers, planner });
  } finally {
    await planner.stop();
    await workers.stop();
  }
}

async function ask(run: StartedRun, request: object): Promise<OwnerReply> {
  const data = await bus.request(
    subjects.owner(partitionOf(run.id, partitions)),
    new TextEncoder().encode(JSON.stringify(request)),
    2_000,
  );
  return JSON.parse(new TextDecoder().decode(data));
}
const view = async (run: StartedRun) => {
  const reply = await ask(run, { op: 'run', run: run.id });
  return reply.op === 'run' ? reply.run : undefined;
};
const ended = (run: StartedRun) =>
  until(`run ${run.id} to end`, async () => ((await view(run))?.endedAt ? view(run) : null));
async function pending(run: StartedRun) {
  const reply = await ask(run, { op: 'approvals', run: run.id });
  return reply.op === 'approvals' ? reply.approvals : [];
}
async function apply(overrides: Parameters<typeof testBundle>[0] = {}): Promise<string> {
  return createBundleStore(() => bus.bucket(BUCKETS.bundles)).apply('default', testBundle(overrides));
}
async function journal(run: StartedRun): Promise<RunEntry[]> {
  const entries: RunEntry[] = [];
  for await (const message of bus.read(STREAMS.log.name, subjects.log(partitionOf(run.id, partitions)), 1)) {
    entries.push(
      ...LogBatch.parse(JSON.parse(new TextDecoder().decode(message.data))).entries.filter(
        (entry) => entry.run === run.id,
      ),
    );
  }
  return entries;
}

/** Looks, then acts, then says so. */
const lookThenAct: Script = {
  complete: ({ chat }) => {
    const done = chat.messages.filter((message) => message.role === 'tool').map((message) => message.name);
    if (!done.includes('look')) return { calls: [{ name: 'look', arguments: { at: 1 } }] };
    if (!done.includes('act')) return { calls: [{ name: 'act', arguments: { with: 2 } }] };
    return { content: `done: ${JSON.stringify(chat.messages.at(-1))}` };
  },
};

describe('a run', () => {
  test('gathers, acts, waits for its approval, and remembers before it ends', async () => {
    await withPlanner(lookThenAct, async ({ workers }) => {
      const run = await startRun(bus, partitions, await apply(), 'do it');
      const [approval] = await until('an approval', async () => ((await pending(run)).length ? pending(run) : null));
      expect(approval).toMatchObject({
        run: run.id,
        waitingRun: run.id,
        tool: 'act',
        arguments: { with: 2 },
        status: 'pending',
      });
      expect((await view(run))?.status).toBe('waiting');
      await tell(bus, partitions, {
        v: 1,
        type: 'approve',
        tenant: 'default',
        session: run.session,
        run: run.id,
        at: Date.now(),
        approval: approval!.id,
        decision: 'approve',
        by: 'kim',
      });
      const result = await ended(run);
      expect(result).toMatchObject({ status: 'completed', usage: { modelCalls: 3, toolCalls: 2 } });
      expect(workers.remembered).toHaveLength(1);
      const entries = await journal(run);
      expect(entries.map((entry) => entry.n)).toEqual(entries.map((_, index) => index + 1));
      expect(entries.at(-1)!.type).toBe('run.completed');
      const executes = workers.asked.filter(
        (item) => item.verb === 'execute' && (item.body as { tool: string }).tool === 'act',
      );
      expect(new Set(executes.map((item) => item.callId)).size).toBe(1);
      expect(executes).toHaveLength(2);
    });
  });

  test('goes on after a denial, whose reason the model sees', async () => {
    await withPlanner(lookThenAct, async () => {
      const run = await startRun(bus, partitions, await apply(), 'do it');
      const [approval] = await until('an approval', async () => ((await pending(run)).length ? pending(run) : null));
      await tell(bus, partitions, {
        v: 1,
        type: 'approve',
        tenant: 'default',
        session: run.session,
        run: run.id,
        at: Date.now(),
        approval: approval!.id,
        decision: 'deny',
        by: 'kim',
        reason: 'too dear',
      });
      const result = await ended(run);
      expect(result.status).toBe('completed');
      expect(result.output).toContain('too dear');
    });
  });

  test('is cancelled while it waits', async () => {
    await withPlanner(lookThenAct, async () => {
      const run = await startRun(bus, partitions, await apply(), 'do it');
      await until('an approval', async () => (await pending(run)).length > 0);
      await tell(bus, partitions, {
        v: 1,
        type: 'cancel',
        tenant: 'default',
        session: run.session,
        run: run.id,
        at: Date.now(),
        by: 'kim',
        reason: 'changed my mind',
      });
      expect((await ended(run)).status).toBe('cancelled');
      expect(await pending(run)).toEqual([]);
    });
  });

  test('ends with a clear error at a limit, with what it had until then', async () => {
    await withPlanner({ complete: () => ({ calls: [{ name: 'look', arguments: {} }] }) }, async () => {
      const run = await startRun(bus, partitions, await apply({ limits: { toolCallsMax: 3 } }), 'loop');
      const result = await ended(run);
      expect(result).toMatchObject({ status: 'failed', error: { code: 'limit_exceeded' } });
      expect(result.error?.message).toContain('toolCallsMax (3)');
      expect(result.output).toContain('look');
    });
  });

  test('of an agent that is not in the bundle fails with its name', async () => {
    await withPlanner(lookThenAct, async () => {
      const run = await startRun(bus, partitions, await apply(), 'x', undefined, 'nobody');
      const result = await ended(run);
      expect(result.error?.message).toContain('nobody');
    });
  });
});

const planned = (tasks: object[]): Script => ({
  tools: [tool('look'), tool('act', 'irreversible')],
  complete: ({ chat }) => {
    if (chat.responseFormat?.type === 'json_schema')
      return { content: JSON.stringify({ reason: 'test', question: null, tasks }) };
    const names = (chat.tools ?? []).filter((item) => !item.engine).map((item) => item.name);
    const done = chat.messages.filter((message) => message.role === 'tool').map((message) => message.name);
    if (chat.toolChoice === 'none') return { content: `answer after ${done.join(',')}` };
    const next = names.find((name) => !done.includes(name));
    return next ? { calls: [{ name: next, arguments: { for: next } }] } : { content: `did ${done.join(',')}` };
  },
});

describe('a plan', () => {
  const tasks = [
    { id: 'a', goal: 'look', tools: ['look'], dependsOn: [] },
    { id: 'b', goal: 'look too', tools: ['look'], dependsOn: [] },
    { id: 'c', goal: 'act', tools: ['act'], dependsOn: ['a', 'b'] },
  ];
  test('runs its tasks as children, shows their approvals on the run at the top, and is answered from their results', async () => {
    await withPlanner(planned(tasks), async ({ workers }) => {
      const run = await startRun(bus, partitions, await apply({ strategy: 'plan' }), 'do all');
      const [approval] = await until('an approval', async () => ((await pending(run)).length ? pending(run) : null));
      expect(approval!.run).toBe(run.id);
      expect(approval!.waitingRun).not.toBe(run.id);
      await until('the parent to wait', async () => (await view(run))?.status === 'waiting');
      const [waiting] = await pending(run);
      await tell(bus, partitions, {
        v: 1,
        type: 'approve',
        tenant: 'default',
        session: waiting!.session,
        run: waiting!.waitingRun,
        at: Date.now(),
        approval: waiting!.id,
        decision: 'approve',
        by: 'kim',
      });
      const result = await ended(run);
      expect(result).toMatchObject({ status: 'completed', output: 'answer after look,look,act' });
      expect(
        workers.asked.filter((item) => item.verb === 'execute' && (item.body as { tool: string }).tool === 'look'),
      ).toHaveLength(2);
      expect(result.usage.toolCalls).toBe(3);
      expect((workers.remembered[0] as { actions: unknown[] }).actions).toHaveLength(3);
    });
  });

  /** Asks where to go, and goes there once it is told. */
  const asks: Script = {
    complete: ({ chat }) => {
      if (chat.responseFormat?.type !== 'json_schema') return { content: `off to ${lastUser(chat.messages)}` };
      const question = chat.messages.at(-1)?.content === 'Rome' ? null : 'Where to?';
      return { content: JSON.stringify({ reason: 'r', question, tasks: [] }) };
    },
  };
  const answer = (run: StartedRun, question: string) =>
    tell(bus, partitions, {
      v: 1,
      type: 'input',
      tenant: 'default',
      session: run.session,
      run: run.id,
      at: Date.now(),
      question,
      text: 'Rome',
      by: 'kim',
    });

  test('that asks a question waits for the answer, and takes the first one', async () => {
    await withPlanner(asks, async () => {
      const run = await startRun(bus, partitions, await apply({ strategy: 'plan' }), 'travel');
      const waiting = await until('the question', async () => ((await view(run))?.question ? view(run) : null));
      expect(waiting).toMatchObject({ status: 'waiting', waitingFor: 'input', question: { text: 'Where to?' } });
      await answer(run, 'qst_another');
      await answer(run, waiting.question!.id);
      await answer(run, waiting.question!.id);
      expect(await ended(run)).toMatchObject({ status: 'completed', output: 'off to Rome', question: null });
      expect((await journal(run)).filter((entry) => entry.type === 'question.answered')).toHaveLength(1);
    });
  });

  test('that may not wait ends with its question', async () => {
    await withPlanner(asks, async () => {
      const run = await startRun(bus, partitions, await apply({ strategy: 'plan' }), 'travel', undefined, undefined, {
        onQuestion: 'end',
      });
      expect(await ended(run)).toMatchObject({ status: 'completed', output: 'Where to?' });
    });
  });

  test('whose tasks wait for each other is not carried out, and says why', async () => {
    const circle = [
      { id: 'a', goal: 'x', tools: [], dependsOn: ['b'] },
      { id: 'b', goal: 'y', tools: [], dependsOn: ['a'] },
    ];
    await withPlanner(planned(circle), async () => {
      const run = await startRun(bus, partitions, await apply({ strategy: 'plan', tools: ['look'] }), 'go');
      const approval = await until('it to act by itself', async () => (await pending(run))[0]);
      expect(approval.waitingRun).toBe(run.id);
      const made = (await journal(run)).find((entry) => entry.type === 'plan.made');
      expect(made).toMatchObject({ plan: { tasks: [], reason: expect.stringContaining('wait for each other') } });
      await tell(bus, partitions, {
        v: 1,
        type: 'cancel',
        tenant: 'default',
        session: run.session,
        run: run.id,
        at: Date.now(),
        by: 'test',
        reason: 'enough',
      });
    });
  });
});

describe('a session', () => {
  test('runs one after the other', async () => {
    const order: string[] = [];
    await withPlanner(
      {
        complete: ({ chat }) => {
          order.push(chat.messages.at(-1)!.content as string);
          return { content: 'ok' };
        },
      },
      async () => {
        const bundle = await apply();
        const first = await startRun(bus, partitions, bundle, 'one');
        const second = await startRun(bus, partitions, bundle, 'two', first.session);
        const third = await startRun(bus, partitions, bundle, 'three', first.session);
        await ended(third);
        await ended(second);
        expect(order).toEqual(['one', 'two', 'three']);
      },
    );
  });
});

describe('a follow-up', () => {
  test('is searched for with what came before, and the wider search counts', async () => {
    const script: Script = {
      complete: ({ chat }) => ({ content: String(chat.passages?.map((passage) => passage.text)) }),
      search: (query) => (query.includes('mountains') ? 'about mountains' : 'about it'),
    };
    await withPlanner(script, async ({ workers }) => {
      workers.turns.push({
        run: 'r',
        session: 's',
        agent: 'helper',
        at: 1,
        input: 'Tell me of mountains',
        output: 'High.',
        actions: [],
      });
      const run = await startRun(bus, partitions, await apply(), 'And of it?');
      expect((await ended(run)).output).toBe('about mountains');
    });
  });
});

describe('ownership', () => {
  test('a run survives its planner: another takes over, nothing finished is repeated', async () => {
    const workers = await startWorkers(env, lookThenAct);
    const first = await startService(plannerService, { env });
    partitions = (await readPartitions(bus))!;
    const run = await startRun(bus, partitions, await apply(), 'do it');
    const [approval] = await until('an approval', async () => ((await pending(run)).length ? pending(run) : null));
    const second = await startService(plannerService, { env });
    await first.stop();
    await until('the second planner to own everything', () => second.ready());
    const again = await until('the approval at the new owner', async () => (await pending(run))[0]);
    expect(again).toEqual(approval);
    await tell(bus, partitions, {
      v: 1,
      type: 'approve',
      tenant: 'default',
      session: run.session,
      run: run.id,
      at: Date.now(),
      approval: approval!.id,
      decision: 'approve',
      by: 'kim',
    });
    expect((await ended(run)).status).toBe('completed');
    expect(workers.asked.filter((item) => item.verb === 'recall')).toHaveLength(1);
    await second.stop();
    await workers.stop();
  });
});
