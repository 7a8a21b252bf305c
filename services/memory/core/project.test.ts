import type { ApprovalRecord, RunEntry } from '@tutti/contracts';
import { expect, test } from 'vitest';
import { approvalId, approvalOf, questionOf, type RunLog, runLog, travelRun } from '../testing/entries.ts';
import { project } from './project.ts';
import type { RunState } from './run-state.ts';

/** The state and the approvals after all entries, and the statuses on the way. */
function after(entries: readonly RunEntry[]) {
  let state: RunState | null = null;
  const approvals = new Map<string, ApprovalRecord>();
  const statuses: string[] = [];
  for (const entry of entries) {
    const projected = project(state, entry);
    if (!projected) throw new Error(`entry ${entry.n} could not be placed`);
    state = projected.state;
    for (const record of projected.approvals) approvals.set(record.id, record);
    if (statuses.at(-1) !== state.view.status) statuses.push(state.view.status);
  }
  return { view: state!.view, open: state!.open, approvals: [...approvals.values()], statuses };
}
const of = (log: RunLog) => after(log.entries);

test('given an accepted run, it is queued with what the request said', () => {
  const log = runLog({ tenant: 'acme', input: 'Go' });
  expect(of(log).view).toMatchObject({
    id: log.run,
    tenant: 'acme',
    session: log.session,
    agent: 'travel',
    status: 'queued',
    input: 'Go',
    output: null,
    parent: null,
    root: log.run,
    principal: { id: 'ann', roles: ['user'] },
    createdAt: log.entries[0]!.at,
    endedAt: null,
    version: 1,
  });
});

test('a whole run: running, waiting for its approval, running again, completed', () => {
  const log = travelRun();
  const { view, statuses, open } = of(log);
  expect(statuses).toEqual(['queued', 'running', 'waiting', 'running', 'completed']);
  expect(view).toMatchObject({ output: 'done', degraded: true, version: log.entries.length });
  expect(view.endedAt).toBe(log.entries.at(-1)!.at);
  expect(view.citations).toHaveLength(1);
  expect(open).toBeNull();
});

test('usage is counted while it runs, and is what the end entry says at the end', () => {
  const running = runLog().started().completes(1).completes(2, 7, 1, 0.5).executes(3).executed(3);
  expect(of(running).view.usage).toEqual({
    modelCalls: 2,
    toolCalls: 1,
    inputTokens: 17,
    outputTokens: 6,
    costUsd: 0.75,
  });
  expect(of(running.completed()).view.usage.modelCalls).toBe(7);
});

test('a pending approval beside an open step: running until that step has ended', () => {
  const log = runLog().started().executes(1).asks(2).wantsApproval(1);
  expect(of(log).view.status).toBe('running');
  expect(of(log.recalled(2)).view.status).toBe('waiting');
});

test('a failed step closes, a retried one stays open', () => {
  const error = { code: 'timeout' as const, message: 'slow', retryable: true };
  const log = runLog().started().executes(1).asks(2).wantsApproval(1);
  const { callId } = log.entries[3] as { callId: string };
  log.add({ type: 'step.retried', callId, attempt: 1, notBefore: 1, error });
  expect(of(log).view.status).toBe('running');
  log.add({ type: 'step.failed', callId, error });
  expect(of(log).view.status).toBe('waiting');
});

test.each(['approved', 'denied', 'expired', 'cancelled'] as const)(
  'an approval that is %s says by whom and why',
  (decision) => {
    const log = runLog().started().executes(1).wantsApproval(1).decides(1, decision);
    expect(of(log).approvals).toEqual([
      {
        ...approvalOf(log.run, log.session, 1),
        status: decision,
        decidedAt: log.entries.at(-1)!.at,
        decidedBy: 'ann',
        decisionReason: 'fine',
      },
    ]);
  },
);

test('a child that waits makes its parent wait, until it goes on or has ended', () => {
  const child = runLog();
  const parent = () => runLog().started();
  const waiting = {
    type: 'child.waiting' as const,
    child: child.run,
    version: 1,
    approvals: [approvalOf(child.run, child.session, 1)],
  };
  expect(of(parent().add(waiting)).view.status).toBe('waiting');
  expect(of(parent().add(waiting)).approvals).toEqual([]);
  expect(
    of(
      parent()
        .add(waiting)
        .add({ ...waiting, approvals: [] }),
    ).view.status,
  ).toBe('running');
  const outcome = {
    child: child.run,
    callId: 'call_x',
    status: 'completed' as const,
    output: '',
    actions: [],
    passages: [],
    usage: { modelCalls: 2, toolCalls: 1, inputTokens: 4, outputTokens: 3, costUsd: 0.5 },
  };
  expect(of(parent().completes(1).add(waiting).add({ type: 'child.ended', task: 't', outcome })).view).toMatchObject({
    status: 'running',
    usage: { modelCalls: 3, toolCalls: 1, inputTokens: 14, outputTokens: 8, costUsd: 0.75 },
  });
});

test('a granted step is open again, a denied one is not', () => {
  const log = () => runLog().started().executes(1).executes(2).wantsApproval(1).wantsApproval(2);
  expect(of(log().decides(1, 'approved')).view.status).toBe('running');
  expect(of(log().decides(1, 'denied')).view.status).toBe('waiting');
  expect(of(log().decides(1, 'denied').decides(2, 'expired')).view.status).toBe('running');
});

test('a cancelled run leaves no approval pending; a second decision changes nothing', () => {
  const usage = { modelCalls: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, costUsd: 0 };
  const log = runLog().started().executes(1).executes(2).wantsApproval(1).wantsApproval(2);
  log.decides(1, 'denied').decides(1, 'approved');
  log.add({ type: 'run.cancelling', by: 'bob', reason: 'no more' });
  log.add({ type: 'run.cancelled', by: 'bob', reason: 'no more', usage });
  expect(of(log).view).toMatchObject({ status: 'cancelled', output: null });
  expect(of(log).approvals).toMatchObject([
    { status: 'denied', decidedBy: 'ann' },
    { status: 'cancelled', decidedBy: 'bob', decisionReason: 'no more' },
  ]);
});

test('a run that fails keeps its error and what it had so far, and leaves no approval pending', () => {
  const error = { code: 'limit_exceeded' as const, message: 'stepsMax', retryable: false };
  const usage = { modelCalls: 1, toolCalls: 0, inputTokens: 0, outputTokens: 0, costUsd: 0 };
  const log = runLog().started().executes(1).wantsApproval(1).add({ type: 'run.failed', error, output: '', usage });
  expect(of(log).view).toMatchObject({ status: 'failed', error, output: null, usage });
  expect(of(log).approvals).toMatchObject([{ id: approvalId(log.run, 1), status: 'cancelled', decidedBy: 'tutti' }]);
});

test('an entry that the state has already changes nothing', () => {
  const log = travelRun();
  const whole = after(log.entries);
  expect(after([...log.entries.slice(0, 5), ...log.entries.slice(1)]).view).toEqual(whole.view);
});

test('only run.accepted opens a run', () => {
  expect(project(null, travelRun().entries[1]!)).toBeNull();
});

test('a question makes the run wait for input until it is answered, expired or given up', () => {
  for (const outcome of ['answered', 'expired', 'cancelled'] as const) {
    const log = runLog().started();
    const question = questionOf(log.run, log.session, 1);
    log.add({ type: 'question.asked', question });
    expect(of(log).view).toMatchObject({ status: 'waiting', waitingFor: 'input', question });
    log.add({ type: 'question.answered', question: question.id, outcome, text: 'blue', by: 'ann' });
    expect(of(log).view).toMatchObject({ status: 'running', waitingFor: null, question: null });
  }
});

test('beside an open step nothing is waited for, but the question is shown', () => {
  const log = runLog().started().asks(1);
  const question = questionOf(log.run, log.session, 2);
  log.add({ type: 'question.asked', question });
  expect(of(log).view).toMatchObject({ status: 'running', waitingFor: null, question });
  expect(of(log.recalled(1)).view).toMatchObject({ status: 'waiting', waitingFor: 'input' });
});

test('of several the oldest question is shown, a child’s too; a human’s decision comes before an answer, and that before a clock', () => {
  const child = runLog();
  const log = runLog().started().executes(1);
  const [own, below] = [questionOf(log.run, log.session, 9), questionOf(child.run, child.session, 2, log.run)];
  log.wantsApproval(1).add({ type: 'sleep.started', callId: 'call_s', until: 5 });
  log.add({ type: 'question.asked', question: own });
  const waiting = { type: 'child.waiting' as const, child: child.run, approvals: [] };
  log.add({ ...waiting, version: 1, questions: [below], sleepsUntil: 7 });
  expect(of(log).view).toMatchObject({ waitingFor: 'approval', question: below });
  log.decides(1, 'denied');
  expect(of(log).view).toMatchObject({ status: 'waiting', waitingFor: 'input', question: below });
  log.add({ ...waiting, version: 2 });
  expect(of(log).view).toMatchObject({ waitingFor: 'input', question: own });
  log.add({ type: 'question.answered', question: own.id, outcome: 'answered', text: 'x', by: 'ann' });
  expect(of(log).view).toMatchObject({ status: 'waiting', waitingFor: 'timer', question: null });
  log.add({ type: 'sleep.ended', callId: 'call_s' });
  expect(of(log).view).toMatchObject({ status: 'running', waitingFor: null });
});

test('a fork is a run of its own from where it was forked; what its original waits for stays the original’s', () => {
  const original = runLog({ input: 'Book a flight' }).started().executes(1).wantsApproval(1);
  const fork = runLog({ tenant: 'acme' });
  const [accepted] = fork.entries;
  if (accepted?.type !== 'run.accepted') throw new Error('no start');
  const start = {
    ...accepted.start,
    input: 'Book a train',
    bundle: 'c'.repeat(64),
    principal: { id: 'bob', roles: [] },
    fork: { run: original.run, version: 4, effects: 'approve' as const, blob: 'b', memorySession: original.session },
  };
  fork.entries[0] = { ...accepted, start };
  for (const { run: _run, n: _n, at: _at, ...entry } of original.entries.slice(1)) fork.add(entry);
  expect(of(fork)).toMatchObject({ view: { status: 'waiting', waitingFor: 'approval' }, approvals: [] });
  fork.add({ type: 'run.forked', of: original.run, version: 4, start });
  const at = fork.entries.at(-1)!.at;
  const view = { status: 'running', waitingFor: null, input: 'Book a train', principal: { id: 'bob' }, createdAt: at };
  expect(of(fork)).toMatchObject({ view, approvals: [] });
  // The step that was held is open again, under the original's call.
  const { callId } = approvalOf(original.run, original.session, 1);
  fork.add({ type: 'approval.requested', approval: { ...approvalOf(fork.run, fork.session, 1), callId } });
  expect(of(fork)).toMatchObject({ view: { status: 'waiting' }, approvals: [{ waitingRun: fork.run }] });
});
