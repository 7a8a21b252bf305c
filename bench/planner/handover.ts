/**
 * A partition with many active runs that changes hands, again and again: its owner is killed, or told to go. Every run waits
 * for its model all the while: nothing is finished, so the next owner finds as much as the one before.
 */
import { cpuSeconds, residentMiB } from '../engine/processes.ts';
import type { Wait } from './job.ts';
import { Watch } from './watch.ts';
import { openWorld, type Planner, pause, type World, waitFor } from './world.ts';

export interface Turn {
  how: 'SIGKILL' | 'SIGTERM';
  /** From the signal until the slowest partition was taken over, ms. */
  signalToInput: number;
  /** From when the new owner has the lease, likewise. */
  leaseToInput: number;
  /** CPU that the new owner has used from the signal on: what it would have taken on a machine of its own. */
  cpuMs: number;
  residentMiB: number;
}

export interface HandOverOptions {
  runs: number;
  partitions: number;
  turns: Turn['how'][];
  profiles: string | undefined;
}

const FILL_STEP = 1_000;
/** What came last is in a checkpoint by then, and nobody is busy. */
const QUIET_MS = 7_000;

export async function measureHandOver(options: HandOverOptions): Promise<Turn[]> {
  const { runs, partitions, turns } = options;
  const world = await openWorld({ partitions, env: { TUTTI_LEASE_MS: '3000' } });
  try {
    let owner = await world.planner('planner-0');
    await waitFor(
      'the first planner to own all',
      async () => (await allLoads(world, partitions)).length === partitions,
    );
    await fill(world, partitions, runs);
    const watch = await Watch.open(world.bus, partitions);
    const results: Turn[] = [];
    for (const [index, how] of turns.entries()) {
      const next = await world.planner(`planner-${index + 1}`, options.profiles);
      await settled(world, partitions, runs);
      results.push(await turn(world, watch, owner, next, how));
      await owner.process.stop();
      owner = next;
      await waitFor('all to be with one planner', () => watch.heldBy(owner.instance).length === partitions);
    }
    watch.stop();
    return results;
  } finally {
    await world.close();
  }
}

async function turn(world: World, watch: Watch, owner: Planner, next: Planner, how: Turn['how']): Promise<Turn> {
  const partitions = watch.heldBy(owner.instance);
  const cpuBefore = cpuSeconds(next.process.pid);
  const signalAt = performance.now();
  process.kill(owner.process.pid, how);
  const probe = (partition: number) => void world.probe(partition).catch(() => {});
  const overs = await Promise.all(partitions.map((partition) => watch.handOver(partition, owner.instance, probe)));
  return {
    how,
    signalToInput: Math.max(...overs.map(({ takenAt }) => takenAt - signalAt)),
    leaseToInput: Math.max(...overs.map(({ takenAt, leaseAt }) => takenAt - leaseAt)),
    cpuMs: (cpuSeconds(next.process.pid) - cpuBefore) * 1_000,
    residentMiB: residentMiB(next.process.pid),
  };
}

async function allLoads(world: World, partitions: number) {
  const loads = await Promise.all(Array.from({ length: partitions }, (_, partition) => world.load(partition)));
  return loads.flatMap((load) => load ?? []);
}

/** `wait`: all runs come to that. */
async function fill(world: World, partitions: number, runs: number, wait: Wait = 'model'): Promise<void> {
  for (let started = 0; started < runs; started += FILL_STEP) {
    const next = Math.min(runs, started + FILL_STEP);
    await world.start(next - started, wait);
    await settled(world, partitions, next);
  }
}

/** All runs wait for their model, and nothing else is to be done. */
async function settled(world: World, partitions: number, runs: number): Promise<void> {
  await waitFor('all runs to wait for their model', async () => {
    const loads = await allLoads(world, partitions);
    const sum = (of: 'lag' | 'active' | 'inFlight' | 'heldBack') => loads.reduce((all, load) => all + load[of], 0);
    return (
      loads.length === partitions &&
      sum('lag') === 0 &&
      sum('active') === runs &&
      sum('inFlight') + sum('heldBack') === runs
    );
  });
  await pause(QUIET_MS);
}
