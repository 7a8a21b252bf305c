/**
 * Rows out of journals: what `auto` chose by, and what came of it. A model counts as wrong where its answer did not pass
 * the router's checks (JSON, arguments, sources), declined, or was cut off, and where somebody says so; else as right.
 * Failures of a provider say nothing of a model. Nothing of what was asked is in a row: features, models and tokens alone.
 */
import { CompleteResult, type ModelTier } from '@tutti/contracts';
import { z } from 'zod';
import type { LabelledRow } from './row.ts';

type RowLine = z.input<typeof LabelledRow>;

/** Of an entry, all that is looked at. */
const Completed = z.object({
  type: z.literal('step.completed'),
  run: z.string(),
  callId: z.string(),
  result: z.object({ kind: z.literal('complete'), completion: CompleteResult }),
});
const AnyEntry = z.object({ type: z.string(), result: z.object({ kind: z.string() }).optional() });

/** What somebody says of a call, or of the last call of a run. */
export const Judgement = z
  .strictObject({ call: z.string().optional(), run: z.string().optional(), right: z.boolean() })
  .refine(({ call, run }) => (call === undefined) !== (run === undefined), 'needs either `call` or `run`');
export type Judgement = z.infer<typeof Judgement>;

const WRONG_KINDS: readonly string[] = ['invalid_answer', 'ungrounded', 'empty'];
const WRONG_NOTES: readonly string[] = ['refused', 'truncated', 'not_verified'];

export interface Traffic {
  rows: RowLine[];
  /** Calls that say nothing: why, and how many. */
  passed: Record<string, number>;
  problems: string[];
}

/** `tierOf`: of a model's name; undefined where it has none. */
export function rowsOfJournal(
  text: string,
  file: string,
  tierOf: (model: string) => ModelTier | undefined,
  judgements: readonly Judgement[] = [],
): Traffic {
  const out: Traffic = { rows: [], passed: {}, problems: [] };
  const calls: z.infer<typeof Completed>[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const read = readEntry(line);
    if (typeof read === 'string') out.problems.push(`${file}:${index + 1}: ${read}`);
    else if (read) calls.push(read);
  }
  const said = saidOf(calls, judgements);
  for (const { callId, result } of calls) {
    const row = rowOf(callId, result.completion, tierOf, said.get(callId));
    if (typeof row === 'string') out.passed[row] = (out.passed[row] ?? 0) + 1;
    else out.rows.push(row);
  }
  return out;
}

/** Undefined: an entry of another kind. A string: what is wrong with it. */
function readEntry(line: string): z.infer<typeof Completed> | string | undefined {
  let data: unknown;
  try {
    data = JSON.parse(line);
  } catch (error) {
    return `is no JSON: ${(error as Error).message}`;
  }
  const any = AnyEntry.safeParse(data);
  if (!any.success) return 'is no entry of a journal (see: npx tutti journal RUN --jsonl)';
  if (any.data.type !== 'step.completed' || any.data.result?.kind !== 'complete') return undefined;
  const entry = Completed.safeParse(data);
  if (entry.success) return entry.data;
  const { path, message } = entry.error.issues[0]!;
  return `${path.join('.')}: ${message}`;
}

function saidOf(calls: readonly z.infer<typeof Completed>[], judgements: readonly Judgement[]): Map<string, boolean> {
  const lastOf = new Map(calls.map(({ run, callId }) => [run, callId]));
  const said = new Map<string, boolean>();
  for (const { call, run, right } of judgements) {
    const id = call ?? lastOf.get(run!);
    if (id !== undefined) said.set(id, right);
  }
  return said;
}

/** A string: why there is none. */
function rowOf(
  id: string,
  { route, attempts, notes, degraded, cached, model, usage }: CompleteResult,
  tierOf: (model: string) => ModelTier | undefined,
  said: boolean | undefined,
): RowLine | string {
  if (!route?.features) return 'not chosen by difficulty';
  if (cached) return 'answered before';
  const right: Partial<Record<ModelTier, boolean>> = {};
  for (const attempt of attempts) {
    const tier = tierOf(attempt.model);
    if (tier && !attempt.ok && WRONG_KINDS.includes(attempt.error?.split(':')[0] ?? '')) right[tier] = false;
  }
  const tier = tierOf(model);
  const checked = !notes?.some((note) => WRONG_NOTES.includes(note));
  // one that needed a second try with its mistakes shown was wrong
  if (tier && !degraded) right[tier] = said ?? (right[tier] !== false && checked);
  if (Object.keys(right).length === 0) return 'answered by no model of the bundle';
  return {
    id,
    features: route.features as RowLine['features'],
    right,
    tokens: { input: usage.inputTokens, output: usage.outputTokens },
  };
}
