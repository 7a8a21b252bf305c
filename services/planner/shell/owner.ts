/**
 * The owner of one partition: a single-threaded loop around the pure core. Invariants (DESIGN.md):
 * an output leaves only after the append that it follows from is acknowledged; an append that is refused or unknown
 * drops everything and the partition is opened anew from its log; leases find owners, the log keeps strangers out.
 */
import {
  type AgentManifest,
  type Bundle,
  InboundMessage,
  type LogBatch,
  type OwnerReply,
  OwnerRequest,
  STREAMS,
  subjects,
  TuttiError,
} from '@tutti/contracts';
import { BusConflict, type Follower, type ServiceContext, type StoredMessage } from '@tutti/runtime';
import { PLANNER_LIMITS, type PlannerConfig } from '../config.ts';
import { Decider, type Input } from '../core/decide.ts';
import { requestOf } from '../core/requests.ts';
import { isEnded, type Letter, type PartitionState, pendingApprovals } from '../core/state.ts';
import { viewOf } from '../core/view.ts';
import { toBatches } from './batches.ts';
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

  constructor(options: OwnerOptions) {
    this.#options = options;
    this.#context = options.context;
    this.#store = new LogStore(options.context.bus, options.partition);
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
  async #bundle(hash: string): Promise<void> {
    await this.#context.bundles.get(hash).catch((error) => {
      // A bundle that does not exist ends its runs; a bus that is away must not.
      if (!(error instanceof TuttiError) || error.code !== 'not_found') throw error;
    });
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
      this.#context.bus
        .append('tutti.dead.planner', message.data, {
          headers: {
            'Tutti-Reason': 'schema',
            'Tutti-Subject': message.subject,
            'Tutti-Sequence': String(message.sequence),
          },
        })
        .catch((error) => this.#context.log.error({ err: error }, 'a dead letter could not be stored'));
      return this.#push({ kind: 'skip', sequence: message.sequence });
    }
    const input: Input = { kind: 'inbound', sequence: message.sequence, message: parsed.data };
    if (parsed.data.type !== 'start' || this.#context.bundles.peek(parsed.data.start.bundle)) return this.#push(input);
    return this.#withBundle(parsed.data.start.bundle, input);
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
    if (this.#closed) return;
    this.#inputs.push(input);
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = undefined;
    });
  }

  /** What arrives while an append is under way goes into the next one. */
  async #pump(): Promise<void> {
    // Let the rest of this tick's inputs come in first.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#inputs.length > 0 && !this.#closed) {
      const inputs = this.#inputs.splice(0, this.#context.config.TUTTI_BATCH_INPUTS_MAX);
      try {
        await this.#step(inputs);
      } catch (error) {
        return this.#lose(error as Error);
      }
    }
  }

  async #step(inputs: Input[]): Promise<void> {
    const readUpToBefore = this.#state.readUpTo;
    const now = Date.now();
    const decider = new Decider(this.#state, {
      now,
      bundle: (hash): Bundle | undefined => this.#context.bundles.peek(hash),
    });
    for (const input of inputs) decider.take(input);
    const { entries, partitionEntries, delivered } = decider;
    if (entries.length > 0 || partitionEntries.length > 0 || delivered.length > 0) {
      await this.#appendBatches(
        toBatches(
          {
            epoch: this.#state.epoch,
            owner: this.#context.instance,
            at: now,
            readUpTo: this.#state.readUpTo,
            readUpToBefore,
            delivered,
            partition: partitionEntries,
            entries,
          },
          this.#context.bus.payloadBytesMax,
        ),
      );
    }
    if (this.#closed) return;
    this.#emit(decider);
    this.#maybeCheckpoint(entries.length);
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
    const agent: AgentManifest | undefined = this.#context.bundles.peek(run.start.bundle)?.agents[run.start.agent];
    if (!agent)
      return this.#push({
        kind: 'result',
        run: runId,
        callId,
        outcome: { ok: false, error: new TuttiError('not_found', `there is no bundle ${run.start.bundle}`).toInfo() },
      });
    const request = requestOf(this.#state, run, open, agent);
    this.#sent.add(callId);
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
      (outcome) => {
        if (!this.#sent.delete(callId)) return;
        this.#push({ kind: 'result', run: runId, callId, outcome });
      },
    );
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
        return request.data satisfies never;
    }
  }

  #lose(error: Error): void {
    if (this.#closed) return;
    this.#shut();
    this.#options.onLost(error instanceof BusConflict ? 'another planner has taken it over' : error.message);
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
    this.#follower?.stop();
    await this.#pumping;
    this.#shut();
    await this.#checkpointing;
    if (this.#opened && this.#entriesSinceCheckpoint > 0) {
      await this.#store
        .writeCheckpoint(this.#state, this.#lastSequence)
        .catch((error) => this.#context.log.warn({ err: error }, 'no checkpoint at hand-over'));
    }
  }
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
