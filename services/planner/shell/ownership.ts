/**
 * Which partitions this planner holds. Leases in a key-value bucket find an owner and spread the partitions evenly; they
 * are hints: the log's compare-and-set is what keeps a stalled owner out. A lease counts as expired when its revision
 * has not moved for the lease time on this process's monotonic clock, so no two clocks are ever compared.
 */
import { LOG_FORMAT } from '@tutti/contracts';
import { BusConflict, type ServiceContext } from '@tutti/runtime';
import { PLANNER_LIMITS, type PlannerConfig } from '../config.ts';
import { spread } from '../core/spread.ts';
import type { Dispatch } from '../ports/dispatch.ts';
import type { LeaseSeen, Leases, Sign } from '../ports/lease.ts';
import { NewerFormat, type PartitionLog } from '../ports/log.ts';
import { NewerMessage } from './intake.ts';
import { type OwnerOptions, PartitionOwner } from './owner.ts';
import { PlannerMetrics } from './planner-metrics.ts';
import { Suspects } from './suspects.ts';

interface Seen extends LeaseSeen {
  /** Monotonic time of this process at which it last moved. */
  at: number;
}
interface PlannerSeen {
  revision: number;
  /** null: it has gone. */
  sign: Sign | null;
  at: number;
}

export interface OwnershipOptions {
  context: ServiceContext<PlannerConfig>;
  partitions: number;
  leases: Leases;
  dispatch: Dispatch;
  stop?: OwnerOptions['stop'];
  logOf(partition: number): PartitionLog;
  nextTick: OwnerOptions['nextTick'];
}

/** A lease that is ours, and the owner behind it while there is one. */
interface Held {
  revision: number;
  owner: PartitionOwner | undefined;
  /** Counts up at every attempt to open: only the latest goes on. */
  attempt: number;
  /** Wait before it is opened anew after it was dropped. */
  waitMs: number;
  openedAt: number;
}

const GONE_AFTER_LEASES = 10;
/** A partition that a later version has written to is left to others for so many lease times. */
const NEWER_FOR_LEASES = 10;

export class Ownership {
  readonly #options: OwnershipOptions;
  readonly #context: ServiceContext<PlannerConfig>;
  readonly #leases: Leases;
  readonly #partitions: number;
  readonly #metrics: PlannerMetrics;
  readonly #leaseSeen = new Map<number, Seen>();
  readonly #plannerSeen = new Map<string, PlannerSeen>();
  readonly #owned = new Map<number, Held>();
  /** Owners of ours that have not let go yet: until then nobody here opens their partition again, for both would send the same calls. */
  readonly #closing = new Map<number, Promise<void>>();
  /** Kept over reopening and even over losing a partition: poison stays poison. */
  readonly #suspects = new Map<number, Suspects>();
  /** Partitions that this version cannot read, and until when they are left alone even if nobody holds them. */
  readonly #beyond = new Map<number, number>();
  #watch: { stop(): void } | undefined;
  #status: { stop(): void } | undefined;
  #timer: { stop(): void } | undefined;
  #busy: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(options: OwnershipOptions) {
    this.#options = options;
    this.#context = options.context;
    this.#leases = options.leases;
    this.#partitions = options.partitions;
    this.#metrics = new PlannerMetrics(options.context.metrics, () =>
      [...this.#owned.values()].flatMap(({ owner }) => (owner?.opened ? owner.gauges : [])),
    );
  }

  get #now(): number {
    return this.#context.clock.monotonic();
  }
  get #renewMs(): number {
    return this.#context.config.TUTTI_LEASE_MS / 3;
  }

  async start(): Promise<void> {
    const watch = await this.#leases.watch((change) => {
      if (change.kind === 'planner') {
        const { planner, revision, sign } = change;
        this.#plannerSeen.set(planner, { revision, sign, at: this.#now });
        // What it held is for the others now.
        if (sign === null) this.#wake();
        return;
      }
      this.#leaseSeen.set(change.partition, { ...change.seen, at: this.#now });
      // A lease given back is taken up at once.
      if (change.seen.holder === null) this.#wake();
    });
    this.#watch = watch;
    await watch.ready;
    // While the bus was away nobody could renew: all leases get their time anew.
    this.#status = this.#context.bus.onStatus((status) => {
      if (status !== 'connected') return;
      for (const seen of [...this.#leaseSeen.values(), ...this.#plannerSeen.values()]) seen.at = this.#now;
    });
    this.#timer = this.#context.clock.every(this.#renewMs, () => this.#wake());
    this.#wake();
  }

  /** True once every partition has an owner, here or elsewhere. */
  get settled(): boolean {
    for (let partition = 0; partition < this.#partitions; partition++) {
      if (!this.#owned.get(partition)?.owner?.opened && !this.#heldElsewhere(partition)) return false;
    }
    return true;
  }

  get owned(): number[] {
    return [...this.#owned.keys()].sort((a, b) => a - b);
  }

  #wake(): void {
    if (this.#stopped) return;
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = this.#round()
      .catch((error) =>
        this.#context.log.warn({ error: (error as Error).message }, 'the leases cannot be kept right now'),
      )
      .finally(() => {
        this.#busy = undefined;
        if (this.#again) {
          this.#again = false;
          this.#wake();
        }
      });
  }

  async #round(): Promise<void> {
    this.#lookBeyond();
    await this.#leases.announce(this.#context.instance, { format: LOG_FORMAT, beyond: [...this.#beyond.keys()] });
    await Promise.all([...this.#owned.keys()].map((partition) => this.#renew(partition)));
    await this.#forgetPlanners();
    const { take, give } = spread({
      me: this.#context.instance,
      partitions: this.#partitions,
      planners: this.#planners(),
      holders: this.#holders(),
      closing: new Set(this.#closing.keys()),
    });
    // Not waited for: the other leases have to be renewed meanwhile.
    for (const partition of give) void this.#giveBack(partition).catch(() => {});
    await Promise.all(take.map((partition) => this.#acquire(partition)));
  }

  /** What nobody holds is tried again after a while: its last owner may have left it in a state that can be read. */
  #lookBeyond(): void {
    for (const [partition, until] of this.#beyond)
      if (until <= this.#now && !this.#heldElsewhere(partition)) this.#beyond.delete(partition);
  }

  /** Planners that were killed leave their sign behind. */
  async #forgetPlanners(): Promise<void> {
    const goneMs = this.#context.config.TUTTI_LEASE_MS * GONE_AFTER_LEASES;
    for (const [planner, seen] of this.#plannerSeen) {
      if (seen.sign === null || this.#now - seen.at < goneMs) continue;
      await this.#leases.withdraw(planner, seen.revision).catch(() => {});
    }
  }

  /** Planners that gave a sign of life within the lease time, this one included. */
  #planners(): Map<string, { format: number; beyond: ReadonlySet<number> }> {
    const planners = new Map<string, { format: number; beyond: ReadonlySet<number> }>();
    for (const [planner, seen] of this.#plannerSeen)
      if (seen.sign !== null && this.#fresh(seen))
        planners.set(planner, { format: seen.sign.format, beyond: new Set(seen.sign.beyond) });
    planners.set(this.#context.instance, { format: LOG_FORMAT, beyond: new Set(this.#beyond.keys()) });
    return planners;
  }

  #fresh(seen: { at: number }): boolean {
    return this.#now - seen.at < this.#context.config.TUTTI_LEASE_MS;
  }
  #heldElsewhere(partition: number): boolean {
    const seen = this.#leaseSeen.get(partition);
    return seen !== undefined && seen.holder !== null && seen.holder !== this.#context.instance && this.#fresh(seen);
  }
  #holders(): Map<number, string> {
    const holders = new Map<number, string>();
    for (let partition = 0; partition < this.#partitions; partition++) {
      if (this.#owned.has(partition)) holders.set(partition, this.#context.instance);
      else if (this.#heldElsewhere(partition)) holders.set(partition, this.#leaseSeen.get(partition)!.holder!);
    }
    return holders;
  }

  async #renew(partition: number): Promise<void> {
    const held = this.#owned.get(partition);
    if (!held) return;
    try {
      held.revision = await this.#leases.renew(partition, this.#context.instance, held.revision);
    } catch (error) {
      if (!(error instanceof BusConflict)) throw error;
      // An earlier renewal may have been stored although its answer got lost.
      const lease = await this.#leases.look(partition);
      if (lease?.holder === this.#context.instance) held.revision = lease.revision;
      else await this.#lost(partition, 'the lease was taken by another planner');
    }
  }

  async #acquire(partition: number): Promise<void> {
    const seen = this.#leaseSeen.get(partition);
    try {
      const known = seen && seen.holder !== null ? seen.revision : null;
      const revision = await this.#leases.claim(partition, this.#context.instance, known);
      this.#owned.set(partition, {
        revision,
        owner: undefined,
        attempt: 0,
        waitMs: PLANNER_LIMITS.reopenMs,
        openedAt: 0,
      });
    } catch (error) {
      if (!(error instanceof BusConflict)) throw error;
      // What was seen of it is not what it is: look, and leave it to the next round.
      const lease = await this.#leases.look(partition);
      this.#leaseSeen.set(partition, { revision: 0, holder: null, ...lease, at: this.#now });
      return;
    }
    void this.#open(partition);
  }

  /** Tries until it is open or no longer ours: a bus that is away comes back. */
  async #open(partition: number): Promise<void> {
    const held = this.#owned.get(partition);
    if (!held) return;
    const attempt = ++held.attempt;
    const current = () => this.#owned.get(partition) === held && held.attempt === attempt && !this.#stopped;
    for (; current(); await this.#context.clock.sleep(backOff(held))) {
      const owner = new PartitionOwner({
        partition,
        partitions: this.#partitions,
        context: this.#context,
        store: this.#options.logOf(partition),
        dispatch: this.#options.dispatch,
        stop: this.#options.stop,
        nextTick: this.#options.nextTick,
        suspects: this.#suspectsOf(partition),
        counts: this.#metrics.of(partition),
        onLost: (error) => this.#ownerLost(partition, owner, error),
      });
      held.owner = owner;
      try {
        const startedAt = this.#now;
        await owner.open();
        if (!current()) return owner.close();
        held.openedAt = this.#now;
        this.#context.log.info(
          { partition, ms: Math.round(held.openedAt - startedAt), runs: owner.activeRuns },
          'took over a partition',
        );
        return;
      } catch (error) {
        await owner.close();
        if (held.owner === owner) held.owner = undefined;
        if (isBeyond(error)) return this.#leave(partition, error);
        this.#context.log.warn({ partition, error: (error as Error).message }, 'a partition cannot be opened yet');
      }
    }
  }

  #suspectsOf(partition: number): Suspects {
    const suspects = this.#suspects.get(partition) ?? new Suspects();
    this.#suspects.set(partition, suspects);
    return suspects;
  }

  #ownerLost(partition: number, owner: PartitionOwner, error: Error): void {
    const held = this.#owned.get(partition);
    if (held?.owner !== owner) return;
    const reason = error instanceof BusConflict ? 'another planner has taken it over' : error.message;
    held.owner = undefined;
    if (isBeyond(error)) return void this.#leave(partition, error);
    this.#context.log.warn({ partition, reason }, 'dropped a partition; opening it anew');
    if (held.openedAt > 0 && this.#now - held.openedAt > STEADY_MS) held.waitMs = PLANNER_LIMITS.reopenMs;
    // Still our lease as far as we know: if it is not, the next renewal says so.
    this.#context.clock.after(backOff(held), () => {
      // Given away and taken anew meanwhile: then it has an owner.
      if (this.#owned.get(partition) === held && !held.owner) void this.#open(partition);
    });
  }

  /** A later version writes there: a planner of that version has to take it. */
  async #leave(partition: number, error: Error): Promise<void> {
    this.#beyond.set(partition, this.#now + NEWER_FOR_LEASES * this.#context.config.TUTTI_LEASE_MS);
    this.#context.log.error({ partition, error: error.message }, 'a partition is left to a planner of a later version');
    await this.#giveBack(partition);
  }

  async #lost(partition: number, reason: string): Promise<void> {
    const held = this.#owned.get(partition);
    this.#owned.delete(partition);
    this.#context.log.warn({ partition, reason }, 'lost a partition');
    await this.#letGo(partition, async () => held?.owner?.close());
  }

  async #letGo(partition: number, letGo: () => Promise<void>): Promise<void> {
    const closed = letGo().finally(() => {
      this.#closing.delete(partition);
    });
    this.#closing.set(partition, closed);
    await closed;
  }

  async #giveBack(partition: number): Promise<void> {
    const held = this.#owned.get(partition);
    if (!held) return;
    this.#owned.delete(partition);
    await this.#letGo(partition, async () => {
      await held.owner?.close();
      // With the revision: by now it may be somebody else's.
      await this.#leases.release(partition, held.revision).catch(() => {});
    });
    this.#context.log.info({ partition }, 'handed a partition over');
  }

  /** Hands everything over, so that nobody has to wait for a lease to run out. */
  async drain(): Promise<void> {
    this.#stopped = true;
    this.#timer?.stop();
    await this.#busy;
    // First, so that nobody leaves it a share.
    await this.#leases.withdraw(this.#context.instance).catch(() => {});
    await Promise.all([...this.#owned.keys()].map((partition) => this.#giveBack(partition)));
    this.#watch?.stop();
    this.#status?.stop();
  }
}

/** An owner that lasted this long was not the trouble itself. */
const STEADY_MS = 10_000;

function isBeyond(error: unknown): error is Error {
  return error instanceof NewerFormat || error instanceof NewerMessage;
}

function backOff(held: Held): number {
  const { waitMs } = held;
  held.waitMs = Math.min(waitMs * 2, PLANNER_LIMITS.reopenMaxMs);
  return waitMs;
}
