import { z } from 'zod';

const positive = (defaultValue: number) => z.coerce.number().int().positive().default(defaultValue);
const HOUR_MS = 3_600_000;
const MEBIBYTE = 2 ** 20;
const GIBIBYTE = 2 ** 30;

export const PlannerConfig = z.object({
  TUTTI_LEASE_MS: z.coerce
    .number()
    .int()
    .min(300)
    .default(3_000)
    .describe('How long a partition stays with a planner that says nothing. It says something three times as often.'),
  TUTTI_CHECKPOINT_ENTRIES: positive(20_000).describe(
    'Entries in the log after which a checkpoint is written; bounds replay.',
  ),
  TUTTI_CHECKPOINT_BYTES: positive(8 * MEBIBYTE).describe(
    'The same in bytes of entries: what a new owner reads behind the checkpoint takes a fraction of a second.',
  ),
  TUTTI_CHECKPOINT_MS: positive(60_000).describe(
    'A checkpoint is written after this time whatever has come; sooner if an eighth of the above has.',
  ),
  TUTTI_BATCH_INPUTS_MAX: positive(1_024).describe('Inputs that one append takes in at most.'),
  TUTTI_ACTIVE_RUNS_MAX: positive(20_000).describe(
    'Runs that users started and that are under way in a partition at once; waiting ones are not counted.',
  ),
  TUTTI_TENANT_ACTIVE_RUNS_MAX: positive(10_000).describe('The same for one tenant.'),
  TUTTI_QUEUED_RUNS_MAX: positive(50_000).describe(
    'Runs of one tenant that wait for their turn in a partition; more fail at once as overloaded.',
  ),
  TUTTI_PARK_AFTER_MS: positive(30_000).describe(
    'A run that waits this long is written out, and only an index entry of it stays in memory.',
  ),
  TUTTI_LOG_KEEP_MS: positive(24 * HOUR_MS).describe(
    'How long the log keeps what is in a checkpoint and in memory’s store.',
  ),
  TUTTI_LOG_KEEP_BYTES: positive(GIBIBYTE).describe('Bytes of a partition’s log beyond which it keeps less than that.'),
});
export type PlannerConfig = z.infer<typeof PlannerConfig>;

export const PLANNER_LIMITS = {
  /** A clock that jumped is noticed at the latest after this. */
  dueCheckMs: 1_000,
  /** Wait before a partition that could not be opened is tried again. */
  reopenMs: 200,
  reopenMaxMs: 3_000,
  /** Entries of active and lately ended runs that the owner of a partition keeps for readers. */
  entriesKept: { perRunMax: 1_000, entriesMax: 50_000, charsMax: 32 * MEBIBYTE },
  /** What watchers are told of a run waits so long for more of it, but never its end; and how much may wait. */
  liveDelayMs: 10,
  liveCharsMax: 100_000,
  letterRetryMs: 200,
  /** A new owner writes the spans of so much of the log again: longer than a span waits to be sent and is under way. */
  spansAgainMs: 30_000,
  /** A run that had to wait longer than this for its turn has a span of its own for that. */
  queueShownMs: 100,
  letterRetryMaxMs: 5_000,
  /** What is kept of something that was too large for a dead letter. */
  deadLetterCharsMax: 8_192,
  /** Between two tries of what a round needs from elsewhere: bundles, parked states, forks. */
  fetchRetryMs: 200,
  fetchRetryMaxMs: 3_000,
  /** A checkpoint is written after this time already when so much of what it takes has come. */
  checkpointSoonMs: 5_000,
  checkpointSoonShare: 1 / 8,
  /** How often an owner tells how its partition does. */
  loadEveryMs: 1_000,
  /** Parked states that one message holds at most, in bytes of JSON, before the bus's own limit. */
  parkBytesMax: 512 * 1_024,
  /** Such messages that are being written at once. */
  parkMessagesAtOnceMax: 4,
} as const;
