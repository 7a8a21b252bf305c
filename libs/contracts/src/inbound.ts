/** What the world tells a run: messages on `tutti.in.<partition>.<tenant>.<session>.<run>`, read in order by the partition's owner, each taken in once. */
import { z } from 'zod';
import { Name } from './ids.ts';
import { ApprovalRecord, ChildOutcome, QuestionRecord, RunStart } from './log.ts';
import { Schedule } from './schedule.ts';

const base = { v: z.literal(1), tenant: Name, session: z.string(), run: z.string(), at: z.number() };
export const InboundMessage = z.discriminatedUnion('type', [
  z.object({ ...base, type: z.literal('start'), start: RunStart }),
  z.object({ ...base, type: z.literal('cancel'), by: z.string(), reason: z.string() }),
  z.object({
    ...base,
    type: z.literal('approve'),
    approval: z.string(),
    decision: z.enum(['approve', 'deny']),
    by: z.string(),
    reason: z.string().optional(),
    /** Of the arguments that the decision is about: it does not count once others are asked about. */
    argumentsHash: z.string().optional(),
    /** With a yes: what is to be done instead. */
    arguments: z.record(z.string(), z.unknown()).optional(),
  }),
  /** The user's answer to a question that a run waits with. `key`: the Idempotency-Key of the request that brought it. */
  z.object({
    ...base,
    type: z.literal('input'),
    question: z.string(),
    text: z.string(),
    by: z.string(),
    key: z.string().optional(),
  }),
  /** From a child's owner: its open approvals or questions have changed. */
  z.object({
    ...base,
    type: z.literal('child_waiting'),
    child: z.string(),
    version: z.number().int(),
    approvals: z.array(ApprovalRecord),
    questions: z.array(QuestionRecord).optional(),
    sleepsUntil: z.number().optional(),
  }),
  z.object({ ...base, type: z.literal('child_ended'), outcome: ChildOutcome }),
  /** `run` is the schedule's id; each of its runs pins the bundle that is the tenant's when it starts. */
  z.object({ ...base, type: z.literal('schedule_set'), schedule: Schedule }),
  z.object({ ...base, type: z.literal('schedule_remove') }),
  z.object({ ...base, type: z.literal('schedule_run_ended'), ended: z.string() }),
  /** A message schedule came due (written by older planners). */
  z.object({
    ...base,
    type: z.literal('timer'),
    timer: z.discriminatedUnion('kind', [z.object({ kind: z.literal('approval_expiry'), approval: z.string() })]),
  }),
]);
export type InboundMessage = z.infer<typeof InboundMessage>;
