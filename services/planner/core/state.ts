/**
 * The state of a partition: all that its owner must know, and nothing that replaying the log would not give back.
 * Plain data, so that a checkpoint is its JSON. Changed by evolve.ts alone.
 */
import type {
  Action,
  ApprovalGrant,
  ApprovalRecord,
  ChatMessage,
  ChildOutcome,
  Citation,
  ErrorInfo,
  InboundMessage,
  Passage,
  Plan,
  RecallResult,
  RunLimits,
  RunStart,
  RunStatus,
  StepSpec,
  Strategy,
  ToolDefinition,
  Usage,
} from '@tutti/contracts';

export const STATE_LIMITS = {
  /** Ended runs whose end the owner can still tell; older ones are memory's. */
  endedKeptMax: 2_000,
  /** Ids of ended runs that a late repeat of their start is recognised by. */
  endedIdsMax: 50_000,
  barredMax: 10_000,
} as const;

export interface OpenStep {
  callId: string;
  step: StepSpec;
  at: number;
  /** Failed tries that count towards its limit. */
  attempt: number;
  /** All tries that came to nothing, waiting for a free worker included. */
  tries: number;
  /** Not sent before this (Unix ms). */
  notBefore: number;
  grant?: ApprovalGrant;
}

export type TaskStatus = 'pending' | 'running' | 'completed' | 'failed' | 'skipped';
export interface TaskState {
  id: string;
  status: TaskStatus;
  child?: string;
  childSession?: string;
  outcome?: ChildOutcome;
}

/** Where a run is in its own work. `queued` and `ended` are outside of it. */
export type Phase = 'queued' | 'gather' | 'plan' | 'tasks' | 'act' | 'answer' | 'remember' | 'ended';

export interface RunState {
  id: string;
  tenant: string;
  session: string;
  version: number;
  status: RunStatus;
  phase: Phase;
  start: RunStart;
  limits: RunLimits;
  acceptedAt: number;
  startedAt: number;
  endedAt: number | null;
  /** Time spent waiting for humans, which the wall-time limit does not count. */
  waitedMs: number;
  waitingSince: number | null;
  strategy: Strategy;
  /** Steps that were sent and have no result, by callId. */
  open: Record<string, OpenStep>;
  /** Calls that wait for an approval, by callId. */
  parked: Record<string, OpenStep>;
  stepCount: number;
  recall: RecallResult | null;
  passages: Passage[];
  /** The passages are those found with the conversation so far, not with the goal alone. */
  contextual: boolean;
  toolset: string | null;
  /** What model and tools said in this run, after the goal. Results of calls are looked up in `actions`. */
  thread: ChatMessage[];
  actions: Action[];
  plan: Plan | null;
  tasks: TaskState[];
  approvals: ApprovalRecord[];
  childApprovals: Record<string, { version: number; approvals: ApprovalRecord[] }>;
  /** The answer, from when it is known until the run has ended. */
  answer: string | null;
  output: string | null;
  citations: Citation[];
  error: ErrorInfo | null;
  usage: Usage;
  degraded: boolean;
}

/** A message to another run, or a timer: kept until the bus has stored it. */
export type Letter =
  | { kind: 'inbound'; key: string; message: InboundMessage }
  | { kind: 'timer'; key: string; id: string; dueAt: number; message: InboundMessage };

export interface SessionState {
  active: string | null;
  queue: string[];
}

export interface PartitionState {
  epoch: number;
  readUpTo: number;
  runs: Map<string, RunState>;
  /** By `<tenant>/<session>`; gone when idle. */
  sessions: Map<string, SessionState>;
  toolsets: Map<string, ToolDefinition[]>;
  outbox: Map<string, Letter>;
  /** Pending approvals to the run that waits. */
  approvals: Map<string, string>;
  /** Ended runs still in `runs`, oldest first. */
  ended: string[];
  endedIds: Set<string>;
  /** Runs that were cancelled before their start arrived. */
  barred: Set<string>;
}

export function emptyState(): PartitionState {
  return {
    epoch: 0,
    readUpTo: 0,
    runs: new Map(),
    sessions: new Map(),
    toolsets: new Map(),
    outbox: new Map(),
    approvals: new Map(),
    ended: [],
    endedIds: new Set(),
    barred: new Set(),
  };
}

/** A checkpoint's body. `v` counts up whenever this shape changes; `load` then needs an upcaster. */
export const STATE_VERSION = 1;

export function saveState(state: PartitionState): string {
  return JSON.stringify({
    v: STATE_VERSION,
    epoch: state.epoch,
    readUpTo: state.readUpTo,
    runs: [...state.runs.values()],
    sessions: [...state.sessions],
    toolsets: [...state.toolsets],
    outbox: [...state.outbox.values()],
    approvals: [...state.approvals],
    ended: state.ended,
    endedIds: [...state.endedIds],
    barred: [...state.barred],
  });
}

export function loadState(json: string): PartitionState {
  const saved = JSON.parse(json);
  if (saved.v !== STATE_VERSION)
    throw new Error(`a checkpoint of version ${saved.v} cannot be read by this planner (version ${STATE_VERSION})`);
  return {
    epoch: saved.epoch,
    readUpTo: saved.readUpTo,
    runs: new Map(saved.runs.map((run: RunState) => [run.id, run])),
    sessions: new Map(saved.sessions),
    toolsets: new Map(saved.toolsets),
    outbox: new Map(saved.outbox.map((letter: Letter) => [letter.key, letter])),
    approvals: new Map(saved.approvals),
    ended: saved.ended,
    endedIds: new Set(saved.endedIds),
    barred: new Set(saved.barred),
  };
}

export function sessionKey(tenant: string, session: string): string {
  return `${tenant}/${session}`;
}

export function isEnded(run: RunState): boolean {
  return run.phase === 'ended';
}

/** Pending approvals of the run and of everything below it. */
export function pendingApprovals(run: RunState): ApprovalRecord[] {
  return [
    ...run.approvals.filter((a) => a.status === 'pending'),
    ...Object.values(run.childApprovals).flatMap((child) => child.approvals),
  ];
}
