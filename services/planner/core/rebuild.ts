/** What is derived from a partition's state: what comes due, who may start, who holds a place. Made anew after loading; kept up by evolve.ts. */
import type { DueKind } from './due.ts';
import type { RunBrief } from './runs.ts';
import {
  type ActiveRun,
  isActive,
  isEmpty,
  type ParkedRun,
  type PartitionState,
  type RunState,
  type SessionState,
  sessionKey,
  type TenantState,
} from './state.ts';

export type RunDue = [kind: Exclude<DueKind, 'schedule'>, id: string, at: number];

/** Everything of a run that comes due by itself, but for parking. */
export function dueOf(run: ActiveRun): RunDue[] {
  const due: RunDue[] = [];
  if (run.waitingSince === null) due.push(['wall', '', wallEnd(run)]);
  for (const step of Object.values(run.open)) if (step.notBefore > 0) due.push(['retry', step.callId, step.notBefore]);
  for (const approval of run.approvals)
    if (approval.status === 'pending') due.push(['approval', approval.id, approval.expiresAt]);
  for (const question of Object.values(run.questions)) due.push(['question', question.id, question.expiresAt]);
  for (const [callId, until] of Object.entries(run.sleeping)) due.push(['sleep', callId, until]);
  return due;
}

/** When the run's own time is over, Unix ms. */
export function wallEnd(run: ActiveRun): number {
  return run.startedAt + run.waitedMs + run.limits.wallTimeMs;
}

export function briefOf(run: RunState): RunBrief {
  const active = isActive(run) ? run : undefined;
  return {
    id: run.id,
    tenant: run.tenant,
    session: run.session,
    status: run.status,
    bundle: run.start.bundle,
    root: run.start.parent === null,
    due: active ? dueOf(active) : [],
    idle: active !== undefined && isIdle(active),
    open: active ? Object.keys(active.open) : [],
    approvals: active ? ownApprovals(active) : [],
    decided:
      run.status === 'queued' ? [] : run.approvals.filter(({ status }) => status !== 'pending').map(({ id }) => id),
  };
}

/** Those that nobody has decided. */
export function ownApprovals(run: ActiveRun): string[] {
  return run.approvals.filter((approval) => approval.status === 'pending').map((approval) => approval.id);
}

/** Nothing of its own is under way: only children, humans or time can make it go on. */
export function isIdle(run: ActiveRun): boolean {
  return (
    isEmpty(run.open) &&
    !(isEmpty(run.held) && isEmpty(run.children) && isEmpty(run.questions) && isEmpty(run.sleeping))
  );
}

export function tenantOf(state: PartitionState, tenant: string): TenantState {
  let known = state.tenants.get(tenant);
  if (!known) {
    known = { active: 0, queued: 0, ready: new Set() };
    state.tenants.set(tenant, known);
  }
  return known;
}

/** A root run that works takes one of the places that admission gives out. */
export function holdsPlace(run: RunState): boolean {
  return run.status === 'running' && run.start.parent === null;
}

export function countPlace(state: PartitionState, tenant: string, change: 1 | -1): void {
  const known = tenantOf(state, tenant);
  known.active += change;
  state.activeRoots += change;
}

function ready(state: PartitionState, tenant: TenantState, run: string): void {
  if (tenant.ready.has(run)) return;
  tenant.ready.add(run);
  state.readyRuns++;
}

export function unready(state: PartitionState, tenant: TenantState, run: string): void {
  if (tenant.ready.delete(run)) state.readyRuns--;
}

/** Runs at the head of a session's queue that need not wait for those under way. Children never queue. */
export function markReady(state: PartitionState, session: SessionState): void {
  for (const id of session.queue) {
    const run = state.runs.get(id);
    if (run?.status !== 'queued') continue;
    const alone = session.active.length === 0 && session.queue[0] === id;
    if (alone || run.start.whenBusy === 'parallel') ready(state, tenantOf(state, run.tenant), id);
    if (run.start.whenBusy !== 'parallel') return;
  }
}

/** All that is derived, from what a checkpoint holds. */
export function rebuild(state: PartitionState): void {
  for (const { brief, run } of state.runs.briefs()) {
    const { id: owner, tenant, status, root, due } = brief ?? briefOf(run);
    for (const [kind, id, at] of due) state.due.set(owner, kind, id, at);
    if (status === 'running' && root) countPlace(state, tenant, 1);
    if (status === 'queued') tenantOf(state, tenant).queued++;
  }
  for (const parked of state.parked.values()) indexParked(state, parked);
  for (const session of state.sessions.values()) markReady(state, session);
  for (const [id, { nextAt }] of state.schedules) if (nextAt !== null) state.due.set(id, 'schedule', '', nextAt);
}

/** From now on runs that have been idle for `parkAfterMs` are written out; those that are idle already have all of it before them. */
export function startParking(state: PartitionState, parkAfterMs: number, now: number): void {
  state.parkAfterMs = parkAfterMs;
  for (const { brief, run } of state.runs.briefs())
    if (brief ? brief.idle : isActive(run) && isIdle(run))
      state.due.set((brief ?? run).id, 'park', '', now + parkAfterMs);
}

export function indexParked(state: PartitionState, parked: ParkedRun): void {
  for (const [kind, id, at] of parked.due) state.due.set(parked.id, kind, id, at);
  state.parkedIn.set(parked.sequence, (state.parkedIn.get(parked.sequence) ?? 0) + 1);
  if (parked.status === 'running' && !parked.parent) countPlace(state, parked.tenant, 1);
}

export function sessionOf(state: PartitionState, run: { tenant: string; session: string }): SessionState {
  const key = sessionKey(run.tenant, run.session);
  let session = state.sessions.get(key);
  if (!session) {
    session = { active: [], queue: [] };
    state.sessions.set(key, session);
  }
  return session;
}
