/**
 * A run's state as it lies in a store: JSON text. A change of shape needs a new `v`, an upcaster here, and a frozen
 * fixture beside fixtures/run-state.v1.json.
 */
import { ApprovalRecord, RunView } from '@tutti/contracts';
import { z } from 'zod';
import type { RunState } from './core/run-state.ts';

const RunStateV1: z.ZodType<RunState> = z.object({
  v: z.literal(1),
  view: RunView,
  open: z
    .object({
      steps: z.array(z.string()),
      approvals: z.array(ApprovalRecord),
      children: z.record(z.string(), z.array(z.string())),
    })
    .nullable(),
});

/** Throws when the text holds no state: a broken store is not to be built upon. */
export function parseRunState(text: string): RunState {
  return RunStateV1.parse(JSON.parse(text));
}
