/**
 * One simulated world from one seed: planners with the real shell and core, scripted workers, people who want things,
 * and weather. Ends when all that was accepted has ended and nothing is left to do, or when it is clear that this will
 * not come; then the checkers judge.
 */

import type { Logger } from '@tutti/runtime';
import { MemoryServer, type Random, VirtualTime } from '@tutti/testkit';
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
const PARTITIONS_MAX = 3;
const PLANNERS_MAX = 3;
/** After the last fault everything must have ended within this: wall time and expiries are the longest waits. */
const PATIENCE_MS = 200_000;
/** More events than any world has in that time: something turns in circles. */
const EVENTS_MAX = 400_000;
/** Once all has ended: for letters that have to be sent again and for memory's projection; then for whatever should not happen any more. */
const SETTLED_MS = 20_000;
const QUIET_MS = 1_000;
const COMPARE = 0.25;
/** Worlds in which nothing goes wrong but what workers answer: there everything has to be prompt. */
const CALM = 0.1;
const QUESTIONS_MAX = 30;

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
      if (entry.type === 'run.accepted') people.tenants.set(entry.run, entry.tenant);
    people.saw(batch);
  }
  server.onHandlerError = (process, error) => evidence.notice('errors', `${process.name}: ${stackOf(error)}`);
  time.onThrow = (process, error) =>
    evidence.notice('errors', `${process?.name ?? 'the simulator'}: ${stackOf(error)}`);

  const planners = new Planners({
    server,
    partitions,
    logStreams,
    config,
    logOf: (process) => watchedLog(evidence, time, process.name),
    shadows,
    seams: options.mutant?.(random) ?? {},
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
    forks: random.chance(0.3) ? 1 + random.below(3) : 0,
  });
  brew({ server, weather, planners, workers, leaseMs: config.TUTTI_LEASE_MS, partitions });

  const finished = () => time.now > weather.healedAt && people.pending === 0 && evidence.unfinished.length === 0;
  const outcome = await time.run(finished, { until: weather.healedAt + PATIENCE_MS, eventsMax: EVENTS_MAX });
  if (outcome === 'done') {
    await time.run(() => shadows.settled && projection.entries === evidence.entries, { until: time.now + SETTLED_MS });
    await time.run(() => false, { until: time.now + QUIET_MS });
  }
  planners.compareAll();
  const problems = CHECKERS.flatMap((checker) =>
    checker
      .check({ evidence, world, shadows, projection, outcome, partitions, config, calm })
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
const EXPECTED = ['a dead letter could not be stored', 'a bundle cannot be read', 'the states of parked runs are gone'];

const deafLog: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => deafLog } as never;
