/** Time travel: a run's state after its first entries, by the same code that the owner and every replay use. */
import type { RunEntry } from '@tutti/contracts';
import type { Clock } from '@tutti/runtime';
import { evolve } from '../core/evolve.ts';
import { emptyState, type RunState } from '../core/state.ts';

/** Entries in one go: partitions live in this process, and must not wait for somebody who looks back. */
const ENTRIES_AT_ONCE = 250;

/** `entries`: 1 to n of one run. */
export async function stateAt(entries: RunEntry[], clock: Pick<Clock, 'soon'>): Promise<RunState> {
  const state = emptyState();
  for (const [index, entry] of entries.entries()) {
    if (index > 0 && index % ENTRIES_AT_ONCE === 0) await new Promise<void>((resolve) => clock.soon(resolve));
    evolve(state, structuredClone(entry));
  }
  return state.runs.get(entries[0]!.run)!;
}
