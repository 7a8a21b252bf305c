/** What entries of the partition as a whole do to the state. */
import type { PartitionEntry } from '@tutti/contracts';
import { addBounded, forgetDue } from './evolve-end.ts';
import { post } from './evolve-letters.ts';
import { countPlace, dueOf, holdsPlace, indexParked, isIdle, ownApprovals } from './rebuild.ts';
import { loadParked } from './save.ts';
import {
  isActive,
  isEmpty,
  lateKey,
  openQuestions,
  type ParkedRun,
  type PartitionState,
  type ScheduleState,
  STATE_LIMITS,
} from './state.ts';

type Of<T extends PartitionEntry['type']> = Extract<PartitionEntry, { type: T }>;

export function evolvePartition(state: PartitionState, entry: PartitionEntry): void {
  if (entry.at > state.at) state.at = entry.at;
  switch (entry.type) {
    case 'toolset.learned':
      for (const unused of entry.dropped ?? []) state.toolsets.delete(unused);
      state.toolsets.set(entry.hash, entry.tools);
      return;
    case 'run.barred':
      return addBounded(state.barred, entry.run, STATE_LIMITS.barredMax);
    case 'run.parked':
      return park(state, entry);
    case 'run.unparked':
      return unpark(state, entry);
    case 'result.late':
      state.late.delete(lateKey(entry.run, entry.callId));
      return;
    case 'schedule.set':
      return scheduleSet(state, entry);
    case 'schedule.removed':
      state.schedules.delete(entry.id);
      state.due.remove(entry.id, 'schedule');
      return;
    case 'schedule.ticked':
      return ticked(state, entry);
    case 'schedule.run_ended': {
      const known = state.schedules.get(entry.id);
      if (known?.running?.run === entry.run) known.running = null;
      return;
    }
    default:
      throw new Error(`unknown entry ${(entry satisfies never as PartitionEntry).type}`);
  }
}

function park(state: PartitionState, entry: Of<'run.parked'>): void {
  const run = state.runs.get(entry.run);
  if (!run || !isActive(run) || run.version !== entry.version)
    throw new Error(`the log parks run ${entry.run} at version ${entry.version}, at which it is not`);
  state.beforeChange?.(run);
  const parked: ParkedRun = {
    id: run.id,
    tenant: run.tenant,
    session: run.session,
    version: run.version,
    status: run.status,
    sequence: entry.sequence,
    bundle: run.start.bundle,
    parent: run.start.parent,
    question: openQuestions(run)[0] ?? null,
    due: dueOf(run).filter((due): due is ParkedRun['due'][number] => due[0] !== 'retry' && due[0] !== 'park'),
    approvals: ownApprovals(run),
    ...(run.toolset === null ? {} : { toolset: run.toolset }),
    ...(isEmpty(run.children) ? {} : { children: Object.values(run.children).map(({ id, session }) => [id, session]) }),
    ...(run.start.schedule ? { schedule: run.start.schedule } : {}),
  };
  if (holdsPlace(run)) countPlace(state, run.tenant, -1);
  forgetDue(state, run);
  state.runs.delete(run.id);
  state.parked.set(run.id, parked);
  indexParked(state, parked);
}

function unpark(state: PartitionState, entry: Of<'run.unparked'>): void {
  const parked = state.parked.get(entry.run);
  if (!parked) throw new Error(`the log brings back run ${entry.run}, which is not parked`);
  state.parked.delete(parked.id);
  const left = (state.parkedIn.get(parked.sequence) ?? 1) - 1;
  if (left > 0) state.parkedIn.set(parked.sequence, left);
  else state.parkedIn.delete(parked.sequence);
  if (parked.status === 'running' && !parked.parent) countPlace(state, parked.tenant, -1);
  for (const [kind, id] of parked.due) state.due.remove(parked.id, kind, id);
  for (const approval of parked.approvals) state.approvals.delete(approval);
  const run = loadParked(entry.snapshot);
  state.runs.set(run.id, run);
  if (!isActive(run)) return;
  for (const [kind, id, at] of dueOf(run)) {
    state.due.set(run.id, kind, id, at);
    if (kind === 'approval') state.approvals.set(id, run.id);
  }
  if (holdsPlace(run)) countPlace(state, run.tenant, 1);
  if (isIdle(run) && state.parkAfterMs !== Number.POSITIVE_INFINITY)
    state.due.set(run.id, 'park', '', entry.at + state.parkAfterMs);
}

function scheduleSet(state: PartitionState, entry: Of<'schedule.set'>): void {
  const { schedule, tenant, nextAt } = entry;
  const known = state.schedules.get(schedule.id);
  state.schedules.set(schedule.id, {
    lastAt: null,
    lastRun: null,
    lastReason: null,
    running: null,
    ...known,
    tenant,
    schedule,
    nextAt,
    caughtUp: 0,
  });
  plan(state, schedule.id, nextAt);
}

function plan(state: PartitionState, id: string, nextAt: number | null): void {
  if (nextAt === null) state.due.remove(id, 'schedule');
  else state.due.set(id, 'schedule', '', nextAt);
}

function ticked(state: PartitionState, entry: Of<'schedule.ticked'>): void {
  const known = state.schedules.get(entry.id);
  if (!known) throw new Error(`the log has a tick of schedule ${entry.id}, which the state does not know`);
  known.lastAt = entry.dueAt;
  known.lastReason = entry.reason;
  known.nextAt = entry.nextAt;
  known.caughtUp = entry.nextAt !== null && entry.nextAt < entry.at ? known.caughtUp + 1 : 0;
  plan(state, entry.id, entry.nextAt);
  if (entry.cancel) cancelPrevious(state, known, entry);
  if (entry.run === null || !entry.start || !entry.session) return;
  known.lastRun = entry.run;
  known.running = { run: entry.run, session: entry.session };
  post(state, {
    kind: 'inbound',
    key: `start:${entry.run}`,
    message: {
      v: 1,
      tenant: entry.tenant,
      session: entry.session,
      run: entry.run,
      at: entry.at,
      type: 'start',
      start: entry.start,
    },
  });
}

function cancelPrevious(state: PartitionState, known: ScheduleState, entry: Of<'schedule.ticked'>): void {
  if (!known.running) return;
  const { run, session } = known.running;
  post(state, {
    kind: 'inbound',
    key: `cancel:${run}`,
    message: {
      v: 1,
      tenant: entry.tenant,
      session,
      run,
      at: entry.at,
      type: 'cancel',
      by: `schedule ${known.schedule.name}`,
      reason: 'The next tick of its schedule came.',
    },
  });
}
