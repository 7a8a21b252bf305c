/** What could not be taken in or kept failing: on `tutti.dead.<service>`, for a person to read and to send again. Known to people as `dead_<sequence>`. */
import { z } from 'zod';
import { ErrorInfo } from './errors.ts';

export const DeadLetter = z.object({
  v: z.literal(1),
  service: z.string(),
  /**
   * `inbound`: a message that the planner could not take in; it is sent again as it was. `step`: a step that kept
   * failing; sending it again is a fork of its run from before it. `record`: a log entry or document that a reader
   * could not take in; it reads again from its log, so there is nothing to send.
   */
  kind: z.enum(['inbound', 'step', 'record']),
  reason: z.string(),
  at: z.number(),
  tenant: z.string().optional(),
  session: z.string().optional(),
  run: z.string().optional(),
  /** Version of the run at which the step was asked for: a fork begins behind it. */
  version: z.number().int().optional(),
  callId: z.string().optional(),
  /** Where it came from. */
  subject: z.string().optional(),
  sequence: z.number().int().optional(),
  error: ErrorInfo.optional(),
  payload: z.unknown(),
});
export type DeadLetter = z.infer<typeof DeadLetter>;

/** A note that a dead letter was sent again: `as` a message, or as a new run. */
export const ResentNote = z.object({
  v: z.literal(1),
  at: z.number(),
  by: z.string(),
  as: z.enum(['message', 'run']),
  run: z.string().optional(),
});
export type ResentNote = z.infer<typeof ResentNote>;

export const deadLetterId = (sequence: number): string => `dead_${sequence}`;
export function deadLetterSequence(id: string): number | undefined {
  const match = /^dead_([1-9][0-9]{0,15})$/.exec(id);
  return match ? Number(match[1]) : undefined;
}
