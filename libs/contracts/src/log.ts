/**
 * The log: what happened, as the owner of a partition writes it and everyone else reads it. One message holds the entries
 * of many runs. Invariants: a run's `n` is contiguous from 1; nothing follows an end entry; replaying the entries gives
 * the owner's state back, with no other source.
 */
import { z } from 'zod';
import { AgentManifest, Strategy, WhenBusy } from './bundle.ts';
import { EffectKind, Passage, ToolCall, ToolDefinition } from './chat.ts';
import { ErrorInfo } from './errors.ts';
import { History } from './history.ts';
import { Name } from './ids.ts';
import { Label } from './labels.ts';
import { RunLimits, SomeRunLimits } from './limits.ts';
import { Plan } from './plan.ts';
import { Schedule } from './schedule.ts';
import { Action, ApprovalBasis, Claim, CompleteResult, RecallResult, Withheld } from './steps.ts';

export const RunStatus = z.enum(['queued', 'running', 'waiting', 'completed', 'failed', 'cancelled']);
export type RunStatus = z.infer<typeof RunStatus>;

export const Principal = z.object({ id: z.string(), roles: z.array(z.string()).default([]) });
export type Principal = z.infer<typeof Principal>;

export const Usage = z.object({
  modelCalls: z.number().int().default(0),
  toolCalls: z.number().int().default(0),
  inputTokens: z.number().int().default(0),
  outputTokens: z.number().int().default(0),
  costUsd: z.number().default(0),
});
export type Usage = z.infer<typeof Usage>;

/** What a parent tells a child about the work so far. */
export const Brief = z.object({
  /** The goal of the run at the top. */
  goal: z.string(),
  task: z.string(),
  /** The only tools that the child may use. */
  tools: z.array(z.string()),
  /** What the tasks that this one depends on did. */
  actions: z.array(Action).default([]),
  notes: z.array(z.object({ task: z.string(), output: z.string() })).default([]),
});
export type Brief = z.infer<typeof Brief>;

/** Calls with an effect that a fork makes itself: only with a human's grant, or not at all. */
export const ForkEffects = z.enum(['approve', 'block']);
export type ForkEffects = z.infer<typeof ForkEffects>;

/** A fork: this run begins with the first `version` entries of another one. */
export const ForkLink = z.object({
  run: z.string(),
  version: z.number().int().positive(),
  effects: ForkEffects.default('approve'),
  /** Blob with a `ForkPrefix` as JSON. */
  blob: z.string(),
  /** The conversation that the other run belonged to: what is recalled comes from there. */
  memorySession: z.string(),
  /** Hash of what was asked for, where whoever asked gave it a key: the same key for something else is a mistake. */
  request: z.string().optional(),
});
export type ForkLink = z.infer<typeof ForkLink>;

export const ParentLink = z.object({
  run: z.string(),
  session: z.string(),
  callId: z.string(),
  /** What the child is for, by the name that `child.started` has: it makes traces readable, and decides nothing. */
  task: z.string().optional(),
});
export type ParentLink = z.infer<typeof ParentLink>;

/** Something that a run did before it ended early, and the call that undoes it. `arguments` null: how is not known here. */
export const UndoOffer = z.object({
  callId: z.string(),
  tool: z.string(),
  undo: z.string(),
  arguments: z.record(z.string(), z.unknown()).nullable(),
  /** It is not known whether it happened. */
  uncertain: z.boolean().optional(),
});
export type UndoOffer = z.infer<typeof UndoOffer>;

/** The request that opens a run; the body of an inbound `start` and of the first entry alike. */
export const RunStart = z.object({
  agent: z.string(),
  input: z.string(),
  bundle: z.string(),
  principal: Principal,
  /** Lower limits than the agent's. */
  limits: SomeRunLimits.default({}),
  root: z.string(),
  /** Session whose memory the run reads (a child reads its root's). */
  memorySession: z.string(),
  depth: z.number().int().nonnegative().default(0),
  parent: ParentLink.nullable().default(null),
  brief: Brief.nullable().default(null),
  /** W3C trace context of whoever asked. */
  traceparent: z.string().optional(),
  /** Stream tokens on the live subject. */
  live: z.boolean().default(false),
  /** What becomes of a question to the user: the run waits for the answer (default), or ends with the question as its answer. */
  onQuestion: z.enum(['wait', 'end']).optional(),
  /** Instead of the agent's own setting. */
  whenBusy: WhenBusy.optional(),
  /** Instead of the agent's model. */
  model: z.string().optional(),
  /** Instead of the agent's instructions. */
  instructions: z.string().optional(),
  fork: ForkLink.optional(),
  /** Of a fork and everything below it: its own calls with an effect are asked for, or refused. */
  effects: ForkEffects.optional(),
  /** Of a fork and everything below it: turns of the conversation from this moment on (Unix ms) had not been said yet. */
  recallBefore: z.number().optional(),
  /** The schedule that started it, and the moment it was due (Unix ms). */
  schedule: z.object({ id: z.string(), dueAt: z.number() }).optional(),
  /** This run does nothing but undo these effects of another one, in this order. */
  undo: z.object({ run: z.string(), offers: z.array(UndoOffer).min(1) }).optional(),
  /** Of a child: what its parent had read, and what it and all above it had done, when it asked for the child. */
  label: Label.optional(),
  did: History.optional(),
});
export type RunStart = z.infer<typeof RunStart>;

/** What a run asked another service for. Everything that the request needs is in here or in the run's earlier entries. */
export const StepSpec = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('recall') }),
  /** `query` where the goal alone does not say what it is about: a follow-up ("move it") is searched for with what came before. */
  z.object({ kind: z.literal('search'), query: z.string().optional() }),
  z.object({ kind: z.literal('describe') }),
  /** `purpose` decides tools, format and messages; `messages` is how many of the run's thread the model sees. */
  z.object({
    kind: z.literal('complete'),
    purpose: z.enum(['plan', 'act', 'answer']),
    messages: z.number().int().nonnegative(),
  }),
  z.object({
    kind: z.literal('execute'),
    call: ToolCall,
    approval: z.string().optional(),
    /** As the run's toolset says of the tool; left out: nothing is known of it. `summands`: what the call adds to sums. */
    effect: EffectKind.optional(),
    summands: z.record(z.string(), z.number()).optional(),
  }),
  z.object({ kind: z.literal('remember') }),
]);
export type StepSpec = z.infer<typeof StepSpec>;

export const ApprovalRecord = z.object({
  id: z.string(),
  /** The run at the top, which the user started. */
  run: z.string(),
  /** The run that waits; the same as `run` unless a child does. */
  waitingRun: z.string(),
  session: z.string(),
  callId: z.string(),
  status: z.enum(['pending', 'approved', 'denied', 'expired', 'cancelled']),
  tool: z.string(),
  arguments: z.record(z.string(), z.unknown()),
  argumentsHash: z.string(),
  effect: EffectKind,
  reason: z.string(),
  policy: z.string(),
  requestedAt: z.number(),
  expiresAt: z.number(),
  decidedAt: z.number().optional(),
  decidedBy: z.string().optional(),
  decisionReason: z.string().optional(),
  /** Of everything that led to the call. */
  label: Label.optional(),
  basis: ApprovalBasis.optional(),
  /** Data that the tool has shown beside the arguments. */
  shown: z.string().optional(),
  /** Names or roles of those who may decide; how many have to say yes; who has so far. */
  approvers: z.array(z.string()).optional(),
  quorum: z.number().int().positive().optional(),
  approvedBy: z.array(z.string()).optional(),
  /** The arguments that were asked about, where an approver wrote others. */
  asked: z.record(z.string(), z.unknown()).optional(),
  /** An earlier yes to the same call does not count any more: what has changed since, in words. */
  changes: z.array(z.string()).optional(),
});
export type ApprovalRecord = z.infer<typeof ApprovalRecord>;

/** What a run asks its user and waits for. */
export const QuestionRecord = z.object({
  id: z.string(),
  /** The run at the top, which the user started. */
  run: z.string(),
  /** The run that waits; the same as `run` unless a child does. */
  waitingRun: z.string(),
  session: z.string(),
  /** The call of `ask_user` that it answers; null: the plan asked. */
  callId: z.string().nullable(),
  text: z.string(),
  askedAt: z.number(),
  expiresAt: z.number(),
});
export type QuestionRecord = z.infer<typeof QuestionRecord>;

export const Citation = z.object({
  n: z.number().int(),
  document: z.string(),
  title: z.string(),
  section: z.string().optional(),
  text: z.string(),
});
export type Citation = z.infer<typeof Citation>;

export const ChildOutcome = z.object({
  child: z.string(),
  callId: z.string(),
  status: z.enum(['completed', 'failed', 'cancelled']),
  output: z.string(),
  actions: z.array(Action),
  passages: z.array(Passage).default([]),
  usage: Usage,
  error: ErrorInfo.optional(),
  /** What the child found that the plan did not expect. */
  surprise: z.string().optional(),
  /** Of everything that the child has read, and what it (with all below it) did. */
  label: Label.optional(),
  did: History.optional(),
});
export type ChildOutcome = z.infer<typeof ChildOutcome>;

export const Interrupted = z.object({
  run: z.string(),
  input: z.string(),
  actions: z.array(Action),
  label: Label.optional(),
  did: History.optional(),
});
export type Interrupted = z.infer<typeof Interrupted>;

const base = { run: z.string(), n: z.number().int().positive(), at: z.number() };
export const RunEntry = z.discriminatedUnion('type', [
  z.object({
    ...base,
    type: z.literal('run.accepted'),
    tenant: Name,
    session: z.string(),
    start: RunStart,
    limits: RunLimits,
    /** Runs that this one interrupted, oldest first: their input and what they had done is part of its context. */
    interrupted: z.array(Interrupted).optional(),
  }),
  z.object({
    ...base,
    type: z.literal('run.started'),
    strategy: Strategy,
    reason: z.string(),
    agent: AgentManifest.pick({ name: true, model: true }),
    /** What the run begins with: of its input and of what its parent had read. Left out: a user's word, and public. */
    label: Label.optional(),
  }),
  z.object({ ...base, type: z.literal('step.requested'), callId: z.string(), step: StepSpec }),
  z.object({
    ...base,
    type: z.literal('step.completed'),
    callId: z.string(),
    result: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('recall'), recall: RecallResult }),
      z.object({
        kind: z.literal('search'),
        passages: z.array(Passage),
        withheld: z.array(Withheld).optional(),
      }),
      z.object({
        kind: z.literal('describe'),
        toolset: z.string(),
        problems: z.array(z.string()),
        label: Label.optional(),
      }),
      z.object({ kind: z.literal('complete'), purpose: z.enum(['plan', 'act', 'answer']), completion: CompleteResult }),
      z.object({
        kind: z.literal('execute'),
        action: Action,
        replayed: z.boolean(),
        /** Ids of the policies that decided. */
        policy: z.string().optional(),
        /** False: nothing was done, for a policy denied it or its arguments did not fit. */
        dispatched: z.boolean().optional(),
        /** Arguments that came in another type, in words. */
        converted: z.array(z.string()).optional(),
        /** All of a result of which the action has an excerpt. */
        whole: Claim.optional(),
      }),
      z.object({ kind: z.literal('remember') }),
    ]),
  }),
  /** The step will not be tried again. */
  z.object({
    ...base,
    type: z.literal('step.failed'),
    callId: z.string(),
    error: ErrorInfo,
    /** Of what a tool's failure says, where its results have one. */
    label: Label.optional(),
    /** It kept failing, and is among the dead letters. */
    dead: z.boolean().optional(),
  }),
  /** The step failed, and is sent again at `notBefore` (Unix ms) with the same callId. */
  z.object({
    ...base,
    type: z.literal('step.retried'),
    callId: z.string(),
    attempt: z.number().int(),
    notBefore: z.number(),
    error: ErrorInfo,
  }),
  /** `because`: why there is a new plan, where it is not the first. */
  z.object({ ...base, type: z.literal('plan.made'), plan: Plan, because: z.string().optional() }),
  /** The run asks its user and waits. */
  z.object({ ...base, type: z.literal('question.asked'), question: QuestionRecord }),
  z.object({
    ...base,
    type: z.literal('question.answered'),
    question: z.string(),
    outcome: z.enum(['answered', 'expired', 'cancelled']),
    text: z.string(),
    by: z.string(),
    /** Of the request that brought the answer, so that a repeat of it is known as one. */
    key: z.string().optional(),
  }),
  /** A durable sleep that the call `callId` asked for. */
  z.object({ ...base, type: z.literal('sleep.started'), callId: z.string(), until: z.number() }),
  z.object({ ...base, type: z.literal('sleep.ended'), callId: z.string() }),
  /** A call that the planner carried out itself, or that it refused. */
  z.object({ ...base, type: z.literal('call.settled'), action: Action }),
  z.object({ ...base, type: z.literal('approval.requested'), approval: ApprovalRecord }),
  z.object({
    ...base,
    type: z.literal('approval.decided'),
    approval: z.string(),
    decision: z.enum(['approved', 'denied', 'expired', 'cancelled']),
    by: z.string(),
    reason: z.string().optional(),
  }),
  /** A yes that is not enough yet, or that came with other arguments (earlier ones were for those before, and are gone). */
  z.object({
    ...base,
    type: z.literal('approval.voted'),
    approval: z.string(),
    by: z.string(),
    arguments: z.record(z.string(), z.unknown()).optional(),
    /** What the new arguments add to sums. */
    summands: z.record(z.string(), z.number()).optional(),
  }),
  z.object({
    ...base,
    type: z.literal('child.started'),
    callId: z.string(),
    child: z.string(),
    session: z.string(),
    /** Task of the plan; `call` for a delegated call, `hand_over` where the child's answer is the run's. */
    task: z.string(),
    kind: z.enum(['task', 'call', 'hand_over']).optional(),
    start: RunStart,
  }),
  /** A child (or its child) waits for these approvals now; none: it goes on. */
  z.object({
    ...base,
    type: z.literal('child.waiting'),
    child: z.string(),
    version: z.number().int(),
    approvals: z.array(ApprovalRecord),
    questions: z.array(QuestionRecord).optional(),
    /** Unix ms until which the child sleeps. */
    sleepsUntil: z.number().optional(),
  }),
  z.object({ ...base, type: z.literal('child.ended'), task: z.string(), outcome: ChildOutcome }),
  /** The entries before this one were another run's. What was open there goes on here, under the same call ids. */
  z.object({
    ...base,
    type: z.literal('run.forked'),
    of: z.string(),
    version: z.number().int(),
    start: RunStart,
    /** Where they are left out the run keeps what the prefix says. */
    limits: RunLimits.optional(),
    toolset: z.string().nullable().optional(),
    /** Calls of the prefix that are given up: models are asked anew, for what they are told may be something else. */
    again: z.array(z.string()).optional(),
  }),
  /** A cancel was taken in; what was open is given up. */
  z.object({ ...base, type: z.literal('run.cancelling'), by: z.string(), reason: z.string() }),
  z.object({
    ...base,
    type: z.literal('run.completed'),
    output: z.string(),
    citations: z.array(Citation),
    usage: Usage,
    degraded: z.boolean(),
  }),
  z.object({
    ...base,
    type: z.literal('run.failed'),
    error: ErrorInfo,
    output: z.string(),
    usage: Usage,
    undo: z.array(UndoOffer).optional(),
  }),
  z.object({
    ...base,
    type: z.literal('run.cancelled'),
    by: z.string(),
    reason: z.string(),
    usage: Usage,
    undo: z.array(UndoOffer).optional(),
  }),
]);
export type RunEntry = z.infer<typeof RunEntry>;

/** What a fork begins with: the other run's entries, and the tools that its agent has now (null: it has none to list). */
export const ForkPrefix = z.object({
  v: z.literal(1),
  entries: z.array(RunEntry),
  toolset: z.object({ hash: z.string(), tools: z.array(ToolDefinition) }).nullable(),
});
export type ForkPrefix = z.infer<typeof ForkPrefix>;

/** Counts up with every new entry type or field that an older planner would not understand. 3: forks bring limits and tools along. 4: labels, and what runs have done. 5: votes. */
export const LOG_FORMAT = 5;

/** An entry of the partition as a whole. */
export const PartitionEntry = z.discriminatedUnion('type', [
  /** Tool definitions, stored once and named by hash from then on. */
  z.object({
    type: z.literal('toolset.learned'),
    at: z.number(),
    hash: z.string(),
    tools: z.array(ToolDefinition),
    /** Hashes of older ones that no run uses any more: they are forgotten. */
    dropped: z.array(z.string()).optional(),
  }),
  /** A run was cancelled before its start arrived: it must not begin when the start comes. */
  z.object({ type: z.literal('run.barred'), at: z.number(), run: z.string() }),
  /** A waiting run was written out: its state is in TUTTI_PARKED at `sequence`, and only an index entry stays. */
  z.object({
    type: z.literal('run.parked'),
    at: z.number(),
    run: z.string(),
    version: z.number().int(),
    sequence: z.number().int(),
  }),
  /** Something came for a parked run: here is its state again, in the shape that checkpoints have. */
  z.object({ type: z.literal('run.unparked'), at: z.number(), run: z.string(), snapshot: z.unknown() }),
  /** What came of a call that nobody waited for any more: known, and without consequence. */
  z.object({
    type: z.literal('result.late'),
    at: z.number(),
    run: z.string(),
    callId: z.string(),
    tool: z.string().optional(),
    ok: z.boolean(),
    content: z.string(),
  }),
  z.object({
    type: z.literal('schedule.set'),
    at: z.number(),
    tenant: Name,
    schedule: Schedule,
    nextAt: z.number().nullable(),
  }),
  z.object({ type: z.literal('schedule.removed'), at: z.number(), tenant: Name, id: z.string() }),
  /** A tick: `run` null where it was passed over, with why. `nextAt` null: there is none any more. */
  z.object({
    type: z.literal('schedule.ticked'),
    at: z.number(),
    tenant: Name,
    id: z.string(),
    dueAt: z.number(),
    run: z.string().nullable(),
    reason: z.string(),
    nextAt: z.number().nullable(),
    /** The start of `run`, and the run of an earlier tick that is cancelled. */
    start: RunStart.optional(),
    session: z.string().optional(),
    cancel: z.string().optional(),
  }),
  /** A run that a tick started has ended. */
  z.object({ type: z.literal('schedule.run_ended'), at: z.number(), tenant: Name, id: z.string(), run: z.string() }),
]);
export type PartitionEntry = z.infer<typeof PartitionEntry>;

/** One message on `tutti.log.<partition>`. `readUpTo`: the sequence in TUTTI_INBOUND up to which all is taken in. */
export const LogBatch = z.object({
  v: z.literal(1),
  /** Which shapes are in it (LOG_FORMAT): a planner that knows less leaves the partition to others. */
  format: z.number().int().optional(),
  epoch: z.number().int(),
  owner: z.string(),
  /** Sequence of the log message before this one; 0: it is the first. Absent in logs from before it was written. */
  after: z.number().int().optional(),
  readUpTo: z.number().int(),
  at: z.number(),
  /** Keys of letters (messages to other runs, timers) that the bus has stored: they need not be sent again. */
  delivered: z.array(z.string()).default([]),
  partition: z.array(PartitionEntry).default([]),
  entries: z.array(RunEntry),
});
export type LogBatch = z.infer<typeof LogBatch>;

export function isEnd(entry: RunEntry): boolean {
  return entry.type === 'run.completed' || entry.type === 'run.failed' || entry.type === 'run.cancelled';
}
