/** What anyone may ask the owner of a partition (`tutti.owner.<partition>`), and the views that the API and memory share. */
import { z } from 'zod';
import { ToolDefinition } from './chat.ts';
import { ErrorInfo } from './errors.ts';
import { ApprovalRecord, Citation, Principal, QuestionRecord, RunEntry, RunStatus, UndoOffer, Usage } from './log.ts';
import { ScheduleView } from './schedule.ts';

/** A run as people see it. */
export const RunView = z.object({
  id: z.string(),
  tenant: z.string(),
  session: z.string(),
  agent: z.string(),
  status: RunStatus,
  input: z.string(),
  output: z.string().nullable(),
  citations: z.array(Citation),
  error: ErrorInfo.nullable(),
  usage: Usage,
  parent: z.string().nullable(),
  root: z.string(),
  principal: Principal,
  bundle: z.string(),
  degraded: z.boolean(),
  createdAt: z.number(),
  endedAt: z.number().nullable(),
  /** What a waiting run waits for; null while it does not wait. */
  waitingFor: z.enum(['approval', 'input', 'timer']).nullish(),
  /** The open question of the run or of one below it. */
  question: QuestionRecord.nullish(),
  /** Of a run that ended early: what it had done and can be undone. */
  undo: z.array(UndoOffer).nullish(),
  /** Number of entries so far. */
  version: z.number().int(),
});
export type RunView = z.infer<typeof RunView>;

export const OwnerRequest = z.discriminatedUnion('op', [
  z.object({ op: z.literal('run'), run: z.string() }),
  /** Entries of a run from version `after` + 1 on, as far as the owner still has them. */
  z.object({ op: z.literal('entries'), run: z.string(), after: z.number().int().nonnegative() }),
  /** Open approvals of a run and everything below it. */
  z.object({ op: z.literal('approvals'), run: z.string() }),
  z.object({ op: z.literal('approval'), approval: z.string() }),
  /** What is under way in a session. */
  z.object({ op: z.literal('session'), tenant: z.string(), session: z.string() }),
  z.object({ op: z.literal('schedules'), tenant: z.string() }),
  /** The tools behind a hash that a journal names, as long as they are known here. */
  z.object({ op: z.literal('toolset'), hash: z.string() }),
  z.object({ op: z.literal('load') }),
]);
export type OwnerRequest = z.infer<typeof OwnerRequest>;

/** How a partition does: what its owner tells on `tutti.load.<partition>` every second. */
export const PartitionLoad = z.object({
  v: z.literal(1),
  partition: z.number().int(),
  owner: z.string(),
  /** Inbound messages that are stored and not taken in yet. */
  lag: z.number().int(),
  /** Runs under way, waiting for their turn, waiting for something (parked ones included). */
  active: z.number().int(),
  queued: z.number().int(),
  waiting: z.number().int(),
  /** Steps sent, and steps held back because workers are busy. */
  inFlight: z.number().int(),
  heldBack: z.number().int(),
});
export type PartitionLoad = z.infer<typeof PartitionLoad>;

export const OwnerReply = z.discriminatedUnion('op', [
  z.object({ op: z.literal('run'), run: RunView }),
  /** `complete` is false when older entries than these are gone from the owner: ask memory. */
  z.object({ op: z.literal('entries'), entries: z.array(RunEntry), complete: z.boolean(), status: RunStatus }),
  z.object({ op: z.literal('approvals'), approvals: z.array(ApprovalRecord) }),
  z.object({ op: z.literal('approval'), approval: ApprovalRecord, tenant: z.string() }),
  z.object({
    op: z.literal('session'),
    /** Runs under way, and those that wait for their turn. */
    active: z.array(z.string()),
    queued: z.array(z.string()),
    question: QuestionRecord.nullable(),
  }),
  z.object({ op: z.literal('schedules'), schedules: z.array(ScheduleView) }),
  z.object({ op: z.literal('toolset'), hash: z.string(), tools: z.array(ToolDefinition) }),
  z.object({ op: z.literal('load'), load: PartitionLoad }),
  z.object({ op: z.literal('unknown') }),
]);
export type OwnerReply = z.infer<typeof OwnerReply>;

/** What came of a call that its run had given up: it changes nothing. */
export const LateResult = z.object({
  callId: z.string(),
  tool: z.string().optional(),
  ok: z.boolean(),
  /** Perhaps cut. */
  content: z.string(),
  at: z.number(),
});
export type LateResult = z.infer<typeof LateResult>;

// memory's projection, asked by the gateway
export const ReadBody = z.discriminatedUnion('op', [
  z.object({ op: z.literal('run'), run: z.string() }),
  z.object({
    op: z.literal('runs'),
    session: z.string().optional(),
    agent: z.string().optional(),
    status: RunStatus.optional(),
    /** Children too; otherwise only runs that users started. */
    children: z.boolean().default(false),
    before: z.string().optional(),
    limit: z.number().int().min(1).max(200).default(50),
  }),
  z.object({
    op: z.literal('journal'),
    run: z.string(),
    after: z.number().int().nonnegative().default(0),
    limit: z.number().int().min(1).max(1_000).default(500),
  }),
  z.object({
    op: z.literal('approvals'),
    run: z.string().optional(),
    status: ApprovalRecord.shape.status.optional(),
    limit: z.number().int().min(1).max(200).default(100),
  }),
  z.object({ op: z.literal('approval'), approval: z.string() }),
  /** What came of calls of the run after nobody waited for them any more. */
  z.object({ op: z.literal('late'), run: z.string() }),
  z.object({ op: z.literal('turns'), session: z.string(), limit: z.number().int().min(1).max(200).default(50) }),
]);
export type ReadBody = z.infer<typeof ReadBody>;

/** Newest first, but a journal and turns in order. Nothing found: `null` or an empty list. */
export const ReadResult = z.discriminatedUnion('op', [
  z.object({ op: z.literal('run'), run: RunView.nullable() }),
  z.object({ op: z.literal('runs'), runs: z.array(RunView) }),
  z.object({ op: z.literal('journal'), entries: z.array(RunEntry) }),
  z.object({ op: z.literal('approvals'), approvals: z.array(ApprovalRecord) }),
  z.object({ op: z.literal('approval'), approval: ApprovalRecord.nullable() }),
  z.object({ op: z.literal('late'), results: z.array(LateResult) }),
  z.object({ op: z.literal('turns'), turns: z.array(z.unknown()) }),
]);
export type ReadResult = z.infer<typeof ReadResult>;
