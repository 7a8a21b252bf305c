/**
 * The projection: one entry after another makes a run as people see it. Pure.
 * Invariant: the state at version n is a function of the run's entries 1 to n alone, so whoever computes it, however
 * often, comes to the same.
 *
 * Status: `queued` from `run.accepted`, `running` from `run.started`; `waiting` while it waits for an approval, an answer
 * or the end of a sleep (the run's own, or of a run below it as `child.waiting` told) and none of the run's own steps is
 * open, `running` again after that; the end entry's status for good. A step that an approval was asked for is not open until the
 * approval is granted. Children at work do not count as steps: a human is still what is missing.
 * The planner shows the same of the runs that it owns (its `evolve` and `viewOf`); where they differ one of us is wrong.
 */
import {
  type ApprovalRecord,
  contentHash,
  type RunEntry,
  type RunStatus,
  type RunView,
  type Usage,
} from '@tutti/contracts';
import type { ChildWaits, OpenWork, RunState } from './run-state.ts';

export interface Projected {
  state: RunState;
  /** Approvals as they are after this entry, where it changed them. None of a fork's beginning: those are the original's. */
  approvals: ApprovalRecord[];
}

type EntryOf<T extends RunEntry['type']> = Extract<RunEntry, { type: T }>;

const NO_USAGE: Usage = { modelCalls: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, costUsd: 0 };

/**
 * `state`: null before the first entry. Null comes back where the entry cannot be placed: the run is unknown and this is
 * not its `run.accepted`. An entry at or below the state's version changes nothing.
 */
export function project(state: RunState | null, entry: RunEntry): Projected | null {
  if (!state) return entry.type === 'run.accepted' ? { state: accepted(entry), approvals: [] } : null;
  if (entry.n <= state.view.version || !state.open) return { state, approvals: [] };
  const projected = advance(state.view, state.open, entry);
  return state.open.prefix ? { ...projected, approvals: [] } : projected;
}

function accepted(entry: EntryOf<'run.accepted'>): RunState {
  const { start } = entry;
  return {
    v: 2,
    view: {
      id: entry.run,
      tenant: entry.tenant,
      session: entry.session,
      agent: start.agent,
      status: 'queued',
      input: start.input,
      output: null,
      citations: [],
      error: null,
      usage: NO_USAGE,
      parent: start.parent?.run ?? null,
      root: start.root,
      principal: start.principal,
      bundle: start.bundle,
      degraded: false,
      createdAt: entry.at,
      endedAt: null,
      version: entry.n,
    },
    open: {
      steps: [],
      approvals: [],
      questions: [],
      sleeping: [],
      children: {},
      ...(start.fork ? { prefix: true } : {}),
    },
  };
}

function advance(before: RunView, open: OpenWork, entry: RunEntry): Projected {
  const view: RunView = { ...before, version: entry.n };
  switch (entry.type) {
    case 'run.accepted':
    case 'plan.made':
    case 'call.settled':
    case 'child.started':
    case 'step.retried':
      return under(view, open);
    case 'run.started':
      return under({ ...view, status: 'running' }, open);
    case 'step.requested':
      return under(view, { ...open, steps: [...without(open.steps, entry.callId), entry.callId] });
    case 'step.completed':
      return under(counted(view, entry), closeStep(open, entry.callId));
    case 'step.failed':
      return under(view, closeStep(open, entry.callId));
    case 'approval.requested':
      return requested(view, open, entry.approval);
    case 'approval.voted':
      return voted(view, open, entry);
    case 'approval.decided':
      return decided(view, open, entry);
    case 'question.asked':
      return under(view, { ...open, questions: [...open.questions, entry.question] });
    case 'question.answered':
      return under(view, { ...open, questions: open.questions.filter(({ id }) => id !== entry.question) });
    case 'sleep.started':
      return under(view, { ...open, sleeping: [...without(open.sleeping, entry.callId), entry.callId] });
    case 'sleep.ended':
      return under(view, { ...open, sleeping: without(open.sleeping, entry.callId) });
    case 'run.forked':
      return forked(view, open, entry);
    case 'child.waiting':
      return under(view, { ...open, children: withChild(open.children, entry.child, waitsOf(entry)) });
    case 'child.ended':
      return under(
        { ...view, usage: plus(view.usage, entry.outcome.usage) },
        { ...open, children: withChild(open.children, entry.outcome.child, NOTHING) },
      );
    case 'run.cancelling':
      return under(view, { ...open, steps: [], questions: [], sleeping: [] });
    case 'run.completed':
      return ended(
        { ...view, output: entry.output, citations: entry.citations, degraded: entry.degraded },
        open,
        entry,
      );
    case 'run.failed':
      return ended({ ...view, output: entry.output || null, error: entry.error }, open, entry);
    case 'run.cancelled':
      return ended(view, open, entry);
    default:
      return entry satisfies never;
  }
}

/** A run that goes on, with the status that its open work gives. */
function under(view: RunView, open: OpenWork, approvals: ApprovalRecord[] = []): Projected {
  const status = openStatus(view.status, open);
  const waitingFor = status === 'waiting' ? waitedFor(open) : null;
  return { state: { v: 2, view: { ...view, status, waitingFor, question: questionOf(open) }, open }, approvals };
}

function openStatus(status: RunStatus, open: OpenWork): RunStatus {
  if (status === 'queued') return 'queued';
  return open.steps.length === 0 && waitedFor(open) !== null ? 'waiting' : 'running';
}

/** What a human, or the clock, has to do next; null: nothing. */
function waitedFor({ approvals, questions, sleeping, children }: OpenWork): RunView['waitingFor'] {
  const below = Object.values(children);
  if (approvals.length > 0 || below.some((child) => child.approvals.length > 0)) return 'approval';
  if (questions.length > 0 || below.some((child) => child.questions.length > 0)) return 'input';
  return sleeping.length > 0 || below.some((child) => child.sleeps) ? 'timer' : null;
}

/** The oldest open question of the run or of one below it. */
function questionOf({ questions, children }: OpenWork): RunView['question'] {
  const all = [...questions, ...Object.values(children).flatMap((child) => child.questions)];
  return all.sort((a, b) => a.askedAt - b.askedAt)[0] ?? null;
}

const NOTHING: ChildWaits = { approvals: [], questions: [], sleeps: false };

function waitsOf({ approvals, questions = [], sleepsUntil }: EntryOf<'child.waiting'>): ChildWaits {
  return { approvals: approvals.map(({ id }) => id), questions, sleeps: sleepsUntil !== undefined };
}

/** From here on it is a run of its own. What the original waited for is the original's: the fork asks anew. */
function forked(before: RunView, open: OpenWork, { start, at, again }: EntryOf<'run.forked'>): Projected {
  const { agent, input, principal, bundle, root, parent } = start;
  const view = { ...before, agent, input, principal, bundle, root, parent: parent?.run ?? null, createdAt: at };
  // Models are asked again under calls of its own.
  const left = new Set(again);
  const steps = [...open.steps, ...open.approvals.map(({ callId }) => callId)].filter((callId) => !left.has(callId));
  return under(view, { steps, approvals: [], questions: [], sleeping: open.sleeping, children: {} });
}

const ENDS = { 'run.completed': 'completed', 'run.failed': 'failed', 'run.cancelled': 'cancelled' } as const;

/** Nothing of an ended run is pending any more, whatever its owner still said of it. */
function ended(view: RunView, open: OpenWork, entry: EntryOf<keyof typeof ENDS>): Projected {
  const status = ENDS[entry.type];
  const by = entry.type === 'run.cancelled' ? entry.by : 'tutti';
  const reason = entry.type === 'run.cancelled' ? entry.reason : `the run ended: ${status}`;
  return {
    state: {
      v: 2,
      view: {
        ...view,
        status,
        usage: entry.usage,
        endedAt: entry.at,
        waitingFor: null,
        question: null,
        ...(entry.type !== 'run.completed' && entry.undo ? { undo: entry.undo } : {}),
      },
      open: null,
    },
    approvals: givenUp(open, entry.at, by, reason),
  };
}

function requested(view: RunView, open: OpenWork, approval: ApprovalRecord): Projected {
  const others = open.approvals.filter(({ id }) => id !== approval.id);
  return under(view, { ...closeStep(open, approval.callId), approvals: [...others, approval] }, [approval]);
}

/** As the planner's state has it (services/planner/core/evolve.ts). */
function voted(view: RunView, open: OpenWork, entry: EntryOf<'approval.voted'>): Projected {
  const record = open.approvals.find(({ id }) => id === entry.approval);
  if (!record) return under(view, open);
  const { arguments: written } = entry;
  const edited = written && {
    asked: record.asked ?? record.arguments,
    arguments: written,
    argumentsHash: contentHash({ tool: record.tool, arguments: written }),
  };
  const after = { ...record, ...edited, approvedBy: edited ? [entry.by] : [...(record.approvedBy ?? []), entry.by] };
  const approvals = open.approvals.map((other) => (other.id === after.id ? after : other));
  return under(view, { ...open, approvals }, [after]);
}

/** A granted step is open again: its owner sends it with the grant. */
function decided(view: RunView, open: OpenWork, entry: EntryOf<'approval.decided'>): Projected {
  const record = open.approvals.find(({ id }) => id === entry.approval);
  if (!record) return under(view, open);
  const after = { status: entry.decision, decidedAt: entry.at, decidedBy: entry.by, decisionReason: entry.reason };
  const approvals = open.approvals.filter(({ id }) => id !== entry.approval);
  const steps = entry.decision === 'approved' ? [...open.steps, record.callId] : open.steps;
  return under(view, { ...open, steps, approvals }, [{ ...record, ...after }]);
}

function givenUp(open: OpenWork, at: number, by: string, reason: string): ApprovalRecord[] {
  return open.approvals.map((record) => ({
    ...record,
    status: 'cancelled',
    decidedAt: at,
    decidedBy: by,
    decisionReason: reason,
  }));
}

function closeStep(open: OpenWork, callId: string): OpenWork {
  return { ...open, steps: without(open.steps, callId) };
}

function without(ids: string[], id: string): string[] {
  return ids.filter((other) => other !== id);
}

function withChild(children: OpenWork['children'], child: string, waits: ChildWaits): OpenWork['children'] {
  const { [child]: _before, ...others } = children;
  const any = waits.approvals.length > 0 || waits.questions.length > 0 || waits.sleeps;
  return any ? { ...others, [child]: waits } : others;
}

/** What its own steps have used so far; `child.ended` adds the children's, and the end entry brings the final figure. */
function counted(view: RunView, { result }: EntryOf<'step.completed'>): RunView {
  if (result.kind === 'execute') return { ...view, usage: plus(view.usage, { ...NO_USAGE, toolCalls: 1 }) };
  if (result.kind !== 'complete') return view;
  const { usage, costUsd, degraded } = result.completion;
  return {
    ...view,
    usage: plus(view.usage, { ...NO_USAGE, ...usage, modelCalls: 1, costUsd }),
    degraded: view.degraded || degraded,
  };
}

function plus(a: Usage, b: Usage): Usage {
  return {
    modelCalls: a.modelCalls + b.modelCalls,
    toolCalls: a.toolCalls + b.toolCalls,
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    costUsd: a.costUsd + b.costUsd,
  };
}
