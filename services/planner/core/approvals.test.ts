/** Calls that wait for a human: decided, expired, cancelled, in every order in which these can come. */
import { contentHash } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { requestOf } from './requests.ts';
import { pendingApprovals } from './state.ts';
import { approvalRequired, done, runId, sessionId, startMessage } from './test-kit/parts.ts';
import { Spec } from './test-kit/spec.ts';

const TTL_MS = 600_000;
function asking(limits = {}) {
  const spec = new Spec({ a: { agents: ['b'], limits: { approvalTtlMs: TTL_MS, ...limits } }, b: {} });
  const run = spec.start('a');
  spec.gather(run).model(run, null, ['act', { price: 7 }]);
  spec.does(run, 'act', approvalRequired());
  const { approval } = spec.entries(run, 'approval.requested')[0]!;
  const decide = (decision: 'approve' | 'deny', more = {}) =>
    spec.tell(run, { type: 'approve', approval: approval.id, decision, by: 'kim', ...more });
  return { spec, run, approval, decide };
}

describe('a call that needs a human', () => {
  test('is held with the arguments as they were shown, and is sent again under its id with the grant', () => {
    const { spec, run, approval, decide } = asking();
    expect(approval).toMatchObject({ arguments: { shown: true }, argumentsHash: 'h', expiresAt: spec.now + TTL_MS });
    expect(spec.active(run).status).toBe('waiting');
    decide('approve');
    expect(spec.last.toSend).toEqual([{ run, callId: approval.callId }]);
    const { id, expiresAt } = approval;
    expect(spec.call(run, 'act').grant).toEqual({ id, argumentsHash: 'h', by: 'kim', at: spec.now, expiresAt });
    spec.does(run, 'act');
    expect(spec.story).toEqual(['got execute', 'ask act']);
  });

  test('is not made when it is denied, and the model learns why', () => {
    const { spec, run, decide } = asking();
    decide('deny', { reason: 'too dear' });
    expect(spec.story).toEqual(['approval.decided denied', 'ask act']);
    expect(spec.active(run).actions.at(-1)).toMatchObject({
      isError: true,
      content: 'Not done: the approver denied act. Reason: too dear',
      effect: 'irreversible',
    });
  });

  test('the first decision counts', () => {
    const { spec, decide } = asking();
    decide('deny');
    expect(decide('approve').entries).toEqual([]);
    expect(spec.pass(TTL_MS).entries).toEqual([]);
    const other = asking();
    other.decide('approve');
    expect(other.decide('deny').entries).toEqual([]);
    expect(other.spec.pass(TTL_MS).entries).toEqual([]);
  });

  test('a yes at the moment of expiry is too late, whichever is looked at first', () => {
    const first = asking();
    first.spec.now += TTL_MS;
    first.decide('approve');
    expect(first.spec.story).toEqual(['approval.decided expired', 'ask act']);
    expect(first.spec.pass(0).entries).toEqual([]);
    const second = asking();
    second.spec.pass(TTL_MS);
    expect(second.spec.story).toEqual(['approval.decided expired', 'ask act']);
    expect(second.decide('approve').entries).toEqual([]);
    // In one round, in both orders.
    for (const tickFirst of [true, false]) {
      const { spec, run, approval } = asking();
      spec.now += TTL_MS;
      const { tenant, session } = spec.active(run);
      const yes = { v: 1 as const, tenant, session, run, at: 1, approval: approval.id, by: 'kim' };
      const inputs = [spec.input({ ...yes, type: 'approve', decision: 'approve' }), { kind: 'tick' as const }];
      spec.take(...(tickFirst ? inputs.reverse() : inputs));
      expect(spec.story).toEqual(['approval.decided expired', 'ask act']);
    }
  });

  test('the policy may ask for less time than the limit, not for more', () => {
    for (const [wanted, given] of [
      [1_000, 1_000],
      [10 * TTL_MS, TTL_MS],
    ] as const) {
      const spec = new Spec({ a: { limits: { approvalTtlMs: TTL_MS } } });
      const run = spec.start('a');
      spec.gather(run).model(run, null, ['act', {}]);
      spec.does(run, 'act', approvalRequired({ expiresInMs: wanted }));
      expect(spec.entries(run, 'approval.requested')[0]!.approval.expiresAt).toBe(spec.now + given);
    }
  });

  test('a timer of an older planner’s that rings early expires nothing', () => {
    const { spec, run, approval } = asking();
    const timer = { type: 'timer', timer: { kind: 'approval_expiry', approval: approval.id } };
    spec.now += TTL_MS - 1;
    expect(spec.tell(run, timer).entries).toEqual([]);
    spec.now += 1;
    spec.tell(run, timer);
    expect(spec.story).toEqual(['approval.decided expired', 'ask act']);
  });

  test('cancelling the run cancels it, and a decision that comes then does nothing', () => {
    const { spec, run, approval, decide } = asking();
    spec.tell(run, { type: 'cancel', by: 'kim', reason: 'enough' });
    expect(spec.story).toEqual(['approval.decided cancelled', 'run.cancelling', 'run.cancelled']);
    expect(decide('approve').entries).toEqual([]);
    expect(spec.end(run).approvals).toMatchObject([{ id: approval.id, status: 'cancelled' }]);
    expect(spec.state.approvals.size).toBe(0);
  });

  test('several at once are decided one by one; the run goes on when all are', () => {
    const spec = new Spec({ a: {} });
    const run = spec.start('a');
    spec.gather(run).model(run, null, ['act', { n: 1 }], ['act', { n: 2 }], ['look', {}]);
    for (const { callId } of spec.open(run).slice(0, 2)) spec.result(run, callId, approvalRequired());
    expect(spec.active(run).status).toBe('running');
    spec.does(run, 'look');
    expect(spec.active(run).status).toBe('waiting');
    const [first, second] = spec.entries(run, 'approval.requested').map(({ approval }) => approval);
    spec.tell(run, { type: 'approve', approval: second!.id, decision: 'approve', by: 'kim' });
    expect(spec.open(run).map(({ callId }) => callId)).toEqual([second!.callId]);
    spec.tell(run, { type: 'approve', approval: first!.id, decision: 'deny', by: 'kim' });
    spec.does(run, 'act', done('did'));
    expect(spec.story).toEqual(['got execute', 'ask act']);
    expect(
      spec
        .active(run)
        .actions.map(({ callId }) => callId)
        .sort(),
    ).toEqual(
      [
        first!.callId,
        second!.callId,
        spec.log.flatMap((e) =>
          e.type === 'step.requested' && e.step.kind === 'execute' && e.step.call.name === 'look' ? e.callId : [],
        )[0]!,
      ].sort(),
    );
  });

  test('a policy that wants another look asks under another approval', () => {
    const { spec, run, approval, decide } = asking();
    decide('approve');
    spec.does(run, 'act', approvalRequired({ argumentsHash: 'changed' }));
    const again = spec.entries(run, 'approval.requested').at(-1)!.approval;
    expect(again).toMatchObject({ callId: approval.callId, argumentsHash: 'changed' });
    expect(again.id).not.toBe(approval.id);
    expect(decide('approve').entries).toEqual([]);
  });

  test('shows at the top of the tree, and goes away there', () => {
    const spec = new Spec({ a: { agents: ['b'] }, b: {} });
    const run = spec.start('a');
    spec.gather(run).model(run, null, ['delegate', { agent: 'b', task: 'x' }]);
    const [child] = spec.children(run);
    spec.mail().gather(child!).model(child!, null, ['act', {}]);
    spec.does(child!, 'act', approvalRequired());
    spec.mail();
    expect(spec.active(run).status).toBe('waiting');
    const [approval] = pendingApprovals(spec.active(run));
    expect(approval).toMatchObject({ run, waitingRun: child });
    spec.tell(child!, { type: 'approve', approval: approval!.id, decision: 'approve', by: 'kim' });
    spec.mail();
    expect(pendingApprovals(spec.active(run))).toEqual([]);
    expect(spec.active(run).status).toBe('running');
  });

  test('a fork asks for itself; the original’s is still known', () => {
    const { spec, run, approval, decide } = asking();
    const session = sessionId(77);
    const fork = runId(session, 77);
    const entries = structuredClone(spec.log.filter((entry) => entry.run === run));
    const link = { run, version: entries.length, effects: 'approve' as const, blob: 'b', memorySession: 's' };
    const message = startMessage(fork, session, spec.now, { agent: 'a', bundle: contentHash(spec.bundle), fork: link });
    spec.now += 1_000;
    spec.take({ ...spec.input(message), prefix: { v: 1, entries, toolset: null } } as never);
    expect(spec.kinds(fork)).toEqual(['act']);
    expect(spec.state.approvals.get(approval.id)).toBe(run);
    spec.does(fork, 'act', approvalRequired());
    decide('approve');
    expect(spec.state.approvals.size).toBe(1);
  });
});

describe('several humans', () => {
  const needsTwo = () => {
    const spec = new Spec({ a: {} });
    const run = spec.start('a');
    spec.gather(run).model(run, null, ['act', { price: 7 }]);
    spec.does(run, 'act', approvalRequired({ quorum: 2, approvers: ['kim', 'lee'] }));
    const approval = () => spec.active(run).approvals.at(-1)!;
    const decide = (by: string, more = {}) =>
      spec.tell(run, { type: 'approve', approval: approval().id, decision: 'approve', by, ...more });
    return { spec, run, approval, decide };
  };
  test('have to say yes, each counts once, and the grant names them', () => {
    const { spec, run, approval, decide } = needsTwo();
    expect(decide('kim').entries.map(({ type }) => type)).toEqual(['approval.voted']);
    expect(approval()).toMatchObject({ status: 'pending', approvedBy: ['kim'], quorum: 2 });
    expect(decide('kim').entries).toEqual([]);
    decide('lee');
    expect(approval()).toMatchObject({ status: 'approved', decidedBy: 'lee' });
    expect(spec.call(run, 'act').grant).toMatchObject({ by: 'lee', approvedBy: ['kim', 'lee'] });
  });
  test('one no is enough', () => {
    const { spec, decide } = needsTwo();
    decide('kim');
    decide('lee', { decision: 'deny', reason: 'no' });
    expect(spec.story).toEqual(['approval.decided denied', 'ask act']);
  });
  test('a yes that came before the time was over does not outlive it', () => {
    const { spec, decide, approval } = needsTwo();
    decide('kim');
    spec.now = approval().expiresAt;
    decide('lee');
    expect(spec.story).toEqual(['approval.decided expired', 'ask act']);
  });
  test('who writes other arguments begins the count anew; whoever saw the ones before decides nothing', () => {
    const { spec, run, approval, decide } = needsTwo();
    const before = approval().argumentsHash;
    decide('kim');
    decide('lee', { arguments: { price: 5 }, argumentsHash: before });
    expect(approval()).toMatchObject({ status: 'pending', arguments: { price: 5 }, approvedBy: ['lee'] });
    expect(approval().asked).toEqual({ shown: true });
    expect(decide('kim', { argumentsHash: before }).entries).toEqual([]);
    decide('kim', { argumentsHash: approval().argumentsHash });
    const call = spec.call(run, 'act');
    const hash = contentHash({ tool: 'act', arguments: { price: 5 } });
    expect(call.grant).toMatchObject({ argumentsHash: hash, approvedBy: ['lee', 'kim'] });
    expect(call.grant?.editedFrom).toBe(contentHash({ tool: 'act', arguments: { shown: true } }));
    expect(call.step).toMatchObject({ call: { arguments: { price: 5 } } });
  });
});

describe('arguments that an approver wrote', () => {
  test('are what is called, and the model is told', () => {
    const { spec, run, decide } = asking();
    decide('approve', { arguments: { price: 5 } });
    expect(spec.call(run, 'act').step).toMatchObject({ call: { arguments: { price: 5 } } });
    spec.does(run, 'act');
    expect(spec.active(run).actions.at(-1)).toMatchObject({
      arguments: { price: 5 },
      content: expect.stringMatching(/^An approver changed the arguments to \{"price":5\}\.\n/),
    });
  });
  test('the same as were asked about are no change', () => {
    const { spec, run, decide } = asking();
    decide('approve', { arguments: { shown: true } });
    expect(spec.entries(run, 'approval.voted')).toEqual([]);
    expect(spec.call(run, 'act').grant?.editedFrom).toBeUndefined();
  });
  test('are not taken where the call may have happened already', () => {
    const spec = new Spec({ a: {} });
    const run = spec.start('a');
    spec.gather(run).model(run, null, ['act', {}]);
    spec.does(run, 'act', approvalRequired({ policy: 'tutti.effect-unknown' }));
    const { approval } = spec.entries(run, 'approval.requested')[0]!;
    const edit = {
      type: 'approve',
      approval: approval.id,
      decision: 'approve',
      by: 'kim',
      arguments: { a: 1 },
    } as const;
    expect(spec.tell(run, edit).entries).toEqual([]);
  });
});

describe('an approval that does not count any more', () => {
  const basis = { schema: 's1', policies: 'p1', data: 'd1' };
  test('is asked for again with what has changed', () => {
    const spec = new Spec({ a: {} });
    const run = spec.start('a');
    spec.gather(run).model(run, null, ['act', {}]);
    spec.does(run, 'act', approvalRequired({ basis, shown: '{"price":120,"seats":2}' }));
    const first = spec.entries(run, 'approval.requested')[0]!.approval;
    expect(first.changes).toBeUndefined();
    spec.tell(run, { type: 'approve', approval: first.id, decision: 'approve', by: 'kim' });
    expect(spec.call(run, 'act').grant).toMatchObject({ basis });
    const now = { schema: 's2', policies: 'p1', data: 'd2' };
    spec.does(
      run,
      'act',
      approvalRequired({ basis: now, shown: '{"price":180,"seats":2}', arguments: { shown: false }, quorum: 2 }),
    );
    const second = spec.active(run).approvals.at(-1)!;
    expect(second.id).not.toBe(first.id);
    expect(second.changes).toEqual([
      'shown: true → false',
      'the parameters of the tool are others',
      'shown.price: 120 → 180',
      '2 have to approve, no longer 1',
    ]);
  });
  test('because its time is over: the call is sent without it', () => {
    const { spec, run, decide, approval } = asking();
    decide('approve');
    const open = spec.call(run, 'act');
    const { state } = spec;
    const active = spec.active(run);
    const agent = spec.last.agent(active)!;
    const sent = (now: number) => requestOf(state, active, open, agent, undefined, now).body;
    expect(sent(approval.expiresAt - 1)).toMatchObject({ approval: { id: approval.id } });
    expect(sent(approval.expiresAt)).not.toHaveProperty('approval');
  });
});

test('what is given up must not begin any more, where it may change something', () => {
  const spec = new Spec({ a: {} });
  const run = spec.start('a');
  spec.gather(run).model(run, null, ['act', {}]);
  const { callId } = spec.call(run, 'act');
  spec.tell(run, { type: 'cancel', by: 'kim', reason: 'no' });
  expect(spec.last.forgotten).toEqual([{ run, callId, bar: spec.state.runs.get(run)!.tenant }]);
});
