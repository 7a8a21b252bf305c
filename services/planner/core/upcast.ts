/** Brings stored states of earlier versions up to today's shape. Each step is tested on a frozen fixture (fixtures/). */
import {
  joinLabels,
  NOTHING_DONE,
  PASSAGE_LABEL,
  RESULT_LABEL,
  UNLABELLED,
  USER_LABEL,
  withCall,
} from '@tutti/contracts';
import type {
  Letter,
  ParkedRun,
  PartitionState,
  Phase,
  RunState,
  ScheduleState,
  SessionState,
  TaskState,
} from './state.ts';

interface SavedHead {
  epoch: number;
  readUpTo: number;
  /** Not in checkpoints from before it was kept. */
  at?: number;
  /** In the head up to version 2. */
  parked?: ParkedRun[];
  sessions: [string, SessionState][];
  toolsets: PartitionState['toolsets'] extends Map<infer K, infer V> ? [K, V][] : never;
  outbox: Letter[];
  schedules: [string, ScheduleState][];
  ended: string[];
  endedIds: string[];
  barred: string[];
}

// biome-ignore lint/suspicious/noExplicitAny: what earlier versions wrote has no type any more
type Old = any;

export function upcastHead(raw: Old): SavedHead {
  return raw.v === 1 ? headFrom1(raw) : raw;
}

export function upcastRun(version: number, raw: unknown): RunState {
  if (version >= 3) return raw as RunState;
  return runFrom2(version === 1 ? runFrom1(raw) : (raw as RunState));
}

/** Nobody wrote down what it had read: each piece counts as one that says nothing of itself. */
function runFrom2(old: Old): RunState {
  if (old.status !== 'running' && old.status !== 'waiting') return old;
  const told = old.start.parent || old.interrupted.length > 0 || old.recall?.turns.length > 0;
  let label = told ? joinLabels(USER_LABEL, UNLABELLED) : USER_LABEL;
  if (old.passages.length > 0) label = joinLabels(label, PASSAGE_LABEL);
  if (old.actions.length > 0) label = joinLabels(label, RESULT_LABEL);
  let did = NOTHING_DONE;
  for (const { tool, effect } of old.actions) did = withCall(did, { tool, effect, summands: undefined });
  for (const { step } of [...Object.values<Old>(old.open), ...Object.values<Old>(old.held)])
    if (step.kind === 'execute') did = withCall(did, { tool: step.call.name, effect: undefined, summands: undefined });
  return { ...old, label, did };
}

function headFrom1(old: Old): SavedHead {
  return {
    ...old,
    parked: [],
    schedules: [],
    sessions: old.sessions.map(([key, { active, queue }]: [string, Old]) => [
      key,
      { active: active === null ? [] : [active], queue },
    ]),
    // Timers are in the state now; those on the bus still ring, and find that there is nothing left to do.
    outbox: old.outbox.filter((letter: Old) => letter.kind === 'inbound'),
  };
}

function runFrom1(old: Old): Old {
  const head = {
    id: old.id,
    tenant: old.tenant,
    session: old.session,
    version: old.version,
    start: old.start,
    limits: limitsFrom1(old.limits),
    acceptedAt: old.acceptedAt,
  };
  if (old.phase === 'queued') return { ...head, status: 'queued', interrupted: [] };
  if (old.phase === 'ended') {
    const { status, strategy, startedAt, endedAt, output, citations, error, usage, degraded, approvals } = old;
    return { ...head, status, strategy, startedAt, endedAt, output, citations, error, usage, degraded, approvals };
  }
  const children: Record<string, unknown> = {};
  for (const task of old.tasks) {
    if (task.status !== 'running' || !task.child) continue;
    const waiting = old.childApprovals[task.child];
    children[task.child] = {
      id: task.child,
      session: task.childSession,
      callId: '',
      kind: 'task',
      task: task.id,
      agent: old.start.agent,
      // Before shares every child could use what its parent could.
      share: { modelCalls: 0, toolCalls: 0, tokens: 0, costUsd: 0 },
      waiting: waiting ? { ...waiting, questions: [], sleepsUntil: null } : null,
    };
  }
  const steps = (record: Old) =>
    Object.fromEntries(
      Object.entries(record).map(([id, { tries: _tries, ...step }]: [string, Old]) => [
        id,
        { ...step, n: old.version },
      ]),
    );
  return {
    ...head,
    status: old.status,
    phase: old.phase as Phase,
    startedAt: old.startedAt,
    waitedMs: old.waitedMs,
    waitingSince: old.waitingSince,
    strategy: old.strategy,
    interrupted: [],
    open: steps(old.open),
    held: steps(old.parked),
    sleeping: {},
    questions: {},
    children: children as never,
    childCount: old.tasks.filter((task: TaskState) => task.child).length,
    stepCount: old.stepCount,
    recall: old.recall,
    passages: old.passages,
    contextual: old.contextual,
    toolset: old.toolset,
    thread: old.thread,
    actions: old.actions,
    plan: old.plan,
    planCount: old.plan ? 1 : 0,
    tasks: old.tasks.map(({ childSession: _session, ...task }: Old) => task),
    earlier: [],
    approvals: old.approvals,
    surprise: null,
    answer: old.answer,
    usage: old.usage,
    degraded: old.degraded,
  };
}

/** Limits that came later get their defaults. */
export function limitsFrom1(old: Old): Old {
  return {
    plansMax: 3,
    costUsdMax: 25,
    journalEntriesMax: 10_000,
    modelTimeoutMs: 300_000,
    toolTimeoutMs: 120_000,
    questionTtlMs: 7 * 86_400_000,
    sleepMaxMs: 31 * 86_400_000,
    ...old,
  };
}
