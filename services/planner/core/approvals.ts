/** Approvals: a call that waits for a human's decision, bound to the exact arguments that were shown. */
import { type ApprovalRecord, derivedApprovalId, type ExecuteResult, type StepSpec } from '@tutti/contracts';
import type { Round } from './round.ts';
import type { ActiveRun } from './state.ts';

export function askApproval(
  round: Round,
  run: ActiveRun,
  callId: string,
  step: Extract<StepSpec, { kind: 'execute' }>,
  result: Extract<ExecuteResult, { status: 'approval_required' }>,
): void {
  const attempt = run.approvals.filter((approval) => approval.callId === callId).length;
  const approval: ApprovalRecord = {
    id: derivedApprovalId(run.id, callId, attempt),
    run: run.start.root,
    waitingRun: run.id,
    session: run.session,
    callId,
    status: 'pending',
    tool: step.call.name,
    arguments: result.arguments,
    argumentsHash: result.argumentsHash,
    effect: result.effect,
    reason: result.reason,
    policy: result.policy,
    requestedAt: round.now,
    expiresAt: round.now + Math.min(result.expiresInMs ?? run.limits.approvalTtlMs, run.limits.approvalTtlMs),
    ...(result.label ? { label: result.label } : {}),
  };
  round.emit(run.id, { type: 'approval.requested', approval });
}

export function isOver(run: ActiveRun, id: string, now: number): boolean {
  const approval = run.approvals.find((candidate) => candidate.id === id);
  return approval !== undefined && now >= approval.expiresAt;
}

/** The first decision counts; one that comes after the approval expired is no decision. */
export function decideApproval(
  round: Round,
  run: ActiveRun,
  id: string,
  decision: 'approved' | 'denied' | 'expired' | 'cancelled',
  by: string,
  reason?: string,
): void {
  const approval = run.approvals.find((candidate) => candidate.id === id);
  if (approval?.status !== 'pending') return;
  const late = decision === 'approved' && round.now >= approval.expiresAt;
  round.emit(run.id, {
    type: 'approval.decided',
    approval: id,
    decision: late ? 'expired' : decision,
    by,
    ...(reason === undefined ? {} : { reason }),
  });
  if (run.open[approval.callId]) round.toSend.push({ run: run.id, callId: approval.callId });
}
