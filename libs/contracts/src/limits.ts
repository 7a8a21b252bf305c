/** Every limit that concerns more than one service, with its default. A service's own limits stand in its config.ts. */
import { z } from 'zod';

const DAY_MS = 86_400_000;
/** As far as anything may lie ahead. */
const AHEAD_MAX_MS = 10 * 365 * DAY_MS;

/**
 * Limits of one run and of all below it together. An agent sets them; a request may only lower them. A child run gets a
 * share of what its parent has left of model calls, tool calls, tokens and money, and gives back what it did not use.
 */
export const RunLimits = z.object({
  /** Requests to other services. A child counts its own. */
  stepsMax: z.number().int().positive().default(1_500),
  modelCallsMax: z.number().int().positive().default(200),
  toolCallsMax: z.number().int().nonnegative().default(300),
  /** How far below the run that a user started. */
  depthMax: z.number().int().nonnegative().default(3),
  /** Child runs that one run may start. */
  childrenMax: z.number().int().nonnegative().default(24),
  /** Times that a plan may be made, the first included. */
  plansMax: z.number().int().positive().default(3),
  /** Input and output tokens together. A call that is under way is let finish: a run, and each run below it, may go over by one call. */
  tokensMax: z.number().int().positive().default(1_000_000),
  /** US dollars, as the models' catalogue prices them; over it as with tokens. */
  costUsdMax: z.number().positive().default(25),
  /** Entries of the run's own journal, without those of its end. */
  journalEntriesMax: z.number().int().min(16).default(10_000),
  /** From start to end without the time spent waiting for a human. */
  wallTimeMs: z
    .number()
    .int()
    .positive()
    .default(30 * 60_000),
  /** One try of any step, from sending it to its answer. */
  stepTimeoutMs: z.number().int().positive().default(300_000),
  /** The same for calls of models and of tools, where it should be shorter. */
  modelTimeoutMs: z.number().int().positive().default(300_000),
  toolTimeoutMs: z.number().int().positive().default(120_000),
  /** How long an approval stays open. */
  approvalTtlMs: z
    .number()
    .int()
    .positive()
    .max(AHEAD_MAX_MS)
    .default(3 * DAY_MS),
  /** How long a question to the user stays open. */
  questionTtlMs: z
    .number()
    .int()
    .positive()
    .max(AHEAD_MAX_MS)
    .default(7 * DAY_MS),
  /** The longest sleep that an agent may ask for. */
  sleepMaxMs: z
    .number()
    .int()
    .positive()
    .max(AHEAD_MAX_MS)
    .default(31 * DAY_MS),
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
  plansMax: limit.plansMax.unwrap().optional(),
  tokensMax: limit.tokensMax.unwrap().optional(),
  costUsdMax: limit.costUsdMax.unwrap().optional(),
  journalEntriesMax: limit.journalEntriesMax.unwrap().optional(),
  wallTimeMs: limit.wallTimeMs.unwrap().optional(),
  stepTimeoutMs: limit.stepTimeoutMs.unwrap().optional(),
  modelTimeoutMs: limit.modelTimeoutMs.unwrap().optional(),
  toolTimeoutMs: limit.toolTimeoutMs.unwrap().optional(),
  approvalTtlMs: limit.approvalTtlMs.unwrap().optional(),
  questionTtlMs: limit.questionTtlMs.unwrap().optional(),
  sleepMaxMs: limit.sleepMaxMs.unwrap().optional(),
});

export const LIMITS = {
  /** Characters of a user's input. */
  inputCharsMax: 100_000,
  /** Characters of one tool result that a model sees; the rest is cut with a note. */
  toolResultCharsMax: 32_000,
  /** Bytes of JSON of one request or result. What is over the bus's own limit of a message travels by reference. */
  payloadBytesMax: 32 * 1024 * 1024,
  /** Requests or results that travel in one message: enough to be worth it, few enough that others need not wait for them. */
  batchItemsMax: 16,
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
  /** What an overloaded partition tells a client to wait before it comes again. */
  overloadedRetryMs: 2_000,
  /** A cancelled run's calls may still tell for this long what came of them. */
  lateResultMs: 30_000,
  /** Starts that a schedule makes up for at most when ticks were missed. */
  scheduleCatchUpMax: 100,
  schedulesPerTenantMax: 1_000,
} as const;
