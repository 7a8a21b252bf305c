/** What anyone may ask the owner of a partition (`tutti.owner.<partition>`), and the views that the API and memory share. */
import { z } from 'zod';
import { ErrorInfo } from './errors.ts';
import { ApprovalRecord, Citation, Principal, RunEntry, RunStatus, Usage } from './log.ts';

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
]);
export type OwnerRequest = z.infer<typeof OwnerRequest>;

export const OwnerReply = z.discriminatedUnion('op', [
  z.object({ op: z.literal('run'), run: RunView }),
  /** `complete` is false when older entries than these are gone from the owner: ask memory. */
  z.object({ op: z.literal('entries'), entries: z.array(RunEntry), complete: z.boolean(), status: RunStatus }),
  z.object({ op: z.literal('approvals'), approvals: z.array(ApprovalRecord) }),
  z.object({ op: z.literal('approval'), approval: ApprovalRecord, tenant: z.string() }),
  z.object({ op: z.literal('unknown') }),
]);
export type OwnerReply = z.infer<typeof OwnerReply>;

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
  z.object({ op: z.literal('turns'), turns: z.array(z.unknown()) }),
]);
export type ReadResult = z.infer<typeof ReadResult>;
