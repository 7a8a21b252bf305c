/**
 * The state of every partition as its log gives it, kept along with the log as it grows: what any owner's state is
 * compared with, and what a later owner would find.
 */

import { applyBatch } from '../../services/planner/core/replay.ts';
import { loadState, saveState } from '../../services/planner/core/save.ts';
import { emptyState, type PartitionState } from '../../services/planner/core/state.ts';
import type { SeenBatch } from './evidence.ts';

interface Shadow {
  state: PartitionState;
  sequence: number;
  broken: string | undefined;
}

export class Shadows {
  readonly #shadows: Shadow[];
  readonly #notice: (problem: string) => void;

  constructor(partitions: number, notice: (problem: string) => void) {
    this.#shadows = Array.from({ length: partitions }, () => ({
      state: emptyState(),
      sequence: 0,
      broken: undefined,
    }));
    this.#notice = notice;
  }

  stateOf(partition: number): PartitionState {
    return this.#shadows[partition]!.state;
  }

  /** All letters are delivered, as the logs say. */
  get settled(): boolean {
    return this.#shadows.every(({ state }) => state.outbox.size === 0);
  }

  apply({ partition, batch, sequence }: SeenBatch): void {
    const shadow = this.#shadows[partition]!;
    shadow.sequence = sequence;
    if (shadow.broken !== undefined) return;
    try {
      applyBatch(shadow.state, batch);
    } catch (error) {
      shadow.broken = `log message ${sequence} of partition ${partition} cannot be replayed: ${(error as Error).message}`;
      this.#notice(shadow.broken);
    }
  }

  /** Whether a state is what the log gives at `sequence`. Nothing is said where the log has gone on since. */
  compare(partition: number, state: PartitionState, sequence: number, whose: string): void {
    const shadow = this.#shadows[partition]!;
    if (shadow.broken !== undefined || shadow.sequence !== sequence) return;
    if (state.readUpTo < shadow.state.readUpTo)
      this.#notice(`${whose} of partition ${partition} has read less than its log says`);
    const difference = firstDifference(comparable(shadow.state), comparable(state));
    if (difference)
      this.#notice(`${whose} of partition ${partition} at ${sequence} is not what the log gives: ${difference}`);
    const derived = firstDifference(derivedOf(loadState(saveState(state))), derivedOf(state));
    if (derived)
      this.#notice(`what ${whose} of partition ${partition} derives is not what its state gives: ${derived}`);
  }
}

/** Without what may differ: the order of runs and of letters, and how far messages were read that led to nothing. */
function comparable(state: PartitionState): string {
  const { head, parked, runs } = JSON.parse(saveState(state));
  const { readUpTo: _read, outbox, ...rest } = head;
  const letters = outbox.sort((a: { key: string }, b: { key: string }) => (a.key < b.key ? -1 : 1));
  return JSON.stringify([rest, letters, parked, runs]);
}

/**
 * What rebuild.ts makes and evolve.ts keeps up. When to park is left out, for it depends on who asks; so is what may be out
 * of the heap because it is being acted upon: ticks that wait for a bundle, retries that were sent, runs being brought back.
 */
function derivedOf(state: PartitionState): string {
  const due = state.due
    .all()
    .filter(({ kind, owner }) => !['park', 'schedule', 'retry'].includes(kind) && !state.parked.has(owner))
    .map(({ at, kind, owner, id }) => `${at} ${kind} ${owner} ${id}`)
    .sort();
  const tenants = [...state.tenants]
    .filter(([, tenant]) => tenant.active + tenant.queued + tenant.ready.size > 0)
    .map(([name, { active, queued, ready }]) => ({ name, active, queued, ready: [...ready].sort() }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const parkedIn = [...state.parkedIn].sort(([a], [b]) => a - b);
  return JSON.stringify({ due, tenants, activeRoots: state.activeRoots, readyRuns: state.readyRuns, parkedIn });
}

const CONTEXT_CHARS = 120;
function firstDifference(expected: string, actual: string): string | undefined {
  if (expected === actual) return;
  let at = 0;
  while (expected[at] === actual[at]) at++;
  const from = Math.max(0, at - CONTEXT_CHARS);
  return `expected …${expected.slice(from, at + CONTEXT_CHARS)}… but it is …${actual.slice(from, at + CONTEXT_CHARS)}…`;
}
