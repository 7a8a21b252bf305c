/**
 * What an entry does to the state. The only writer of it: the owner applies the entries that it decides on, and a new
 * owner applies the same entries from the log, so both have the same state. One function an entry type; what concerns
 * the whole partition is in evolve-partition.ts, endings in evolve-end.ts.
 */
import {
  type Action,
  type ApprovalGrant,
  type ApprovalRecord,
  type ChildOutcome,
  contentHash,
  type Passage,
  RESULT_LABEL,
  type RunEntry,
} from '@tutti/contracts';
import { EFFECT_UNKNOWN } from './approvals.ts';
import { outcomeText } from './conversation.ts';
import { cancelling, end } from './evolve-end.ts';
import { post, tellParent } from './evolve-letters.ts';
import { count, read, readBeginning, readChild, readPassages, readRecall, uncount } from './provenance.ts';
import { countPlace, dueOf, isIdle, markReady, sessionOf, tenantOf, unready, wallEnd } from './rebuild.ts';
import {
  type ActiveRun,
  activeRun,
  type ChildState,
  inPrefix,
  isActive,
  isEmpty,
  type OpenStep,
  own,
  type PartitionState,
  type QueuedRun,
  type RunState,
  type Share,
} from './state.ts';
import { limitsFrom1 } from './upcast.ts';

export type Entry<T extends RunEntry['type']> = Extract<RunEntry, { type: T }>;

export function evolve(state: PartitionState, entry: RunEntry): void {
  if (entry.type === 'run.accepted') return accept(state, entry);
  const run = state.runs.get(entry.run);
  if (!run) throw new Error(`the log has ${entry.type} of run ${entry.run}, which the state does not know`);
  if (entry.n !== run.version + 1)
    throw new Error(`run ${run.id} is at version ${run.version}, but the log goes on with ${entry.n}`);
  state.beforeChange?.(run);
  run.version = entry.n;
  passTo(state, run, entry.at);
  if (entry.type === 'run.started') return started(state, queued(run), entry);
  if (entry.type === 'run.cancelling') return cancelling(state, run, entry);
  if (entry.type === 'run.completed' || entry.type === 'run.failed' || entry.type === 'run.cancelled')
    return end(state, run, entry);
  if (!isActive(run)) throw new Error(`the log has ${entry.type} of run ${run.id}, which is ${run.status}`);
  apply(state, run, entry);
  trackWaiting(state, run, entry.at);
}

/** Time goes on. What a fork repeats happened by the clock of another partition. */
function passTo(state: PartitionState, run: RunState, at: number): void {
  if (at > state.at && !inPrefix(run)) state.at = at;
}

function queued(run: RunState): QueuedRun {
  if (run.status !== 'queued') throw new Error(`run ${run.id} starts, but it is ${run.status}`);
  return run;
}

function accept(state: PartitionState, entry: Entry<'run.accepted'>): void {
  const run: QueuedRun = {
    id: entry.run,
    tenant: entry.tenant,
    session: entry.session,
    version: entry.n,
    status: 'queued',
    start: entry.start,
    limits: limitsFrom1(entry.limits),
    acceptedAt: entry.at,
    interrupted: entry.interrupted ?? [],
  };
  state.runs.set(run.id, run);
  passTo(state, run, entry.at);
  const session = sessionOf(state, run);
  session.queue.push(run.id);
  tenantOf(state, run.tenant).queued++;
  markReady(state, session);
}

function started(state: PartitionState, queuedRun: QueuedRun, entry: Entry<'run.started'>): void {
  const { id, tenant, start } = queuedRun;
  const run = activeRun(queuedRun, { status: 'running', startedAt: entry.at, strategy: entry.strategy });
  readBeginning(run, entry.label);
  state.runs.set(id, run);
  const session = sessionOf(state, run);
  session.queue = session.queue.filter((other) => other !== id);
  session.active.push(id);
  const known = tenantOf(state, tenant);
  known.queued--;
  unready(state, known, id);
  // Tenants take turns: whoever was served goes to the end.
  state.tenants.delete(tenant);
  state.tenants.set(tenant, known);
  if (start.parent === null) countPlace(state, tenant, 1);
  markReady(state, session);
  if (!inPrefix(run)) state.due.set(id, 'wall', '', wallEnd(run));
}

type ActiveEntry = Exclude<
  RunEntry,
  { type: 'run.accepted' | 'run.started' | 'run.cancelling' | 'run.completed' | 'run.failed' | 'run.cancelled' }
>;

function apply(state: PartitionState, run: ActiveRun, entry: ActiveEntry): void {
  switch (entry.type) {
    case 'step.requested':
      return requested(run, entry);
    case 'step.completed':
      return completed(state, run, entry);
    case 'step.failed':
      return failed(state, run, entry);
    case 'step.retried': {
      const step = openStep(run, entry.callId);
      step.attempt = entry.attempt;
      step.notBefore = entry.notBefore;
      if (!inPrefix(run)) state.due.set(run.id, 'retry', step.callId, step.notBefore);
      return;
    }
    case 'plan.made':
      return planned(run, entry);
    case 'question.asked':
      run.questions[entry.question.id] = entry.question;
      if (!inPrefix(run)) state.due.set(run.id, 'question', entry.question.id, entry.question.expiresAt);
      return tellParent(state, run, entry.at);
    case 'question.answered':
      return answered(state, run, entry);
    case 'sleep.started':
      run.sleeping[entry.callId] = entry.until;
      if (!inPrefix(run)) state.due.set(run.id, 'sleep', entry.callId, entry.until);
      return tellParent(state, run, entry.at);
    case 'sleep.ended':
      delete run.sleeping[entry.callId];
      state.due.remove(run.id, 'sleep', entry.callId);
      run.actions.push(callAction(run, entry.callId, `It is ${new Date(entry.at).toISOString()} now.`, false));
      return tellParent(state, run, entry.at);
    case 'call.settled':
      run.actions.push(entry.action);
      if (entry.action.tool === REPORT_PROBLEM && !entry.action.isError)
        run.surprise = String(entry.action.arguments.reason);
      return;
    case 'approval.requested':
      return approvalRequested(state, run, entry);
    case 'approval.voted':
      return voted(state, run, entry);
    case 'approval.decided':
      return decided(state, run, entry);
    case 'child.started':
      return childStarted(state, run, entry);
    case 'child.waiting': {
      const child = own(run.children, entry.child);
      if (!child) return;
      const { version, approvals, questions = [], sleepsUntil = null } = entry;
      child.waiting = { version, approvals, questions, sleepsUntil };
      return tellParent(state, run, entry.at);
    }
    case 'child.ended':
      return childEnded(state, run, entry);
    case 'run.forked':
      return forked(state, run, entry);
    default:
      throw new Error(`unknown entry ${(entry satisfies never as RunEntry).type}`);
  }
}

/** The tool by which a task says that the plan does not fit what it found. */
export const REPORT_PROBLEM = 'report_problem';

function openStep(run: ActiveRun, callId: string): OpenStep {
  const step = own(run.open, callId);
  if (!step) throw new Error(`run ${run.id} has no open call ${callId}`);
  return step;
}

/** Takes it out of what is open. */
function closeStep(state: PartitionState, run: ActiveRun, callId: string): OpenStep {
  const step = openStep(run, callId);
  delete run.open[callId];
  if (step.notBefore > 0) state.due.remove(run.id, 'retry', callId);
  return step;
}

function requested(run: ActiveRun, entry: Entry<'step.requested'>): void {
  const { callId, step, at, n } = entry;
  run.stepCount++;
  const open: OpenStep = { callId, step, at, n, attempt: 0, notBefore: 0 };
  run.open[callId] = open;
  if (step.kind === 'complete') {
    run.phase = step.purpose;
    open.label = run.label;
  }
  if (step.kind === 'execute') {
    open.label = run.label;
    open.did = run.did;
    count(run, step);
  }
  if (step.kind === 'remember') run.phase = 'remember';
}

function completed(state: PartitionState, run: ActiveRun, entry: Entry<'step.completed'>): void {
  const open = closeStep(state, run, entry.callId);
  const { step } = open;
  const { result } = entry;
  switch (result.kind) {
    case 'recall':
      run.recall = result.recall;
      return readRecall(run, result.recall);
    case 'search':
      readPassages(run, result.passages);
      return found(run, result.passages, step.kind === 'search' && step.query !== undefined);
    case 'describe':
      run.toolset = result.toolset;
      if (result.label) read(run, result.label);
      return;
    case 'complete': {
      const { completion } = result;
      if (completion.label) read(run, completion.label);
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
      read(run, result.action.label ?? RESULT_LABEL);
      if (result.dispatched === false) uncount(run, open);
      return;
    case 'remember':
      return;
    default:
      result satisfies never;
  }
}

/** Of two searches the one that knew the conversation counts, whichever comes back first. */
function found(run: ActiveRun, passages: Passage[], contextual: boolean): void {
  if (run.contextual && !contextual) return;
  run.passages = passages;
  run.contextual = contextual;
}

function failed(state: PartitionState, run: ActiveRun, entry: Entry<'step.failed'>): void {
  const { step, n } = closeStep(state, run, entry.callId);
  // The model sees why its call came to nothing; other steps' failures are for the decider to judge.
  if (step.kind === 'execute') {
    run.actions.push(failedAction(entry.callId, step.call, `The call failed: ${entry.error.message}`));
    // An error may hold what the other side said.
    read(run, entry.label ?? RESULT_LABEL);
  }
  if (!entry.dead || inPrefix(run)) return;
  post(state, {
    kind: 'dead',
    key: `dead:${entry.callId}:${entry.n}`,
    letter: {
      v: 1,
      service: 'planner',
      kind: 'step',
      reason: entry.error.message,
      at: entry.at,
      tenant: run.tenant,
      session: run.session,
      run: run.id,
      version: n,
      callId: entry.callId,
      error: entry.error,
      payload: step,
    },
  });
}

/** A server may report any number: what is written must be readable again. */
function sum(a: number, b: number): number {
  return Math.min(a + b, Number.MAX_SAFE_INTEGER);
}

function failedAction(callId: string, call: { name: string; arguments: Action['arguments'] }, content: string): Action {
  return { callId, tool: call.name, arguments: call.arguments, content, isError: true, effect: 'pure' };
}

/** The outcome of a call that the engine carried out itself. */
function callAction(run: ActiveRun, callId: string, content: string, isError: boolean): Action {
  for (let i = run.thread.length - 1; i >= 0; i--) {
    const message = run.thread[i]!;
    const call = message.role === 'assistant' && message.toolCalls?.find((candidate) => candidate.id === callId);
    if (call) return { callId, tool: call.name, arguments: call.arguments, content, isError, effect: 'pure' };
  }
  throw new Error(`run ${run.id} never made the call ${callId}`);
}

function planned(run: ActiveRun, entry: Entry<'plan.made'>): void {
  for (const task of run.tasks) {
    const goal = run.plan!.tasks.find((candidate) => candidate.id === task.id)!.goal;
    run.earlier.push({ goal, outcome: task.outcome ?? null });
  }
  run.plan = entry.plan;
  run.planCount++;
  // Where nobody can be asked, the question is the answer.
  if (entry.plan.question && run.start.onQuestion === 'end') run.answer = entry.plan.question;
  run.tasks = entry.plan.tasks.map((task) => ({ id: task.id, status: 'pending' }));
  // A plan that is not the first and has nothing to do: what was done has to be enough. One that asks is no plan yet.
  if (run.tasks.length > 0 || (run.earlier.length > 0 && !entry.plan.question)) run.phase = 'tasks';
}

function answered(state: PartitionState, run: ActiveRun, entry: Entry<'question.answered'>): void {
  const question = own(run.questions, entry.question);
  if (!question) throw new Error(`run ${run.id} has no open question ${entry.question}`);
  delete run.questions[entry.question];
  state.due.remove(run.id, 'question', question.id);
  if (question.callId !== null) {
    const isError = entry.outcome !== 'answered';
    run.actions.push(
      callAction(run, question.callId, isError ? `Nobody answered: ${entry.text}` : entry.text, isError),
    );
  } else if (entry.outcome === 'answered') {
    run.thread.push({ role: 'assistant', content: question.text }, { role: 'user', content: entry.text });
  }
  tellParent(state, run, entry.at);
}

function approvalRequested(state: PartitionState, run: ActiveRun, entry: Entry<'approval.requested'>): void {
  const { approval } = entry;
  run.held[approval.callId] = closeStep(state, run, approval.callId);
  // A copy: the decision is written into it, and must not be into the entry.
  run.approvals.push({ ...approval });
  // In a prefix it is the original's, which may be waiting for it in this very partition.
  if (!inPrefix(run)) {
    state.approvals.set(approval.id, run.id);
    state.due.set(run.id, 'approval', approval.id, approval.expiresAt);
  }
  tellParent(state, run, entry.at);
}

/** Who writes other arguments changes what is asked: the call is from then on the one that they wrote. */
function voted(state: PartitionState, run: ActiveRun, entry: Entry<'approval.voted'>): void {
  const approval = run.approvals.find((candidate) => candidate.id === entry.approval);
  if (!approval) throw new Error(`run ${run.id} has no approval ${entry.approval}`);
  if (!entry.arguments) {
    approval.approvedBy = [...(approval.approvedBy ?? []), entry.by];
    return tellParent(state, run, entry.at);
  }
  approval.asked ??= approval.arguments;
  approval.arguments = entry.arguments;
  approval.argumentsHash = contentHash({ tool: approval.tool, arguments: entry.arguments });
  approval.approvedBy = [entry.by];
  const held = run.held[approval.callId];
  if (held?.step.kind === 'execute') {
    const { summands: _before, ...step } = held.step;
    uncount(run, held);
    held.step = {
      ...step,
      call: { ...step.call, arguments: entry.arguments },
      ...(entry.summands && !isEmpty(entry.summands) ? { summands: entry.summands } : {}),
    };
    count(run, held.step);
  }
  tellParent(state, run, entry.at);
}

function decided(state: PartitionState, run: ActiveRun, entry: Entry<'approval.decided'>): void {
  const approval = run.approvals.find((candidate) => candidate.id === entry.approval);
  if (!approval) throw new Error(`run ${run.id} has no approval ${entry.approval}`);
  approval.status = entry.decision;
  approval.decidedAt = entry.at;
  approval.decidedBy = entry.by;
  if (entry.reason !== undefined) approval.decisionReason = entry.reason;
  if (!inPrefix(run)) state.approvals.delete(approval.id);
  state.due.remove(run.id, 'approval', approval.id);
  const step = run.held[approval.callId];
  delete run.held[approval.callId];
  if (step && entry.decision === 'approved') {
    step.grant = grantOf(approval, entry);
    step.notBefore = 0;
    run.open[step.callId] = step;
  } else if (step?.step.kind === 'execute' && entry.decision !== 'cancelled') {
    const action = failedAction(step.callId, step.step.call, refusal(approval, entry));
    run.actions.push({ ...action, effect: approval.effect });
    // What may have happened and is not repeated stays counted.
    if (approval.policy !== EFFECT_UNKNOWN) uncount(run, step);
  }
  tellParent(state, run, entry.at);
}

function grantOf(approval: ApprovalRecord, { by, at }: Entry<'approval.decided'>): ApprovalGrant {
  const { id, argumentsHash, basis, asked, tool, expiresAt } = approval;
  const voters = approval.approvedBy ?? [];
  const approvedBy = voters.includes(by) ? voters : [...voters, by];
  return {
    id,
    argumentsHash,
    by,
    at,
    expiresAt,
    ...(basis ? { basis } : {}),
    ...(approvedBy.length > 1 ? { approvedBy } : {}),
    ...(asked ? { editedFrom: contentHash({ tool, arguments: asked }) } : {}),
  };
}

function refusal(approval: ApprovalRecord, entry: Entry<'approval.decided'>): string {
  const because = entry.reason ? ` Reason: ${entry.reason}` : '';
  if (approval.policy === EFFECT_UNKNOWN)
    return `It is not known whether ${approval.tool} happened: ${approval.reason} It was not repeated.${because}`;
  if (entry.decision === 'expired') return `Not done: nobody approved ${approval.tool} before the request expired.`;
  return `Not done: the approver denied ${approval.tool}.${because}`;
}

function childStarted(state: PartitionState, run: ActiveRun, entry: Entry<'child.started'>): void {
  const { start } = entry;
  const child: ChildState = {
    id: entry.child,
    session: entry.session,
    callId: entry.callId,
    kind: entry.kind ?? 'task',
    task: entry.task,
    agent: start.agent,
    share: shareOf(start.limits),
    waiting: null,
  };
  run.children[child.id] = child;
  run.childCount++;
  const task = child.kind === 'task' ? run.tasks.find((candidate) => candidate.id === child.task) : undefined;
  if (task) {
    task.status = 'running';
    task.child = child.id;
  }
  if (inPrefix(run)) return;
  post(state, {
    kind: 'inbound',
    key: `start:${child.id}`,
    message: { v: 1, tenant: run.tenant, session: child.session, run: child.id, at: entry.at, type: 'start', start },
  });
}

function shareOf(limits: Entry<'child.started'>['start']['limits']): Share {
  return {
    modelCalls: limits.modelCallsMax ?? 0,
    toolCalls: limits.toolCallsMax ?? 0,
    tokens: limits.tokensMax ?? 0,
    costUsd: limits.costUsdMax ?? 0,
  };
}

function childEnded(state: PartitionState, run: ActiveRun, entry: Entry<'child.ended'>): void {
  const { outcome } = entry;
  const child = own(run.children, outcome.child);
  if (!child) return;
  delete run.children[child.id];
  addUsage(run, outcome);
  readChild(run, outcome);
  const text = outcomeText(outcome);
  if (child.kind === 'task') taskEnded(run, child.task, outcome);
  else if (child.kind === 'hand_over' && outcome.status === 'completed') {
    run.answer = outcome.output;
    // What its marks [n] stand for.
    run.passages = outcome.passages;
  } else run.actions.push(callAction(run, child.callId, text, outcome.status !== 'completed'));
  if (child.waiting) tellParent(state, run, entry.at);
}

function addUsage(run: ActiveRun, { usage }: ChildOutcome): void {
  run.usage.modelCalls = sum(run.usage.modelCalls, usage.modelCalls);
  run.usage.toolCalls = sum(run.usage.toolCalls, usage.toolCalls);
  run.usage.inputTokens = sum(run.usage.inputTokens, usage.inputTokens);
  run.usage.outputTokens = sum(run.usage.outputTokens, usage.outputTokens);
  run.usage.costUsd = sum(run.usage.costUsd, usage.costUsd);
}

function taskEnded(run: ActiveRun, id: string, outcome: ChildOutcome): void {
  const task = run.tasks.find((candidate) => candidate.id === id);
  run.actions.push(...outcome.actions);
  if (!task) return;
  task.status = outcome.status === 'completed' ? 'completed' : 'failed';
  task.outcome = outcome;
  skipDependents(run);
}

/** A task that needs the result of a failed one cannot be done. */
function skipDependents(run: ActiveRun): void {
  const lost = new Set(
    run.tasks.filter((task) => task.status === 'failed' || task.status === 'skipped').map((task) => task.id),
  );
  for (let changed = true; changed; ) {
    changed = false;
    for (const task of run.tasks) {
      const needs = run.plan!.tasks.find((candidate) => candidate.id === task.id)!.dependsOn;
      if (task.status !== 'pending' || !needs.some((id) => lost.has(id))) continue;
      task.status = 'skipped';
      lost.add(task.id);
      changed = true;
    }
  }
}

/** From here on it is a run of its own: what was another's (its children, its approvals) it has to ask for itself. */
function forked(state: PartitionState, run: ActiveRun, entry: Entry<'run.forked'>): void {
  run.start = entry.start;
  if (entry.limits) run.limits = entry.limits;
  if (entry.toolset !== undefined) run.toolset = entry.toolset;
  for (const callId of entry.again ?? []) delete run.open[callId];
  run.acceptedAt = entry.at;
  run.startedAt = entry.at;
  run.waitedMs = 0;
  run.waitingSince = null;
  if (run.status === 'waiting') {
    run.status = 'running';
    countPlace(state, run.tenant, 1);
  }
  for (const task of run.tasks) {
    if (task.status !== 'running') continue;
    task.status = 'pending';
    delete task.child;
  }
  run.children = {};
  for (const [callId, step] of Object.entries(run.held)) {
    delete run.held[callId];
    run.open[callId] = step;
  }
  for (const step of Object.values(run.open)) {
    step.attempt = 0;
    step.notBefore = 0;
    delete step.grant;
  }
  run.approvals = [];
  run.questions = {};
  for (const [kind, id, at] of dueOf(run)) state.due.set(run.id, kind, id, at);
}

/** Waiting: nothing of its own is under way, and a human or a clock has to do something first. */
function trackWaiting(state: PartitionState, run: ActiveRun, at: number): void {
  const waits = isEmpty(run.open) && (waitsItself(run) || childrenWait(run));
  if (waits && run.waitingSince === null) {
    run.waitingSince = at;
    run.status = 'waiting';
    state.due.remove(run.id, 'wall');
    if (run.start.parent === null) countPlace(state, run.tenant, -1);
  } else if (!waits && run.waitingSince !== null) {
    run.waitedMs += at - run.waitingSince;
    run.waitingSince = null;
    run.status = 'running';
    state.due.set(run.id, 'wall', '', wallEnd(run));
    if (run.start.parent === null) countPlace(state, run.tenant, 1);
  }
  if (state.parkAfterMs === Number.POSITIVE_INFINITY) return;
  if (isIdle(run)) state.due.set(run.id, 'park', '', at + state.parkAfterMs);
  else state.due.remove(run.id, 'park');
}

function waitsItself(run: ActiveRun): boolean {
  return !(isEmpty(run.held) && isEmpty(run.questions) && isEmpty(run.sleeping));
}

function childrenWait(run: ActiveRun): boolean {
  for (const id in run.children) {
    const waiting = run.children[id]!.waiting;
    if (waiting && (waiting.approvals.length > 0 || waiting.questions.length > 0 || waiting.sleepsUntil !== null))
      return true;
  }
  return false;
}
