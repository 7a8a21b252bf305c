/**
 * The state of a partition: all that its owner must know, and nothing that replaying the log would not give back.
 * Plain data, changed by evolve.ts alone. What is derived (who may start next, what comes due) is made again from the
 * rest by rebuild.ts and is in no checkpoint.
 */
import type {
  Action,
  ApprovalGrant,
  ApprovalRecord,
  ChatMessage,
  ChildOutcome,
  Citation,
  DeadLetter,
  ErrorInfo,
  History,
  InboundMessage,
  Interrupted,
  Label,
  ParentLink,
  Passage,
  Plan,
  QuestionRecord,
  RecallResult,
  RunLimits,
  RunStart,
  Schedule,
  StepSpec,
  Strategy,
  ToolDefinition,
  UndoOffer,
  Usage,
} from '@tutti/contracts';
import { NOTHING_DONE, USER_LABEL } from '@tutti/contracts';
import { DueHeap } from './due.ts';
import { Runs } from './runs.ts';

export const STATE_LIMITS = {
  /** Ended runs whose end the owner can still tell; older ones are memory's. */
  endedKeptMax: 2_000,
  /** Ids of ended runs that a late repeat of their start is recognised by. */
  endedIdsMax: 50_000,
  barredMax: 10_000,
  /** Tool sets that are kept though no run uses them any more. */
  toolsetsMax: 64,
  /** Calls of ended runs whose outcome may still come. */
  lateMax: 10_000,
} as const;

export interface OpenStep {
  callId: string;
  step: StepSpec;
  at: number;
  /** Version of the run at which it was asked for. */
  n: number;
  /** Failed tries that count towards its limit. */
  attempt: number;
  /** Not sent before this (Unix ms). */
  notBefore: number;
  grant?: ApprovalGrant;
  /** Of what led to it, and what the run had done before it. Not in steps from before they were kept. */
  label?: Label;
  did?: History;
}

export type TaskStatus = 'pending' | 'running' | 'completed' | 'failed' | 'skipped';
export interface TaskState {
  id: string;
  status: TaskStatus;
  child?: string;
  outcome?: ChildOutcome;
}

/** What a child run may use of its parent's limits. */
export interface Share {
  modelCalls: number;
  toolCalls: number;
  tokens: number;
  costUsd: number;
}

/** What a child (or its child) waits for now. */
export interface Waiting {
  version: number;
  approvals: ApprovalRecord[];
  questions: QuestionRecord[];
  sleepsUntil: number | null;
}

export interface ChildState {
  id: string;
  session: string;
  callId: string;
  kind: 'task' | 'call' | 'hand_over';
  /** Task of the plan, where `kind` is `task`. */
  task: string;
  agent: string;
  share: Share;
  waiting: Waiting | null;
}

/** Where a run is in its own work. */
export type Phase = 'gather' | 'plan' | 'tasks' | 'act' | 'answer' | 'remember';

interface RunHead {
  id: string;
  tenant: string;
  session: string;
  version: number;
  start: RunStart;
  limits: RunLimits;
  acceptedAt: number;
}

export interface QueuedRun extends RunHead {
  status: 'queued';
  interrupted: Interrupted[];
}

export interface ActiveRun extends RunHead {
  status: 'running' | 'waiting';
  phase: Phase;
  startedAt: number;
  /** Time spent waiting (for humans, for a sleep to end), which the wall-time limit does not count. */
  waitedMs: number;
  waitingSince: number | null;
  strategy: Strategy;
  interrupted: Interrupted[];
  /** Steps that were sent and have no result, by callId. */
  open: Record<string, OpenStep>;
  /** Calls that wait for an approval, by callId. */
  held: Record<string, OpenStep>;
  /** Calls of `sleep`, with when they end (Unix ms). */
  sleeping: Record<string, number>;
  questions: Record<string, QuestionRecord>;
  /** Child runs that have not ended. */
  children: Record<string, ChildState>;
  childCount: number;
  stepCount: number;
  recall: RecallResult | null;
  passages: Passage[];
  /** The passages are those found with the conversation so far, not with the goal alone. */
  contextual: boolean;
  toolset: string | null;
  /** What model, tools and user said in this run, after the goal. Results of calls are looked up in `actions`. */
  thread: ChatMessage[];
  actions: Action[];
  plan: Plan | null;
  planCount: number;
  tasks: TaskState[];
  /** What the tasks of earlier plans came to. */
  earlier: { goal: string; outcome: ChildOutcome | null }[];
  approvals: ApprovalRecord[];
  /** What `report_problem` said. */
  surprise: string | null;
  /** The answer, from when it is known until the run has ended. */
  answer: string | null;
  usage: Usage;
  degraded: boolean;
  /** Of all that it has read. */
  label: Label;
  /** What it has done, with what is under way and with the child runs that have ended. */
  did: History;
}

/** An ended run is only asked how it ended. */
export interface EndedRun extends RunHead {
  status: 'completed' | 'failed' | 'cancelled';
  strategy: Strategy;
  startedAt: number;
  endedAt: number;
  output: string | null;
  citations: Citation[];
  error: ErrorInfo | null;
  usage: Usage;
  degraded: boolean;
  approvals: ApprovalRecord[];
  undo?: UndoOffer[];
}

export type RunState = QueuedRun | ActiveRun | EndedRun;

/** What stays of a run that was written out: enough to find it, to wake it, and to know who holds which session. */
export interface ParkedRun {
  id: string;
  tenant: string;
  session: string;
  version: number;
  status: 'running' | 'waiting';
  /** In TUTTI_PARKED. */
  sequence: number;
  bundle: string;
  parent: ParentLink | null;
  question: QuestionRecord | null;
  /** What wakes it, as [kind, id, Unix ms]. */
  due: [kind: 'wall' | 'approval' | 'question' | 'sleep', id: string, at: number][];
  approvals: string[];
  // Only where there is something to say.
  toolset?: string;
  /** Child runs that have not ended, with their sessions. */
  children?: [id: string, session: string][];
  schedule?: RunStart['schedule'];
}

/** A message to another run, or to a person: kept until the bus has stored it. */
export type Letter =
  | { kind: 'inbound'; key: string; message: InboundMessage }
  | { kind: 'dead'; key: string; letter: DeadLetter };

export interface SessionState {
  active: string[];
  queue: string[];
}

export interface ScheduleState {
  tenant: string;
  schedule: Schedule;
  nextAt: number | null;
  lastAt: number | null;
  lastRun: string | null;
  lastReason: string | null;
  /** Session of the last run, while that run is under way. */
  running: { run: string; session: string } | null;
  /** Ticks made up for in a row. */
  caughtUp: number;
}

/** Who may start next. Derived. */
export interface TenantState {
  /** Root runs that hold a place: started, not ended, not waiting. */
  active: number;
  queued: number;
  /** Runs whose session lets them begin, in order of arrival. */
  ready: Set<string>;
}

export interface PartitionState {
  epoch: number;
  readUpTo: number;
  /** The latest moment that the log knows of, Unix ms: time in a partition does not go back. */
  at: number;
  runs: Runs;
  parked: Map<string, ParkedRun>;
  /** By `<tenant>/<session>`; gone when idle. */
  sessions: Map<string, SessionState>;
  toolsets: Map<string, ToolDefinition[]>;
  outbox: Map<string, Letter>;
  /** Pending approvals to the run that waits. */
  approvals: Map<string, string>;
  schedules: Map<string, ScheduleState>;
  /** Ended runs still in `runs`, oldest first. */
  ended: Set<string>;
  endedIds: Set<string>;
  /** Runs that were cancelled before their start arrived. */
  barred: Set<string>;
  /** Calls that were given up while they may have had an effect, by `lateKey`, to the tool's name. Not in checkpoints. */
  late: Map<string, string>;
  /** Letters that were written since the owner last looked: it need not go through all that are on their way. Not in checkpoints. */
  fresh: Letter[];
  // derived
  due: DueHeap;
  tenants: Map<string, TenantState>;
  activeRoots: number;
  /** Of all tenants. */
  readyRuns: number;
  /** Runs parked in each message of TUTTI_PARKED. */
  parkedIn: Map<number, number>;
  /** How long a run must have been idle before it may be parked; infinite: never. Set by the owner, not by the log. */
  parkAfterMs: number;
  /** Told of every run that is about to change: a checkpoint under way writes it down first. */
  beforeChange: ((run: RunState) => void) | undefined;
}

export function emptyState(): PartitionState {
  return {
    epoch: 0,
    readUpTo: 0,
    at: 0,
    runs: new Runs(),
    parked: new Map(),
    sessions: new Map(),
    toolsets: new Map(),
    outbox: new Map(),
    approvals: new Map(),
    schedules: new Map(),
    ended: new Set(),
    endedIds: new Set(),
    barred: new Set(),
    late: new Map(),
    fresh: [],
    due: new DueHeap(),
    tenants: new Map(),
    activeRoots: 0,
    readyRuns: 0,
    parkedIn: new Map(),
    parkAfterMs: Number.POSITIVE_INFINITY,
    beforeChange: undefined,
  };
}

/** A run that has just begun. */
export function activeRun(
  head: Omit<QueuedRun, 'status'>,
  begun: Pick<ActiveRun, 'status' | 'startedAt' | 'strategy'>,
): ActiveRun {
  const { id, tenant, session, version, start, limits, acceptedAt, interrupted } = head;
  return {
    id,
    tenant,
    session,
    version,
    start,
    limits,
    acceptedAt,
    interrupted,
    status: begun.status,
    phase: 'gather',
    startedAt: begun.startedAt,
    waitedMs: 0,
    waitingSince: null,
    strategy: begun.strategy,
    open: record(),
    held: {},
    sleeping: {},
    questions: {},
    children: {},
    childCount: 0,
    stepCount: 0,
    recall: null,
    passages: [],
    contextual: false,
    toolset: null,
    thread: [],
    actions: [],
    plan: null,
    planCount: 0,
    tasks: [],
    earlier: [],
    approvals: [],
    surprise: null,
    answer: null,
    usage: { modelCalls: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, costUsd: 0 },
    degraded: false,
    label: USER_LABEL,
    did: NOTHING_DONE,
  };
}

/** A fork has calls of the run that it comes from: the id alone does not say whose. */
export function lateKey(run: string, callId: string): string {
  return `${run} ${callId}`;
}

export function sessionKey(tenant: string, session: string): string {
  return `${tenant}/${session}`;
}

export function isEnded(run: { status: RunState['status'] }): run is EndedRun {
  return run.status === 'completed' || run.status === 'failed' || run.status === 'cancelled';
}
export function isActive(run: RunState): run is ActiveRun {
  return run.status === 'running' || run.status === 'waiting';
}

/**
 * An empty record for keys that are never the same twice. One with a prototype would get a hidden class for each key that
 * it was ever given, which takes time and memory.
 */
export function record<T>(): Record<string, T> {
  return Object.create(null);
}

/** What stands under a key that came from outside: `constructor` is in no record. */
export function own<T>(record: Record<string, T>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** Whether a record has no own keys, without making a list of them. */
export function isEmpty(record: object): boolean {
  for (const _key in record) return false;
  return true;
}

/** Pending approvals of the run and of everything below it. */
export function pendingApprovals(run: RunState): ApprovalRecord[] {
  if (!isActive(run)) return [];
  return [
    ...run.approvals.filter((approval) => approval.status === 'pending'),
    ...Object.values(run.children).flatMap((child) => child.waiting?.approvals ?? []),
  ];
}

/** Open questions of the run and of everything below it, oldest first. */
export function openQuestions(run: RunState): QuestionRecord[] {
  if (!isActive(run)) return [];
  return [
    ...Object.values(run.questions),
    ...Object.values(run.children).flatMap((child) => child.waiting?.questions ?? []),
  ].sort((a, b) => a.askedAt - b.askedAt);
}

/** Unix ms until which the run, or one below it, sleeps; null: nobody does. */
export function sleepsUntil(run: ActiveRun): number | null {
  const times = [
    ...Object.values(run.sleeping),
    ...Object.values(run.children).flatMap((child) => child.waiting?.sleepsUntil ?? []),
  ];
  return times.length > 0 ? Math.max(...times) : null;
}

/** A run that began in a prefix of another one's journal and has not gone beyond it: it acts on nobody yet. */
export function inPrefix(run: RunHead): boolean {
  return run.start.fork !== undefined && run.version <= run.start.fork.version;
}
