/** Time travel: a run's state after its first entries, by the same code that the owner and every replay use. */
import type { RunEntry } from '@tutti/contracts';
import { evolve } from '../core/evolve.ts';
import { emptyState, type RunState } from '../core/state.ts';

/** `entries`: 1 to n of one run. */
export function stateAt(entries: RunEntry[]): RunState {
  const state = emptyState();
  for (const entry of entries) evolve(state, structuredClone(entry));
  return state.runs.get(entries[0]!.run)!;
}
