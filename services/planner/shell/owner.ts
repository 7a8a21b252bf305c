/**
 * The owner of one partition: a single-threaded loop around the pure core. Invariants (DESIGN.md):
 * an output leaves only after the append that it follows from is acknowledged; an append that is refused or unknown
 * drops everything and the partition is opened anew from its log; leases find owners, the log keeps strangers out.
 */
import {
  type Bundle,
  InboundMessage,
  type LogBatch,
  type OwnerReply,
  OwnerRequest,
  STREAMS,
  subjects,
  TuttiError,
  toErrorInfo,
} from '@tutti/contracts';
import { BusConflict, type Follower, type ServiceContext, type StoredMessage } from '@tutti/runtime';
import { PLANNER_LIMITS, type PlannerConfig } from '../config.ts';
import { agentOf, Decider, type Input, PoisonedInput, type StepOutcome } from '../core/decide.ts';
import { requestOf } from '../core/requests.ts';
import { isEnded, type Letter, type PartitionState, pendingApprovals } from '../core/state.ts';
import { viewOf } from '../core/view.ts';
import { type Decided, toBatches } from './batches.ts';
import { EntryCache } from './entry-cache.ts';
import { publishLive } from './live.ts';
import { LogStore } from './log-store.ts';
import { deliver } from './post.ts';
import { runTraceparent, traceEntries } from './tracing.ts';

const text = new TextDecoder();
const bytes = new TextEncoder();

export interface OwnerOptions {
  partition: number;
  partitions: number;
  context: ServiceContext<PlannerConfig>;
  /** Called once when the partition turned out to belong to somebody else, or cannot go on. */
  onLost(reason: string): void;
  /** Inputs that made the state machine throw, by key, with how often: shared by all owners of this partition in this process. */
  suspects: Map<string, { times: number; reason: string }>;
}

/** Owns a partition from `open` until `close` or until it is lost. Not reused. */
export class PartitionOwner {
  readonly #options: OwnerOptions;
  readonly #store: LogStore;
  readonly #context: ServiceContext<PlannerConfig>;
  #state!: PartitionState;
  #lastSequence = 0;
  #entriesSinceCheckpoint = 0;
  #inputs: Input[] = [];
  #pumping: Promise<void> | undefined;
  #closed = false;
  #opened = false;
  #follower: Follower | undefined;
  #stops: (() => void)[] = [];
  #checkpointing: Promise<void> | undefined;
  /** Calls that are under way from here. */
  readonly #sent = new Set<string>();
  readonly #cache = new EntryCache(PLANNER_LIMITS.entriesKeptMax);
  /** Bundles that runs here have pinned: never dropped while one of them lives. */
  readonly #bundles = new Map<string, Bundle>();
  /** The state is what the log says. False from the first decision of a round until its append is acknowledged. */
  #clean = true;
  #handingOver = false;
  #room: (() => void) | undefined;

  constructor(options: OwnerOptions) {
    this.#options = options;
    this.#context = options.context;
    this.#store = new LogStore(options.context.bus, options.partition, options.context.log);
  }

  get partition(): number {
    return this.#options.partition;
  }
  get opened(): boolean {
    return this.#opened && !this.#closed;
  }
  get activeRuns(): number {
    return this.#opened ? this.#state.runs.size - this.#state.ended.length : 0;
  }

  /** Replays, takes the log over with a new epoch, sends again what is open, and follows the inbound. */
  async open(): Promise<void> {
    for (;;) {
      const opened = await this.#store.open();
      if (this.#closed) return;
      this.#state = opened.state;
      this.#lastSequence = opened.lastSequence;
      this.#entriesSinceCheckpoint = opened.replayed.length;
      this.#cache.clear();
      for (const entry of opened.replayed) this.#cache.add(entry);
      try {
        await this.#appendBatches([
          {
            v: 1,
            epoch: ++this.#state.epoch,
            owner: this.#context.instance,
            readUpTo: this.#state.readUpTo,
            at: Date.now(),
            delivered: [],
            partition: [],
            entries: [],
          },
        ]);
        break;
      } catch (error) {
        // Somebody wrote after we had read: read what they wrote and try again.
        if (!(error instanceof BusConflict)) throw error;
      }
    }
    await this.#loadBundles();
    if (this.#closed) return;
    this.#opened = true;
    this.#listen();
    for (const letter of this.#state.outbox.values()) this.#post(letter);
    for (const run of this.#state.runs.values())
      for (const callId of Object.keys(run.open)) this.#sendStep(run.id, callId);
    this.#follower = await this.#context.bus.follow(
      STREAMS.inbound.name,
      [subjects.inboundOf(this.partition)],
      this.#state.readUpTo + 1,
      (message) => this.#arrived(message),
    );
    if (this.#closed) this.#follower.stop();
  }

  /** Bundles that active runs have pinned: the core looks them up without waiting. */
  async #loadBundles(): Promise<void> {
    const hashes = new Set(
      [...this.#state.runs.values()].filter((run) => !isEnded(run)).map((run) => run.start.bundle),
    );
    for (const hash of hashes) await this.#bundle(hash);
  }
  /** A bundle that is not there or cannot be read ends its runs; a bus that is away must not. */
  async #bundle(hash: string): Promise<void> {
    if (this.#bundles.has(hash)) return;
    try {
      this.#bundles.set(hash, await this.#context.bundles.get(hash));
    } catch (error) {
      if (!(error instanceof TuttiError) || error.retryable) throw error;
      this.#context.log.error({ hash, error: error.message }, 'a bundle cannot be read');
    }
  }
  #forgetBundles(): void {
    const used = new Set([...this.#state.runs.values()].filter((run) => !isEnded(run)).map((run) => run.start.bundle));
    for (const hash of this.#bundles.keys()) if (!used.has(hash)) this.#bundles.delete(hash);
  }

  #listen(): void {
    const { bus } = this.#context;
    const owner = bus.subscribe(subjects.owner(this.partition), (message) => {
      if (message.reply) bus.publish(message.reply, bytes.encode(JSON.stringify(this.#answer(message.data))));
    });
    const tick = setInterval(() => this.#push({ kind: 'tick' }), PLANNER_LIMITS.tickMs);
    this.#stops.push(
      () => owner.stop(),
      () => clearInterval(tick),
    );
  }

  #arrived(message: StoredMessage): void | Promise<void> {
    const parsed = InboundMessage.safeParse(parseJson(text.decode(message.data)));
    if (!parsed.success) {
      this.#context.log.error(
        { partition: this.partition, sequence: message.sequence, issues: parsed.error.issues },
        'an inbound message does not fit its schema',
      );
      this.#deadLetter(message.data, 'it does not fit its schema', message.sequence);
      return this.#push({ kind: 'skip', sequence: message.sequence });
    }
    const input: Input = { kind: 'inbound', sequence: message.sequence, message: parsed.data };
    const needed = parsed.data.type === 'start' ? parsed.data.start.bundle : undefined;
    if (needed && !this.#bundles.has(needed)) return this.#withBundle(needed, input);
    this.#push(input);
    // The stream is asked to wait: what is not taken in yet stays there.
    if (this.#inputs.length > this.#context.config.TUTTI_BATCH_INPUTS_MAX * INPUT_BATCHES_WAITING_MAX) {
      return new Promise((resolve) => {
        this.#room = resolve;
      });
    }
  }

  /** Keeps the inbound in order: what follows waits until the bundle is here. */
  async #withBundle(hash: string, input: Input): Promise<void> {
    for (
      let waitMs: number = PLANNER_LIMITS.reopenMs;
      !this.#closed;
      waitMs = Math.min(waitMs * 2, PLANNER_LIMITS.reopenMaxMs)
    ) {
      try {
        await this.#bundle(hash);
        return this.#push(input);
      } catch (error) {
        this.#context.log.warn({ error: (error as Error).message }, 'a bundle cannot be read yet');
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }

  #push(input: Input): void {
    if (this.#closed || this.#handingOver) return;
    this.#inputs.push(this.#harmless(input));
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = undefined;
    });
  }

  /** An input that threw before is taken in as the end of its run, and not at all if even that throws. */
  #harmless(input: Input): Input {
    const key = keyOf(input);
    if (key === undefined) return input;
    const suspect = this.#options.suspects.get(key);
    if (!suspect || (input.kind !== 'inbound' && input.kind !== 'result')) return input;
    const sequence = input.kind === 'inbound' ? input.sequence : null;
    if (suspect.times > 1) return sequence === null ? { kind: 'tick' } : { kind: 'skip', sequence };
    return {
      kind: 'poisoned',
      key,
      sequence,
      run: input.kind === 'inbound' ? input.message.run : input.run,
      reason: suspect.reason,
      ...(input.kind === 'inbound' ? { message: input.message } : {}),
    };
  }

  /** What arrives while an append is under way goes into the next one. */
  async #pump(): Promise<void> {
    // Let the rest of this tick's inputs come in first.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#inputs.length > 0 && !this.#closed) {
      const inputs = this.#inputs.splice(0, this.#context.config.TUTTI_BATCH_INPUTS_MAX);
      this.#room?.();
      this.#room = undefined;
      try {
        await this.#step(inputs);
      } catch (error) {
        return this.#lose(error as Error);
      }
    }
  }

  async #step(inputs: Input[]): Promise<void> {
    const now = Date.now();
    const head = { epoch: this.#state.epoch, owner: this.#context.instance, at: now, readUpTo: this.#state.readUpTo };
    const decider = new Decider(this.#state, { now, bundle: (hash) => this.#bundles.get(hash) });
    this.#clean = false;
    const batches = toBatches(this.#decideAll(decider, inputs), head, this.#context.bus.payloadBytesMax);
    if (batches.length > 0) await this.#appendBatches(batches);
    this.#clean = true;
    if (this.#closed) return;
    this.#emit(decider);
    this.#maybeCheckpoint(decider.entries.length);
  }

  #decideAll(decider: Decider, inputs: Input[]): Decided[] {
    return inputs.map((input) => {
      const { entries, partitionEntries, delivered } = decider;
      const before = [entries.length, partitionEntries.length, delivered.length] as const;
      try {
        decider.take(input);
      } catch (error) {
        throw new PoisonedInput(input, error);
      }
      return {
        input,
        readUpTo: this.#state.readUpTo,
        entries: entries.slice(before[0]),
        partition: partitionEntries.slice(before[1]),
        delivered: delivered.slice(before[2]),
      };
    });
  }

  async #appendBatches(batches: LogBatch[]): Promise<void> {
    for (const batch of batches) this.#lastSequence = await this.#store.append(batch, this.#lastSequence);
  }

  #emit(decider: Decider): void {
    for (const entry of decider.entries) this.#cache.add(entry);
    this.#cache.keepOnly(this.#state.runs);
    publishLive(this.#context.bus, this.#state, decider.entries);
    traceEntries(this.#context.telemetry, this.#state, decider.entries);
    for (const callId of decider.forgotten) {
      this.#sent.delete(callId);
      this.#context.caller.forget(callId, true);
    }
    for (const { run, callId } of decider.toSend) this.#sendStep(run, callId);
    for (const letter of this.#state.outbox.values()) this.#post(letter);
  }

  #sendStep(runId: string, callId: string): void {
    const run = this.#state.runs.get(runId);
    const open = run?.open[callId];
    if (!run || !open || this.#sent.has(callId) || open.notBefore > Date.now()) return;
    const done = (outcome: StepOutcome) => {
      if (this.#sent.delete(callId)) this.#push({ kind: 'result', run: runId, callId, outcome });
    };
    this.#sent.add(callId);
    try {
      const agent = agentOf(this.#bundles.get(run.start.bundle), run.start.agent);
      if (!agent) throw new TuttiError('not_found', `the bundle ${run.start.bundle} is gone`);
      const request = requestOf(this.#state, run, open, agent);
      this.#context.caller.send(
        request.verb,
        request.body as never,
        {
          callId,
          tenant: run.tenant,
          run: run.id,
          root: run.start.root,
          session: run.session,
          traceparent: runTraceparent(run),
          timeoutMs: run.limits.stepTimeoutMs,
        },
        done,
      );
    } catch (error) {
      // A request that cannot be made is the run's failure, not the partition's.
      done({ ok: false, error: toErrorInfo(error) });
    }
  }

  readonly #posting = new Set<string>();
  #post(letter: Letter): void {
    if (this.#posting.has(letter.key)) return;
    this.#posting.add(letter.key);
    void deliver(this.#context.bus, this.#options.partitions, letter, () => this.#closed, this.#context.log).then(
      (delivered) => {
        this.#posting.delete(letter.key);
        if (delivered) this.#push({ kind: 'delivered', key: letter.key });
      },
    );
  }

  #maybeCheckpoint(entries: number): void {
    this.#entriesSinceCheckpoint += entries;
    if (this.#entriesSinceCheckpoint < this.#context.config.TUTTI_CHECKPOINT_ENTRIES || this.#checkpointing) return;
    this.#entriesSinceCheckpoint = 0;
    this.#forgetBundles();
    this.#checkpointing = this.#store
      .writeCheckpoint(this.#state, this.#lastSequence)
      .catch((error) =>
        this.#context.log.warn({ err: error }, 'a checkpoint could not be written; the log has everything'),
      )
      .finally(() => {
        this.#checkpointing = undefined;
      });
  }

  #answer(data: Uint8Array): OwnerReply {
    const request = OwnerRequest.safeParse(parseJson(text.decode(data)));
    if (!request.success) return { op: 'unknown' };
    switch (request.data.op) {
      case 'run': {
        const run = this.#state.runs.get(request.data.run);
        return run ? { op: 'run', run: viewOf(run) } : { op: 'unknown' };
      }
      case 'entries': {
        const run = this.#state.runs.get(request.data.run);
        if (!run) return { op: 'unknown' };
        return { op: 'entries', ...this.#cache.after(run.id, request.data.after), status: run.status };
      }
      case 'approvals': {
        const run = this.#state.runs.get(request.data.run);
        return run ? { op: 'approvals', approvals: pendingApprovals(run) } : { op: 'unknown' };
      }
      case 'approval': {
        const { approval } = request.data;
        for (const run of this.#state.runs.values()) {
          const record = run.approvals.find((candidate) => candidate.id === approval);
          if (record) return { op: 'approval', approval: record, tenant: run.tenant };
        }
        return { op: 'unknown' };
      }
      default:
        return { op: 'unknown' };
    }
  }

  #lose(error: Error): void {
    if (this.#closed) return;
    if (error instanceof PoisonedInput) this.#suspect(error);
    this.#shut();
    this.#options.onLost(error instanceof BusConflict ? 'another planner has taken it over' : error.message);
  }

  #suspect(poison: PoisonedInput): void {
    const { input, message } = poison;
    const key = keyOf(input);
    this.#context.log.error(
      { err: poison.cause, partition: this.partition, input: key },
      'an input cannot be taken in; its run is given up',
    );
    if (key === undefined) return;
    const { suspects } = this.#options;
    suspects.set(key, { times: (suspects.get(key)?.times ?? 0) + 1, reason: message });
    if (suspects.size > SUSPECTS_MAX) suspects.delete(suspects.keys().next().value as string);
    if (input.kind === 'inbound')
      this.#deadLetter(bytes.encode(JSON.stringify(input.message)), message, input.sequence);
  }

  #deadLetter(data: Uint8Array, reason: string, sequence: number): void {
    this.#context.bus
      .append('tutti.dead.planner', data, {
        messageId: `dead:${this.partition}:${sequence}`,
        headers: { 'Tutti-Reason': reason.slice(0, 500).replace(/[\r\n]/g, ' '), 'Tutti-Sequence': String(sequence) },
      })
      .catch((error) => this.#context.log.error({ err: error }, 'a dead letter could not be stored'));
  }

  #shut(): void {
    this.#closed = true;
    for (const stop of this.#stops) stop();
    this.#follower?.stop();
    // Not cancelled: the next owner asks for the same calls and gets their results.
    for (const callId of this.#sent) this.#context.caller.forget(callId, false);
    this.#sent.clear();
  }

  /** Hands over: what is being appended is finished, a checkpoint makes the next owner's start short. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#handingOver = true;
    this.#follower?.stop();
    this.#room?.();
    await this.#pumping;
    // The last append may have been refused: then this is no longer the owner, and its state is worth nothing.
    if (this.#closed) return;
    this.#shut();
    await this.#checkpointing;
    if (this.#opened && this.#clean && this.#entriesSinceCheckpoint > 0) {
      await this.#store
        .writeCheckpoint(this.#state, this.#lastSequence)
        .catch((error) => this.#context.log.warn({ error: (error as Error).message }, 'no checkpoint at hand-over'));
    }
  }
}

/** How many rounds' worth of inputs may wait in memory. */
const INPUT_BATCHES_WAITING_MAX = 4;
const SUSPECTS_MAX = 1_000;

/** What an input is recognised by when it comes again. */
function keyOf(input: Input): string | undefined {
  if (input.kind === 'inbound') return `in:${input.sequence}`;
  if (input.kind === 'result') return `call:${input.callId}`;
  if (input.kind === 'poisoned') return input.key;
  return undefined;
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
