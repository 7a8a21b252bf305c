/**
 * One simulated world from one seed: planners with the real shell and core, scripted workers, people who want things,
 * and weather. Ends when all that was accepted has ended and nothing is left to do, or when it is clear that this will
 * not come; then the checkers judge.
 */

import type { Logger } from '@tutti/runtime';
import { MemoryServer, type Outcome, type Random, VirtualTime } from '@tutti/testkit';
import { PlannerConfig } from '../../services/planner/config.ts';
import { brew, WorkerPool } from './chaos.ts';
import { CHECKERS, type Problem } from './checkers/index.ts';
import { Evidence, type SeenBatch } from './evidence.ts';
import { People } from './people.ts';
import { Planners, type Seams } from './planners.ts';
import { Projection } from './projector.ts';
import { Readers } from './readers.ts';
import { Shadows } from './shadow.ts';
import { busFaults, drawWeather, type Weather } from './weather.ts';
import { World } from './world.ts';

export interface SimulateOptions {
  seed: number;
  /** Runs that people start; children and schedules come on top. */
  runs?: number;
  /** Told what happens, line by line. */
  note?(line: string): void;
  /** A planted bug. */
  mutant?(random: Random): Seams;
  /** Told every message of the log, in the order in which they were stored. */
  saw?(batch: SeenBatch): void;
  /** Weather that is given instead of drawn, in part. */
  weather?: Partial<Weather>;
}

export interface Simulated {
  seed: number;
  /** The same for the same seed and code: a fingerprint of everything that happened. */
  trace: string;
  problems: Problem[];
  runs: number;
  entries: number;
  events: number;
  virtualMs: number;
  faults: string;
}

const RUNS_DEFAULT = 6;
const PARTITIONS_MAX = 4;
const PLANNERS_MAX = 3;
/** After the last fault, and then after each end of a run, the next must come within this: wall time and expiries are the longest waits. */
const PATIENCE_MS = 200_000;
/** More events than any world has in that time: something turns in circles. */
const EVENTS_MAX = 400_000;
/** Once all has ended: for letters that have to be sent again, dead ones among them, and for memory's projection; then for whatever should not happen any more. */
const SETTLED_MS = 40_000;
const QUIET_MS = 1_000;
const COMPARE = 0.25;
/** Worlds in which nothing goes wrong but what workers answer: there everything has to be prompt. */
const CALM = 0.1;
const QUESTIONS_MAX = 30;
const UPGRADE = 0.08;
const UPGRADE_EVERY_MS = 1_500;
/** The partitions must be spread when the last call that got no answer is given up, and so many lease times have passed. */
const SETTLED_LEASES = 5;
const CALLS_GIVEN_UP_MS = 5_000;

export async function simulate(options: SimulateOptions): Promise<Simulated> {
  const time = new VirtualTime(options.seed);
  const { random } = time;
  time.note = options.note && ((line) => options.note!(`${time.now.toFixed(2).padStart(10)} ${line}`));
  const calm = random.chance(CALM);
  const weather = { ...drawWeather(random, calm), ...options.weather };
  const config = drawConfig(random);
  const partitions = 1 + random.below(PARTITIONS_MAX);
  const logStreams = 1 + random.below(Math.min(partitions, 2));
  const server = new MemoryServer({
    time,
    payloadBytesMax: random.chance(0.2) ? SMALL_PAYLOAD_BYTES : undefined,
    logs: { streams: logStreams, partitions },
  });
  const evidence = new Evidence(server);
  const shadows = new Shadows(partitions, (problem) => evidence.notice('replay', problem));
  const people = new People(server, partitions, deafLog);
  const projection = new Projection();
  const world = new World();
  server.onStored = (stream, message) => {
    const seen = evidence.stored(stream, message);
    if (!seen) return;
    if ('batch' in seen) tookIn(seen);
    else people.tenants.set(seen.message.run, seen.message.tenant);
  };
  function tookIn(batch: SeenBatch): void {
    shadows.apply(batch);
    options.saw?.(batch);
    for (const entry of batch.batch.entries)
      if (entry.type === 'run.accepted') {
        people.tenants.set(entry.run, entry.tenant);
        people.sessions.set(entry.run, entry.session);
      }
    people.saw(batch);
  }
  server.onHandlerError = (process, error) => evidence.notice('errors', `${process.name}: ${stackOf(error)}`);
  time.onThrow = (process, error) =>
    evidence.notice('errors', `${process?.name ?? 'the simulator'}: ${stackOf(error)}`);

  const upgradeAt = random.chance(UPGRADE) ? weather.healedAt * random.between(0.2, 0.7) : undefined;
  const planners = new Planners({
    server,
    partitions,
    logStreams,
    config,
    logOf: (process) => watchedLog(evidence, time, process.name),
    shadows,
    seams: options.mutant?.(random) ?? {},
    upgradeAt,
    compare: COMPARE,
  });
  server.faults = busFaults(
    time,
    weather,
    (process) => planners.has(process),
    (process) => planners.killProcess(process, random.between(0, 3_000)),
  );
  const workers = new WorkerPool({
    server,
    random,
    evidence,
    world,
    projection,
    partitions,
    logStreams,
    weather: weather.workers,
    log: deafLog,
  });
  new Readers(
    { server, evidence, partitions, tenantOf: (run) => people.tenants.get(run) },
    random.below(QUESTIONS_MAX),
    weather.healedAt,
  );
  for (let i = 1 + random.below(PLANNERS_MAX); i > 0; i--) planners.start();
  people.begin({
    runs: options.runs ?? RUNS_DEFAULT,
    untilMs: weather.healedAt * 0.8,
    overMs: weather.healedAt,
    cancel: random.chance(0.5) ? 0.25 : 0,
    repeat: random.chance(0.5) ? 0.2 : 0,
    schedules: 0.25,
    rubbish: random.chance(0.15) ? 1 + random.below(3) : 0,
    poison: random.chance(0.1) ? 1 + random.below(2) : 0,
    forks: random.chance(0.3) ? 1 + random.below(3) : 0,
  });
  if (upgradeAt !== undefined) upgrade(planners, time, upgradeAt);
  brew({ server, weather, planners, workers, leaseMs: config.TUTTI_LEASE_MS, partitions });

  const finished = () => time.now > weather.healedAt && people.pending === 0 && evidence.allEnded;
  const settled = () => shadows.settled && projection.entries === evidence.entries && evidence.unburied.length === 0;
  const outcome = await runOut({ time, evidence, healedAt: weather.healedAt, finished, settled });
  planners.compareAll();
  const spreadMs = CALLS_GIVEN_UP_MS + SETTLED_LEASES * config.TUTTI_LEASE_MS;
  const held = time.now > weather.healedAt + spreadMs ? planners.held(spreadMs) : null;
  await openAll(planners, partitions, time, evidence);
  const problems = CHECKERS.flatMap((checker) =>
    checker
      .check({ evidence, world, shadows, projection, outcome, partitions, config, held, calm })
      .map((problem) => ({ checker: checker.name, problem })),
  );
  return {
    seed: options.seed,
    trace: time.trace,
    problems: [...evidence.noticed, ...problems],
    runs: evidence.starts.size,
    entries: evidence.entries,
    events: time.events,
    virtualMs: time.now,
    faults: JSON.stringify(weather),
  };
}

/** Until nothing is left to do, or it is clear that this will not come. */
async function runOut(world: {
  time: VirtualTime;
  evidence: Evidence;
  healedAt: number;
  finished(): boolean;
  settled(): boolean;
}): Promise<Outcome> {
  const { time, evidence, healedAt, finished, settled } = world;
  for (;;) {
    const until = Math.max(healedAt, evidence.lastEndAt) + PATIENCE_MS;
    const outcome = await time.run(finished, { until, eventsMax: EVENTS_MAX - time.events });
    // A hundred made-up ticks that run one after the other take their time.
    if (outcome === 'time' && evidence.lastEndAt + PATIENCE_MS > until) continue;
    if (outcome !== 'done') return outcome;
    await time.run(settled, { until: time.now + SETTLED_MS });
    await time.run(() => false, { until: time.now + QUIET_MS });
    // A start that its sender had given up may have been on its way all the same.
    if (finished()) return outcome;
  }
}

/** A rolling upgrade: one planner after the other is told to go, and comes back as one of a later version. */
function upgrade(planners: Planners, time: VirtualTime, at: number): void {
  time.after(at, () => {
    let afterMs = 0;
    for (const planner of planners.alive) {
      time.after(afterMs, () => planners.all.has(planner) && planners.drain(planner, UPGRADE_EVERY_MS / 4));
      afterMs += UPGRADE_EVERY_MS;
    }
  });
}

/** Opens every partition once more, as who comes later will. */
async function openAll(planners: Planners, partitions: number, time: VirtualTime, evidence: Evidence): Promise<void> {
  for (let partition = 0; partition < partitions; partition++) {
    let outcome: string | undefined;
    planners.openOnceMore(partition).then(
      () => (outcome = 'opened'),
      (error) => (outcome = stackOf(error)),
    );
    await time.run(() => outcome !== undefined, { until: time.now + SETTLED_MS });
    if (outcome !== 'opened') evidence.notice('replay', `partition ${partition} cannot be opened any more: ${outcome}`);
  }
}

/** With room for a batch of a few inputs: rounds are cut. */
const SMALL_PAYLOAD_BYTES = 100_000;

function drawConfig(random: Random): PlannerConfig {
  const some = (probability: number, value: () => number) =>
    random.chance(probability) ? { value: value() } : undefined;
  return PlannerConfig.parse({
    TUTTI_LEASE_MS: random.pick([900, 1_500, 3_000]),
    TUTTI_CHECKPOINT_ENTRIES: random.pick([10, 25, 60, 5_000]),
    TUTTI_BATCH_INPUTS_MAX: random.pick([1, 4, 1_024]),
    TUTTI_ACTIVE_RUNS_MAX: some(0.3, () => 1 + random.below(3))?.value,
    TUTTI_TENANT_ACTIVE_RUNS_MAX: some(0.3, () => 1 + random.below(3))?.value,
    TUTTI_QUEUED_RUNS_MAX: some(0.2, () => 1 + random.below(4))?.value,
    TUTTI_PARK_AFTER_MS: random.pick([50, 300, 2_000, 30_000]),
    TUTTI_LOG_KEEP_MS: random.pick([100, 1_000, 86_400_000]),
    TUTTI_LOG_KEEP_BYTES: random.pick([5_000, 50_000, 2 ** 30]),
  });
}

const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

/** What a planner logs as an error is a fault of ours, whatever the weather; but for letters that could not be stored. */
function watchedLog(evidence: Evidence, time: VirtualTime, who: string): Logger {
  const line = (level: string, fields: unknown, message: string | undefined) => {
    const { err, error } = fields as { err?: unknown; error?: unknown };
    time.note?.(`${who} ${level}: ${message} ${err ? stackOf(err) : (error ?? '')} ${JSON.stringify(fields)}`);
  };
  const log: Logger = {
    debug: () => {},
    info: (fields: unknown, message?: string) => line('info', fields, message),
    warn: (fields: unknown, message?: string) => line('warn', fields, message),
    error: (fields: unknown, message?: string) => {
      line('error', fields, message);
      if (message && EXPECTED.some((expected) => message.startsWith(expected))) return;
      const { err } = fields as { err?: unknown };
      evidence.notice('errors', `${who} says: ${message} ${JSON.stringify(fields)} ${err ? stackOf(err) : ''}`);
    },
    child: () => log,
  } as Logger;
  return log;
}
/** An owner of the past finds states gone that its successor has brought back: what it makes of that is refused. */
const EXPECTED = [
  'a dead letter could not be stored',
  'a bundle cannot be read',
  'the states of parked runs are gone',
  'a partition is left to a planner of a later version',
  'an inbound message does not fit its schema',
  'an input cannot be taken in; its run is given up',
  'a run cannot be gone on with; it is given up',
];

const deafLog: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => deafLog } as never;
