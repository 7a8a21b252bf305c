/** What a run may still do: its limits, what it used of them, and what its children may use of the rest. */
import { RunLimits, type SomeRunLimits, type StepSpec } from '@tutti/contracts';
import type { z } from 'zod';
import type { ActiveRun, Share } from './state.ts';

export function limitsOf(agent: z.infer<typeof SomeRunLimits>, wanted: z.infer<typeof SomeRunLimits>): RunLimits {
  return lowerLimits(RunLimits.parse(agent), wanted);
}

/** A request may lower an agent's limits, never raise them. */
function lowerLimits(limits: RunLimits, wanted: Partial<RunLimits>): RunLimits {
  const lowered = { ...limits };
  for (const [key, value] of Object.entries(wanted) as [keyof RunLimits, number | undefined][]) {
    if (value !== undefined) lowered[key] = Math.min(lowered[key], value);
  }
  return lowered;
}

/** How much is left, after what was used, what is under way, and what running children were given. */
export function left(run: ActiveRun): Share {
  const { limits, usage } = run;
  const rest: Share = {
    modelCalls: limits.modelCallsMax - usage.modelCalls - underWay(run, 'complete'),
    toolCalls: limits.toolCallsMax - usage.toolCalls - underWay(run, 'execute'),
    tokens: limits.tokensMax - usage.inputTokens - usage.outputTokens,
    costUsd: limits.costUsdMax - usage.costUsd,
  };
  for (const { share } of Object.values(run.children)) {
    rest.modelCalls -= share.modelCalls;
    rest.toolCalls -= share.toolCalls;
    rest.tokens -= share.tokens;
    rest.costUsd -= share.costUsd;
  }
  return rest;
}

function underWay(run: ActiveRun, kind: StepSpec['kind']): number {
  let count = 0;
  for (const id in run.open) if (run.open[id]!.step.kind === kind) count++;
  // A call that waits for its approval may still be made.
  for (const id in run.held) if (run.held[id]!.step.kind === kind) count++;
  return count;
}

export function journalFull(run: ActiveRun): boolean {
  return run.version >= run.limits.journalEntriesMax;
}

/** Which limit keeps the run from this step, in words; null: none. */
export function limitReached(run: ActiveRun, step: StepSpec): string | null {
  const { limits } = run;
  // Remembering is how a run ends: no limit may keep an answer from its session.
  if (step.kind === 'remember') return null;
  if (run.stepCount >= limits.stepsMax) return `the run reached stepsMax (${limits.stepsMax})`;
  if (journalFull(run)) return `the run reached journalEntriesMax (${limits.journalEntriesMax})`;
  if (step.kind !== 'complete' && step.kind !== 'execute') return null;
  const rest = left(run);
  if (step.kind === 'execute')
    return rest.toolCalls < 1 ? `the run reached toolCallsMax (${limits.toolCallsMax})` : null;
  if (rest.modelCalls < 1) return `the run reached modelCallsMax (${limits.modelCallsMax})`;
  if (rest.tokens < 1) return `the run reached tokensMax (${limits.tokensMax})`;
  if (rest.costUsd <= 0) return `the run reached costUsdMax (${limits.costUsdMax} US dollars)`;
  return null;
}

/**
 * What the next of `siblings` children may use: an equal part of what is left, one part kept back for the run itself.
 * Or the limit that keeps the run from starting it.
 */
export function childShare(run: ActiveRun, siblings: number): Share | string {
  const { limits } = run;
  if (run.start.depth + 1 > limits.depthMax) return `the run reached depthMax (${limits.depthMax})`;
  if (run.childCount >= limits.childrenMax) return `the run reached childrenMax (${limits.childrenMax})`;
  const parts = siblings + 1;
  const rest = left(run);
  const share: Share = {
    modelCalls: Math.floor(rest.modelCalls / parts),
    toolCalls: Math.max(0, Math.floor(rest.toolCalls / parts)),
    tokens: Math.floor(rest.tokens / parts),
    costUsd: rest.costUsd / parts,
  };
  if (share.modelCalls < 1)
    return `what is left of modelCallsMax (${limits.modelCallsMax}) is too little for a child run`;
  if (share.tokens < 1) return `what is left of tokensMax (${limits.tokensMax}) is too little for a child run`;
  if (share.costUsd <= 0) return `what is left of costUsdMax (${limits.costUsdMax}) is too little for a child run`;
  return share;
}

/** How long one try of a step may take, ms. */
export function timeoutOf(limits: RunLimits, step: StepSpec): number {
  if (step.kind === 'complete') return Math.min(limits.stepTimeoutMs, limits.modelTimeoutMs);
  if (step.kind === 'execute') return Math.min(limits.stepTimeoutMs, limits.toolTimeoutMs);
  return limits.stepTimeoutMs;
}
