/** Schedules: each tick starts one run or none, and the log says why. Ticks are taken in order; a tick that was taken never comes again. */
import {
  derivedRunId,
  derivedSessionId,
  type InboundMessage,
  LIMITS,
  type RunStart,
  type Schedule,
  sessionIdFor,
} from '@tutti/contracts';
import type { Round } from './round.ts';
import type { ScheduleState } from './state.ts';

export function setSchedule(round: Round, message: Extract<InboundMessage, { type: 'schedule_set' }>): void {
  const { schedule, tenant } = message;
  const known = round.state.schedules.get(schedule.id);
  if (!known && countOf(round, tenant) >= LIMITS.schedulesPerTenantMax) return;
  // The tick that was about to come stays as it is when only other things change.
  const same =
    known && JSON.stringify(known.schedule.timing) === JSON.stringify(schedule.timing) && known.nextAt !== null;
  const nextAt = schedule.paused ? null : same ? known.nextAt : firstTick(round, schedule, known);
  round.emitPartition({ type: 'schedule.set', at: round.now, tenant, schedule, nextAt });
}

function firstTick(round: Round, { timing }: Schedule, known: ScheduleState | undefined): number | null {
  if (timing.type === 'cron') return round.env.nextTick(timing, round.now);
  // A moment that has just passed while the message was on its way is still meant; one that has ticked is not.
  return known?.lastAt === timing.at ? null : timing.at;
}

function countOf(round: Round, tenant: string): number {
  let count = 0;
  for (const known of round.state.schedules.values()) if (known.tenant === tenant) count++;
  return count;
}

export function removeSchedule(round: Round, message: Extract<InboundMessage, { type: 'schedule_remove' }>): void {
  if (round.state.schedules.get(message.run)?.tenant !== message.tenant) return;
  round.emitPartition({ type: 'schedule.removed', at: round.now, tenant: message.tenant, id: message.run });
}

export function scheduleRunEnded(round: Round, message: Extract<InboundMessage, { type: 'schedule_run_ended' }>): void {
  const known = round.state.schedules.get(message.run);
  if (known?.running?.run !== message.ended) return;
  round.emitPartition({
    type: 'schedule.run_ended',
    at: round.now,
    tenant: known.tenant,
    id: message.run,
    run: message.ended,
  });
}

/** `bundle`: the tenant's current one; null: there is none. */
export function takeTick(round: Round, id: string, dueAt: number, bundle: string | null): void {
  const known = round.state.schedules.get(id);
  // Taken already, changed, or removed meanwhile.
  if (!known || known.nextAt !== dueAt || dueAt > round.now) return;
  const { schedule, tenant } = known;
  const missed = round.now - dueAt > schedule.graceMs;
  const nextAt = following(round, known, dueAt, missed);
  const tick = { type: 'schedule.ticked' as const, at: round.now, tenant, id, dueAt, nextAt };
  const passOver = (reason: string) => round.emitPartition({ ...tick, run: null, reason });
  if (missed && schedule.missed === 'skip')
    return passOver(`it came ${round.now - dueAt} ms late, and missed ticks are left out`);
  if (bundle === null) return passOver('the tenant has no bundle');
  if (known.running && schedule.overlap === 'skip')
    return passOver(`the run of an earlier tick is still under way: ${known.running.run}`);
  const session = sessionOfTick(known, dueAt);
  const run = derivedRunId(session, id, String(dueAt));
  round.emitPartition({
    ...tick,
    run,
    reason: missed ? 'made up for' : 'on time',
    start: startOf(schedule, run, session, bundle, dueAt),
    session,
    ...(known.running && schedule.overlap === 'cancel_previous' ? { cancel: known.running.run } : {}),
  });
}

function sessionOfTick({ tenant, schedule }: ScheduleState, dueAt: number): string {
  if (schedule.session === null) return derivedSessionId(schedule.id, String(dueAt));
  return schedule.session.startsWith('ses_') ? schedule.session : sessionIdFor(tenant, schedule.session);
}

function startOf(schedule: Schedule, run: string, session: string, bundle: string, dueAt: number): RunStart {
  return {
    agent: schedule.agent,
    input: schedule.input,
    bundle,
    principal: schedule.principal,
    limits: schedule.limits,
    root: run,
    memorySession: session,
    depth: 0,
    parent: null,
    brief: null,
    live: false,
    schedule: { id: schedule.id, dueAt },
  };
}

/** The tick after this one. Those that have passed are taken one by one, up to a limit, or left out when they were missed. */
function following(round: Round, known: ScheduleState, dueAt: number, missed: boolean): number | null {
  const { timing, missed: policy } = known.schedule;
  if (timing.type === 'once') return null;
  const next = round.env.nextTick(timing, dueAt);
  if (next === null || next > round.now) return next;
  const oneByOne = (!missed || policy === 'catch_up') && known.caughtUp < LIMITS.scheduleCatchUpMax;
  return oneByOne ? next : round.env.nextTick(timing, round.now);
}
