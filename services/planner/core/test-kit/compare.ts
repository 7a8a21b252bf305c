/**
 * What must be equal whatever happened: a state as plain data, and what is derived in it against what rebuild.ts makes
 * anew, so that a place, a timer or an index entry that was not given back is seen at once.
 */
import { isDeepStrictEqual } from 'node:util';
import { rebuild } from '../rebuild.ts';
import { saveState } from '../save.ts';
import {
  emptyState,
  isActive,
  isEnded,
  type PartitionState,
  type RunState,
  type SessionState,
  sessionKey,
} from '../state.ts';

/** Throws when two states are not the same. Letters may be in another order, for a batch holds the partition's own entries first. */
export function sameState(rule: string, expected: PartitionState, actual: PartitionState): void {
  const texts = [expected, actual].map(stored);
  // Equal texts are equal states; others may differ in the order of keys alone.
  if (texts[0] !== texts[1]) same(rule, ...(texts.map(byRun) as [unknown, unknown]));
}

function stored(state: PartitionState): string {
  const outbox = new Map([...state.outbox].sort(([a], [b]) => (a < b ? -1 : 1)));
  return saveState({ ...state, outbox, epoch: 0, readUpTo: 0 });
}

function byRun(text: string): unknown {
  const { head, runs } = JSON.parse(text);
  return { head, runs: Object.fromEntries(runs.map((run: RunState) => [run.id, run])) };
}

/** All that is derived, as it is kept up, and as it follows from the runs. Equal, or something leaks. */
export function derivedTwice(state: PartitionState, now: number): [kept: unknown, anew: unknown] {
  const fresh: PartitionState = {
    ...emptyState(),
    runs: state.runs,
    parked: state.parked,
    sessions: state.sessions,
    schedules: state.schedules,
  };
  rebuild(fresh);
  return [derived(state, state, now), derived(state, withIndexes(fresh), now)];
}

function derived(live: PartitionState, state: PartitionState, now: number) {
  return {
    due: dueOf(live, state, now),
    tenants: [...state.tenants]
      .filter(([, known]) => known.active + known.queued + known.ready.size > 0)
      .map(
        ([name, known]) => `${name}: ${known.active} active, ${known.queued} queued, ready ${[...known.ready].sort()}`,
      )
      .sort(),
    activeRoots: state.activeRoots,
    readyRuns: state.readyRuns,
    parkedIn: [...state.parkedIn].sort(([a], [b]) => a - b),
    sessions: [...state.sessions]
      .map(([key, { active, queue }]) => [key, [...active].sort(), [...queue].sort()])
      .sort(),
    approvals: [...state.approvals].sort(),
    ended: [...state.ended].sort(),
  };
}

/**
 * Without what is being acted upon, which is out of the heap: a retry that was sent, a tick that waits for its bundle,
 * a parked run that is being brought back. When to park depends on when the owner began, not on the log.
 */
function dueOf(live: PartitionState, state: PartitionState, now: number): string[] {
  return state.due
    .all()
    .filter((item) => item.kind !== 'park')
    .filter(
      (item) => item.at > now || !(item.kind === 'retry' || item.kind === 'schedule' || live.parked.has(item.owner)),
    )
    .map(({ at, kind, owner, id }) => `${at} ${kind} ${owner} ${id}`)
    .sort();
}

/** Indexes that are stored, made from the runs that they are about. */
function withIndexes(state: PartitionState): PartitionState {
  const sessions = new Map<string, SessionState>();
  const approvals = new Map<string, string>();
  const sessionOf = (run: { tenant: string; session: string }) => {
    const key = sessionKey(run.tenant, run.session);
    const session = sessions.get(key) ?? { active: [], queue: [] };
    sessions.set(key, session);
    return session;
  };
  for (const run of state.runs.values()) {
    if (run.status === 'queued') sessionOf(run).queue.push(run.id);
    if (!isActive(run)) continue;
    sessionOf(run).active.push(run.id);
    for (const approval of run.approvals) if (approval.status === 'pending') approvals.set(approval.id, run.id);
  }
  for (const parked of state.parked.values()) {
    sessionOf(parked).active.push(parked.id);
    for (const approval of parked.approvals) approvals.set(approval, parked.id);
  }
  const ended = new Set([...state.runs.values()].filter(isEnded).map((run) => run.id));
  return { ...state, sessions, approvals, ended };
}

export function same(rule: string, expected: unknown, actual: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) throw new Error(`broken: ${rule}\n${difference(expected, actual)}`);
}

/** The paths at which two plain values differ. */
function difference(expected: unknown, actual: unknown, path = ''): string {
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
  if (isObject(expected) && isObject(actual)) {
    const keys = new Set([...Object.keys(expected), ...Object.keys(actual)]);
    return [...keys].map((key) => difference(expected[key], actual[key], `${path}.${key}`)).join('');
  }
  if (isDeepStrictEqual(expected, actual)) return '';
  return `${path}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}\n`;
}
