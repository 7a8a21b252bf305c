/**
 * A partition's state as it is stored: a head with all that is small, and the runs one by one, so that a checkpoint can
 * be written in slices. Also the shape in which parked runs are stored. A change of shape needs a higher version, a step
 * in upcast.ts and a frozen fixture.
 */

import { RunLimits, type RunStart } from '@tutti/contracts';
import { rebuild } from './rebuild.ts';
import {
  type ActiveRun,
  activeRun,
  type ChildState,
  emptyState,
  type Letter,
  type ParkedRun,
  type PartitionState,
  type RunState,
} from './state.ts';
import { upcastHead, upcastRun } from './upcast.ts';

/** Version 1: Tutti 0.1 before parking, questions and schedules. */
export const STATE_VERSION = 2;

/** All but the runs. */
export function saveHead(state: PartitionState): string {
  return JSON.stringify({
    v: STATE_VERSION,
    epoch: state.epoch,
    readUpTo: state.readUpTo,
    at: state.at,
    parked: [...state.parked.values()],
    sessions: [...state.sessions],
    toolsets: [...state.toolsets],
    outbox: [...state.outbox.values()],
    approvals: [...state.approvals],
    schedules: [...state.schedules],
    ended: [...state.ended],
    endedIds: [...state.endedIds],
    barred: [...state.barred],
  });
}

export function saveRun(run: RunState): string {
  return JSON.stringify(run);
}

/** Puts a state together from a stored head and stored runs, whatever version wrote them. */
export class StateLoader {
  readonly #state = emptyState();
  readonly #version: number;

  constructor(headJson: string) {
    const raw = JSON.parse(headJson);
    this.#version = raw.v;
    if (typeof raw.v !== 'number' || raw.v > STATE_VERSION)
      throw new Error(`a checkpoint of version ${raw.v} cannot be read by this planner (version ${STATE_VERSION})`);
    const saved = upcastHead(raw);
    const state = this.#state;
    state.epoch = saved.epoch;
    state.readUpTo = saved.readUpTo;
    state.at = saved.at ?? 0;
    state.parked = new Map(saved.parked.map((parked) => [parked.id, parked]));
    state.sessions = new Map(saved.sessions);
    state.toolsets = new Map(saved.toolsets);
    state.outbox = new Map(saved.outbox.map((letter: Letter) => [letter.key, letter]));
    state.approvals = new Map(saved.approvals);
    state.schedules = new Map(saved.schedules);
    state.ended = new Set(saved.ended);
    state.endedIds = new Set(saved.endedIds);
    state.barred = new Set(saved.barred);
  }

  add(run: unknown): void {
    const current = upcastRun(this.#version, run);
    this.#state.runs.set(current.id, current);
  }

  /** The state, with all that is derived. */
  done(): PartitionState {
    rebuild(this.#state);
    return this.#state;
  }
}

/** The whole as one text: what small checkpoints, tests and tools use. */
export function saveState(state: PartitionState): string {
  return `{"head":${saveHead(state)},"runs":[${[...state.runs.values()].map(saveRun).join(',')}]}`;
}

export function loadState(json: string): PartitionState {
  const saved = JSON.parse(json);
  // Version 1 had the runs among the rest.
  const loader = new StateLoader(JSON.stringify(saved.head ?? saved));
  for (const run of saved.runs) loader.add(run);
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
  return { v: STATE_VERSION, run };
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
  return { v: STATE_VERSION, run };
}
export function loadParked(snapshot: unknown): RunState {
  const { v, run } = snapshot as { v: number; run: unknown };
  if (typeof v !== 'number' || v > STATE_VERSION)
    throw new Error(`a parked run of version ${v} cannot be read by this planner (version ${STATE_VERSION})`);
  return upcastRun(v, structuredClone(run));
}
