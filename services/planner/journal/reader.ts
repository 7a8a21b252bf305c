/**
 * Reads a run's journal: the newest entries from its owner, older ones from memory, joined without a gap. Another
 * tenant's run is as unknown as one that does not exist.
 */
import { OwnerReply, partitionOf, type RunEntry, subjects, TuttiError } from '@tutti/contracts';
import type { Bus, Caller } from '@tutti/runtime';

const OWNER_TIMEOUT_MS = 2_000;
const MEMORY_TIMEOUT_MS = 10_000;
const PAGE = 1_000;
const text = new TextDecoder();
const bytes = new TextEncoder();

export interface JournalReader {
  /** Entries 1 to `upTo`, or all there are. Throws `not_found`, and `unavailable` when neither owner nor memory answers. */
  read(tenant: string, run: string, upTo?: number): Promise<RunEntry[]>;
}

export function createJournalReader(bus: Bus, caller: Caller, partitions: number): JournalReader {
  async function ofOwner(run: string, after: number): Promise<RunEntry[]> {
    const subject = subjects.owner(partitionOf(run, partitions));
    const request = bytes.encode(JSON.stringify({ op: 'entries', run, after }));
    const reply = OwnerReply.parse(JSON.parse(text.decode(await bus.request(subject, request, OWNER_TIMEOUT_MS))));
    return reply.op === 'entries' ? reply.entries : [];
  }

  async function ofMemory(tenant: string, run: string, after: number): Promise<RunEntry[]> {
    const body = { op: 'journal' as const, run, after, limit: PAGE };
    const result = await caller.call('read', body, { tenant, timeoutMs: MEMORY_TIMEOUT_MS });
    return result.op === 'journal' ? result.entries : [];
  }

  /** What follows `after` without a gap; the owner's word first, for it is the newest. */
  async function next(tenant: string, run: string, after: number): Promise<RunEntry[]> {
    const owners = await ofOwner(run, after).catch((error: unknown) => {
      if (error instanceof TuttiError && error.retryable) return [];
      throw error;
    });
    if (owners[0]?.n === after + 1) return owners;
    const memories = await ofMemory(tenant, run, after);
    return memories[0]?.n === after + 1 ? memories : [];
  }

  return {
    async read(tenant, run, upTo = Number.POSITIVE_INFINITY) {
      const entries: RunEntry[] = [];
      while (entries.length < upTo) {
        const more = await next(tenant, run, entries.length);
        if (more.length === 0) break;
        for (const entry of more) if (entry.n === entries.length + 1) entries.push(entry);
      }
      const [first] = entries;
      if (first?.type !== 'run.accepted' || first.tenant !== tenant)
        throw new TuttiError('not_found', `there is no run "${run}"`);
      return entries.length > upTo ? entries.slice(0, upTo) : entries;
    },
  };
}
