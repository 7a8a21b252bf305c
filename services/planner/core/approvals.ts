/**
 * Approvals: a call that waits for the decision of one human or several, bound to the exact arguments that were shown and
 * to what they rest on. Invariants: a decision about other arguments than those that are asked about now is none; the
 * same person counts once; whoever writes other arguments is the first to have approved those.
 */
import {
  type ApprovalRecord,
  contentHash,
  derivedApprovalId,
  type ExecuteResult,
  type InboundMessage,
  type StepSpec,
  summandsOf,
} from '@tutti/contracts';
import { changesBetween } from './approval-changes.ts';
import { definitionOf } from './provenance.ts';
import type { Round } from './round.ts';
import type { ActiveRun } from './state.ts';

/** The policy under which the tools service asks whether to repeat what may have happened (services/tools/broker/recover.ts). */
export const EFFECT_UNKNOWN = 'tutti.effect-unknown';

export function askApproval(
  round: Round,
  run: ActiveRun,
  callId: string,
  step: Extract<StepSpec, { kind: 'execute' }>,
  result: Extract<ExecuteResult, { status: 'approval_required' }>,
): void {
  const earlier = run.approvals.filter((approval) => approval.callId === callId);
  const attempt = earlier.length;
  const { basis, shown, approvers, quorum } = result;
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
    ...(basis ? { basis } : {}),
    ...(shown === undefined ? {} : { shown }),
    ...(approvers ? { approvers } : {}),
    ...(quorum === undefined || quorum === 1 ? {} : { quorum }),
  };
  const before = earlier.at(-1);
  const changes = before?.status === 'approved' ? changesBetween(before, approval) : [];
  if (changes.length > 0) approval.changes = changes;
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

/** A yes or no to a call. A yes counts as many are needed; one that brings arguments of its own begins the count anew. */
export function takeDecision(
  round: Round,
  run: ActiveRun,
  message: Extract<InboundMessage, { type: 'approve' }>,
): void {
  const approval = run.approvals.find((candidate) => candidate.id === message.approval);
  if (approval?.status !== 'pending') return;
  if (message.argumentsHash !== undefined && message.argumentsHash !== approval.argumentsHash) return;
  const { by, reason, arguments: written } = message;
  if (message.decision === 'deny') return decideApproval(round, run, approval.id, 'denied', by, reason);
  const isEdit = written !== undefined && contentHash(written) !== contentHash(approval.arguments);
  // What may have happened can be repeated as it was, or not at all.
  if (isEdit && approval.policy === EFFECT_UNKNOWN) return;
  const votes = isEdit ? [] : (approval.approvedBy ?? []);
  const count = votes.includes(by) ? votes.length : votes.length + 1;
  const isEnough = count >= (approval.quorum ?? 1);
  const late = round.now >= approval.expiresAt;
  if (!late && (isEdit || (!isEnough && count > votes.length)))
    round.emit(run.id, {
      type: 'approval.voted',
      approval: approval.id,
      by,
      ...(isEdit ? { arguments: written, summands: summandsFor(round, run, approval.tool, written) } : {}),
    });
  if (isEnough || late) decideApproval(round, run, approval.id, 'approved', by, reason);
}

function summandsFor(round: Round, run: ActiveRun, tool: string, written: Record<string, unknown>) {
  return summandsOf(definitionOf(round.state, run, tool)?.sums, written);
}
