/**
 * What an entry does to the state. The only writer of it: the owner applies the entries that it decides on, and a new
 * owner applies the same entries from the log, so both have the same state.
 */
import type { Action, ApprovalRecord, InboundMessage, PartitionEntry, Passage, RunEntry } from '@tutti/contracts';
import { boundActions } from './bound-actions.ts';
import {
  type OpenStep,
  type PartitionState,
  pendingApprovals,
  type RunState,
  STATE_LIMITS,
  sessionKey,
} from './state.ts';

type Entry<T extends RunEntry['type']> = Extract<RunEntry, { type: T }>;

export function evolvePartition(state: PartitionState, entry: PartitionEntry): void {
  if (entry.type === 'toolset.learned') state.toolsets.set(entry.hash, entry.tools);
  else if (entry.type === 'run.barred') addBounded(state.barred, entry.run, STATE_LIMITS.barredMax);
}

function addBounded(set: Set<string>, value: string, max: number): void {
  set.add(value);
  while (set.size > max) set.delete(set.values().next().value as string);
}

export function evolve(state: PartitionState, entry: RunEntry): void {
  if (entry.type === 'run.accepted') return accept(state, entry);
  const run = state.runs.get(entry.run);
  if (!run) throw new Error(`the log has ${entry.type} of run ${entry.run}, which the state does not know`);
  if (entry.n !== run.version + 1)
    throw new Error(`run ${run.id} is at version ${run.version}, but the log goes on with ${entry.n}`);
  run.version = entry.n;
  apply(state, run, entry);
  trackWaiting(run, entry.at);
}

function accept(state: PartitionState, entry: Entry<'run.accepted'>): void {
  const key = sessionKey(entry.tenant, entry.session);
  const session = state.sessions.get(key) ?? { active: null, queue: [] };
  session.queue.push(entry.run);
  state.sessions.set(key, session);
  state.runs.set(entry.run, {
    id: entry.run,
    tenant: entry.tenant,
    session: entry.session,
    version: entry.n,
    status: 'queued',
    phase: 'queued',
    start: entry.start,
    limits: entry.limits,
    acceptedAt: entry.at,
    startedAt: 0,
    endedAt: null,
    waitedMs: 0,
    waitingSince: null,
    strategy: 'direct',
    open: {},
    parked: {},
    stepCount: 0,
    recall: null,
    passages: [],
    contextual: false,
    toolset: null,
    thread: [],
    actions: [],
    plan: null,
    tasks: [],
    approvals: [],
    childApprovals: {},
    answer: null,
    output: null,
    citations: [],
    error: null,
    usage: { modelCalls: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, costUsd: 0 },
    degraded: false,
  });
}

function apply(state: PartitionState, run: RunState, entry: Exclude<RunEntry, { type: 'run.accepted' }>): void {
  switch (entry.type) {
    case 'run.started': {
      const session = state.sessions.get(sessionKey(run.tenant, run.session))!;
      session.queue = session.queue.filter((id) => id !== run.id);
      session.active = run.id;
      run.status = 'running';
      run.phase = 'gather';
      run.startedAt = entry.at;
      run.strategy = entry.strategy;
      return;
    }
    case 'step.requested': {
      run.stepCount++;
      run.open[entry.callId] = {
        callId: entry.callId,
        step: entry.step,
        at: entry.at,
        attempt: 0,
        tries: 0,
        notBefore: 0,
      };
      if (entry.step.kind === 'complete') run.phase = entry.step.purpose;
      if (entry.step.kind === 'remember') run.phase = 'remember';
      return;
    }
    case 'step.completed':
      return complete(run, entry);
    case 'step.failed':
      return fail(run, entry);
    case 'step.retried': {
      const step = run.open[entry.callId]!;
      step.attempt = entry.attempt;
      step.tries++;
      step.notBefore = entry.notBefore;
      return;
    }
    case 'plan.made':
      run.plan = entry.plan;
      run.tasks = entry.plan.tasks.map((task) => ({ id: task.id, status: 'pending' }));
      if (run.tasks.length > 0) run.phase = 'tasks';
      return;
    case 'approval.requested': {
      const step = run.open[entry.approval.callId]!;
      delete run.open[entry.approval.callId];
      run.parked[entry.approval.callId] = step;
      // A copy: the decision is written into it, and must not be into the entry.
      run.approvals.push({ ...entry.approval });
      state.approvals.set(entry.approval.id, run.id);
      post(state, {
        kind: 'timer',
        key: `timer:${entry.approval.id}`,
        id: entry.approval.id,
        dueAt: entry.approval.expiresAt,
        message: {
          ...inboundBase(run, entry.at),
          type: 'timer',
          timer: { kind: 'approval_expiry', approval: entry.approval.id },
        },
      });
      tellParent(state, run, entry.at);
      return;
    }
    case 'approval.decided':
      return decided(state, run, entry);
    case 'child.started': {
      const task = run.tasks.find((candidate) => candidate.id === entry.task)!;
      task.status = 'running';
      task.child = entry.child;
      task.childSession = entry.session;
      post(state, {
        kind: 'inbound',
        key: `start:${entry.child}`,
        message: {
          v: 1,
          tenant: run.tenant,
          session: entry.session,
          run: entry.child,
          at: entry.at,
          type: 'start',
          start: entry.start,
        },
      });
      return;
    }
    case 'child.waiting':
      run.childApprovals[entry.child] = { version: entry.version, approvals: entry.approvals };
      tellParent(state, run, entry.at);
      return;
    case 'child.ended':
      return childEnded(state, run, entry);
    case 'run.cancelling':
      return cancelling(state, run, entry);
    case 'run.completed':
      run.output = entry.output;
      run.citations = entry.citations;
      run.degraded = entry.degraded;
      return end(state, run, 'completed', entry.at);
    case 'run.failed':
      run.error = entry.error;
      run.output = entry.output || null;
      return end(state, run, 'failed', entry.at);
    case 'run.cancelled':
      return end(state, run, 'cancelled', entry.at);
    default:
      throw new Error(`unknown entry ${entry.type}`);
  }
}

function complete(run: RunState, entry: Entry<'step.completed'>): void {
  const { step } = run.open[entry.callId]!;
  delete run.open[entry.callId];
  const { result } = entry;
  switch (result.kind) {
    case 'recall':
      run.recall = result.recall;
      return;
    case 'search':
      return found(run, result.passages, step.kind === 'search' && step.query !== undefined);
    case 'describe':
      run.toolset = result.toolset;
      return;
    case 'complete': {
      const { completion } = result;
      run.usage.modelCalls++;
      run.usage.inputTokens = sum(run.usage.inputTokens, completion.usage.inputTokens);
      run.usage.outputTokens = sum(run.usage.outputTokens, completion.usage.outputTokens);
      run.usage.costUsd = sum(run.usage.costUsd, completion.costUsd);
      run.degraded ||= completion.degraded;
      if (result.purpose === 'act' && completion.message.toolCalls?.length) run.thread.push(completion.message);
      else if (result.purpose !== 'plan') run.answer = completion.message.content ?? '';
      return;
    }
    case 'execute':
      run.usage.toolCalls++;
      run.actions.push(result.action);
      return;
    case 'remember':
      return;
    default:
      result satisfies never;
  }
}

/** Of two searches the one that knew the conversation counts, whichever comes back first. */
function found(run: RunState, passages: Passage[], contextual: boolean): void {
  if (run.contextual && !contextual) return;
  run.passages = passages;
  run.contextual = contextual;
}

function fail(run: RunState, entry: Entry<'step.failed'>): void {
  const step = run.open[entry.callId]!;
  delete run.open[entry.callId];
  // The model sees why its call came to nothing; other steps' failures are decide.ts's to judge.
  if (step.step.kind === 'execute') run.actions.push(failedAction(step, `The call failed: ${entry.error.message}`));
}

/** A server may report any number: what is written must be readable again. */
function sum(a: number, b: number): number {
  return Math.min(a + b, Number.MAX_SAFE_INTEGER);
}

function failedAction(step: OpenStep, content: string): Action {
  const call = step.step.kind === 'execute' ? step.step.call : { name: '', arguments: {} };
  return { callId: step.callId, tool: call.name, arguments: call.arguments, content, isError: true, effect: 'pure' };
}

function decided(state: PartitionState, run: RunState, entry: Entry<'approval.decided'>): void {
  const approval = run.approvals.find((candidate) => candidate.id === entry.approval)!;
  approval.status = entry.decision;
  approval.decidedAt = entry.at;
  approval.decidedBy = entry.by;
  if (entry.reason !== undefined) approval.decisionReason = entry.reason;
  state.approvals.delete(approval.id);
  const step = run.parked[approval.callId];
  delete run.parked[approval.callId];
  if (step && entry.decision === 'approved') {
    step.grant = { id: approval.id, argumentsHash: approval.argumentsHash, by: entry.by, at: entry.at };
    run.open[step.callId] = step;
  } else if (step && entry.decision !== 'cancelled') {
    run.actions.push({ ...failedAction(step, refusal(approval, entry)), effect: approval.effect });
  }
  tellParent(state, run, entry.at);
}

/** The policy under which the tools service asks whether to repeat what may have happened (services/tools/broker/recover.ts). */
const EFFECT_UNKNOWN = 'tutti.effect-unknown';

function refusal(approval: ApprovalRecord, entry: Entry<'approval.decided'>): string {
  if (approval.policy === EFFECT_UNKNOWN) {
    return `It is not known whether ${approval.tool} happened: ${approval.reason} It was not repeated.${entry.reason ? ` Reason: ${entry.reason}` : ''}`;
  }
  if (entry.decision === 'expired') return `Not done: nobody approved ${approval.tool} before the request expired.`;
  return `Not done: the approver denied ${approval.tool}.${entry.reason ? ` Reason: ${entry.reason}` : ''}`;
}

function childEnded(state: PartitionState, run: RunState, entry: Entry<'child.ended'>): void {
  const task = run.tasks.find((candidate) => candidate.id === entry.task)!;
  task.status = entry.outcome.status === 'completed' ? 'completed' : 'failed';
  task.outcome = entry.outcome;
  run.actions.push(...entry.outcome.actions);
  run.usage.modelCalls = sum(run.usage.modelCalls, entry.outcome.usage.modelCalls);
  run.usage.toolCalls = sum(run.usage.toolCalls, entry.outcome.usage.toolCalls);
  run.usage.inputTokens = sum(run.usage.inputTokens, entry.outcome.usage.inputTokens);
  run.usage.outputTokens = sum(run.usage.outputTokens, entry.outcome.usage.outputTokens);
  run.usage.costUsd = sum(run.usage.costUsd, entry.outcome.usage.costUsd);
  skipDependents(run);
  if (run.childApprovals[entry.outcome.child]) {
    delete run.childApprovals[entry.outcome.child];
    tellParent(state, run, entry.at);
  }
}

/** A task that needs the result of a failed one cannot be done. */
function skipDependents(run: RunState): void {
  const lost = new Set(
    run.tasks.filter((task) => task.status === 'failed' || task.status === 'skipped').map((task) => task.id),
  );
  for (let changed = true; changed; ) {
    changed = false;
    for (const task of run.tasks) {
      const needs = run.plan!.tasks.find((planned) => planned.id === task.id)!.dependsOn;
      if (task.status !== 'pending' || !needs.some((id) => lost.has(id))) continue;
      task.status = 'skipped';
      lost.add(task.id);
      changed = true;
    }
  }
}

function cancelling(state: PartitionState, run: RunState, entry: Entry<'run.cancelling'>): void {
  run.open = {};
  run.parked = {};
  for (const task of run.tasks) {
    if (task.status !== 'running' || !task.child) continue;
    post(state, {
      kind: 'inbound',
      key: `cancel:${task.child}`,
      message: {
        v: 1,
        tenant: run.tenant,
        session: task.childSession!,
        run: task.child,
        at: entry.at,
        type: 'cancel',
        by: entry.by,
        reason: entry.reason,
      },
    });
  }
}

function end(state: PartitionState, run: RunState, status: 'completed' | 'failed' | 'cancelled', at: number): void {
  run.status = status;
  run.phase = 'ended';
  run.endedAt = at;
  for (const approval of run.approvals) {
    if (approval.status === 'pending') approval.status = 'cancelled';
    state.approvals.delete(approval.id);
  }
  const { parent } = run.start;
  if (parent) {
    post(state, {
      kind: 'inbound',
      key: `ended:${run.id}`,
      message: {
        v: 1,
        tenant: run.tenant,
        session: parent.session,
        run: parent.run,
        at,
        type: 'child_ended',
        outcome: {
          child: run.id,
          callId: parent.callId,
          status,
          output: run.output ?? '',
          actions: boundActions(run.actions),
          passages: [],
          usage: run.usage,
          ...(run.error ? { error: run.error } : {}),
        },
      },
    });
  }
  leaveSession(state, run);
  slim(run);
  state.ended.push(run.id);
  addBounded(state.endedIds, run.id, STATE_LIMITS.endedIdsMax);
  while (state.ended.length > STATE_LIMITS.endedKeptMax) state.runs.delete(state.ended.shift()!);
}

function leaveSession(state: PartitionState, run: RunState): void {
  const key = sessionKey(run.tenant, run.session);
  const session = state.sessions.get(key);
  if (!session) return;
  session.queue = session.queue.filter((id) => id !== run.id);
  if (session.active === run.id) session.active = null;
  if (session.active === null && session.queue.length === 0) state.sessions.delete(key);
}

/** An ended run is only asked how it ended. */
function slim(run: RunState): void {
  run.open = {};
  run.parked = {};
  run.recall = null;
  run.passages = [];
  run.thread = [];
  run.actions = [];
  run.plan = null;
  run.tasks = [];
  run.childApprovals = {};
  run.answer = null;
  run.start = { ...run.start, brief: null };
}

function trackWaiting(run: RunState, at: number): void {
  if (run.phase === 'ended') return;
  const waits = pendingApprovals(run).length > 0 && Object.keys(run.open).length === 0;
  if (waits && run.waitingSince === null) {
    run.waitingSince = at;
    run.status = 'waiting';
  } else if (!waits && run.waitingSince !== null) {
    run.waitedMs += at - run.waitingSince;
    run.waitingSince = null;
    run.status = 'running';
  }
}

function tellParent(state: PartitionState, run: RunState, at: number): void {
  const { parent } = run.start;
  if (!parent) return;
  post(state, {
    kind: 'inbound',
    key: `waiting:${run.id}:${run.version}`,
    message: {
      v: 1,
      tenant: run.tenant,
      session: parent.session,
      run: parent.run,
      at,
      type: 'child_waiting',
      child: run.id,
      version: run.version,
      approvals: structuredClone(pendingApprovals(run)),
    },
  });
}

function post(
  state: PartitionState,
  letter:
    | { kind: 'inbound'; key: string; message: InboundMessage }
    | { kind: 'timer'; key: string; id: string; dueAt: number; message: InboundMessage },
): void {
  state.outbox.set(letter.key, letter);
}

function inboundBase(run: RunState, at: number) {
  return { v: 1 as const, tenant: run.tenant, session: run.session, run: run.id, at };
}
