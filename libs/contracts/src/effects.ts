/**
 * The effect ledger: what the tools service writes on `tutti.effect.<tenant>.<callId>` about a call that is not pure.
 * Each record is appended with the expectation that the one it follows is still the last, so the records of a call form
 * one chain: an intent, then what came of it, or the intent of a later attempt that fences off the earlier one.
 */
import { z } from 'zod';
import { EffectKind } from './chat.ts';
import { Label } from './labels.ts';
import { ApprovalGrant, Claim } from './steps.ts';

const base = {
  v: z.literal(1),
  tool: z.string(),
  /** contentHash of `{tool, arguments}` with the validated arguments: what an approval is bound to. */
  argumentsHash: z.string(),
  /** The same of the arguments as they came, so that a repeat is recognised even when its tool cannot be reached. */
  requestHash: z.string(),
  bundle: z.string(),
  agent: z.string(),
  run: z.string().optional(),
  effect: EffectKind,
  /** What the remote is told to recognise a repeat by; the same for every attempt. */
  idempotencyKey: z.string(),
  /** The replica that made this attempt. */
  instance: z.string(),
  /** Unique for this attempt: tells one's own record from another's when an acknowledgement got lost. */
  token: z.string(),
  /** From 1. */
  attempt: z.number().int().positive(),
  at: z.number(),
  /** The grant under which this attempt was made. */
  approval: ApprovalGrant.optional(),
  /** What it rests on: hashes of the tool's parameters and of all policies, ids of those that allowed it, and the label of all that led to it. */
  schema: z.string().optional(),
  policies: z.string().optional(),
  allowedBy: z.string().optional(),
  causedBy: Label.optional(),
  /** Arguments that came in another type, in words. */
  converted: z.array(z.string()).optional(),
};
export const EffectRecord = z.discriminatedUnion('kind', [
  /** The call may be dispatched from now on. `timeoutMs`: after that long the replica has given the call up. */
  z.object({ ...base, kind: z.literal('intent'), timeoutMs: z.number() }),
  /** What came of it. `how`: the tool's own answer, or what the probe found later. */
  z.object({
    ...base,
    kind: z.literal('outcome'),
    content: z.string(),
    isError: z.boolean(),
    /** Of the content, and the policies that had allowed the call. */
    label: Label.optional(),
    policy: z.string().optional(),
    how: z.enum(['answered', 'probed']),
    /** Where all of it lies, when `content` is an excerpt. */
    whole: Claim.optional(),
  }),
  /** This attempt provably never left: nothing happened. */
  z.object({
    ...base,
    kind: z.literal('void'),
    reason: z.string(),
    /** Its run was cancelled: for that run it is never to begin, however late a request for it comes. */
    barred: z.boolean().optional(),
  }),
]);
export type EffectRecord = z.infer<typeof EffectRecord>;

/**
 * One replica of tools asks another, on `tutti.svc.tools.at.<instance>`, whether it still works on a call; `token`: and
 * what it knows of this attempt of its own.
 */
export const WorkingQuestion = z.object({
  v: z.literal(1),
  tenant: z.string(),
  callId: z.string(),
  token: z.string().optional(),
});
/** `unsent`: it gave that attempt up before it sent anything, and will never send it. */
export const WorkingAnswer = z.object({ v: z.literal(1), working: z.boolean(), unsent: z.boolean().optional() });
