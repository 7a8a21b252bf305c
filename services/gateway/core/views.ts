/** What the API shows of runs and approvals. Pure. Times are ISO 8601 in UTC. */
import type { ApprovalRecord, InboundMessage, QuestionRecord, RunView, Turn } from '@tutti/contracts';

export const iso = (unixMs: number): string => new Date(unixMs).toISOString();
const isoOrNull = (unixMs: number | null | undefined): string | null => (unixMs == null ? null : iso(unixMs));

export function runBody(view: RunView) {
  return {
    id: view.id,
    object: 'run' as const,
    session: view.session,
    agent: view.agent,
    status: view.status,
    input: view.input,
    output: view.output,
    citations: view.citations,
    error: view.error,
    usage: view.usage,
    degraded: view.degraded,
    parent: view.parent,
    root: view.root,
    principal: view.principal.id,
    bundle: view.bundle,
    waiting_for: view.waitingFor ?? null,
    question: view.question ? questionBody(view.question) : null,
    undo: view.undo ?? [],
    version: view.version,
    created_at: iso(view.createdAt),
    ended_at: isoOrNull(view.endedAt),
  };
}
export type RunBody = ReturnType<typeof runBody>;

export function approvalBody(record: ApprovalRecord) {
  return {
    id: record.id,
    object: 'approval' as const,
    run: record.run,
    waitingRun: record.waitingRun,
    session: record.session,
    callId: record.callId,
    status: record.status,
    tool: record.tool,
    arguments: record.arguments,
    argumentsHash: record.argumentsHash,
    effect: record.effect,
    reason: record.reason,
    policy: record.policy,
    requestedAt: iso(record.requestedAt),
    expiresAt: iso(record.expiresAt),
    decidedAt: isoOrNull(record.decidedAt),
    decidedBy: record.decidedBy ?? null,
    decisionReason: record.decisionReason ?? null,
    approvers: record.approvers ?? null,
    quorum: record.quorum ?? 1,
    approvedBy: record.approvedBy ?? (record.status === 'approved' && record.decidedBy ? [record.decidedBy] : []),
    asked: record.asked ?? null,
    shown: record.shown ?? null,
    changes: record.changes ?? [],
  };
}
export type ApprovalBody = ReturnType<typeof approvalBody>;

export function questionBody(record: QuestionRecord) {
  return {
    id: record.id,
    run: record.run,
    waitingRun: record.waitingRun,
    session: record.session,
    text: record.text,
    askedAt: iso(record.askedAt),
    expiresAt: iso(record.expiresAt),
  };
}

export function turnBody(turn: Turn) {
  return { ...turn, at: iso(turn.at) };
}

export function isOver(status: RunView['status']): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

/** A run that is accepted and that no owner has taken in yet, seen from the message that starts it. */
export function queuedView(message: Extract<InboundMessage, { type: 'start' }>): RunView {
  const { start } = message;
  return {
    id: message.run,
    tenant: message.tenant,
    session: message.session,
    agent: start.agent,
    status: 'queued',
    input: start.input,
    output: null,
    citations: [],
    error: null,
    usage: { modelCalls: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, costUsd: 0 },
    parent: start.parent?.run ?? null,
    root: start.root,
    principal: start.principal,
    bundle: start.bundle,
    degraded: false,
    createdAt: message.at,
    endedAt: null,
    version: 0,
  };
}
