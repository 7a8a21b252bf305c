/**
 * What a run has read and done so far, for the policies that its calls pass. Invariants: the label of a run is the join of
 * all that a model of it may have been told, and never gets better; a call is sent with what led to it, as it was when the
 * run asked for it, however often it is sent.
 */
import {
  atLeast,
  type CallHistory,
  type ChildOutcome,
  type CountedCall,
  type History,
  isNothing,
  joinLabels,
  type Label,
  mergeHistories,
  NOTHING_DONE,
  PASSAGE_LABEL,
  type Passage,
  type RecallResult,
  type StepSpec,
  summandsOf,
  type ToolCall,
  type ToolDefinition,
  type Turn,
  UNLABELLED,
  withCall,
  withCollections,
  withoutCall,
} from '@tutti/contracts';
import { type ActiveRun, isEmpty, type OpenStep, type PartitionState } from './state.ts';

export function read(run: ActiveRun, label: Label): void {
  run.label = joinLabels(run.label, label);
}

/** What it is told by its parent, and by those that it interrupted. */
export function readBeginning(run: ActiveRun, own: Label | undefined): void {
  if (own) read(run, own);
  const { start } = run;
  if (start.label) read(run, start.label);
  else if (start.parent) read(run, UNLABELLED);
  for (const before of run.interrupted) read(run, before.label ?? UNLABELLED);
}

export function readRecall(run: ActiveRun, { turns, summary, facts, label }: RecallResult): void {
  for (const turn of turns) read(run, turn.label ?? UNLABELLED);
  if (summary !== null || facts.length > 0) read(run, label ?? UNLABELLED);
}

export function readPassages(run: ActiveRun, passages: Passage[]): void {
  if (passages.length === 0) return;
  for (const { label } of passages) read(run, label ?? PASSAGE_LABEL);
  run.did = withCollections(
    run.did,
    passages.flatMap(({ collection }) => collection ?? []),
  );
}

export function readChild(run: ActiveRun, outcome: ChildOutcome): void {
  read(run, outcome.label ?? UNLABELLED);
  if (outcome.did) run.did = mergeHistories(run.did, outcome.did);
}

/** What a call counts as: so it stands in the log, for the tools that a run has may be others when it is read again. */
export function countsOf(state: PartitionState, run: ActiveRun, { name, arguments: args }: ToolCall) {
  const definition = definitionOf(state, run, name);
  const summands = summandsOf(definition?.sums, args);
  return {
    ...(definition ? { effect: definition.effect } : {}),
    ...(isEmpty(summands) ? {} : { summands }),
  };
}

export function definitionOf(state: PartitionState, run: ActiveRun, tool: string): ToolDefinition | undefined {
  const tools = run.toolset === null ? undefined : state.toolsets.get(run.toolset);
  return tools?.find(({ name }) => name === tool);
}

/** A call counts from when it is asked for: of those that go at the same time each knows of the ones before it. */
export function count(run: ActiveRun, step: ExecuteStep): void {
  run.did = withCall(run.did, countedCall(step));
}

/** Nothing came of it: a policy, a human or its own arguments kept it from being made. */
export function uncount(run: ActiveRun, { step }: OpenStep): void {
  if (step.kind === 'execute') run.did = withoutCall(run.did, countedCall(step));
}

type ExecuteStep = Extract<StepSpec, { kind: 'execute' }>;
function countedCall({ call, effect, summands }: ExecuteStep): CountedCall {
  return { tool: call.name, effect, summands };
}

/** What was done before a call. Undefined: nothing. */
export function historyOf(run: ActiveRun, open: OpenStep): CallHistory | undefined {
  const own = mergeHistories(run.start.did ?? NOTHING_DONE, open.did ?? run.did);
  const session = mergeHistories(sessionBefore(run), own);
  return isNothing(session) ? undefined : { run: own, session };
}

/**
 * What the conversation had done when this run began, by its turns. A turn knows what came before it, but not of runs
 * that went beside it; those are among the turns.
 */
export function sessionBefore(run: ActiveRun): History {
  const before = run.interrupted.reduce((sum, { did }) => mergeHistories(sum, did ?? NOTHING_DONE), NOTHING_DONE);
  return mergeHistories(doneIn(run.recall?.turns ?? []), before);
}

function doneIn(turns: Turn[]): History {
  let best = NOTHING_DONE;
  let since = NOTHING_DONE;
  for (let i = turns.length - 1; i >= 0; i--) {
    const { did, didBefore } = turns[i]!;
    if (did) since = mergeHistories(did, since);
    best = atLeast(best, didBefore ? mergeHistories(didBefore, since) : since);
  }
  return best;
}
