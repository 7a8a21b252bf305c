import { z } from 'zod';

export const PlannerConfig = z.object({
  TUTTI_LEASE_MS: z.coerce
    .number()
    .int()
    .min(300)
    .default(3_000)
    .describe('How long a partition stays with a planner that says nothing. It says something three times as often.'),
  TUTTI_CHECKPOINT_ENTRIES: z.coerce
    .number()
    .int()
    .positive()
    .default(5_000)
    .describe('Entries in the log after which a checkpoint is written; bounds replay.'),
  TUTTI_BATCH_INPUTS_MAX: z.coerce
    .number()
    .int()
    .positive()
    .default(1_024)
    .describe('Inputs that one append takes in at most.'),
});
export type PlannerConfig = z.infer<typeof PlannerConfig>;

export const PLANNER_LIMITS = {
  /** How often due retries and wall-time limits are looked at. */
  tickMs: 250,
  /** Wait before a partition that could not be opened is tried again. */
  reopenMs: 200,
  reopenMaxMs: 3_000,
  /** Entries of active and lately ended runs that the owner keeps for readers, per run. */
  entriesKeptMax: 1_000,
  letterRetryMs: 200,
  letterRetryMaxMs: 5_000,
} as const;
