/**
 * What an outsider can know of a simulated world: everything that was ever stored on the bus, what workers were asked,
 * and what happened outside. Checkers judge from this alone. Kept from the moment it happens, so that nothing which is
 * purged or overwritten later is lost to them.
 */
import type { DeadLetter, InboundMessage, LogBatch, RequestItem, RunEntry, VerbName } from '@tutti/contracts';
import { isEnd, STREAMS } from '@tutti/contracts';
import type { StoredMessage } from '@tutti/runtime';
import type { MemoryServer } from '@tutti/testkit';

export interface SeenInbound {
  sequence: number;
  at: number;
  partition: number;
  message: InboundMessage;
}
export interface SeenBatch {
  sequence: number;
  /** Virtual ms. */
  at: number;
  partition: number;
  batch: LogBatch;
}
export interface SeenRequest {
  at: number;
  verb: VerbName;
  item: RequestItem;
  /** The log already said that this step was asked for (and, for an approved call, that it was approved). */
  covered: boolean;
}
export interface SeenEntry {
  entry: RunEntry;
  in: SeenBatch;
}

const decoder = new TextDecoder();
export const parse = <T>(data: Uint8Array): T => JSON.parse(decoder.decode(data)) as T;

export class Evidence {
  readonly inbound: SeenInbound[] = [];
  readonly log: SeenBatch[] = [];
  readonly requests: SeenRequest[] = [];
  readonly deadLetters: DeadLetter[] = [];
  /** Messages in the inbound that are none. */
  readonly rubbish: { sequence: number; partition: number }[] = [];
  /** Entries of each run, in the order in which they were stored. */
  readonly runs = new Map<string, SeenEntry[]>();
  /** First start of each run in the inbound. */
  readonly starts = new Map<string, SeenInbound>();
  readonly ended = new Set<string>();
  /** Virtual ms. */
  lastEndAt = 0;
  readonly #unfinished = new Set<string>();
  readonly #batches = new WeakMap<StoredMessage, SeenBatch>();
  /** Entries of all runs. */
  entries = 0;
  /** Calls that some entry asked for. */
  readonly requested = new Set<string>();
  readonly approved = new Set<string>();
  /** What was noticed while it happened, by the name of the checker that would have found it. */
  readonly noticed: { checker: string; problem: string }[] = [];
  readonly #server: MemoryServer;

  constructor(server: MemoryServer) {
    this.#server = server;
  }

  notice(checker: string, problem: string): void {
    if (this.noticed.length < NOTICED_MAX) this.noticed.push({ checker, problem });
  }

  get unfinished(): string[] {
    return [...this.#unfinished];
  }
  get allEnded(): boolean {
    return this.#unfinished.size === 0;
  }

  /** What a log message says, for whoever has got it from the server. */
  batchOf(message: StoredMessage): LogBatch {
    return this.#batches.get(message)!.batch;
  }

  /** Rubbish that no dead letter tells of. */
  get unburied(): { sequence: number; partition: number }[] {
    if (this.rubbish.length === 0) return this.rubbish;
    const letters = new Set(this.deadLetters.map((letter) => letter.sequence));
    return this.rubbish.filter(({ sequence }) => !letters.has(sequence));
  }

  /** An entry that a fork took over from another run's journal. */
  inPrefix(entry: RunEntry): boolean {
    const message = this.starts.get(entry.run)?.message;
    return message?.type === 'start' && message.start.fork !== undefined && entry.n <= message.start.fork.version;
  }

  /** Gives back what a log message or an inbound message was, for whoever acts on it. */
  stored(stream: string, message: StoredMessage): SeenBatch | SeenInbound | undefined {
    const at = this.#server.time.now;
    const partition = Number(message.subject.split('.')[2]);
    if (message.subject.startsWith('tutti.log.')) {
      const seen = { sequence: message.sequence, at, partition, batch: parse<LogBatch>(message.data) };
      this.#batches.set(message, seen);
      this.#batch(seen);
      return seen;
    }
    if (message.subject.endsWith(`.${RUBBISH}`)) {
      this.rubbish.push({ sequence: message.sequence, partition });
      return undefined;
    }
    if (stream === STREAMS.inbound.name) {
      const seen = { sequence: message.sequence, at, partition, message: parse<InboundMessage>(message.data) };
      this.inbound.push(seen);
      if (seen.message.type === 'start' && !this.starts.has(seen.message.run)) this.#started(seen.message.run, seen);
      return seen;
    }
    if (stream === STREAMS.deadLetters.name) this.deadLetters.push(parse<DeadLetter>(message.data));
    return undefined;
  }

  #started(run: string, seen: SeenInbound): void {
    this.starts.set(run, seen);
    if (!this.ended.has(run)) this.#unfinished.add(run);
  }

  #batch(seen: SeenBatch): void {
    this.log.push(seen);
    this.entries += seen.batch.entries.length;
    for (const entry of seen.batch.entries) {
      const entries = this.runs.get(entry.run);
      if (entries) entries.push({ entry, in: seen });
      else this.runs.set(entry.run, [{ entry, in: seen }]);
      if (isEnd(entry)) {
        this.ended.add(entry.run);
        this.lastEndAt = seen.at;
        this.#unfinished.delete(entry.run);
      }
      if (entry.type === 'step.requested') this.requested.add(entry.callId);
      if (entry.type === 'approval.decided' && entry.decision === 'approved') this.approved.add(entry.approval);
    }
  }

  request(verb: VerbName, item: RequestItem): void {
    const { approval } = item.body as { approval?: { id: string } };
    const covered = this.requested.has(item.callId) && (!approval || this.approved.has(approval.id));
    this.requests.push({ at: this.#server.time.now, verb, item, covered });
  }
}

const NOTICED_MAX = 50;
/** Stands in a subject where the run's id would be. */
export const RUBBISH = 'rubbish';
