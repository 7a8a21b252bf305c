/**
 * Which partitions this planner holds. Leases in a key-value bucket find an owner and spread the partitions evenly; they
 * are hints: the log's compare-and-set is what keeps a stalled owner out. A lease counts as expired when its revision
 * has not moved for the lease time on this process's monotonic clock, so no two clocks are ever compared.
 */
import { BUCKETS } from '@tutti/contracts';
import { type Bucket, BusConflict, type ServiceContext } from '@tutti/runtime';
import { PLANNER_LIMITS, type PlannerConfig } from '../config.ts';
import { PartitionOwner } from './owner.ts';

interface Seen {
  revision: number;
  holder: string | null;
  at: number;
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

const text = new TextDecoder();
const bytes = new TextEncoder();
const partitionKey = (partition: number) => `partition.${partition}`;
const PLANNER_PREFIX = 'planner.';
const GONE_AFTER_LEASES = 10;

export class Ownership {
  readonly #context: ServiceContext<PlannerConfig>;
  readonly #partitions: number;
  readonly #seen = new Map<string, Seen>();
  readonly #owned = new Map<number, Held>();
  /** Kept over reopening and even over losing a partition: poison stays poison. */
  readonly #suspects = new Map<number, Map<string, { times: number; reason: string }>>();
  #bucket!: Bucket;
  #watch: { stop(): void } | undefined;
  #status: { stop(): void } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #busy: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(context: ServiceContext<PlannerConfig>, partitions: number) {
    this.#context = context;
    this.#partitions = partitions;
  }

  get #renewMs(): number {
    return this.#context.config.TUTTI_LEASE_MS / 3;
  }

  async start(): Promise<void> {
    this.#bucket = await this.#context.bus.bucket(BUCKETS.leases);
    const watch = await this.#bucket.watch((key, entry) => {
      this.#seen.set(key, {
        revision: entry?.revision ?? 0,
        holder: entry ? text.decode(entry.value) : null,
        at: performance.now(),
      });
      // A lease given back is taken up at once.
      if (!entry) this.#wake();
    });
    this.#watch = watch;
    await watch.ready;
    // While the bus was away nobody could renew: all leases get their time anew.
    this.#status = this.#context.bus.onStatus((status) => {
      if (status === 'connected') for (const seen of this.#seen.values()) seen.at = performance.now();
    });
    this.#timer = setInterval(() => this.#wake(), this.#renewMs);
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
    await this.#bucket.put(`${PLANNER_PREFIX}${this.#context.instance}`, bytes.encode('here'));
    await Promise.all([...this.#owned.keys()].map((partition) => this.#renew(partition)));
    const share = Math.ceil(this.#partitions / this.#planners());
    const tooMany = [...this.#owned.keys()].sort((a, b) => b - a).slice(0, Math.max(0, this.#owned.size - share));
    // Not waited for: the other leases have to be renewed meanwhile.
    for (const partition of tooMany) void this.#giveBack(partition).catch(() => {});
    await this.#forgetPlanners();
    const free = this.#free();
    await Promise.all(
      free.slice(0, Math.max(0, share - this.#owned.size)).map((partition) => this.#acquire(partition)),
    );
  }

  /** Planners that were killed leave their key behind. */
  async #forgetPlanners(): Promise<void> {
    const goneMs = this.#context.config.TUTTI_LEASE_MS * GONE_AFTER_LEASES;
    for (const [key, seen] of this.#seen) {
      if (!key.startsWith(PLANNER_PREFIX) || seen.holder === null || performance.now() - seen.at < goneMs) continue;
      await this.#bucket.delete(key, seen.revision).catch(() => {});
    }
  }

  /** Planners that gave a sign of life within the lease time, this one included. */
  #planners(): number {
    let count = 1;
    for (const [key, seen] of this.#seen) {
      if (!key.startsWith(PLANNER_PREFIX) || key === `${PLANNER_PREFIX}${this.#context.instance}`) continue;
      if (seen.holder !== null && this.#fresh(seen)) count++;
    }
    return count;
  }

  #fresh(seen: Seen): boolean {
    return performance.now() - seen.at < this.#context.config.TUTTI_LEASE_MS;
  }
  #heldElsewhere(partition: number): boolean {
    const seen = this.#seen.get(partitionKey(partition));
    return seen !== undefined && seen.holder !== null && seen.holder !== this.#context.instance && this.#fresh(seen);
  }
  #free(): number[] {
    const free: number[] = [];
    for (let partition = 0; partition < this.#partitions; partition++) {
      if (!this.#owned.has(partition) && !this.#heldElsewhere(partition)) free.push(partition);
    }
    return free;
  }

  async #renew(partition: number): Promise<void> {
    const held = this.#owned.get(partition);
    if (!held) return;
    try {
      held.revision = await this.#bucket.update(
        partitionKey(partition),
        bytes.encode(this.#context.instance),
        held.revision,
      );
    } catch (error) {
      if (!(error instanceof BusConflict)) throw error;
      // An earlier renewal may have been stored although its answer got lost.
      const entry = await this.#bucket.get(partitionKey(partition));
      if (entry && text.decode(entry.value) === this.#context.instance) held.revision = entry.revision;
      else await this.#lost(partition, 'the lease was taken by another planner');
    }
  }

  async #acquire(partition: number): Promise<void> {
    const seen = this.#seen.get(partitionKey(partition));
    const mine = bytes.encode(this.#context.instance);
    try {
      const key = partitionKey(partition);
      const revision =
        seen && seen.holder !== null
          ? await this.#bucket.update(key, mine, seen.revision)
          : await this.#bucket.create(key, mine);
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
      const entry = await this.#bucket.get(partitionKey(partition));
      this.#seen.set(partitionKey(partition), {
        revision: entry?.revision ?? 0,
        holder: entry ? text.decode(entry.value) : null,
        at: performance.now(),
      });
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
    for (; current(); await new Promise((resolve) => setTimeout(resolve, backOff(held)))) {
      const owner = new PartitionOwner({
        partition,
        partitions: this.#partitions,
        context: this.#context,
        suspects: this.#suspectsOf(partition),
        onLost: (reason) => this.#ownerLost(partition, owner, reason),
      });
      held.owner = owner;
      try {
        const startedAt = performance.now();
        await owner.open();
        if (!current()) return owner.close();
        held.openedAt = performance.now();
        this.#context.log.info(
          { partition, ms: Math.round(held.openedAt - startedAt), runs: owner.activeRuns },
          'took over a partition',
        );
        return;
      } catch (error) {
        await owner.close();
        if (held.owner === owner) held.owner = undefined;
        this.#context.log.warn({ partition, error: (error as Error).message }, 'a partition cannot be opened yet');
      }
    }
  }

  #suspectsOf(partition: number): Map<string, { times: number; reason: string }> {
    const suspects = this.#suspects.get(partition) ?? new Map();
    this.#suspects.set(partition, suspects);
    return suspects;
  }

  #ownerLost(partition: number, owner: PartitionOwner, reason: string): void {
    const held = this.#owned.get(partition);
    if (held?.owner !== owner) return;
    this.#context.log.warn({ partition, reason }, 'dropped a partition; opening it anew');
    held.owner = undefined;
    if (held.openedAt > 0 && performance.now() - held.openedAt > STEADY_MS) held.waitMs = PLANNER_LIMITS.reopenMs;
    // Still our lease as far as we know: if it is not, the next renewal says so.
    setTimeout(() => void this.#open(partition), backOff(held));
  }

  async #lost(partition: number, reason: string): Promise<void> {
    const held = this.#owned.get(partition);
    this.#owned.delete(partition);
    this.#context.log.warn({ partition, reason }, 'lost a partition');
    await held?.owner?.close();
  }

  async #giveBack(partition: number): Promise<void> {
    const held = this.#owned.get(partition);
    if (!held) return;
    this.#owned.delete(partition);
    await held.owner?.close();
    // With the revision: by now it may be somebody else's.
    await this.#bucket.delete(partitionKey(partition), held.revision).catch(() => {});
    this.#context.log.info({ partition }, 'handed a partition over');
  }

  /** Hands everything over, so that nobody has to wait for a lease to run out. */
  async drain(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#busy;
    await Promise.all([...this.#owned.keys()].map((partition) => this.#giveBack(partition)));
    await this.#bucket.delete(`${PLANNER_PREFIX}${this.#context.instance}`).catch(() => {});
    this.#watch?.stop();
    this.#status?.stop();
  }
}

/** An owner that lasted this long was not the trouble itself. */
const STEADY_MS = 10_000;

function backOff(held: Held): number {
  const { waitMs } = held;
  held.waitMs = Math.min(waitMs * 2, PLANNER_LIMITS.reopenMaxMs);
  return waitMs;
}
