/**
 * The owner of one partition: a single-threaded loop around the pure core. Invariants (DESIGN.md):
 * an output leaves only after the append that it follows from is acknowledged; an append that is refused or unknown
 * drops everything and the partition is opened anew from its log; leases find owners, the log keeps strangers out.
 */
import {
  LOG_FORMAT,
  type LogBatch,
  type PartitionLoad,
  type RunEntry,
  type ScheduleTiming,
  STREAMS,
  subjects,
} from '@tutti/contracts';
import { BusConflict, type Follower, flushTelemetry, type ServiceContext, type StoredMessage } from '@tutti/runtime';
import { PLANNER_LIMITS, type PlannerConfig } from '../config.ts';
import { Decider, type Environment, type Input, neededRuns, PoisonedInput } from '../core/decide.ts';
import { startParking } from '../core/rebuild.ts';
import { loadParked } from '../core/save.ts';
import type { Letter, PartitionState } from '../core/state.ts';
import type { Dispatch } from '../ports/dispatch.ts';
import type { PartitionLog } from '../ports/log.ts';
import { answer } from './answers.ts';
import { type Decided, type PackedBatch, toBatches } from './batches.ts';
import { type CallsOptions, CallsUnderWay, openCalls } from './calls-under-way.ts';
import { CheckpointDue } from './checkpoint-due.ts';
import { EntryCache } from './entry-cache.ts';
import { Intake } from './intake.ts';
import { Live } from './live.ts';
import { Parking } from './parking.ts';
import { PartitionClock } from './partition-clock.ts';
import type { PartitionCounts, PartitionGauges } from './planner-metrics.ts';
import { deliver } from './post.ts';
import { RunTelemetry } from './run-telemetry.ts';
import { keyOf, type Suspects } from './suspects.ts';

const bytes = new TextEncoder();
/** How many rounds' worth of inputs may wait in memory. */
const INPUT_BATCHES_WAITING_MAX = 4;

export interface OwnerOptions {
  partition: number;
  partitions: number;
  context: ServiceContext<PlannerConfig>;
  store: PartitionLog;
  dispatch: Dispatch;
  /** The kill switch: why an agent's runs may not go on, in words. */
  stop?: CallsOptions['stop'];
  nextTick(timing: ScheduleTiming, after: number): number | null;
  /** Called once when the partition turned out to belong to somebody else, or cannot go on. */
  onLost(error: Error): void;
  /** Shared by all owners of this partition in this process. */
  suspects: Suspects;
  counts: PartitionCounts;
}

/** Owns a partition from `open` until `close` or until it is lost. Not reused. */
export class PartitionOwner {
  readonly #options: OwnerOptions;
  readonly #store: PartitionLog;
  readonly #context: ServiceContext<PlannerConfig>;
  readonly #intake: Intake;
  readonly #parking: Parking;
  readonly #live: Live;
  readonly #telemetry: RunTelemetry;
  #state!: PartitionState;
  #time!: PartitionClock;
  #lastSequence = 0;
  #checkpointDue!: CheckpointDue;
  #inputs: Input[] = [];
  /** Inputs of the round that is under way. */
  #taking = 0;
  #pumping: Promise<void> | undefined;
  /** The append that is under way: until it is acknowledged the state is ahead of the log. */
  #writing: Promise<void> | undefined;
  #closed = false;
  #opened = false;
  #follower: Follower | undefined;
  #stops: (() => void)[] = [];
  #checkpointing: Promise<void> | undefined;
  #calls: CallsUnderWay | undefined;
  readonly #posting = new Set<string>();
  readonly #cache = new EntryCache(PLANNER_LIMITS.entriesKept);
  /** Parked runs for which something came due. */
  #wanted = new Set<string>();
  #handingOver = false;
  #room: (() => void) | undefined;
  #alarm: { at: number; stop(): void } | undefined;

  constructor(options: OwnerOptions) {
    this.#options = options;
    this.#context = options.context;
    this.#store = options.store;
    this.#live = new Live(options.context);
    const { telemetry, log } = options.context;
    this.#telemetry = new RunTelemetry({ telemetry, log, counts: options.counts.runs });
    this.#intake = new Intake(options.context, options.partition, () => this.#closed, options.counts.deadLetters);
    this.#parking = new Parking({
      store: options.store,
      log: options.context.log,
      clock: options.context.clock,
      bytesMax: options.context.bus.payloadBytesMax - ENVELOPE_BYTES,
      push: (input) => this.#push(input),
    });
  }

  get partition(): number {
    return this.#options.partition;
  }
  get opened(): boolean {
    return this.#opened && !this.#closed;
  }
  get activeRuns(): number {
    return this.#opened ? this.#state.runs.size - this.#state.ended.size : 0;
  }

  /** Replays, takes the log over with a new epoch, sends again what is open, and follows the inbound. */
  async open(): Promise<void> {
    for (;;) {
      const opened = await this.#store.open();
      if (this.#closed) return;
      this.#state = opened.state;
      this.#time = new PartitionClock(this.#context.clock, this.#state.at);
      startParking(this.#state, this.#context.config.TUTTI_PARK_AFTER_MS, this.#time.now());
      this.#lastSequence = opened.lastSequence;
      const { config, clock } = this.#context;
      this.#checkpointDue = new CheckpointDue(config, clock, opened.replayed.length, opened.replayedBytes);
      this.#cache.clear();
      const chars = opened.replayedBytes / Math.max(1, opened.replayed.length);
      for (const entry of opened.replayed) this.#cache.addReplayed(entry, chars);
      this.#telemetry.tellAgain(this.#state, opened.replayed);
      try {
        const batch = { ...this.#head(), epoch: ++this.#state.epoch, delivered: [], partition: [], entries: [] };
        await this.#append([{ batch, json: [] }]);
        break;
      } catch (error) {
        // Somebody wrote after we had read: read what they wrote and try again.
        if (!(error instanceof BusConflict)) throw error;
      }
    }
    await this.#intake.loadPinned(this.#state);
    if (this.#closed) return;
    this.#opened = true;
    this.#options.counts.takeovers.inc();
    this.#listen();
    this.#state.fresh = [];
    for (const letter of this.#state.outbox.values()) this.#post(letter);
    // Before anything new is taken in: what that opens is not in the log yet, and leaves when it is.
    const open = openCalls(this.#state);
    const calls = new CallsUnderWay({
      state: this.#state,
      dispatch: this.#options.dispatch,
      clock: this.#context.clock,
      now: () => this.#time.now(),
      bundle: this.#intake.bundle,
      push: (input) => this.#push(input),
      telemetry: this.#telemetry,
      stop: this.#options.stop,
    });
    this.#calls = calls;
    // What came due or may begin while nobody was here.
    this.#push({ kind: 'tick' });
    this.#follower = await this.#context.bus.follow(
      STREAMS.inbound.name,
      [subjects.inboundOf(this.partition)],
      this.#state.readUpTo + 1,
      (message) => this.#arrived(message),
    );
    if (this.#closed) return this.#follower.stop();
    void calls.sendAgain(open);
  }

  #head(): Pick<LogBatch, 'v' | 'format' | 'epoch' | 'owner' | 'at' | 'readUpTo'> {
    const { epoch, readUpTo } = this.#state;
    return { v: 1, format: LOG_FORMAT, epoch, owner: this.#context.instance, at: this.#time.now(), readUpTo };
  }

  #listen(): void {
    const { bus, clock, log } = this.#context;
    const known = {
      cache: this.#cache,
      state: this.#state,
      load: () => this.load,
      parked: (run: string) => this.#peek(run),
    };
    const owner = bus.subscribe(subjects.owner(this.partition), (message) => {
      if (!message.reply) return;
      const { reply } = message;
      // Nobody is told what the log may yet refuse.
      this.#onceWritten(() => answer(known, message.data)).then(
        (said) => bus.publish(reply, bytes.encode(JSON.stringify(said))),
        (error) => log.warn({ error: (error as Error).message }, 'a question could not be answered'),
      );
    });
    const due = clock.every(PLANNER_LIMITS.dueCheckMs, () => this.#ring());
    const tell = clock.every(PLANNER_LIMITS.loadEveryMs, () => {
      bus.publish(subjects.load(this.partition), bytes.encode(JSON.stringify(this.load)));
      if (!this.#pumping) this.#maybeCheckpoint();
    });
    this.#stops.push(
      () => owner.stop(),
      () => due.stop(),
      () => tell.stop(),
      () => this.#alarm?.stop(),
    );
  }

  async #peek(run: string): Promise<ReturnType<typeof loadParked> | undefined> {
    const [input] = await this.#parking.fetch(this.#state, new Set([run]));
    if (input?.kind === 'unparked') return input.snapshot === null ? undefined : loadParked(input.snapshot);
    return this.#onceWritten(() => structuredClone(this.#state.runs.get(run)));
  }

  get gauges(): PartitionGauges {
    return { ...this.load, parked: this.#state.parked.size, epoch: this.#state.epoch };
  }

  /** How the partition does. */
  get load(): PartitionLoad {
    const state = this.#state;
    let queued = 0;
    for (const tenant of state.tenants.values()) queued += tenant.queued;
    let waiting = 0;
    for (const { brief, run } of state.runs.briefs()) if ((brief ?? run).status === 'waiting') waiting++;
    return {
      v: 1,
      partition: this.partition,
      owner: this.#context.instance,
      lag: this.#taking + this.#inputs.length + (this.#follower?.pending ?? 0),
      active: state.activeRoots,
      queued,
      waiting: waiting + state.parked.size,
      ...(this.#calls?.counts ?? { inFlight: 0, heldBack: 0 }),
    };
  }

  #arrived(message: StoredMessage): void | Promise<void> {
    let input: Input | Promise<Input | undefined>;
    try {
      input = this.#intake.read(message);
    } catch (error) {
      return this.#lose(error as Error);
    }
    if (input instanceof Promise)
      return input.then((fetched) => {
        if (fetched) return this.#let(fetched);
      });
    return this.#let(input);
  }

  /** One that made the state machine throw counts as read when its dead letter is stored: no death of a planner can lose it. */
  #let(input: Input): void | Promise<void> {
    const { suspects } = this.#options;
    const harmless = suspects.harmless(input);
    if (harmless !== input && input.kind === 'inbound')
      return this.#intake
        .bury(input.sequence, suspects.reasonOf(input), input.message)
        .then(() => this.#push(harmless));
    this.#push(input);
    // The stream is asked to wait: what is not taken in yet stays there.
    if (this.#inputs.length <= this.#context.config.TUTTI_BATCH_INPUTS_MAX * INPUT_BATCHES_WAITING_MAX) return;
    return new Promise((resolve) => {
      this.#room = resolve;
    });
  }

  #push(input: Input): void {
    if (this.#closed || this.#handingOver) return;
    this.#inputs.push(this.#options.suspects.harmless(input));
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = undefined;
    });
  }

  /** What arrives while an append is under way goes into the next one. */
  async #pump(): Promise<void> {
    // Let the rest of this tick's inputs come in first.
    await new Promise<void>((resolve) => this.#context.clock.soon(resolve));
    while (this.#inputs.length > 0 && !this.#closed) {
      const inputs = this.#inputs.splice(0, this.#context.config.TUTTI_BATCH_INPUTS_MAX);
      this.#taking = inputs.length;
      this.#room?.();
      this.#room = undefined;
      try {
        const complete = await this.#complete(inputs);
        await this.#loadBundles(complete);
        await this.#step(complete);
        this.#taking = 0;
      } catch (error) {
        return this.#lose(error as Error);
      }
    }
  }

  /** What the core looks up without waiting is here: a checkpoint may have dropped a bundle while its start was waiting. */
  async #loadBundles(inputs: Input[]): Promise<void> {
    for (const input of inputs) {
      if (input.kind !== 'inbound' || input.message.type !== 'start') continue;
      const { bundle } = input.message.start;
      if (!this.#intake.bundle(bundle)) await this.#intake.fetch('a bundle', () => this.#intake.load(bundle));
    }
  }

  /** The round's inputs with the states of the parked runs that they concern in front, and new parkings at the end. */
  async #complete(inputs: Input[]): Promise<Input[]> {
    const parked = inputs.filter((input) => input.kind === 'parked');
    const others = parked.length > 0 ? inputs.filter((input) => input.kind !== 'parked') : inputs;
    if (this.#state.parked.size === 0) return parked.length > 0 ? [...others, ...parked] : others;
    const needed = this.#wanted;
    this.#wanted = new Set();
    for (const input of others) for (const run of neededRuns(this.#state, input, this.#intake.bundle)) needed.add(run);
    if (needed.size === 0) return [...others, ...parked];
    const states = await this.#intake.fetch('parked runs', () => this.#parking.fetch(this.#state, needed));
    return [...(states ?? []), ...others, ...parked];
  }

  async #step(inputs: Input[]): Promise<void> {
    if (this.#closed) return;
    this.#telemetry.arrived(this.#state, inputs);
    const decider = new Decider(this.#state, this.#environment());
    const { at: _at, ...head } = this.#head();
    const parkedIn = sequencesOf(inputs, this.#state);
    const decided = this.#decideAll(decider, inputs);
    const batches = toBatches(decided, { ...head, at: decider.now }, this.#context.bus.payloadBytesMax);
    if (batches.length > 0) await this.#append(batches);
    this.#intake.stored(inputs);
    if (this.#closed) return;
    this.#emit(
      decider,
      decided.flatMap(({ json }) => json),
    );
    this.#parking.remove(parkedIn, this.#state);
    this.#maybeCheckpoint();
    this.#setAlarm();
  }

  #environment(): Environment {
    const { config } = this.#context;
    return {
      now: this.#time.now(),
      bundle: this.#intake.bundle,
      nextTick: this.#options.nextTick,
      admission: {
        activeRunsMax: config.TUTTI_ACTIVE_RUNS_MAX,
        tenantActiveRunsMax: config.TUTTI_TENANT_ACTIVE_RUNS_MAX,
        queuedRunsMax: config.TUTTI_QUEUED_RUNS_MAX,
      },
    };
  }

  #decideAll(decider: Decider, inputs: Input[]): Decided[] {
    return inputs.map((input) => {
      const { entries, partitionEntries, delivered } = decider;
      const before = [entries.length, partitionEntries.length, delivered.length] as const;
      let added: RunEntry[];
      let json: string[];
      try {
        decider.take(input);
        added = entries.slice(before[0]);
        json = added.map((entry) => JSON.stringify(entry));
      } catch (error) {
        throw new PoisonedInput(input, error);
      }
      return {
        input,
        readUpTo: this.#state.readUpTo,
        entries: added,
        json,
        partition: partitionEntries.slice(before[1]),
        delivered: delivered.slice(before[2]),
      };
    });
  }

  #append(batches: PackedBatch[]): Promise<void> {
    const writing = this.#write(batches).finally(() => {
      this.#writing = undefined;
    });
    this.#writing = writing;
    return writing;
  }

  /** Reads the state when it is what the log says; rejects when it has come to nothing. */
  async #onceWritten<T>(read: () => T): Promise<Awaited<T>> {
    while (this.#writing) await this.#writing;
    return await read();
  }

  async #write(batches: PackedBatch[]): Promise<void> {
    const { counts } = this.#options;
    try {
      for (const { batch, json } of batches) {
        this.#lastSequence = await this.#store.append(batch, this.#lastSequence, json);
        counts.appends.inc();
        const entries = batch.entries.length + batch.partition.length;
        counts.entries.inc(entries);
        this.#checkpointDue.wrote(entries, json);
      }
    } catch (error) {
      if (error instanceof BusConflict) counts.refusedAppends.inc();
      throw error;
    }
  }

  #emit(decider: Decider, json: string[]): void {
    for (const [index, entry] of decider.entries.entries()) this.#cache.add(entry, json[index]!);
    this.#live.tell(this.#state, decider.entries, json);
    this.#telemetry.told(this.#state, decider.entries);
    for (const { type } of decider.entries) if (type === 'step.retried') this.#options.counts.retries.inc();
    for (const { run, error } of decider.faults)
      this.#context.log.error(
        { err: error, partition: this.partition, run },
        'a run cannot be gone on with; it is given up',
      );
    for (const asking of decider.forgotten) this.#calls!.giveUp(asking);
    for (const { run, callId } of decider.toSend) this.#calls!.send(run, callId);
    for (const letter of this.#state.fresh.splice(0)) {
      if (letter.kind === 'dead') this.#options.counts.deadLetters.inc();
      this.#post(letter);
    }
    for (const entry of decider.partitionEntries) if (entry.type === 'run.parked') this.#telemetry.parked(entry.run);
    if (decider.toPark.length > 0) this.#parking.park(this.#state, decider.toPark);
    for (const tick of decider.ticks) void this.#tickOf(tick);
    for (const run of decider.wanted) this.#wanted.add(run);
    // What came due for them is found again once their states are here.
    if (decider.wanted.length > 0 || decider.more) this.#push({ kind: 'tick' });
  }

  async #tickOf({ tenant, id, dueAt }: Decider['ticks'][number]): Promise<void> {
    const found = await this.#intake.fetch('the current bundle', async () => {
      const bundle = await this.#context.bundles.current(tenant);
      return { bundle };
    });
    if (found) this.#push({ kind: 'tick_of_schedule', id, dueAt, bundle: found.bundle });
  }

  #post(letter: Letter): void {
    if (this.#posting.has(letter.key)) return;
    this.#posting.add(letter.key);
    void deliver(this.#context, this.#options.partitions, letter, () => this.#closed).then((delivered) => {
      this.#posting.delete(letter.key);
      if (delivered) this.#push({ kind: 'delivered', key: letter.key });
    });
  }

  /** One timer for the earliest of all that comes due. */
  #setAlarm(): void {
    const at = this.#state.due.nextAt;
    if (at === undefined || (this.#alarm && this.#alarm.at <= at)) return;
    this.#alarm?.stop();
    const timer = this.#context.clock.after(Math.max(0, at - this.#time.now()), () => {
      this.#alarm = undefined;
      this.#ring();
    });
    this.#alarm = { at, stop: () => timer.stop() };
  }

  #ring(): void {
    if (this.#state.due.peek(this.#time.now())) this.#push({ kind: 'tick' });
    else this.#setAlarm();
  }

  /** Called where the state is what the log says: never while an append is under way. */
  #maybeCheckpoint(): void {
    if (this.#checkpointing || this.#closed || this.#handingOver || !this.#checkpointDue.now) return;
    this.#checkpointDue.begun();
    this.#intake.forgetUnused(this.#state);
    // What is behind the checkpoint the next owner does not tell again.
    void flushTelemetry();
    this.#checkpointing = this.#store
      .checkpoint(this.#state, this.#lastSequence)
      .catch((error) => {
        if (this.#closed) return;
        this.#context.log.warn({ err: error }, 'a checkpoint could not be written; the log has everything');
      })
      .finally(() => {
        this.#checkpointing = undefined;
        // As much may have come meanwhile.
        if (!this.#pumping) this.#maybeCheckpoint();
      });
  }

  #lose(error: Error): void {
    if (this.#closed) return;
    if (error instanceof PoisonedInput) this.#suspect(error);
    this.#shut();
    this.#options.onLost(error);
  }

  #suspect(poison: PoisonedInput): void {
    const { input, message } = poison;
    this.#context.log.error(
      { err: poison.cause, partition: this.partition, input: keyOf(input) },
      'an input cannot be taken in; its run is given up',
    );
    this.#options.suspects.add(input, message);
  }

  #shut(): void {
    this.#closed = true;
    for (const stop of this.#stops) stop();
    this.#follower?.stop();
    this.#live.flush();
    this.#room?.();
    this.#calls?.close();
  }

  /**
   * Hands over: what is being appended is finished. The next owner replays from the last checkpoint, which is soon done; one
   * that is under way is given up and not waited for, for it can do no harm (checkpoints.ts).
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#handingOver = true;
    this.#store.abandon();
    this.#follower?.stop();
    this.#room?.();
    await this.#pumping;
    if (!this.#closed) this.#shut();
  }
}

/** Room for what is around the runs in a message of parked ones. */
const ENVELOPE_BYTES = 4_096;

/** Where those that come back in this round were parked: the rest, however many, is not looked at. */
function sequencesOf(inputs: Input[], state: PartitionState): Set<number> {
  const sequences = new Set<number>();
  for (const input of inputs) {
    const parked = input.kind === 'unparked' ? state.parked.get(input.run) : undefined;
    if (parked) sequences.add(parked.sequence);
  }
  return sequences;
}
