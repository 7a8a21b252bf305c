/** Child runs: how they start, what they are told, and what their parents make of what they say. */
import {
  type Brief,
  type ChildOutcome,
  derivedRunId,
  derivedSessionId,
  type InboundMessage,
  isNothing,
  mergeHistories,
  NOTHING_DONE,
  type RunStart,
} from '@tutti/contracts';
import type { Round } from './round.ts';
import { type ActiveRun, type ChildState, own, type Share } from './state.ts';

/** The child's id is a function of the parent and `key`: a new owner starts the same one. */
export function startChild(
  round: Round,
  run: ActiveRun,
  child: { callId: string; kind: ChildState['kind']; task: string; key: string; start: RunStart },
): void {
  const { callId, kind, task, key, start } = child;
  const session = derivedSessionId(run.id, key);
  round.emit(run.id, {
    type: 'child.started',
    callId,
    child: derivedRunId(session, run.id, key),
    session,
    task,
    ...(kind === 'task' ? {} : { kind }),
    start: start.parent ? { ...start, parent: { ...start.parent, task } } : start,
  });
}

export function childStart(
  run: ActiveRun,
  child: { agent: string; input: string; share: Share; callId: string; brief: Brief | null; now: number },
): RunStart {
  const { start } = run;
  const { share } = child;
  const did = mergeHistories(start.did ?? NOTHING_DONE, run.did);
  return {
    agent: child.agent,
    input: child.input,
    bundle: start.bundle,
    principal: start.principal,
    limits: {
      ...start.limits,
      depthMax: run.limits.depthMax,
      modelCallsMax: share.modelCalls,
      toolCallsMax: share.toolCalls,
      tokensMax: share.tokens,
      costUsdMax: share.costUsd,
      wallTimeMs: Math.max(1, run.startedAt + run.waitedMs + run.limits.wallTimeMs - child.now),
    },
    root: start.root,
    memorySession: start.fork?.memorySession ?? start.memorySession,
    depth: start.depth + 1,
    parent: { run: run.id, session: run.session, callId: child.callId },
    brief: child.brief,
    live: start.live,
    ...(start.onQuestion === undefined ? {} : { onQuestion: start.onQuestion }),
    // The same words and model for tasks of the same agent; another agent has its own.
    ...(child.agent === start.agent && start.instructions !== undefined ? { instructions: start.instructions } : {}),
    ...(start.model === undefined ? {} : { model: start.model }),
    label: run.label,
    ...(isNothing(did) ? {} : { did }),
    ...(start.effects === undefined ? {} : { effects: start.effects }),
    ...(start.recallBefore === undefined ? {} : { recallBefore: start.recallBefore }),
    ...(start.traceparent ? { traceparent: start.traceparent } : {}),
  };
}

export function childWaits(
  round: Round,
  run: ActiveRun,
  message: Extract<InboundMessage, { type: 'child_waiting' }>,
): void {
  const child = own(run.children, message.child);
  if (!child || (child.waiting?.version ?? 0) >= message.version) return;
  round.emit(run.id, {
    type: 'child.waiting',
    child: message.child,
    version: message.version,
    approvals: message.approvals,
    ...(message.questions?.length ? { questions: message.questions } : {}),
    ...(message.sleepsUntil === undefined ? {} : { sleepsUntil: message.sleepsUntil }),
  });
}

/** True when it was this run's child, and has not been told before. */
export function childEnds(round: Round, run: ActiveRun, outcome: ChildOutcome): boolean {
  const child = own(run.children, outcome.child);
  if (!child) return false;
  // Only an answer that becomes the run's own is read with what it cites.
  const passages = child.kind === 'hand_over' ? outcome.passages : [];
  round.emit(run.id, { type: 'child.ended', task: child.task, outcome: { ...outcome, passages } });
  return true;
}
