/** Environment of the memory service: every variable, its default and what it bounds. Read once, passed on typed. */
import { z } from 'zod';

const count = (value: number) => z.coerce.number().int().positive().default(value);

const DAY_MS = 86_400_000;
/** Results that come too late, and replicas that are behind, have come by then. */
export const RUNS_KEEP_MS_MIN = 3_600_000;

export const MemoryConfig = z.object({
  MONGODB_URL: z
    .string()
    .optional()
    .describe('Keep everything in this MongoDB; where it is not set: in one SQLite file.'),
  TUTTI_MONGODB_DATABASE: z.string().default('tutti').describe('Database, where the path of MONGODB_URL names none.'),
  TUTTI_MEMORY_STORE_WAIT_MS: count(60_000).describe('How long a start waits for a store that is not there yet.'),
  TUTTI_MEMORY_OLDER_TURNS_MAX: z.coerce
    .number()
    .int()
    .nonnegative()
    .default(6)
    .describe('Older turns that recall adds to the latest ones, in a session that is longer.'),
  TUTTI_MEMORY_SEARCH_TURNS_MAX: count(200).describe('How many turns back recall searches.'),
  TUTTI_MEMORY_SEARCH_CHARS_MAX: count(2_000).describe('Characters of a text of a turn that recall searches.'),
  TUTTI_MEMORY_RECALL_CHARS_MAX: count(100_000).describe('Characters of JSON that one recall brings.'),
  TUTTI_MEMORY_INPUT_CHARS_MAX: count(16_000).describe('Characters kept of the input of a turn.'),
  TUTTI_MEMORY_OUTPUT_CHARS_MAX: count(32_000).describe('Characters kept of the answer of a turn.'),
  TUTTI_MEMORY_ACTIONS_MAX: count(32).describe('Actions kept of a turn, the newest.'),
  TUTTI_MEMORY_ACTION_CONTENT_CHARS_MAX: count(8_000).describe('Characters kept of the result of an action.'),
  TUTTI_MEMORY_ACTION_ARGUMENTS_CHARS_MAX: count(4_000).describe(
    'Characters of JSON kept of the arguments of an action.',
  ),
  TUTTI_MEMORY_LIST_TEXT_CHARS_MAX: count(2_000).describe('Characters of input and output in a list of runs.'),
  TUTTI_MEMORY_RUNS_KEEP_MS: z.coerce
    .number()
    .int()
    .min(RUNS_KEEP_MS_MIN)
    .default(90 * DAY_MS)
    .describe('How long runs are kept after they ended, with their journals. More than TUTTI_LOG_KEEP_MS.'),
  TUTTI_MEMORY_KEEP_BYTES: z.coerce
    .number()
    .int()
    .nonnegative()
    .default(0)
    .describe(
      'Beyond so many bytes of the store runs go sooner, the oldest first, but an hour after their end. 0: no limit.',
    ),
  TUTTI_MEMORY_PRUNE_MS: count(10 * 60_000).describe('How often it is looked whether runs may go.'),
  TUTTI_MEMORY_GROUP_MESSAGES_MAX: count(256).describe('Log messages that are projected in one write.'),
  TUTTI_MEMORY_GROUP_ENTRIES_MAX: count(4_000).describe('Entries that are projected in one write.'),
  TUTTI_MEMORY_BUFFER_MESSAGES_MAX: count(1_024).describe('Log messages that may wait; then the follower waits.'),
  TUTTI_MEMORY_RUNS_CACHED_MAX: count(4_000).describe('States of open runs that are kept at hand.'),
  TUTTI_MEMORY_TURNS_WAITING_MAX: count(4_096).describe('Turns that may wait to be stored; more are refused.'),
});
export type MemoryConfig = z.infer<typeof MemoryConfig>;
