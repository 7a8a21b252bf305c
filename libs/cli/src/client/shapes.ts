/** What the API answers, as far as the commands show it. Unknown fields are left alone. */
import { z } from 'zod';

export const Approval = z.object({
  id: z.string(),
  run: z.string(),
  status: z.string(),
  tool: z.string(),
  arguments: z.record(z.string(), z.unknown()),
  effect: z.string(),
  reason: z.string(),
  policy: z.string(),
  expiresAt: z.string(),
  argumentsHash: z.string().optional(),
  approvers: z.array(z.string()).nullish(),
  quorum: z.number().optional(),
  approvedBy: z.array(z.string()).optional(),
  shown: z.string().nullish(),
  changes: z.array(z.string()).optional(),
});
export type Approval = z.infer<typeof Approval>;

export const Question = z.object({ id: z.string(), run: z.string(), text: z.string(), expiresAt: z.string() });
export type Question = z.infer<typeof Question>;

const Usage = z.object({
  modelCalls: z.number(),
  toolCalls: z.number(),
  inputTokens: z.number(),
  outputTokens: z.number(),
  costUsd: z.number(),
});
export type Usage = z.infer<typeof Usage>;

export const Citation = z.object({ n: z.number(), title: z.string(), section: z.string().optional() });
export type Citation = z.infer<typeof Citation>;

export const UndoOffer = z.object({
  callId: z.string(),
  tool: z.string(),
  undo: z.string(),
  arguments: z.record(z.string(), z.unknown()).nullable(),
  uncertain: z.boolean().optional(),
});
export type UndoOffer = z.infer<typeof UndoOffer>;

export const Run = z.object({
  id: z.string(),
  session: z.string(),
  agent: z.string(),
  status: z.string(),
  input: z.string(),
  output: z.string().nullable(),
  citations: z.array(Citation),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  usage: Usage,
  degraded: z.boolean(),
  waiting_for: z.string().nullish(),
  question: Question.nullish(),
  undo: z.array(UndoOffer).optional(),
  created_at: z.string(),
  ended_at: z.string().nullable(),
});
export type Run = z.infer<typeof Run>;

const TaskPlan = z.object({
  question: z.string().nullable(),
  tasks: z.array(z.object({ id: z.string(), goal: z.string(), dependsOn: z.array(z.string()) })),
});

/** The events that are shown. Others are no matter of this list. */
const base = { run: z.string() };
export const ShownEvent = z.discriminatedUnion('type', [
  z.object({ ...base, type: z.literal('token'), callId: z.string(), attempt: z.number(), text: z.string() }),
  z.object({ ...base, type: z.literal('progress'), callId: z.string(), tool: z.string(), text: z.string() }),
  z.object({ ...base, type: z.literal('run.accepted'), n: z.number() }),
  z.object({
    ...base,
    type: z.literal('step.requested'),
    callId: z.string(),
    kind: z.string(),
    purpose: z.string().optional(),
    tool: z.string().optional(),
    arguments: z.record(z.string(), z.unknown()).optional(),
  }),
  z.object({
    ...base,
    type: z.literal('step.completed'),
    callId: z.string(),
    kind: z.string(),
    durationMs: z.number().optional(),
    tool: z.string().optional(),
    arguments: z.record(z.string(), z.unknown()).optional(),
    content: z.string().nullish(),
    isError: z.boolean().optional(),
    replayed: z.boolean().optional(),
    passages: z.array(z.unknown()).optional(),
    turns: z.number().optional(),
    problems: z.array(z.string()).optional(),
    degraded: z.boolean().optional(),
  }),
  z.object({ ...base, type: z.literal('step.failed'), callId: z.string(), error: z.object({ message: z.string() }) }),
  z.object({
    ...base,
    type: z.literal('step.retried'),
    callId: z.string(),
    attempt: z.number(),
    error: z.object({ message: z.string() }),
  }),
  z.object({ ...base, type: z.literal('plan.made'), plan: TaskPlan }),
  z.object({ ...base, type: z.literal('approval.requested'), approval: Approval }),
  z.object({
    ...base,
    type: z.literal('approval.decided'),
    approval: z.string(),
    decision: z.string(),
    by: z.string(),
    reason: z.string().nullish(),
  }),
  z.object({ ...base, type: z.literal('child.started'), child: z.string(), task: z.string() }),
  z.object({
    ...base,
    type: z.literal('child.waiting'),
    approvals: z.array(Approval),
    questions: z.array(Question).default([]),
  }),
  z.object({ ...base, type: z.literal('question.asked'), question: Question }),
  z.object({
    ...base,
    type: z.literal('question.answered'),
    question: z.string(),
    outcome: z.string(),
    text: z.string(),
    by: z.string(),
  }),
  z.object({ ...base, type: z.literal('sleep.started'), callId: z.string(), until: z.string() }),
  z.object({ ...base, type: z.literal('run.forked'), of: z.string(), version: z.number() }),
  z.object({
    ...base,
    type: z.literal('child.ended'),
    task: z.string(),
    child: z.string(),
    status: z.string(),
    error: z.object({ message: z.string() }).nullish(),
  }),
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
    error: z.object({ message: z.string() }),
    output: z.string(),
    usage: Usage,
  }),
  z.object({ ...base, type: z.literal('run.cancelled'), by: z.string(), reason: z.string(), usage: Usage }),
]);
export type ShownEvent = z.infer<typeof ShownEvent>;

/** Undefined: nothing that is shown. */
export function toShownEvent(event: string, data: Record<string, unknown>): ShownEvent | undefined {
  const parsed = ShownEvent.safeParse({ ...data, type: event });
  return parsed.success ? parsed.data : undefined;
}
