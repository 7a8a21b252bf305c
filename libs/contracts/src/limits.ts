/** Every limit that concerns more than one service, with its default. A service's own limits stand in its config.ts. */
import { z } from 'zod';

/** Limits of one run. An agent sets them; a request may only lower them. */
export const RunLimits = z.object({
  stepsMax: z.number().int().positive().default(200),
  modelCallsMax: z.number().int().positive().default(40),
  toolCallsMax: z.number().int().positive().default(60),
  depthMax: z.number().int().nonnegative().default(3),
  childrenMax: z.number().int().nonnegative().default(24),
  tokensMax: z.number().int().positive().default(1_000_000),
  /** From start to end without the time spent waiting for a human. */
  wallTimeMs: z
    .number()
    .int()
    .positive()
    .default(30 * 60_000),
  stepTimeoutMs: z.number().int().positive().default(120_000),
  /** How long an approval stays open. */
  approvalTtlMs: z
    .number()
    .int()
    .positive()
    .max(10 * 365 * 86_400_000)
    .default(72 * 3_600_000),
});
export type RunLimits = z.infer<typeof RunLimits>;

/** Some of them. Not `RunLimits.partial()`: that fills in the defaults of what is left out, which then count as set. */
const limit = RunLimits.shape;
export const SomeRunLimits = z.object({
  stepsMax: limit.stepsMax.unwrap().optional(),
  modelCallsMax: limit.modelCallsMax.unwrap().optional(),
  toolCallsMax: limit.toolCallsMax.unwrap().optional(),
  depthMax: limit.depthMax.unwrap().optional(),
  childrenMax: limit.childrenMax.unwrap().optional(),
  tokensMax: limit.tokensMax.unwrap().optional(),
  wallTimeMs: limit.wallTimeMs.unwrap().optional(),
  stepTimeoutMs: limit.stepTimeoutMs.unwrap().optional(),
  approvalTtlMs: limit.approvalTtlMs.unwrap().optional(),
});

export const LIMITS = {
  /** Characters of a user's input. */
  inputCharsMax: 100_000,
  /** Characters of one tool result that a model sees; the rest is cut with a note. */
  toolResultCharsMax: 32_000,
  /** Requests that may travel in one message. */
  batchItemsMax: 64,
  /** A worker says on the reply inbox that it is alive this often … */
  heartbeatMs: 1_000,
  /** … and after this long without a word the step is sent again. */
  silenceMs: 3_000,
  /** Tries of one step before it fails for good. */
  stepAttemptsMax: 5,
  stepBackoffMs: 200,
  stepBackoffMaxMs: 10_000,
  /** Passages that ground one model call. */
  passagesMax: 8,
  /** Earlier turns of a session that recall brings. */
  turnsMax: 12,
  /** Runs that may queue behind the running one of a session. */
  sessionQueueMax: 100,
} as const;
