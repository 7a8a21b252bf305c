/** Steps: what a run asks other services for, what comes back, and what is done about failures. */
import {
  type AgentManifest,
  derivedCallId,
  type ErrorInfo,
  LIMITS,
  type StepSpec,
  SYSTEM_LABEL,
  TuttiError,
  type VERBS,
} from '@tutti/contracts';
import type { z } from 'zod';
import { askApproval } from './approvals.ts';
import { callsOf } from './calls.ts';
import { end } from './ends.ts';
import { limitReached } from './limits.ts';
import { planned } from './plans.ts';
import { definitionOf } from './provenance.ts';
import { toolsOf } from './requests.ts';
import type { Round } from './round.ts';
import { type ActiveRun, isActive, lateKey, type OpenStep, own, type PartitionState, STATE_LIMITS } from './state.ts';

type Result<V extends keyof typeof VERBS> = z.output<(typeof VERBS)[V]['result']>;
export type StepOutcome = { ok: true; body: unknown } | { ok: false; error: ErrorInfo };

/** Earlier goals of the session that a search is widened with. */
const TURNS_IN_QUERY_MAX = 3;

/** Asks for a step, or ends the run when it is at one of its limits. */
export function request(
  round: Round,
  run: ActiveRun,
  step: StepSpec,
  callId = derivedCallId(run.id, run.version + 1),
): void {
  if (round.run(run.id) !== run) return;
  const limit = limitReached(run, step);
  if (limit) return end(round, run, new TuttiError('limit_exceeded', limit).toInfo());
  round.emit(run.id, { type: 'step.requested', callId, step });
  round.toSend.push({ run: run.id, callId });
}

export function takeResult(round: Round, run: ActiveRun, callId: string, outcome: StepOutcome): void {
  const { step } = run.open[callId]!;
  if (!outcome.ok) return stepFailed(round, run, callId, outcome.error);
  switch (step.kind) {
    case 'recall':
      return recalled(round, run, callId, outcome.body as Result<'recall'>);
    case 'search':
      return round.emit(run.id, {
        type: 'step.completed',
        callId,
        result: { kind: 'search', ...(outcome.body as Result<'search'>) },
      });
    case 'describe':
      return described(round, run, callId, outcome.body as Result<'describe'>);
    case 'complete':
      return completed(round, run, callId, step.purpose, outcome.body as Result<'complete'>);
    case 'execute':
      return executed(round, run, callId, step, outcome.body as Result<'execute'>);
    case 'remember':
      return round.emit(run.id, { type: 'step.completed', callId, result: { kind: 'remember' } });
    default:
      step satisfies never;
  }
}

function recalled(round: Round, run: ActiveRun, callId: string, all: Result<'recall'>): void {
  const recall = asOfThen(run, all);
  round.emit(run.id, { type: 'step.completed', callId, result: { kind: 'recall', recall } });
  const agent = round.agent(run);
  const query = agent && contextualQuery(run, agent, recall);
  if (query) request(round, run, { kind: 'search', query });
}

/** A fork of an older run knows of its conversation what had been said when that run began. */
function asOfThen(run: ActiveRun, recall: Result<'recall'>): Result<'recall'> {
  const { recallBefore } = run.start;
  if (recallBefore === undefined) return recall;
  const turns = recall.turns.filter((turn) => turn.at < recallBefore).slice(-LIMITS.turnsMax);
  return { ...recall, turns };
}

/** What the knowledge is searched for once more, now with what came before in the conversation; null: nothing to add. */
export function contextualQuery(run: ActiveRun, agent: AgentManifest, { turns }: Result<'recall'>): string | null {
  if (run.start.brief || turns.length === 0 || agent.knowledge.length === 0) return null;
  const earlier = turns.slice(-TURNS_IN_QUERY_MAX).map((turn) => turn.input);
  return [run.start.input, ...earlier.reverse()].join('\n');
}

function described(round: Round, run: ActiveRun, callId: string, result: Result<'describe'>): void {
  if (!round.state.toolsets.has(result.hash)) {
    if (!result.tools) {
      const error = new TuttiError(
        'internal',
        `the tools service left out toolset ${result.hash}, which is not known here`,
        { retryable: true },
      );
      return stepFailed(round, run, callId, error.toInfo());
    }
    const { hash, tools } = result;
    const dropped = unusedToolsets(round.state);
    const known = dropped.length > 0 ? { dropped } : {};
    round.emitPartition({ type: 'toolset.learned', at: round.now, hash, tools, ...known });
  }
  round.emit(run.id, {
    type: 'step.completed',
    callId,
    result: {
      kind: 'describe',
      toolset: result.hash,
      problems: result.problems,
      ...(result.label ? { label: result.label } : {}),
    },
  });
}

/** Those that no run needs, beyond the newest that are kept in case they are named again. */
function unusedToolsets({ toolsets, runs, parked }: PartitionState): string[] {
  if (toolsets.size < STATE_LIMITS.toolsetsMax) return [];
  const used = new Set<string | null | undefined>();
  for (const run of runs.values()) if (isActive(run)) used.add(run.toolset);
  for (const { toolset } of parked.values()) used.add(toolset);
  const unused = [...toolsets.keys()].filter((hash) => !used.has(hash));
  return unused.slice(0, Math.max(0, unused.length - STATE_LIMITS.toolsetsMax));
}

function completed(
  round: Round,
  run: ActiveRun,
  callId: string,
  purpose: 'plan' | 'act' | 'answer',
  result: Result<'complete'>,
): void {
  // Calls get ids of ours: a model's own may repeat within a run.
  const calls = result.message.toolCalls?.map((call, index) => ({
    ...call,
    id: derivedCallId(run.id, `${run.version + 1}.${index}`),
  }));
  const completion = { ...result, message: { ...result.message, ...(calls ? { toolCalls: calls } : {}) } };
  round.emit(run.id, { type: 'step.completed', callId, result: { kind: 'complete', purpose, completion } });
  if (purpose === 'plan') return planned(round, run, completion.message.content ?? '');
  if (purpose === 'act' && calls) callsOf(round, run, calls);
}

function executed(
  round: Round,
  run: ActiveRun,
  callId: string,
  step: Extract<StepSpec, { kind: 'execute' }>,
  result: Result<'execute'>,
): void {
  if (result.status === 'approval_required') return askApproval(round, run, callId, step, result);
  const done = result.status === 'done';
  const dispatched = done && result.dispatched !== false;
  // What a policy says is the bundle's own word.
  const label = done ? result.label : SYSTEM_LABEL;
  const edited = run.open[callId]!.grant?.editedFrom !== undefined;
  const told = edited ? `An approver changed the arguments to ${JSON.stringify(step.call.arguments)}.\n` : '';
  round.emit(run.id, {
    type: 'step.completed',
    callId,
    result: {
      kind: 'execute',
      replayed: done && result.replayed,
      ...(done && result.converted ? { converted: result.converted } : {}),
      ...(done && result.whole ? { whole: result.whole } : {}),
      action: {
        callId,
        tool: step.call.name,
        arguments: step.call.arguments,
        content: done
          ? `${told}${result.content}`
          : `Not done: a policy denies ${step.call.name}. Reason: ${result.reason}`,
        isError: done ? result.isError : true,
        effect: done ? result.effect : 'pure',
        ...(label ? { label } : {}),
      },
      ...(result.policy === undefined ? {} : { policy: result.policy }),
      ...(dispatched ? {} : { dispatched }),
    },
  });
}

export function stepFailed(round: Round, run: ActiveRun, callId: string, error: ErrorInfo): void {
  const open = run.open[callId]!;
  const patient = !countsAsTry(error) || mayHaveHappened(round, run, open.step);
  if (error.retryable && (patient || open.attempt + 1 < LIMITS.stepAttemptsMax))
    return retry(round, run, open, error, patient);
  const { step } = open;
  // It stays open: the run offers to undo it as one that may have happened, and no late copy of it gets through.
  if (error.code === 'effect_unknown')
    return end(round, run, { ...error, message: `${STEP_NAMES[step.kind]} failed: ${error.message}` });
  const dead = error.retryable ? { dead: true } : {};
  const label = step.kind === 'execute' ? definitionOf(round.state, run, step.call.name)?.label : undefined;
  round.emit(run.id, { type: 'step.failed', callId, error, ...(label ? { label } : {}), ...dead });
  // The model can say what a failed tool call means, and an answer that was not remembered is an answer still.
  const isForModel = step.kind === 'execute' && !ENDS_RUN.has(error.code);
  if (!isForModel && step.kind !== 'remember')
    end(round, run, { ...error, message: `${STEP_NAMES[step.kind]} failed: ${error.message}` });
}

/** What no other call of the model makes better: the bundle is broken, a call id stands for two calls, or it was stopped. */
const ENDS_RUN: ReadonlySet<ErrorInfo['code']> = new Set(['bundle_invalid', 'call_mismatch', 'forbidden']);

function retry(round: Round, run: ActiveRun, open: OpenStep, error: ErrorInfo, patient: boolean): void {
  const attempt = open.attempt + (patient ? 0 : 1);
  const exponent = Math.min(patient ? PATIENT_EXPONENT : open.attempt, MAX_EXPONENT);
  const backoffMs = Math.min(LIMITS.stepBackoffMs * 2 ** exponent, LIMITS.stepBackoffMaxMs);
  const waitMs = Math.max(error.retryAfterMs ?? 0, Math.round(backoffMs * spread(open.callId)));
  round.emit(run.id, { type: 'step.retried', callId: open.callId, attempt, notBefore: round.now + waitMs, error });
}

/** A step that does not use up its tries waits about a second between them. */
const PATIENT_EXPONENT = 3;
const MAX_EXPONENT = 16;

/** Nobody there, or all busy, says nothing of the step: it waits until the run's own time is over. */
function countsAsTry(error: ErrorInfo): boolean {
  return error.code !== 'overloaded' && error.code !== 'unavailable';
}

/** A call with an effect is not given up while the run lasts: a model that calls again would do it under a new id. */
function mayHaveHappened(round: Round, run: ActiveRun, step: StepSpec): boolean {
  if (step.kind !== 'execute') return false;
  const tool = toolsOf(round.state, run, round.agent(run)).find((candidate) => candidate.name === step.call.name);
  return tool?.effect !== 'pure';
}

/** From 0.5 to 1 by the call's id: those that were refused together do not come back together. */
function spread(callId: string): number {
  let sum = 0;
  for (const char of callId) sum = (sum * 31 + char.charCodeAt(0)) % 1_000;
  return 0.5 + sum / 2_000;
}

const STEP_NAMES = {
  recall: 'recalling the session',
  search: 'searching the knowledge',
  describe: 'listing the tools',
  complete: 'asking a model',
  execute: 'calling a tool',
  remember: 'remembering',
} as const;

/** A call that was given up: what came of it is written down, and changes nothing. */
export function takeLate(round: Round, run: string, callId: string, outcome: StepOutcome): void {
  const tool = round.state.late.get(lateKey(run, callId));
  if (tool === undefined) return;
  const result = outcome.ok ? (outcome.body as Result<'execute'>) : undefined;
  const done = result?.status === 'done';
  const content = !outcome.ok
    ? `${outcome.error.code}: ${outcome.error.message}`
    : done
      ? result.content
      : `not done: ${result?.status ?? 'no result'}`;
  round.emitPartition({
    type: 'result.late',
    at: round.now,
    run,
    callId,
    tool,
    ok: done && !result.isError,
    content: content.slice(0, LATE_CHARS_MAX),
  });
}
const LATE_CHARS_MAX = 4_000;

export function isOpen(round: Round, run: string, callId: string): ActiveRun | undefined {
  const known = round.run(run);
  return known && isActive(known) && own(known.open, callId) ? known : undefined;
}
