/**
 * From log messages to the store: buffers, groups, folds, writes, and buries what cannot be projected.
 * Invariants:
 * - Messages are projected in the order in which they come, one write at a time; the stored position is never ahead of
 *   what is stored or buried.
 * - A store or bus that is away is waited for; a message that the store will never take is found, buried and passed over.
 * - A message in a later format than is known here is waited with until a later memory takes over: nothing of it is lost.
 * - At most `bufferMessagesMax` messages wait; `take` resolves later when there are more.
 */
import { describeZodError, LOG_FORMAT, LogBatch, TuttiError } from '@tutti/contracts';
import type { Bus, Counter, Logger, StoredMessage } from '@tutti/runtime';
import { fold, type LoggedBatch, type Misplaced, type Position, runsNeeded } from './core/group.ts';
import type { RunState } from './core/run-state.ts';
import { bury, type DeadLetter } from './dead-letters.ts';
import type { MemoryStore } from './ports/store.ts';
import { parseRunState } from './stored-state.ts';

export interface ProjectorLimits {
  groupMessagesMax: number;
  groupEntriesMax: number;
  bufferMessagesMax: number;
  runsCachedMax: number;
}

const RETRY_MS = 100;
const RETRY_MAX_MS = 5_000;
const text = new TextDecoder('utf-8', { fatal: true });
const bytes = new TextEncoder();

export interface Projector {
  /** Never rejects. A promise only while the buffer is full. */
  take(message: StoredMessage): void | Promise<void>;
  /** Resolves when all that was taken so far is stored or buried, or when `stop` was called. */
  flushed(): Promise<void>;
  /** The last write went through. */
  readonly healthy: boolean;
  /** Position up to which this projector has written. */
  readonly position: Position | null;
  stop(): Promise<void>;
}

/** `newer`: of a later format, which is not for us to judge. */
type Taken = { message: StoredMessage; position: Position } & (
  | { batch: LogBatch; unreadable?: undefined; newer?: undefined }
  | { batch?: undefined; unreadable: string; newer?: undefined }
  | { batch?: undefined; unreadable?: undefined; newer: number }
);

export function createProjector(options: {
  stream: string;
  store: MemoryStore;
  bus: Bus;
  log: Logger;
  limits: ProjectorLimits;
  /** Counts what is put among the dead letters. */
  buried?: Counter;
}): Projector {
  const { stream, store, bus, log, limits } = options;
  const buffer: StoredMessage[] = [];
  const states = new Map<string, RunState>();
  const stopping = new AbortController();
  let room: PromiseWithResolvers<void> | undefined;
  let working: Promise<void> | undefined;
  let healthy = true;
  let position: Position | null = null;

  async function work(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (buffer.length > 0 && !stopping.signal.aborted) {
      await writeOrIsolate(nextGroup());
      if (buffer.length < limits.bufferMessagesMax) makeRoom();
    }
    working = undefined;
    makeRoom();
  }

  function makeRoom(): void {
    room?.resolve();
    room = undefined;
  }

  function nextGroup(): Taken[] {
    const group: Taken[] = [];
    let entries = 0;
    while (buffer.length > 0 && group.length < limits.groupMessagesMax && entries < limits.groupEntriesMax) {
      const taken = read(buffer[0]!);
      // What comes before it is written first; it is waited with alone.
      if (taken.newer !== undefined && group.length > 0) break;
      buffer.shift();
      entries += taken.batch?.entries.length ?? 0;
      group.push(taken);
    }
    return group;
  }

  /** What the store refuses for good is refused again one by one, so that only the message that is to blame is buried. */
  async function writeOrIsolate(group: Taken[]): Promise<void> {
    const refused = await untilAnswered(() => write(group));
    if (!refused) return;
    if (group.length > 1) {
      for (const taken of group) await writeOrIsolate([taken]);
      return;
    }
    const { message, position: at, unreadable } = group[0]!;
    // It is buried, only its position was refused: the next write moves past it.
    if (unreadable) return void log.error({ stream, sequence: at.sequence, err: refused }, 'a position was refused');
    const reason = `cannot be projected: ${(refused as Error).message}`;
    await writeOrIsolate([{ message, position: at, unreadable: reason }]);
  }

  async function write(group: Taken[]): Promise<void> {
    const newer = group.find((taken) => taken.newer !== undefined);
    if (newer)
      throw new TuttiError(
        'unavailable',
        `${newer.message.subject} goes on in format ${newer.newer}, and this memory knows ${LOG_FORMAT}: run the newer one`,
      );
    for (const { message, position: at, unreadable } of group)
      if (unreadable)
        await buryLoudly({ ...about(message, at), reason: unreadable, data: message.data, part: 'message' });
    const batches: LoggedBatch[] = group.flatMap((taken) => (taken.batch ? [taken as LoggedBatch] : []));
    const known = await lookUp(batches);
    const end = group.at(-1)!.position;
    const folded = fold({ stream, position: end }, batches, (run) => known.get(run) ?? states.get(run) ?? null);
    for (const misplaced of folded.misplaced) await buryEntry(group, misplaced);
    await store.project(folded.write);
    for (const state of folded.write.runs) keep(state);
    position = end;
  }

  async function lookUp(batches: LoggedBatch[]): Promise<Map<string, RunState>> {
    const runs = runsNeeded(batches, (run) => states.has(run));
    const found = runs.length > 0 ? await store.states(runs) : [];
    return new Map(found.map(parseRunState).map((state) => [state.view.id, state]));
  }

  /** Ended runs go: no entry follows. The rest: the longest unused one goes. */
  function keep(state: RunState): void {
    states.delete(state.view.id);
    if (!state.open) return;
    states.set(state.view.id, state);
    if (states.size > limits.runsCachedMax) states.delete(states.keys().next().value as string);
  }

  async function buryEntry(group: Taken[], { position: at, entry, reason }: Misplaced): Promise<void> {
    const { message } = group.find(({ position: { sequence } }) => sequence === at.sequence)!;
    const data = bytes.encode(JSON.stringify(entry));
    await buryLoudly({
      ...about(message, at),
      reason: `${entry.run}: ${reason}`,
      data,
      part: `${entry.run}.${entry.n}`,
    });
  }

  function about(message: StoredMessage, at: Position): Pick<DeadLetter, 'stream' | 'subject' | 'position'> {
    return { stream, subject: message.subject, position: at };
  }

  async function buryLoudly(letter: DeadLetter): Promise<void> {
    try {
      await bury(bus, letter);
    } catch (error) {
      // Whatever it is: what is not buried must not be passed over.
      throw new TuttiError('unavailable', `the dead letters take nothing: ${(error as Error).message}`, {
        cause: error,
      });
    }
    options.buried?.inc();
    log.error(
      { stream, sequence: letter.position.sequence, reason: letter.reason },
      'a log message could not be projected as it is; it is in the dead letters',
    );
  }

  /** Tries again, with growing pauses, what may go through later. Returns the error of what never will; undefined: done (or stopped). */
  async function untilAnswered(action: () => Promise<void>): Promise<unknown> {
    for (let waitMs = RETRY_MS; !stopping.signal.aborted; waitMs = Math.min(waitMs * 2, RETRY_MAX_MS)) {
      try {
        await action();
        healthy = true;
        return undefined;
      } catch (error) {
        if (!mayPass(error)) return error;
        if (healthy) log.warn({ error: (error as Error).message }, 'the projection waits for its store');
        healthy = false;
        await pause(waitMs, stopping.signal);
      }
    }
    return undefined;
  }

  return {
    take(message) {
      if (stopping.signal.aborted) return;
      buffer.push(message);
      working ??= work();
      if (buffer.length < limits.bufferMessagesMax) return;
      room ??= Promise.withResolvers<void>();
      return room.promise;
    },
    async flushed() {
      while (working) await working;
    },
    get healthy() {
      return healthy;
    },
    get position() {
      return position;
    },
    async stop() {
      stopping.abort();
      makeRoom();
      await working;
    },
  };
}

function read(message: StoredMessage): Taken {
  const { sequence, storedAt } = message;
  const position = { sequence, storedAt };
  try {
    const raw = JSON.parse(text.decode(message.data));
    if (Number.isInteger(raw?.format) && raw.format > LOG_FORMAT) return { message, position, newer: raw.format };
    const parsed = LogBatch.safeParse(raw);
    if (parsed.success) return { message, position, batch: parsed.data };
    return { message, position, unreadable: `not a log batch: ${describeZodError(parsed.error)}` };
  } catch (error) {
    return { message, position, unreadable: `not JSON: ${(error as Error).message}` };
  }
}

/** A store or bus that is away; not: a refusal, or a fault of ours. */
function mayPass(error: unknown): boolean {
  return error instanceof TuttiError && error.retryable;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
  });
}
