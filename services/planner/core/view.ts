/** How people see a run that the owner still knows. */
import type { RunView } from '@tutti/contracts';
import {
  type ActiveRun,
  isActive,
  isEmpty,
  isEnded,
  openQuestions,
  pendingApprovals,
  type RunState,
  sleepsUntil,
} from './state.ts';

const NO_USAGE = { modelCalls: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, costUsd: 0 };

/** What a human (or the clock) has to do before a waiting run goes on. */
export function waitingFor(run: ActiveRun): RunView['waitingFor'] {
  if (run.status !== 'waiting') return null;
  if (!isEmpty(run.held) || pendingApprovals(run).length > 0) return 'approval';
  if (openQuestions(run).length > 0) return 'input';
  return sleepsUntil(run) === null ? null : 'timer';
}

export function viewOf(run: RunState): RunView {
  const ended = isEnded(run) ? run : undefined;
  const active = isActive(run) ? run : undefined;
  return {
    id: run.id,
    tenant: run.tenant,
    session: run.session,
    agent: run.start.agent,
    status: run.status,
    input: run.start.input,
    output: ended?.output ?? null,
    citations: ended?.citations ?? [],
    error: ended?.error ?? null,
    usage: active?.usage ?? ended?.usage ?? NO_USAGE,
    parent: run.start.parent?.run ?? null,
    root: run.start.root,
    principal: run.start.principal,
    bundle: run.start.bundle,
    degraded: active?.degraded ?? ended?.degraded ?? false,
    createdAt: run.acceptedAt,
    endedAt: ended?.endedAt ?? null,
    waitingFor: active ? waitingFor(active) : null,
    question: openQuestions(run)[0] ?? null,
    ...(ended?.undo ? { undo: ended.undo } : {}),
    version: run.version,
  };
}
