/**
 * What comes in for a partition and what has to be at hand before the core can take it: bundles, journals of forks,
 * states of parked runs. Invariant: the inbound stays in order; what cannot be fetched now is tried until it can.
 */
import {
  type Bundle,
  type DeadLetter,
  FORKS,
  InboundMessage,
  type RunStart,
  subjects,
  TuttiError,
} from '@tutti/contracts';
import type { BundleStore, Bus, Clock, Counter, Logger, StoredMessage } from '@tutti/runtime';
import { PLANNER_LIMITS } from '../config.ts';
import type { Input } from '../core/decide.ts';
import { isEnded, type PartitionState } from '../core/state.ts';
import { storeDeadLetter } from './dead-letters.ts';

const text = new TextDecoder();

export interface IntakeContext {
  bus: Bus;
  bundles: BundleStore;
  clock: Clock;
  log: Logger;
}

/** A message of a later version than this planner knows: not to be taken for rubbish. */
export class NewerMessage extends Error {
  override name = 'NewerMessage';
}

export class Intake {
  readonly #context: IntakeContext;
  readonly #partition: number;
  readonly #closed: () => boolean;
  readonly #buried: Counter;
  /** Bundles that runs here have pinned: never dropped while one of them lives. */
  readonly #bundles = new Map<string, Bundle>();

  constructor(context: IntakeContext, partition: number, closed: () => boolean, buried: Counter) {
    this.#context = context;
    this.#partition = partition;
    this.#closed = closed;
    this.#buried = buried;
  }

  readonly bundle = (hash: string): Bundle | undefined => this.#bundles.get(hash);

  /** The input that a message is, at once where nothing has to be fetched for it. Undefined: the partition was closed meanwhile. */
  read(stored: StoredMessage): Input | Promise<Input | undefined> {
    const raw = parseJson(text.decode(stored.data));
    const parsed = InboundMessage.safeParse(raw);
    if (!parsed.success) {
      const version = (raw as { v?: unknown } | undefined)?.v;
      if (typeof version === 'number' && version > 1)
        throw new NewerMessage(`message ${stored.sequence} has version ${version}`);
      const issues = parsed.error.issues;
      this.#context.log.error(
        { partition: this.#partition, sequence: stored.sequence, issues },
        'an inbound message does not fit its schema',
      );
      return this.#refuse(stored, raw ?? text.decode(stored.data));
    }
    const input: Input = { kind: 'inbound', sequence: stored.sequence, message: parsed.data };
    if (parsed.data.type !== 'start') return input;
    const { start } = parsed.data;
    if (this.#bundles.has(start.bundle) && !start.fork) return input;
    return this.#fetchFor(start, input);
  }

  /** Its letter is stored before it counts as read: then no death of a planner can lose it. */
  async #refuse({ sequence, subject }: StoredMessage, payload: unknown): Promise<Input | undefined> {
    await this.bury(sequence, 'it does not fit its schema', payload, subject);
    return this.#closed() ? undefined : { kind: 'skip', sequence };
  }

  async #fetchFor(start: RunStart, input: Extract<Input, { kind: 'inbound' }>): Promise<Input | undefined> {
    await this.fetch('a bundle', () => this.load(start.bundle));
    const { fork } = start;
    if (fork) {
      const prefix = await this.fetch('the journal of a fork', async () => {
        const data = await (await this.#context.bus.blobs(FORKS.name)).get(fork.blob);
        return { json: data ? parseJson(text.decode(data)) : undefined };
      });
      input.prefix = prefix?.json;
    }
    return this.#closed() ? undefined : input;
  }

  /** These inputs are in the log: what was stored for them is not needed any more. What is left behind by a fault goes by age. */
  stored(inputs: Input[]): void {
    for (const input of inputs) {
      if (input.kind !== 'inbound' || input.message.type !== 'start' || !input.message.start.fork) continue;
      const { blob } = input.message.start.fork;
      this.#context.bus
        .blobs(FORKS.name)
        .then((blobs) => blobs.delete(blob))
        .catch((error) => this.#context.log.debug({ err: error, blob }, 'the journal of a fork stays for now'));
    }
  }

  /** Tries until it works or the partition is closed (then: undefined). */
  async fetch<T>(what: string, get: () => Promise<T>): Promise<T | undefined> {
    const { clock, log } = this.#context;
    let waitMs: number = PLANNER_LIMITS.fetchRetryMs;
    while (!this.#closed()) {
      try {
        return await get();
      } catch (error) {
        log.warn(
          { partition: this.#partition, error: (error as Error).message },
          `${what}: it cannot be had or stored yet`,
        );
        await clock.sleep(waitMs);
        waitMs = Math.min(waitMs * 2, PLANNER_LIMITS.fetchRetryMaxMs);
      }
    }
  }

  /** Those that active runs have pinned: the core looks them up without waiting. */
  async loadPinned(state: PartitionState): Promise<void> {
    await Promise.all([...pinned(state)].map((hash) => this.load(hash)));
  }

  /** A bundle that is not there or cannot be read ends its runs; a bus that is away must not. */
  async load(hash: string): Promise<void> {
    if (this.#bundles.has(hash)) return;
    try {
      this.#bundles.set(hash, await this.#context.bundles.get(hash));
    } catch (error) {
      if (!(error instanceof TuttiError) || error.retryable) throw error;
      this.#context.log.error({ hash, error: error.message }, 'a bundle cannot be read');
    }
  }

  forgetUnused(state: PartitionState): void {
    const used = pinned(state);
    for (const hash of this.#bundles.keys()) if (!used.has(hash)) this.#bundles.delete(hash);
  }

  /** Resolves when its letter is stored, or the partition closed. */
  async bury(sequence: number, reason: string, payload: unknown, subject?: string): Promise<void> {
    this.#buried.inc();
    await this.fetch('a dead letter', () => this.#bury(sequence, reason, payload, subject));
  }

  async #bury(sequence: number, reason: string, payload: unknown, subject?: string): Promise<void> {
    const { bus, clock } = this.#context;
    const message = InboundMessage.safeParse(payload);
    const about = message.success
      ? { tenant: message.data.tenant, session: message.data.session, run: message.data.run }
      : {};
    const from = message.success
      ? subjects.inbound(this.#partition, message.data.tenant, message.data.session, message.data.run)
      : subject;
    const letter: DeadLetter = {
      v: 1,
      service: 'planner',
      kind: 'inbound',
      reason,
      at: clock.now(),
      ...about,
      subject: from,
      sequence,
      payload,
    };
    await storeDeadLetter(bus, letter, `dead:${this.#partition}:${sequence}`);
  }
}

function pinned(state: PartitionState): Set<string> {
  const hashes = new Set<string>();
  for (const { brief, run } of state.runs.briefs())
    if (!isEnded(brief ?? run)) hashes.add(brief ? brief.bundle : run.start.bundle);
  for (const parked of state.parked.values()) hashes.add(parked.bundle);
  return hashes;
}

export function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
