/**
 * Planner processes: the real Ownership, PartitionOwner, core, log store, dispatcher and caller, on the memory bus in
 * virtual time. Owns how they are wired together (as services/planner/service.ts does it), with the seams at which
 * mutants take hold, and how they die, stop for a while, are told to go, and come back.
 */
import { BUCKETS, LOG_FORMAT, logStreamOf } from '@tutti/contracts';
import {
  createBundleStore,
  createCaller,
  createMetrics,
  createReceiver,
  type Logger,
  nextTick,
  type ServiceContext,
  type Telemetry,
} from '@tutti/runtime';
import type { MemoryServer, VirtualProcess } from '@tutti/testkit';
import type { PlannerConfig } from '../../services/planner/config.ts';
import type { PartitionState } from '../../services/planner/core/state.ts';
import { journalHandlers } from '../../services/planner/journal/handlers.ts';
import type { Dispatch } from '../../services/planner/ports/dispatch.ts';
import type { Leases, Sign } from '../../services/planner/ports/lease.ts';
import type { PartitionLog } from '../../services/planner/ports/log.ts';
import { logOf } from '../../services/planner/service.ts';
import { openLeases } from '../../services/planner/shell/bucket-leases.ts';
import { Dispatcher } from '../../services/planner/shell/dispatcher.ts';
import { Ownership } from '../../services/planner/shell/ownership.ts';
import type { Shadows } from './shadow.ts';

/** Where a mutant may put itself in between. */
export interface Seams {
  context?(context: ServiceContext<PlannerConfig>): ServiceContext<PlannerConfig>;
  log?(log: PartitionLog, context: ServiceContext<PlannerConfig>, partition: number): PartitionLog;
  dispatch?(dispatch: Dispatch, context: ServiceContext<PlannerConfig>): Dispatch;
  leases?(leases: Leases, context: ServiceContext<PlannerConfig>): Leases;
  nextTick?: typeof nextTick;
}

export interface PlannersDeps {
  server: MemoryServer;
  partitions: number;
  logStreams: number;
  config: PlannerConfig;
  logOf(process: VirtualProcess): Logger;
  shadows: Shadows;
  seams: Seams;
  /** Planners that start from then on (virtual ms) are of a later version. */
  upgradeAt: number | undefined;
  /** How often a checkpoint's state is compared with the log's, 0 to 1. */
  compare: number;
}

export interface Planner {
  process: VirtualProcess;
  ownership: Ownership | undefined;
  startedAt: number;
  /** The state that each of its owners has, and how far it has written. */
  owners: Map<number, { state: PartitionState; sequence: number }>;
}

const RESTART_AFTER_FAILED_START_MS = 500;
const REQUESTS_MAX = 64;
const silent: Telemetry = {
  enabled: false,
  span: () => ({ traceparent: undefined, attributes() {}, event() {}, end() {} }),
};

/** Small: a checkpoint has several parts, and leaves some of the last one as they are. */
const PART_CHARS = 4_000;

export class Planners {
  readonly all = new Set<Planner>();
  readonly #deps: PlannersDeps;
  #count = 0;
  /** Planners that are being drained, or that will come back. */
  #leaving = 0;

  constructor(deps: PlannersDeps) {
    this.#deps = deps;
  }

  get alive(): Planner[] {
    return [...this.all];
  }
  has(process: VirtualProcess): boolean {
    return this.alive.some((planner) => planner.process === process);
  }

  start(): void {
    const { server } = this.#deps;
    const process = server.time.process(`planner-${++this.#count}`);
    const planner: Planner = { process, ownership: undefined, startedAt: server.time.now, owners: new Map() };
    this.all.add(planner);
    void this.#open(planner).catch((error) => {
      // A service that cannot start ends, and is started again.
      server.time.note?.(`${process.name} cannot start: ${(error as Error).message}`);
      this.kill(planner, RESTART_AFTER_FAILED_START_MS);
    });
  }

  async #open(planner: Planner): Promise<void> {
    const { partitions, seams } = this.#deps;
    const later = planner.startedAt >= (this.#deps.upgradeAt ?? Number.POSITIVE_INFINITY);
    const plain = later ? readsLater(this.#contextOf(planner.process)) : this.#contextOf(planner.process);
    const context = seams.context?.(plain) ?? plain;
    const opened = await openLeases(context.bus);
    const leases = later ? signsLater(opened) : opened;
    const dispatch = new Dispatcher(context.caller, context.clock, context.metrics);
    const ownership = new Ownership({
      context,
      partitions,
      leases: seams.leases?.(leases, context) ?? leases,
      dispatch: seams.dispatch?.(dispatch, context) ?? dispatch,
      logOf: (partition) => {
        const store = this.#logOf(context, partition, later);
        return this.#watched(planner, partition, seams.log?.(store, context, partition) ?? store);
      },
      nextTick: seams.nextTick ?? nextTick,
    });
    await ownership.start();
    planner.ownership = ownership;
    createReceiver({
      bus: context.bus,
      service: 'planner',
      handlers: journalHandlers(context, partitions),
      inFlightMax: REQUESTS_MAX,
      telemetry: silent,
      log: context.log,
      clock: context.clock,
    });
  }

  #logOf(context: ServiceContext<PlannerConfig>, partition: number, later: boolean): PartitionLog {
    const stream = logStreamOf(partition, this.#deps.logStreams);
    const store = logOf(context, partition, stream, { partChars: PART_CHARS });
    if (!later) return store;
    return over(store, {
      append: (batch, last, json) => store.append({ ...batch, format: LATER_FORMAT }, last, json),
    });
  }

  /** What an owner finds that comes when all is over: checkpoint, log and parked runs as they were left. */
  async openOnceMore(partition: number): Promise<void> {
    const { server, shadows } = this.#deps;
    const context = readsLater(this.#contextOf(server.time.process('inspector')));
    const { state, lastSequence } = await this.#logOf(context, partition, false).open();
    shadows.compare(partition, state, lastSequence, 'what a later owner finds');
  }

  /** What each holds; null while some have come too lately, or are on their way out. */
  held(settledMs: number): Map<string, number[]> | null {
    const held = new Map<string, number[]>();
    for (const { process, ownership, startedAt } of this.all) {
      if (!ownership || process.time.now - startedAt < settledMs) return null;
      held.set(process.name, ownership.owned);
    }
    return held.size > 0 && !this.#leaving ? held : null;
  }

  #contextOf(process: VirtualProcess): ServiceContext<PlannerConfig> {
    const { server, config } = this.#deps;
    const bus = server.connect(process);
    const { clock } = process;
    const log = this.#deps.logOf(process);
    return {
      name: 'planner',
      instance: process.name,
      config,
      bus,
      caller: createCaller(bus, log, clock),
      clock,
      bundles: createBundleStore(() => bus.bucket(BUCKETS.bundles)),
      log,
      telemetry: silent,
      metrics: createMetrics(),
      dataDir: '',
    };
  }

  /** Looks on: which state an owner has, and whether it is what the log gives when it is written down. */
  #watched(planner: Planner, partition: number, log: PartitionLog): PartitionLog {
    const { shadows, server, compare } = this.#deps;
    const known = { state: undefined as PartitionState | undefined, sequence: 0 };
    return {
      async open() {
        const opened = await log.open();
        known.state = opened.state;
        known.sequence = opened.lastSequence;
        // An owner from when its epoch is in the log.
        planner.owners.delete(partition);
        return opened;
      },
      async append(batch, last) {
        const sequence = await log.append(batch, last);
        known.sequence = sequence;
        planner.owners.set(partition, known as { state: PartitionState; sequence: number });
        return sequence;
      },
      checkpoint(state, sequence) {
        if (server.time.random.chance(compare))
          shadows.compare(partition, state, sequence, `the state of ${planner.process.name}`);
        return log.checkpoint(state, sequence);
      },
      abandon: () => log.abandon(),
      park: (snapshots) => log.park(snapshots),
      parked: (sequence) => log.parked(sequence),
      unpark: (sequence) => log.unpark(sequence),
    };
  }

  /** Of every owner that still has its partition. */
  compareAll(): void {
    for (const planner of this.all) {
      for (const partition of planner.ownership?.owned ?? []) {
        const owner = planner.owners.get(partition);
        if (owner)
          this.#deps.shadows.compare(
            partition,
            owner.state,
            owner.sequence,
            `the last state of ${planner.process.name}`,
          );
      }
    }
  }

  kill(planner: Planner, restartAfterMs: number): void {
    if (!this.all.delete(planner)) return;
    planner.process.kill();
    this.#deps.server.gone(planner.process);
    this.#leaving++;
    this.#deps.server.time.after(restartAfterMs, () => {
      this.#leaving--;
      this.start();
    });
  }
  killProcess(process: VirtualProcess, restartAfterMs: number): void {
    const planner = this.alive.find((candidate) => candidate.process === process);
    if (planner) this.kill(planner, restartAfterMs);
  }

  /** As SIGTERM does; another one comes in its place. */
  drain(planner: Planner, restartAfterMs: number): void {
    const { time } = this.#deps.server;
    time.note?.(`${planner.process.name} is told to go`);
    this.#leaving++;
    let over = false;
    const gone = () => {
      if (over) return;
      over = true;
      this.#leaving--;
      this.kill(planner, restartAfterMs);
    };
    // In its own time: it may be stopped, or dead already.
    time.after(0, () => void planner.ownership?.drain().then(gone, gone), planner.process);
    time.after(DRAIN_MAX_MS, gone);
  }
}

/** An orchestrator's patience. */
const DRAIN_MAX_MS = 10_000;

const LATER_FORMAT = LOG_FORMAT + 1;

/** A planner of a later version understands what it writes. To everything else here it is the same one. */
function readsLater(context: ServiceContext<PlannerConfig>): ServiceContext<PlannerConfig> {
  const { bus } = context;
  const [later, known] = [`"format":${LATER_FORMAT}`, `"format":${LOG_FORMAT}`];
  async function* read(stream: string, subject: string, from: number) {
    for await (const message of bus.read(stream, subject, from))
      yield { ...message, data: encoder.encode(decoder.decode(message.data).replace(later, known)) };
  }
  return { ...context, bus: over(bus, { read }) };
}
/** It says that it is of a later version; seen by it, the others are of an earlier one. */
function signsLater(leases: Leases): Leases {
  const by = (sign: Sign, more: number) => ({ ...sign, format: sign.format + more });
  return over(leases, {
    announce: (planner, sign) => leases.announce(planner, by(sign, LATER_FORMAT - LOG_FORMAT)),
    watch: (handler) =>
      leases.watch((change) =>
        handler(
          change.kind === 'planner' && change.sign
            ? { ...change, sign: by(change.sign, LOG_FORMAT - LATER_FORMAT) }
            : change,
        ),
      ),
  });
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The same thing but for what is said otherwise. */
export function over<T extends object>(thing: T, other: Partial<T>): T {
  return new Proxy(thing, {
    get(target, key) {
      if (key in other) return other[key as keyof T];
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
