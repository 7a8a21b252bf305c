/**
 * Schedules: runs that start by themselves, once or by a cron expression. One partition owns a schedule (that of its
 * session id), and its log says which ticks were taken, so that each tick starts one run or none, with the reason.
 */
import { z } from 'zod';
import { Name } from './ids.ts';
import { SomeRunLimits } from './limits.ts';

/** Either `cron` (five fields, or six with seconds first; times are local to `timeZone`) or `at` (Unix ms). */
export const ScheduleTiming = z.discriminatedUnion('type', [
  z.object({ type: z.literal('cron'), cron: z.string().min(1).max(200), timeZone: z.string().default('UTC') }),
  z.object({ type: z.literal('once'), at: z.number() }),
]);
export type ScheduleTiming = z.infer<typeof ScheduleTiming>;

export const Schedule = z.object({
  id: z.string(),
  name: Name,
  timing: ScheduleTiming,
  agent: Name,
  input: z.string(),
  /** Runs of a schedule share a conversation when it is given. */
  session: z.string().nullable().default(null),
  limits: SomeRunLimits.default({}),
  /** Whoever set it: its runs run in this name. */
  principal: z.object({ id: z.string(), roles: z.array(z.string()).default([]) }),
  /** Ticks that passed while nobody could start them: leave them out, or start each (LIMITS.scheduleCatchUpMax at most). */
  missed: z.enum(['skip', 'catch_up']).default('skip'),
  /** A tick counts as missed when it is later than this. */
  graceMs: z.number().int().nonnegative().default(60_000),
  /** When the run of an earlier tick is still under way: start beside it, leave the tick out, or cancel the earlier one. */
  overlap: z.enum(['skip', 'parallel', 'cancel_previous']).default('skip'),
  paused: z.boolean().default(false),
});
export type Schedule = z.infer<typeof Schedule>;

/** A schedule as people see it. Times are Unix ms. */
export const ScheduleView = Schedule.extend({
  nextAt: z.number().nullable(),
  lastAt: z.number().nullable(),
  lastRun: z.string().nullable(),
  lastReason: z.string().nullable(),
});
export type ScheduleView = z.infer<typeof ScheduleView>;
