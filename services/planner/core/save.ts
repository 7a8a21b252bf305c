/**
 * A partition's state as it is stored: a head with all that is small, and items, one for each run that is here or parked, so
 * that a checkpoint can be written in slices and bit by bit. Also the shape in which parked runs are stored. A change of
 * shape needs a higher version, a step in upcast.ts and a frozen fixture.
 */
import { RunLimits, type RunStart } from '@tutti/contracts';
import { briefOf, rebuild } from './rebuild.ts';
import type { RunBrief } from './runs.ts';
import {
  type ActiveRun,
  activeRun,
  type ChildState,
  emptyState,
  isEnded,
  type Letter,
  type ParkedRun,
  type PartitionState,
  type RunState,
  type SessionState,
  sessionKey,
} from './state.ts';
import { upcastHead, upcastRun } from './upcast.ts';

/** Of the head. 1: Tutti 0.1, everything in one. 2: parked runs, all sessions and approvals in the head. */
export const HEAD_VERSION = 3;
/** Of a run. 1: Tutti 0.1 before parking, questions and schedules. 2: before labels and what runs have done. */
export const RUN_VERSION = 3;

/** Written by a later version of Tutti: not to be taken for rubbish. */
export class NewerState extends Error {
  override name = 'NewerState';
}

/** All but the runs, and what follows from them: pending approvals, sessions with one run under way and no other. */
export function saveHead(state: PartitionState): string {
  return JSON.stringify({
    v: HEAD_VERSION,
    epoch: state.epoch,
    readUpTo: state.readUpTo,
    at: state.at,
    sessions: [...state.sessions].filter(([, session]) => !isPlain(session)),
    toolsets: [...state.toolsets],
    outbox: [...state.outbox.values()],
    schedules: [...state.schedules],
    ended: [...state.ended],
    endedIds: [...state.endedIds],
    barred: [...state.barred],
  });
}

function isPlain({ active, queue }: SessionState): boolean {
  return active.length === 1 && queue.length === 0;
}

export function saveRun(run: RunState): string {
  return JSON.stringify(run);
}

/** Puts a state together from a stored head and stored items, whatever version wrote them. */
export class StateLoader {
  readonly #state = emptyState();
  readonly #headVersion: number;

  constructor(headJson: string) {
    const raw = JSON.parse(headJson);
    this.#headVersion = raw.v;
    refuseNewer('a checkpoint', raw.v, HEAD_VERSION);
    const saved = upcastHead(raw);
    const state = this.#state;
    state.epoch = saved.epoch;
    state.readUpTo = saved.readUpTo;
    state.at = saved.at ?? 0;
    state.sessions = new Map(saved.sessions);
    state.toolsets = new Map(saved.toolsets);
    state.outbox = new Map(saved.outbox.map((letter: Letter) => [letter.key, letter]));
    state.schedules = new Map(saved.schedules);
    state.ended = new Set(saved.ended);
    state.endedIds = new Set(saved.endedIds);
    state.barred = new Set(saved.barred);
    for (const parked of saved.parked ?? []) this.addParked(parked);
  }

  /** Items may come more than once, the latest one last. */
  add(version: number, brief: RunBrief, text: () => string): void {
    refuseNewer('a run in a checkpoint', version, RUN_VERSION);
    const read = () => upcastRun(version, JSON.parse(text()));
    const same = version === RUN_VERSION;
    this.#state.parked.delete(brief.id);
    this.#state.runs.store({ brief, read, text: same ? text : () => saveRun(read()) });
  }

  addParked(parked: ParkedRun): void {
    this.#state.runs.delete(parked.id);
    this.#state.parked.set(parked.id, parked);
  }

  /** As versions 1 and 2 of the head had them. */
  addWhole(raw: unknown): void {
    const run = upcastRun(this.#headVersion, raw);
    this.#state.runs.set(run.id, run);
  }

  /** The state, with all that is derived. */
  done(): PartitionState {
    const state = this.#state;
    for (const { brief, run } of [...state.runs.briefs()]) this.#place(brief ?? briefOf(run));
    for (const parked of state.parked.values()) {
      this.#join(parked);
      for (const approval of parked.approvals) state.approvals.set(approval, parked.id);
    }
    rebuild(state);
    return state;
  }

  #place(brief: RunBrief): void {
    if (isEnded(brief)) {
      // It was forgotten before the checkpoint, and is in an older part of it.
      if (!this.#state.ended.has(brief.id)) this.#state.runs.delete(brief.id);
      return;
    }
    this.#join(brief);
    for (const approval of brief.approvals) this.#state.approvals.set(approval, brief.id);
  }

  #join({ id, tenant, session }: { id: string; tenant: string; session: string }): void {
    const key = sessionKey(tenant, session);
    if (!this.#state.sessions.has(key)) this.#state.sessions.set(key, { active: [id], queue: [] });
  }
}

function refuseNewer(what: string, version: unknown, known: number): void {
  if (typeof version === 'number' && version <= known) return;
  throw new NewerState(`${what} of version ${version} cannot be read by this planner (version ${known})`);
}

/** The whole as one text, which is the same for states that are: what tests and tools use. */
export function saveState(state: PartitionState): string {
  const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
  const parked = [...state.parked.values()].sort(byId).map((each) => JSON.stringify(each));
  const runs = [...state.runs.values()].sort(byId).map(saveRun);
  const sessions = new Map([...state.sessions].sort(([a], [b]) => (a < b ? -1 : 1)));
  return `{"head":${saveHead({ ...state, sessions })},"parked":[${parked.join(',')}],"runs":[${runs.join(',')}]}`;
}

export function loadState(json: string): PartitionState {
  const saved = JSON.parse(json);
  // Version 1 had the runs among the rest.
  const head = saved.head ?? saved;
  const loader = new StateLoader(JSON.stringify(head));
  for (const parked of saved.parked ?? []) loader.addParked(parked);
  for (const run of saved.runs)
    if (head.v < HEAD_VERSION) loader.addWhole(run);
    else loader.add(RUN_VERSION, briefOf(run), () => JSON.stringify(run));
  return loader.done();
}

/** What stands for a parked run whose state was lost: enough to end it, and to tell all whom its end concerns. */
export function husk(parked: ParkedRun): { v: number; run: ActiveRun } {
  const { id, tenant, session, version, status, bundle, parent, schedule } = parked;
  const start: RunStart = {
    agent: '',
    input: '',
    bundle,
    principal: { id: 'system', roles: [] },
    limits: {},
    root: id,
    memorySession: session,
    depth: 0,
    parent,
    brief: null,
    live: false,
    ...(schedule ? { schedule } : {}),
  };
  const head = { id, tenant, session, version, start, limits: RunLimits.parse({}), acceptedAt: 0, interrupted: [] };
  const run = activeRun(head, { status, startedAt: 0, strategy: 'direct' });
  for (const [child, of] of parked.children ?? []) run.children[child] = lostChild(child, of);
  return { v: RUN_VERSION, run };
}

function lostChild(id: string, session: string): ChildState {
  const share = { modelCalls: 0, toolCalls: 0, tokens: 0, costUsd: 0 };
  return { id, session, callId: '', kind: 'call', task: '', agent: '', share, waiting: null };
}

/** Whether this is the state that was written out. */
export function isStateOf(parked: ParkedRun, snapshot: unknown): boolean {
  const found = (snapshot as { run?: { id?: unknown; version?: unknown } | null } | null | undefined)?.run;
  return found?.id === parked.id && found.version === parked.version;
}

/** A parked run's state, with the version of its shape. */
export function saveParked(run: RunState): { v: number; run: RunState } {
  return { v: RUN_VERSION, run };
}
export function loadParked(snapshot: unknown): RunState {
  const { v, run } = snapshot as { v: number; run: unknown };
  refuseNewer('a parked run', v, RUN_VERSION);
  return upcastRun(v, structuredClone(run));
}
