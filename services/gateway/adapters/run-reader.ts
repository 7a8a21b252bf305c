/** Reads runs from their owner, from memory, and from the inbound stream, in that order. */
import {
  type ApprovalRecord,
  InboundMessage,
  type ReadBody,
  type ReadResult,
  type RunEntry,
  type RunView,
  STREAMS,
  subjects,
  TuttiError,
  toErrorInfo,
} from '@tutti/contracts';
import type { Bus, Caller, Logger } from '@tutti/runtime';
import { queuedView } from '../core/views.ts';
import type { Partitions } from '../ports/partitions.ts';
import type { RunReader } from '../ports/run-reader.ts';
import type { Owner } from './bus-owner.ts';

export const JOURNAL_PAGE = 500;
const text = new TextDecoder();

export interface Memory {
  read<Op extends ReadBody['op']>(
    tenant: string,
    body: Extract<ReadBody, { op: Op }>,
  ): Promise<Extract<ReadResult, { op: Op }>>;
}

export function createMemory(caller: Caller, timeoutMs: number): Memory {
  return {
    async read(tenant, body) {
      const result = await caller.call('read', body, { tenant, timeoutMs });
      if (result.op !== body.op) throw new TuttiError('internal', `memory answered ${result.op} to ${body.op}`);
      return result as never;
    },
  };
}

export function createRunReader(deps: {
  bus: Bus;
  owner: Owner;
  memory: Memory;
  partitions: Partitions;
  log: Logger;
}): RunReader {
  const { bus, owner, memory, partitions, log } = deps;

  async function ownersRun(tenant: string, run: string): Promise<{ asked: boolean; view: RunView | null }> {
    const reply = await owner.ask(run, { op: 'run', run });
    const view = reply?.op === 'run' ? reply.run : null;
    return { asked: reply !== null, view: view?.tenant === tenant ? view : null };
  }

  /** What memory says, or the error with which it did not. */
  async function remembered<T>(what: Promise<T>): Promise<{ value: T } | { error: TuttiError }> {
    try {
      return { value: await what };
    } catch (error) {
      const info = toErrorInfo(error);
      if (!info.retryable) throw error;
      log.debug({ error: info.message }, 'memory does not answer');
      return { error: TuttiError.from(info) };
    }
  }

  async function queued(tenant: string, run: string): Promise<RunView | null> {
    const last = await bus.last(STREAMS.inbound.name, subjects.inboundOfRun(partitions.of(run), run));
    if (!last) return null;
    const message = InboundMessage.parse(JSON.parse(text.decode(last.data)));
    if (message.tenant !== tenant) return null;
    if (message.type === 'start') return queuedView(message);
    for await (const stored of bus.read(STREAMS.inbound.name, last.subject, 1)) {
      const earlier = InboundMessage.parse(JSON.parse(text.decode(stored.data)));
      if (earlier.type === 'start') return queuedView(earlier);
    }
    return null;
  }

  return {
    async run(tenant, run) {
      const owners = await ownersRun(tenant, run);
      if (owners.view) return owners.view;
      const memories = await remembered(memory.read(tenant, { op: 'run', run }));
      // A run that ended is in memory alone: without memory nothing can be said of what its owner does not hold.
      if ('error' in memories) throw memories.error;
      if (memories.value.run) return memories.value.run.tenant === tenant ? memories.value.run : null;
      return queued(tenant, run);
    },
    ownersRun: async (tenant, run) => (await ownersRun(tenant, run)).view,
    async entries(tenant, run, after) {
      const reply = await owner.ask(run, { op: 'entries', run, after });
      const owners = reply?.op === 'entries' ? reply : null;
      if (owners && (owners.complete || owners.entries[0]?.n === after + 1)) return owners.entries;
      const memories = await remembered(memory.read(tenant, { op: 'journal', run, after, limit: JOURNAL_PAGE }));
      if ('error' in memories) {
        if (reply) return owners?.entries ?? [];
        throw memories.error;
      }
      return joined(memories.value.entries, owners?.entries ?? []);
    },
    async openApprovals(run) {
      const reply = await owner.ask(run, { op: 'approvals', run });
      return reply?.op === 'approvals' ? reply.approvals : null;
    },
    async approval(tenant, approval) {
      const reply = await owner.ask(approval, { op: 'approval', approval });
      if (reply?.op === 'approval') return reply.tenant === tenant ? reply.approval : null;
      const memories = await remembered(memory.read(tenant, { op: 'approval', approval }));
      if ('error' in memories) throw memories.error;
      return memories.value.approval satisfies ApprovalRecord | null;
    },
  };
}

function joined(older: RunEntry[], newer: RunEntry[]): RunEntry[] {
  const byVersion = new Map([...older, ...newer].map((entry) => [entry.n, entry]));
  return [...byVersion.values()].sort((a, b) => a.n - b.n);
}
