/**
 * Very many runs that wait for a human's approval, written out: what they cost a planner that has just taken their partition
 * over, what it does while nothing happens, what the bus holds, and that one of them goes on when it is told to.
 */
import { STREAMS, subjects } from '@tutti/contracts';
import { cpuSeconds, residentMiB } from '../engine/processes.ts';
import { TENANT } from './job.ts';
import { openWorld, type Planner, pause, type Run, scrape, type World, waitFor } from './world.ts';

export interface Parked {
  runs: number;
  /** Of a planner with nothing, and of one that has just taken over the parked runs. */
  emptyMiB: number;
  parkedMiB: number;
  takeOverMs: number;
  /** CPU seconds and log messages within `idleSeconds`, for the parked runs and for none. */
  idleSeconds: number;
  idleCpu: number;
  idleCpuEmpty: number;
  idleLogMessages: number;
  /** On the bus, MiB: states of parked runs, checkpoint, and the log that may go now. */
  statesMiB: number;
  checkpointMiB: number;
  logMiB: number;
  /** From the decision to the end of its run. */
  wakeMs: number;
}

const FILL_STEP = 2_000;
/** A step on a machine that is busy with other things. */
const FILL_MS = 600_000;
const IDLE_SECONDS = 10;
/** A new process needs some seconds until it is as large and as quiet as it stays. */
const REST_MS = 6_000;

export async function measureParked(runs: number, profiles: string | undefined): Promise<Parked> {
  const world = await openWorld({ partitions: 1, env: { TUTTI_LEASE_MS: '3000', TUTTI_PARK_AFTER_MS: '2000' } });
  try {
    const first = await world.planner('planner-0', profiles);
    await first.said('took over a partition');
    await pause(REST_MS);
    const emptyMiB = residentMiB(first.process.pid);
    const idleCpuEmpty = await idleCpu(first);
    const started = await park(world, first, runs);
    const next = await world.planner('planner-1', profiles);
    await pause(REST_MS);
    await first.process.stop();
    const { ms } = await next.said('took over a partition');
    await pause(REST_MS);
    const parkedMiB = residentMiB(next.process.pid);
    const before = await lastOfLog(world);
    const idle = await idleCpu(next);
    const idleLogMessages = (await lastOfLog(world)) - before;
    const wakeMs = await wake(world, started[Math.floor(runs / 2)]!);
    return {
      runs,
      emptyMiB,
      parkedMiB,
      takeOverMs: ms as number,
      idleSeconds: IDLE_SECONDS,
      idleCpu: idle,
      idleCpuEmpty,
      idleLogMessages,
      statesMiB: await world.streamMiB(STREAMS.parked.name),
      checkpointMiB: await world.streamMiB('OBJ_tutti_blobs'),
      logMiB: await world.streamMiB(STREAMS.log.name),
      wakeMs,
    };
  } finally {
    await world.close();
  }
}

async function park(world: World, planner: Planner, runs: number): Promise<Run[]> {
  const all: Run[] = [];
  while (all.length < runs) {
    all.push(...(await world.start(Math.min(FILL_STEP, runs - all.length), 'approval')));
    await waitFor('all to wait', async () => (await world.load(0))?.waiting === all.length, FILL_MS);
  }
  await waitFor('all to be written out', async () => parkedOf(await scrape(planner.port)) === runs, FILL_MS);
  return all;
}

function parkedOf(metrics: Record<string, number>): number {
  return Object.entries(metrics).find(([name]) => /_parked(\{|$)/.test(name))?.[1] ?? 0;
}

async function idleCpu({ process }: Planner): Promise<number> {
  const before = cpuSeconds(process.pid);
  await pause(IDLE_SECONDS * 1_000);
  return cpuSeconds(process.pid) - before;
}

async function lastOfLog({ bus }: World): Promise<number> {
  return (await bus.last(STREAMS.log.name, subjects.log(0)))?.sequence ?? 0;
}

async function wake(world: World, { id, session }: Run): Promise<number> {
  const reply = await world.ask(0, { op: 'approvals', run: id });
  const approval = reply?.op === 'approvals' ? reply.approvals[0] : undefined;
  if (!approval) throw new Error(`the parked run ${id} has no approval`);
  const startedAt = performance.now();
  await world.tell([
    {
      v: 1,
      type: 'approve',
      tenant: TENANT,
      session,
      run: id,
      at: Date.now(),
      approval: approval.id,
      decision: 'approve',
      by: 'bench',
    },
  ]);
  await waitFor(
    `run ${id} to end`,
    async () => {
      const view = await world.ask(0, { op: 'run', run: id });
      return view?.op === 'run' && view.run.status === 'completed';
    },
    60_000,
    2,
  );
  return performance.now() - startedAt;
}
