/** Small parts that specifications and worlds are made of: bundles, tools, starts, what workers answer, entries in short. */
import {
  type AgentManifest,
  type Bundle,
  type CompleteResult,
  contentHash,
  type ExecuteResult,
  type InboundMessage,
  newRunId,
  newSessionId,
  type PartitionEntry,
  type RunEntry,
  type RunStart,
  type ToolDefinition,
} from '@tutti/contracts';

export const tool = (name: string, effect: ToolDefinition['effect'] = 'pure'): ToolDefinition => ({
  name,
  description: name,
  parameters: { type: 'object', properties: {} },
  effect,
});

/** `look` may repeat; `act` needs a human. */
export const TOOLS = [tool('look'), tool('act', 'irreversible')];
export const TOOLSET = contentHash(TOOLS);

export function agent(name: string, more: Partial<AgentManifest> = {}): AgentManifest {
  return {
    name,
    description: '',
    strategy: 'react',
    instructions: 'Help.',
    model: 'auto',
    tools: ['*'],
    knowledge: [],
    facts: [],
    limits: {},
    timeZone: 'UTC',
    ...more,
  };
}

export function bundleOf(agents: Record<string, Partial<AgentManifest>>): Bundle {
  const named = Object.entries(agents).map(([name, more]) => [name, agent(name, more)]);
  return { v: 1, name: 'test', agents: Object.fromEntries(named), tools: {}, collections: {}, policies: {} };
}

/** Ids by number: the same in every run of a test. */
export function sessionId(n: number): string {
  return newSessionId(
    1_000 + n,
    Uint8Array.from({ length: 16 }, (_, index) => (n * 7 + index) % 256),
  );
}
export function runId(session: string, n: number): string {
  return newRunId(
    session,
    1_000 + n,
    Uint8Array.from({ length: 16 }, (_, index) => (n * 11 + index) % 256),
  );
}

type StartMessage = Extract<InboundMessage, { type: 'start' }>;

export function startMessage(
  run: string,
  session: string,
  at: number,
  start: Partial<RunStart> & { agent: string; bundle: string },
  tenant = 'default',
): StartMessage {
  return {
    v: 1,
    type: 'start',
    tenant,
    session,
    run,
    at,
    start: {
      input: 'go',
      principal: { id: 'ann', roles: [] },
      limits: {},
      root: run,
      memorySession: session,
      depth: 0,
      parent: null,
      brief: null,
      live: false,
      ...start,
    },
  };
}

/** A message to a run or a schedule that is known. */
export function tellingOf(
  known: { id: string; tenant: string; session: string },
  at: number,
  message: Record<string, unknown> & { type: string },
): InboundMessage {
  const { id: run, tenant, session } = known;
  return { v: 1, tenant, session, run, at, ...message } as InboundMessage;
}

export interface Call {
  name: string;
  arguments: Record<string, unknown>;
}

export function completion(content: string | null, calls: Call[] = [], more: Partial<CompleteResult> = {}) {
  const toolCalls = calls.map((call, index) => ({ id: `m${index}`, ...call }));
  return {
    message: { role: 'assistant', content, ...(calls.length > 0 ? { toolCalls } : {}) },
    finishReason: calls.length > 0 ? 'tool_calls' : 'stop',
    usage: { inputTokens: 10, outputTokens: 10 },
    model: 'm',
    provider: 'p',
    degraded: false,
    costUsd: 0.01,
    attempts: [],
    candidates: [],
    ...more,
  };
}

export const NOTHING_RECALLED = { turns: [], summary: null, facts: [] };

export function done(content = '{}', more: { isError?: boolean; effect?: ToolDefinition['effect'] } = {}) {
  return { status: 'done', content, isError: false, effect: 'pure', replayed: false, ...more };
}

export function approvalRequired(
  more: Partial<Omit<Extract<ExecuteResult, { status: 'approval_required' }>, 'status' | 'effect'>> = {},
) {
  return {
    status: 'approval_required',
    reason: 'a human decides',
    policy: 'test',
    arguments: { shown: true },
    argumentsHash: 'h',
    effect: 'irreversible',
    ...more,
  };
}

/** An entry in a few words: what a specification compares. */
export function brief(entry: RunEntry | PartitionEntry): string {
  switch (entry.type) {
    case 'run.started':
      return `run.started ${entry.strategy}`;
    case 'step.requested': {
      const { step } = entry;
      return step.kind === 'complete'
        ? `ask ${step.purpose}`
        : step.kind === 'execute'
          ? `call ${step.call.name}`
          : `ask ${step.kind}`;
    }
    case 'step.completed':
      return `got ${entry.result.kind === 'complete' ? entry.result.purpose : entry.result.kind}`;
    case 'step.failed':
      return `step.failed ${entry.error.code}${entry.dead ? ' dead' : ''}`;
    case 'step.retried':
      return `step.retried ${entry.attempt}`;
    case 'plan.made':
      return `plan.made ${entry.plan.tasks.map(({ id }) => id).join(' ') || (entry.plan.question ? 'question' : 'none')}`;
    case 'question.answered':
      return `question.answered ${entry.outcome}`;
    case 'approval.decided':
      return `approval.decided ${entry.decision}`;
    case 'call.settled':
      return `call.settled ${entry.action.tool}${entry.action.isError ? ' refused' : ''}`;
    case 'child.started':
      return `child.started ${entry.task}`;
    case 'child.ended':
      return `child.ended ${entry.outcome.status}`;
    case 'run.failed':
      return `run.failed ${entry.error.code}`;
    case 'schedule.ticked':
      return `schedule.ticked ${entry.run ? 'started' : 'passed over'}`;
    default:
      return entry.type;
  }
}
