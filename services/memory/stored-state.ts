/**
 * A run's state as it lies in a store: JSON text. A change of shape needs a new `v`, an upcaster here, and a frozen
 * fixture beside those in fixtures/.
 */
import { ApprovalRecord, QuestionRecord, RunView } from '@tutti/contracts';
import { z } from 'zod';
import type { RunState } from './core/run-state.ts';

const RunStateV2: z.ZodType<RunState> = z.object({
  v: z.literal(2),
  view: RunView,
  open: z
    .object({
      steps: z.array(z.string()),
      approvals: z.array(ApprovalRecord),
      questions: z.array(QuestionRecord),
      sleeping: z.array(z.string()),
      prefix: z.boolean().optional(),
      children: z.record(
        z.string(),
        z.object({ approvals: z.array(z.string()), questions: z.array(QuestionRecord), sleeps: z.boolean() }),
      ),
    })
    .nullable(),
});

/** Before questions and sleeps: runs waited for approvals alone. */
const RunStateV1 = z.object({
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

function fromV1({ view, open }: z.infer<typeof RunStateV1>): RunState {
  const children = Object.entries(open?.children ?? {}).map(([child, approvals]) => [
    child,
    { approvals, questions: [], sleeps: false },
  ]);
  return {
    v: 2,
    view,
    open: open && { ...open, questions: [], sleeping: [], children: Object.fromEntries(children) },
  };
}

/** Throws when the text holds no state: a broken store is not to be built upon. */
export function parseRunState(text: string): RunState {
  const raw = JSON.parse(text);
  return raw?.v === 1 ? fromV1(RunStateV1.parse(raw)) : RunStateV2.parse(raw);
}
