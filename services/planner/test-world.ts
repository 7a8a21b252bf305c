/** A real bus with planners and scripted workers on it, and what tests ask of them. Everything is stopped by `close`. */
import {
  type ApprovalRecord,
  BUCKETS,
  type InboundMessage,
  LogBatch,
  logStreamOf,
  newSessionId,
  type OwnerReply,
  type PartitionLoad,
  partitionOf,
  type RunView,
  subjects,
} from '@tutti/contracts';
import {
  type Bus,
  connectNatsBus,
  createBundleStore,
  createLogger,
  provision,
  readSettings,
  type StartedService,
  startService,
} from '@tutti/runtime';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { plannerService } from './service.ts';
import { type Script, type StartedRun, startRun, startWorkers, tell, testBundle } from './test-support.ts';

export const silent = createLogger({}, { level: 'silent' });
const ASK_MS = 2_000;

export type World = Awaited<ReturnType<typeof openWorld>>;

/** `TUTTI_PARTITIONS` and `TUTTI_LOG_STREAMS` in `environment` hold for the bus; the rest for its services. */
export async function openWorld(environment: Record<string, string> = {}) {
  const nats = await startTestNats();
  const bus = await connectNatsBus({ url: nats.url, name: 'test', log: silent });
  await provision(bus, {
    replicas: 1,
    partitions: Number(environment.TUTTI_PARTITIONS ?? 4),
    logStreams: Number(environment.TUTTI_LOG_STREAMS ?? 1),
  });
  const { partitions, logStreams } = (await readSettings(bus))!;
  const env: Record<string, string> = {
    NATS_URL: nats.url,
    TUTTI_DATA: nats.dataDir,
    TUTTI_LOG_LEVEL: process.env.TUTTI_TEST_LOG ?? 'silent',
    TUTTI_LEASE_MS: '900',
    ...environment,
  };
  const stops: (() => Promise<unknown>)[] = [];
  const asks = { nats, bus, env, partitions, logStreams, ...questions(bus, partitions, logStreams) };
  return {
    ...asks,
    async workers(script: Script, more: Record<string, string> = {}) {
      const workers = await startWorkers({ ...env, ...more }, script);
      stops.push(workers.stop);
      return workers;
    },
    /** Resolves when all partitions have an owner. */
    async planner(more: Record<string, string> = {}): Promise<StartedService> {
      const planner = await startService(plannerService, { env: { ...env, ...more } });
      stops.push(() => planner.stop());
      await until('all partitions to be owned', () => planner.ready());
      return planner;
    },
    async close() {
      for (const stop of stops.reverse()) await stop();
      await bus.close();
      await nats.stop();
    },
  };
}

function questions(bus: Bus, partitions: number, logStreams: number) {
  const askPartition = async (partition: number, request: object): Promise<OwnerReply> => {
    const data = new TextEncoder().encode(JSON.stringify(request));
    return JSON.parse(new TextDecoder().decode(await bus.request(subjects.owner(partition), data, ASK_MS)));
  };
  const ask = (run: StartedRun, request: object) => askPartition(partitionOf(run.id, partitions), request);
  /** Undefined: nobody there knows it, or nobody is there. */
  const view = async (run: StartedRun): Promise<RunView | undefined> => {
    const reply = await ask(run, { op: 'run', run: run.id }).catch(() => undefined);
    return reply?.op === 'run' ? reply.run : undefined;
  };
  const say = (run: StartedRun, what: Record<string, unknown>) =>
    tell(bus, partitions, {
      v: 1,
      tenant: run.tenant,
      session: run.session,
      run: run.id,
      at: Date.now(),
      ...what,
    } as InboundMessage);
  return {
    ask,
    view,
    say,
    ended: (run: StartedRun, limitMs = 30_000): Promise<RunView> =>
      until(
        `run ${run.id} to end`,
        async () => {
          const seen = await view(run);
          return seen?.endedAt ? seen : null;
        },
        limitMs,
      ),
    async approvals(run: StartedRun): Promise<ApprovalRecord[]> {
      const reply = await ask(run, { op: 'approvals', run: run.id }).catch(() => undefined);
      return reply?.op === 'approvals' ? reply.approvals : [];
    },
    async load(partition: number): Promise<PartitionLoad> {
      const reply = await askPartition(partition, { op: 'load' });
      if (reply.op !== 'load') throw new Error(`partition ${partition} does not tell its load`);
      return reply.load;
    },
    apply: (overrides: Parameters<typeof testBundle>[0] = {}): Promise<string> =>
      createBundleStore(() => bus.bucket(BUCKETS.bundles)).apply('default', testBundle(overrides)),
    start: (bundle: string, input: string, session?: string, more = {}) =>
      startRun(bus, partitions, bundle, input, session, 'helper', more),
    sessionIn(partition: number): string {
      for (;;) {
        const session = newSessionId();
        if (partitionOf(session, partitions) === partition) return session;
      }
    },
    /** What is in the log of a partition. */
    async log(partition: number): Promise<LogBatch[]> {
      const batches: LogBatch[] = [];
      const stream = logStreamOf(partition, logStreams);
      for await (const message of bus.read(stream, subjects.log(partition), 1))
        batches.push(LogBatch.parse(JSON.parse(new TextDecoder().decode(message.data))));
      return batches;
    },
  };
}

export type { TestNats };
