/** What happens to processes, connections, leases and clocks, at moments drawn beforehand, until the weather has healed. */
import { BUCKETS } from '@tutti/contracts';
import type { MemoryServer, Random, VirtualProcess } from '@tutti/testkit';
import type { Planner, Planners } from './planners.ts';
import { type ProjectorDeps, startProjector } from './projector.ts';
import type { Weather } from './weather.ts';
import { startWorker, WORKERS, type WorkerDeps, type WorkerName } from './workers.ts';

const HOUR_MS = 3_600_000;
const encoder = new TextEncoder();

type Role = WorkerName | 'projector';
type PoolDeps = WorkerDeps & ProjectorDeps;

/** The replicas of the four services and memory's projector; one that dies comes back as another process. */
export class WorkerPool {
  readonly #replicas = new Map<VirtualProcess, Role>();
  readonly #deps: PoolDeps;
  #count = 0;

  constructor(deps: PoolDeps) {
    this.#deps = deps;
    for (const name of WORKERS) for (let i = 1 + deps.random.below(2); i > 0; i--) this.#start(name);
    this.#start('projector');
  }

  get processes(): VirtualProcess[] {
    return [...this.#replicas.keys()];
  }
  #start(name: Role): void {
    const process = this.#deps.server.time.process(`${name}-${++this.#count}`);
    this.#replicas.set(process, name);
    if (name === 'projector') startProjector(process, this.#deps);
    else startWorker(name, process, this.#deps);
  }
  kill(process: VirtualProcess, restartAfterMs: number): void {
    const name = this.#replicas.get(process);
    if (!name || !this.#replicas.delete(process)) return;
    process.kill();
    this.#deps.server.gone(process);
    this.#deps.server.time.after(restartAfterMs, () => this.#start(name));
  }
}

export interface ChaosDeps {
  server: MemoryServer;
  weather: Weather;
  planners: Planners;
  workers: WorkerPool;
  leaseMs: number;
  partitions: number;
}

export function brew(deps: ChaosDeps): void {
  const { server, weather } = deps;
  const { time } = server;
  const { random } = time;
  const at = (count: number, what: string, action: (leftMs: number) => void) => {
    for (let i = 0; i < count; i++)
      time.after(random.between(0, weather.healedAt * 0.9), () => {
        time.note?.(`chaos: ${what}`);
        action(weather.healedAt - time.now);
      });
  };
  /** Perhaps there is none just now. */
  const toOne = (action: (planner: Planner, leftMs: number) => void) => (leftMs: number) => {
    const { alive } = deps.planners;
    if (alive.length > 0) action(random.pick(alive), leftMs);
  };
  at(
    weather.crashes,
    'a planner dies',
    toOne((planner, left) => deps.planners.kill(planner, downFor(random, left))),
  );
  at(
    weather.drains,
    'a planner is told to go',
    toOne((planner, left) => deps.planners.drain(planner, downFor(random, left))),
  );
  at(
    weather.freezes,
    'a planner is stopped',
    toOne((planner, left) => planner.process.freeze(Math.min(left, random.between(0.2, 4) * deps.leaseMs))),
  );
  at(
    weather.clockJumps,
    'a clock is set',
    toOne((planner) => {
      planner.process.wallOffset += jump(random);
    }),
  );
  at(weather.workerCrashes, 'a worker dies', (left) =>
    deps.workers.kill(random.pick(deps.workers.processes), downFor(random, left)),
  );
  at(weather.workerFreezes, 'a worker is stopped', (left) =>
    random.pick(deps.workers.processes).freeze(Math.min(left, random.between(100, 8_000))),
  );
  at(weather.drops, 'a connection is lost', (left) =>
    server.drop(random.pick([...server.connections]), Math.min(left, random.between(10, 3_000))),
  );
  at(weather.restarts, 'the bus goes down', (left) =>
    server.restart(Math.min(left, random.between(50, 3_000)), random.chance(0.5)),
  );
  at(weather.leasesStolen, 'a lease is meddled with', () => meddle(deps));
}

function downFor(random: Random, leftMs: number): number {
  return Math.min(leftMs, random.chance(0.3) ? 0 : random.between(10, 6_000));
}

function jump(random: Random): number {
  const size = random.chance(0.5) ? random.between(100, 10_000) : random.between(0, 2 * HOUR_MS);
  return random.chance(0.5) ? size : -size;
}

/** Leases are hints: whoever writes what into them, nothing may come of it but delay. */
function meddle({ server, partitions, planners }: ChaosDeps): void {
  const { random } = server.time;
  const leases = server.bucket(BUCKETS.leases);
  const key = `partition.${random.below(partitions)}`;
  if (random.chance(0.4)) leases.delete(key);
  else if (random.chance(0.5)) leases.put(key, encoder.encode('nobody at all'));
  else if (planners.alive.length > 0) leases.put(key, encoder.encode(random.pick(planners.alive).process.name));
}
