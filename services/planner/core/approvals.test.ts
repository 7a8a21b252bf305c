/** Calls that wait for a human: decided, expired, cancelled, in every order in which these can come. */
import { contentHash } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
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
    expect(spec.call(run, 'act').grant).toEqual({ id: approval.id, argumentsHash: 'h', by: 'kim', at: spec.now });
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
