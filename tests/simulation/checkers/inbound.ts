/** Whether each message of the inbound was taken in once, in order, and what came of it stands with how far it was read. */
import type { RunEntry } from '@tutti/contracts';
import type { SeenInbound } from '../evidence.ts';
import type { Checker } from './index.ts';

const offsets: Checker = {
  name: 'offsets',
  check({ evidence, outcome, partitions }) {
    const problems: string[] = [];
    const readUpTo = new Map<number, number>();
    for (const { partition, sequence, batch } of evidence.log) {
      const before = readUpTo.get(partition) ?? 0;
      if (batch.readUpTo < before)
        problems.push(`log message ${sequence} says that less was read (${batch.readUpTo}) than before (${before})`);
      readUpTo.set(partition, Math.max(before, batch.readUpTo));
    }
    if (outcome !== 'done' || problems.length > 0) return problems;
    for (let partition = 0; partition < partitions; partition++) {
      // What leads to nothing may stand unread until something else is written.
      const last = evidence.inbound.findLast((seen) => seen.partition === partition && seen.message.type === 'start');
      if (last && firstOf(evidence.inbound, last) === last && (readUpTo.get(partition) ?? 0) < last.sequence)
        problems.push(`partition ${partition} read up to ${readUpTo.get(partition)}, but ${last.sequence} is a start`);
    }
    return problems;
  },
};

function firstOf(inbound: SeenInbound[], one: SeenInbound): SeenInbound | undefined {
  return inbound.find((seen) => seen.message.type === 'start' && seen.message.run === one.message.run);
}

/** An entry that a message led to is written with an offset that covers the message, and none of an earlier one did. */
const onceOnly: Checker = {
  name: 'inbound once',
  check({ evidence }) {
    const problems: string[] = [];
    const causes = new Map<string, SeenInbound[]>();
    for (const seen of evidence.inbound) {
      const key = causeOfMessage(seen);
      if (key) causes.set(key, [...(causes.get(key) ?? []), seen]);
    }
    const read = new Map<number, number>();
    for (const { partition, sequence, batch } of evidence.log) {
      const before = read.get(partition) ?? 0;
      for (const entry of batch.entries) {
        if (evidence.inPrefix(entry)) continue;
        const key = causeOfEntry(entry);
        const messages = key ? causes.get(key) : undefined;
        if (!messages) continue;
        if (!messages.some((seen) => seen.sequence > before && seen.sequence <= batch.readUpTo))
          problems.push(
            `${entry.type} of run ${entry.run} in log message ${sequence} (read: ${before} to ${batch.readUpTo}) comes from message ${messages.map((seen) => seen.sequence)}`,
          );
      }
      read.set(partition, Math.max(before, batch.readUpTo));
    }
    return problems;
  },
};

function causeOfMessage({ message }: SeenInbound): string | undefined {
  switch (message.type) {
    case 'start':
      return `start ${message.run}`;
    case 'child_ended':
      return `ended ${message.outcome.child}`;
    case 'child_waiting':
      return `waits ${message.child} ${message.version}`;
    case 'input':
      return `input ${message.question}`;
    default:
      return undefined;
  }
}

function causeOfEntry(entry: RunEntry): string | undefined {
  switch (entry.type) {
    case 'run.accepted':
      return `start ${entry.run}`;
    case 'child.ended':
      return `ended ${entry.outcome.child}`;
    case 'child.waiting':
      return `waits ${entry.child} ${entry.version}`;
    case 'question.answered':
      return entry.outcome === 'answered' ? `input ${entry.question}` : undefined;
    default:
      return undefined;
  }
}

/** What one run says to another follows from what is stored. */
const hasty: Checker = {
  name: 'hasty letters',
  check({ evidence }) {
    const problems: string[] = [];
    const told = new Map<string, number>();
    for (const [run, entries] of evidence.runs)
      for (const { entry, in: seen } of entries) {
        if (evidence.inPrefix(entry)) continue;
        if (entry.type === 'child.started') told.set(`start ${entry.child}`, seen.at);
        if (entry.type.startsWith('run.') && !told.has(`ended ${run}`)) {
          const ends = ['run.completed', 'run.failed', 'run.cancelled'].includes(entry.type);
          if (ends) told.set(`ended ${run}`, seen.at);
        }
      }
    for (const seen of evidence.inbound) {
      const { message } = seen;
      const key = causeOfMessage(seen);
      const child = message.type === 'child_ended' || (message.type === 'start' && message.start.parent !== null);
      if (!key || !child) continue;
      const at = told.get(key);
      if (at === undefined || at > seen.at)
        problems.push(`the message "${key}" was there before the log had its reason`);
    }
    return problems;
  },
};

/** What cannot be read is where a person can see it. */
const buried: Checker = {
  name: 'dead letters',
  check({ evidence, outcome }) {
    if (outcome !== 'done') return [];
    return evidence.unburied.map(
      ({ sequence, partition }) => `rubbish ${sequence} in partition ${partition} left no dead letter`,
    );
  },
};

export const inbound = [offsets, onceOnly, hasty, buried];
