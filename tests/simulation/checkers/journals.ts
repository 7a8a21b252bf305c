/** Whether each run's journal is whole: numbered without a gap, ended once, one outcome for each thing that was asked. */
import { type InboundMessage, isEnd, type RunEntry } from '@tutti/contracts';
import { POISON_HASH } from '../agents.ts';
import type { Checker } from './index.ts';

const versions: Checker = {
  name: 'versions',
  check({ evidence }) {
    const problems: string[] = [];
    for (const [run, entries] of evidence.runs) {
      const at = entries.findIndex(({ entry }, index) => entry.n !== index + 1);
      if (at >= 0) problems.push(`run ${run} has entry ${entries[at]!.entry.n} in place ${at + 1}`);
      if (entries[0]!.entry.type !== 'run.accepted') problems.push(`run ${run} begins with ${entries[0]!.entry.type}`);
      if (entries.filter(({ entry }) => entry.type === 'run.accepted').length > 1)
        problems.push(`run ${run} was accepted more than once`);
    }
    return problems;
  },
};

const afterEnd: Checker = {
  name: 'after end',
  check({ evidence }) {
    const problems: string[] = [];
    for (const [run, entries] of evidence.runs) {
      const end = entries.findIndex(({ entry }) => isEnd(entry));
      if (end >= 0 && end < entries.length - 1)
        problems.push(`run ${run} goes on with ${entries[end + 1]!.entry.type} after it has ended`);
    }
    return problems;
  },
};

/** What an entry settles, if it settles anything. */
function settles(entry: RunEntry): string | undefined {
  switch (entry.type) {
    case 'step.completed':
    case 'step.failed':
      return `call ${entry.callId}`;
    case 'approval.decided':
      return `approval ${entry.approval}`;
    case 'question.answered':
      return `question ${entry.question}`;
    case 'child.ended':
      return `child ${entry.outcome.child}`;
    case 'sleep.ended':
      return `sleep ${entry.callId}`;
    default:
      return undefined;
  }
}

function opens(entry: RunEntry): string | undefined {
  switch (entry.type) {
    case 'step.requested':
      return `call ${entry.callId}`;
    case 'approval.requested':
      return `approval ${entry.approval.id}`;
    case 'question.asked':
      return `question ${entry.question.id}`;
    case 'child.started':
      return `child ${entry.child}`;
    case 'sleep.started':
      return `sleep ${entry.callId}`;
    default:
      return undefined;
  }
}

const outcomes: Checker = {
  name: 'outcomes',
  check({ evidence }) {
    const problems: string[] = [];
    for (const [run, entries] of evidence.runs) {
      const open = new Set<string>();
      const known = new Set<string>();
      for (const { entry } of entries) {
        // A fork takes over what was asked in the prefix, and asks some of it again.
        if (entry.type === 'run.forked') {
          known.clear();
          continue;
        }
        const opened = opens(entry);
        if (opened && known.has(opened)) problems.push(`run ${run}: ${opened} was asked for twice`);
        if (opened) {
          known.add(opened);
          open.add(opened);
        }
        const settled = settles(entry);
        if (settled && !open.delete(settled))
          problems.push(`run ${run}: an outcome for ${settled}, which was not open`);
      }
    }
    return problems;
  },
};

/** A run that completed has nothing open, and says what its last model call said. */
const complete: Checker = {
  name: 'complete',
  check({ evidence }) {
    const problems: string[] = [];
    for (const [run, entries] of evidence.runs) {
      if (entries.at(-1)!.entry.type !== 'run.completed') continue;
      const open = new Set<string>();
      const asked = new Map<string, string>();
      for (const { entry } of entries) {
        if (entry.type === 'run.forked') open.clear();
        const opened = opens(entry);
        if (opened) open.add(opened);
        const settled = settles(entry);
        if (settled) open.delete(settled);
        // A call that was refused is settled with its approval.
        if (entry.type === 'approval.requested') open.delete(`call ${entry.approval.callId}`);
        if (entry.type === 'approval.requested') asked.set(entry.approval.id, entry.approval.callId);
        if (entry.type === 'approval.decided' && entry.decision === 'approved')
          open.add(`call ${asked.get(entry.approval)}`);
      }
      for (const what of open) problems.push(`run ${run} completed with ${what} open`);
    }
    return problems;
  },
};

function isPoison(message: InboundMessage | undefined): boolean {
  return message?.type === 'start' && message.start.bundle === POISON_HASH;
}

/** A run that fails by a fault of Tutti itself; workers here say where theirs come from. What is poison has to. */
const internal: Checker = {
  name: 'internal',
  check({ evidence }) {
    const problems: string[] = [];
    for (const [run, entries] of evidence.runs) {
      const { entry } = entries.at(-1)!;
      if (isPoison(evidence.starts.get(run)?.message)) {
        if (entry.type === 'run.completed') problems.push(`run ${run} completed, though it is poison`);
        continue;
      }
      if (entry.type === 'run.failed' && entry.error.code === 'internal' && !entry.error.message.includes('by chance'))
        problems.push(`run ${run} failed: ${entry.error.message}`);
    }
    return problems;
  },
};

export const journals = [versions, afterEnd, outcomes, complete, internal];
