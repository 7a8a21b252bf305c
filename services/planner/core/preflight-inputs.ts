/** A journal read backwards: what came in that an entry was the first consequence of. */
import type { ForkPrefix, InboundMessage, RunEntry, ToolDefinition } from '@tutti/contracts';
import type { StepOutcome } from './decide.ts';
import { isEnding } from './fork.ts';

type Entry<T extends RunEntry['type']> = Extract<RunEntry, { type: T }>;
export type Accepted = Entry<'run.accepted'>;

export type PastInput =
  | { kind: 'inbound'; message: InboundMessage; prefix?: Omit<ForkPrefix, 'toolset'> }
  | { kind: 'result'; run: string; callId: string; outcome: StepOutcome }
  /** `due`: what rang. */
  | { kind: 'tick'; due: { kind: 'sleep' | 'question'; id: string } };

/** Failures that nothing in the journal leads to: a clock, a neighbour in the session, or a fault of Tutti brought them. So does an effect of which nobody knows. */
const OUTSIDE =
  /^the run took longer than wallTimeMs|^Tutti could not go on|^the state of this waiting run was lost|^cannot fork:/;

/** How many of the entries the run itself led to: what ends a run from outside is no decision of its bundle. */
export function ownLength(entries: RunEntry[]): number {
  const last = entries.at(-1)!;
  const refused = last.type === 'run.failed' && last.n === 2 && ['overloaded', 'conflict'].includes(last.error.code);
  const fromOutside =
    last.type === 'run.cancelled' ||
    last.type === 'run.cancelling' ||
    (last.type === 'run.failed' &&
      (refused || last.error.code === 'effect_unknown' || OUTSIDE.test(last.error.message)));
  let length = entries.length;
  if (fromOutside) while (isEnding(entries[length - 1]!)) length--;
  return length;
}

/** The start, with the journal that a fork began with. */
export function startOf(accepted: Accepted, entries: RunEntry[]): PastInput {
  const { tenant, session, run, at } = accepted;
  const version = accepted.start.fork?.version ?? 0;
  const forked = version > 1 ? entries[version] : undefined;
  const start = forked?.type === 'run.forked' ? forked.start : accepted.start;
  const message: InboundMessage = { v: 1, type: 'start', tenant, session, run, at, start };
  return version === 0
    ? { kind: 'inbound', message }
    : { kind: 'inbound', message, prefix: { v: 1, entries: entries.slice(0, version) } };
}

/** Undefined: the entry is the consequence of another one's input. */
export function inputOf(
  entry: RunEntry,
  { tenant, session, run }: Accepted,
  toolsets: Map<string, ToolDefinition[]>,
): PastInput | undefined {
  const base = { v: 1 as const, tenant, session, run, at: entry.at };
  const inbound = (message: InboundMessage): PastInput => ({ kind: 'inbound', message });
  const result = (callId: string, outcome: StepOutcome): PastInput => ({ kind: 'result', run, callId, outcome });
  switch (entry.type) {
    case 'step.completed':
      return result(entry.callId, { ok: true, body: bodyOf(entry.result, toolsets) });
    case 'step.failed':
    case 'step.retried':
      return result(entry.callId, { ok: false, error: entry.error });
    case 'approval.requested':
      return result(entry.approval.callId, { ok: true, body: askedFor(entry) });
    case 'approval.voted': {
      const { approval, by, arguments: written } = entry;
      const edit = written ? { arguments: written } : {};
      return inbound({ ...base, type: 'approve', approval, decision: 'approve', by, ...edit });
    }
    case 'approval.decided': {
      const { approval, by, reason } = entry;
      if (entry.decision === 'expired')
        return inbound({ ...base, type: 'timer', timer: { kind: 'approval_expiry', approval } });
      const decision = entry.decision === 'approved' ? 'approve' : 'deny';
      return inbound({ ...base, type: 'approve', approval, decision, by, ...(reason === undefined ? {} : { reason }) });
    }
    case 'question.answered': {
      const { question, text, by, key } = entry;
      if (entry.outcome === 'expired') return { kind: 'tick', due: { kind: 'question', id: question } };
      return inbound({ ...base, type: 'input', question, text, by, ...(key === undefined ? {} : { key }) });
    }
    case 'sleep.ended':
      return { kind: 'tick', due: { kind: 'sleep', id: entry.callId } };
    case 'child.waiting': {
      const { child, version, approvals, questions, sleepsUntil } = entry;
      return inbound({ ...base, type: 'child_waiting', child, version, approvals, questions, sleepsUntil });
    }
    case 'child.ended':
      return inbound({ ...base, type: 'child_ended', outcome: entry.outcome });
    default:
      return undefined;
  }
}

function askedFor({ approval, at }: Entry<'approval.requested'>): unknown {
  const { argumentsHash, effect, reason, policy, expiresAt } = approval;
  const { label, basis, shown, approvers, quorum } = approval;
  const bound = { label, basis, shown, approvers, quorum };
  const said = { argumentsHash, effect, reason, policy, expiresInMs: expiresAt - at, ...bound };
  return { status: 'approval_required', arguments: approval.arguments, ...said };
}

function bodyOf(result: Entry<'step.completed'>['result'], toolsets: Map<string, ToolDefinition[]>): unknown {
  switch (result.kind) {
    case 'recall':
      return result.recall;
    case 'search':
      return { passages: result.passages, withheld: result.withheld };
    case 'describe':
      return {
        hash: result.toolset,
        tools: toolsets.get(result.toolset) ?? [],
        problems: result.problems,
        label: result.label,
      };
    case 'complete':
      return result.completion;
    case 'execute': {
      const { content, isError, effect, label } = result.action;
      const { replayed, policy, dispatched } = result;
      return { status: 'done', content, isError, effect, replayed, label, policy, dispatched };
    }
    case 'remember':
      return { stored: true };
    default:
      return result satisfies never;
  }
}
