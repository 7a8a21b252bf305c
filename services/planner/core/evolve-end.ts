/** How runs end: what they leave to their parent, their session, their schedule, and to the state. */
import { type Passage, type RunEntry, SYSTEM_LABEL } from '@tutti/contracts';
import { boundActions, boundText } from './bounds.ts';
import type { Entry } from './evolve.ts';
import { post } from './evolve-letters.ts';
import { countPlace, dueOf, holdsPlace, markReady, tenantOf, unready } from './rebuild.ts';
import {
  type ActiveRun,
  type EndedRun,
  isActive,
  lateKey,
  type PartitionState,
  type RunState,
  record,
  STATE_LIMITS,
  sessionKey,
} from './state.ts';

/** What was open is given up; calls that may have had an effect may still say what came of them. */
export function cancelling(state: PartitionState, run: RunState, entry: Entry<'run.cancelling'>): void {
  if (!isActive(run)) return;
  for (const step of Object.values(run.open)) {
    if (step.step.kind === 'execute') setBounded(state.late, lateKey(run.id, step.callId), step.step.call.name);
  }
  forgetDue(state, run);
  run.open = record();
  run.held = {};
  run.sleeping = {};
  run.questions = {};
  for (const child of Object.values(run.children)) {
    post(state, {
      kind: 'inbound',
      key: `cancel:${child.id}`,
      message: {
        v: 1,
        tenant: run.tenant,
        session: child.session,
        run: child.id,
        at: entry.at,
        type: 'cancel',
        by: entry.by,
        reason: entry.reason,
      },
    });
  }
}

type End = Extract<RunEntry, { type: 'run.completed' | 'run.failed' | 'run.cancelled' }>;

export function end(state: PartitionState, run: RunState, entry: End): void {
  leave(state, run);
  if (isActive(run)) forgetDue(state, run);
  const ended = endedRun(run, entry);
  state.runs.set(run.id, ended);
  for (const approval of ended.approvals) {
    if (approval.status === 'pending') approval.status = 'cancelled';
    state.approvals.delete(approval.id);
  }
  tellEnd(state, run, ended, entry.at);
  state.ended.add(run.id);
  addBounded(state.endedIds, run.id, STATE_LIMITS.endedIdsMax);
  while (state.ended.size > STATE_LIMITS.endedKeptMax) {
    const oldest = state.ended.values().next().value as string;
    state.ended.delete(oldest);
    state.runs.delete(oldest);
  }
}

const STATUS = { 'run.completed': 'completed', 'run.failed': 'failed', 'run.cancelled': 'cancelled' } as const;

function endedRun(run: RunState, entry: End): EndedRun {
  const active = isActive(run) ? run : undefined;
  const { id, tenant, session, version, start, limits, acceptedAt } = run;
  return {
    id,
    tenant,
    session,
    version,
    start: { ...start, brief: null },
    limits,
    acceptedAt,
    status: STATUS[entry.type],
    strategy: active?.strategy ?? 'direct',
    startedAt: active?.startedAt ?? acceptedAt,
    endedAt: entry.at,
    output: entry.type === 'run.completed' ? entry.output : entry.type === 'run.failed' ? entry.output || null : null,
    citations: entry.type === 'run.completed' ? entry.citations : [],
    error: entry.type === 'run.failed' ? entry.error : null,
    usage: active?.usage ?? entry.usage,
    degraded: entry.type === 'run.completed' ? entry.degraded : (active?.degraded ?? false),
    approvals: active?.approvals ?? [],
    ...(entry.type !== 'run.completed' && entry.undo ? { undo: entry.undo } : {}),
  };
}

/** Its place in its session and among its tenant's runs is free again. */
function leave(state: PartitionState, run: RunState): void {
  const known = tenantOf(state, run.tenant);
  if (run.status === 'queued') {
    known.queued--;
    unready(state, known, run.id);
  }
  if (holdsPlace(run)) countPlace(state, run.tenant, -1);
  const key = sessionKey(run.tenant, run.session);
  const session = state.sessions.get(key);
  if (session) {
    session.queue = session.queue.filter((id) => id !== run.id);
    session.active = session.active.filter((id) => id !== run.id);
    if (session.active.length === 0 && session.queue.length === 0) state.sessions.delete(key);
    else markReady(state, session);
  }
  if (known.active === 0 && known.queued === 0) state.tenants.delete(run.tenant);
}

export function forgetDue(state: PartitionState, run: ActiveRun): void {
  for (const [kind, id] of dueOf(run)) state.due.remove(run.id, kind, id);
  state.due.remove(run.id, 'wall');
  state.due.remove(run.id, 'park');
}

/** To the parent, which goes on with it, and to the schedule that started it. */
function tellEnd(state: PartitionState, run: RunState, ended: EndedRun, at: number): void {
  const { parent, schedule } = run.start;
  if (parent) {
    const surprise = isActive(run) && run.surprise !== null ? { surprise: run.surprise } : {};
    post(state, {
      kind: 'inbound',
      key: `ended:${run.id}`,
      message: {
        v: 1,
        tenant: run.tenant,
        session: parent.session,
        run: parent.run,
        at,
        type: 'child_ended',
        outcome: {
          child: run.id,
          callId: parent.callId,
          status: ended.status,
          output: boundText(ended.output ?? ''),
          actions: isActive(run) ? boundActions(run.actions) : [],
          passages: isActive(run) ? cited(run, ended) : [],
          usage: ended.usage,
          ...(ended.error ? { error: ended.error } : {}),
          ...surprise,
          // One that never began has read and done nothing.
          ...(isActive(run) ? { label: run.label, did: run.did } : { label: SYSTEM_LABEL }),
        },
      },
    });
  }
  if (schedule) {
    const { id } = schedule;
    post(state, {
      kind: 'inbound',
      key: `schedule_ended:${run.id}`,
      message: { v: 1, tenant: run.tenant, session: id, run: id, at, type: 'schedule_run_ended', ended: run.id },
    });
  }
}

/** The passages up to the last that the answer cites: its marks [n] count from the first. */
function cited(run: ActiveRun, { citations }: EndedRun): Passage[] {
  return run.passages.slice(0, Math.max(0, ...citations.map(({ n }) => n)));
}

export function addBounded(set: Set<string>, value: string, max: number): void {
  set.add(value);
  while (set.size > max) set.delete(set.values().next().value as string);
}

function setBounded(map: PartitionState['late'], key: string, value: string): void {
  map.set(key, value);
  while (map.size > STATE_LIMITS.lateMax) map.delete(map.keys().next().value as string);
}
