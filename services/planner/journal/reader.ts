/**
 * Reads a run's journal: the newest entries from its owner, older ones from memory, joined without a gap. Another
 * tenant's run is as unknown as one that does not exist. What is answered is the whole journal as of some moment, or as
 * much of it as was asked for: when owner and memory cannot be joined for a while, that is an error and no shorter journal.
 */
import {
  isEnd,
  OwnerReply,
  type OwnerRequest,
  partitionOf,
  type RunEntry,
  RunId,
  subjects,
  TuttiError,
} from '@tutti/contracts';
import type { Bus, Caller, Clock } from '@tutti/runtime';

export const JOURNAL_LIMITS = {
  ownerTimeoutMs: 2_000,
  memoryTimeoutMs: 10_000,
  pageEntries: 1_000,
  /** UTF-16 units of JSON of a journal that is read as a whole. */
  charsMax: 64 * 1_024 * 1_024,
  /** How long a reader waits for memory to catch up, or for an owner to be there again, and how often it looks. */
  patienceMs: 5_000,
  againMs: 100,
} as const;

const text = new TextDecoder();
const bytes = new TextEncoder();

export interface JournalReader {
  /**
   * Entries 1 to `upTo`, or all there are. Throws `not_found`; `unavailable` when they cannot be had right now;
   * `payload_too_large` for a journal over JOURNAL_LIMITS.charsMax.
   */
  read(tenant: string, run: string, upTo?: number): Promise<RunEntry[]>;
  /** The first entry, or null where there is no such run. */
  first(tenant: string, run: string): Promise<Extract<RunEntry, { type: 'run.accepted' }> | null>;
  /** What the owner of a run's partition says; null when nobody is there to say. */
  ask(run: string, request: OwnerRequest): Promise<OwnerReply | null>;
}

/** `whole`: nothing comes after these entries. Otherwise, and without entries: why there are none. */
type Next = { entries: RunEntry[] } | { whole: true } | { missing: string };

export function createJournalReader(bus: Bus, caller: Caller, clock: Clock, partitions: number): JournalReader {
  async function ask(run: string, request: OwnerRequest): Promise<OwnerReply | null> {
    const subject = subjects.owner(partitionOf(run, partitions));
    try {
      const data = await bus.request(subject, bytes.encode(JSON.stringify(request)), JOURNAL_LIMITS.ownerTimeoutMs);
      return OwnerReply.parse(JSON.parse(text.decode(data)));
    } catch (error) {
      if (error instanceof TuttiError && error.retryable) return null;
      throw error;
    }
  }

  async function ofMemory(tenant: string, run: string, after: number): Promise<RunEntry[]> {
    const body = { op: 'journal' as const, run, after, limit: JOURNAL_LIMITS.pageEntries };
    const result = await caller.call('read', body, { tenant, timeoutMs: JOURNAL_LIMITS.memoryTimeoutMs });
    return result.op === 'journal' ? result.entries : [];
  }

  /** What follows `after` without a gap; the owner's word first, for it is the newest. */
  async function next(tenant: string, run: string, after: number): Promise<Next> {
    const reply = await ask(run, { op: 'entries', run, after });
    const owners = reply?.op === 'entries' ? reply.entries : [];
    if (owners[0]?.n === after + 1) return { entries: owners };
    if (reply?.op === 'entries' && reply.complete && owners.length === 0) return { whole: true };
    const memories = await ofMemory(tenant, run, after);
    if (memories[0]?.n === after + 1) return { entries: memories };
    if (!reply) return { missing: 'nobody owns its partition right now' };
    if (reply.op !== 'entries')
      return after === 0 ? { whole: true } : { missing: 'memory has not projected all of it' };
    if (owners.length > 0) return { missing: 'memory has not projected what is older' };
    const view = await ask(run, { op: 'run', run });
    if (view?.op === 'run' && view.run.version === after) return { whole: true };
    return { missing: 'memory has not projected all of it' };
  }

  /** Waits for what is missing, for a while. */
  async function patiently(tenant: string, run: string, after: number): Promise<RunEntry[]> {
    const until = clock.monotonic() + JOURNAL_LIMITS.patienceMs;
    for (;;) {
      const found = await next(tenant, run, after);
      if ('entries' in found) return found.entries;
      if ('whole' in found) return [];
      if (clock.monotonic() >= until)
        throw new TuttiError(
          'unavailable',
          `the journal of run ${run} cannot be read beyond entry ${after}: ${found.missing}`,
          {
            retryAfterMs: JOURNAL_LIMITS.patienceMs,
          },
        );
      await clock.sleep(JOURNAL_LIMITS.againMs);
    }
  }

  async function read(tenant: string, run: string, upTo = Number.POSITIVE_INFINITY): Promise<RunEntry[]> {
    const entries: RunEntry[] = [];
    let chars = 0;
    if (!RunId.safeParse(run).success) throw new TuttiError('not_found', `there is no run "${run}"`);
    while (entries.length < upTo) {
      const more = await patiently(tenant, run, entries.length);
      for (const entry of more) {
        if (entry.n !== entries.length + 1 || entries.length === upTo) continue;
        entries.push(entry);
        chars += JSON.stringify(entry).length;
      }
      const [first] = entries;
      if (first?.type !== 'run.accepted' || first.tenant !== tenant)
        throw new TuttiError('not_found', `there is no run "${run}"`);
      if (chars > JOURNAL_LIMITS.charsMax)
        throw new TuttiError(
          'payload_too_large',
          `the first ${entries.length} entries of run ${run} have ${chars} characters; at most ${JOURNAL_LIMITS.charsMax} are read as a whole`,
        );
      if (more.length === 0 || isEnd(entries.at(-1)!)) break;
    }
    return entries;
  }

  return {
    ask,
    read,
    async first(tenant, run) {
      try {
        const [entry] = await read(tenant, run, 1);
        return entry?.type === 'run.accepted' ? entry : null;
      } catch (error) {
        if (error instanceof TuttiError && error.code === 'not_found') return null;
        throw error;
      }
    },
  };
}

/** A version that the run does not have (yet). */
export function checkVersion(run: string, entries: RunEntry[], version: number | undefined): void {
  if (version !== undefined && entries.length < version)
    throw new TuttiError('invalid_request', `run ${run} has ${entries.length} entries, there is no version ${version}`);
}
