/**
 * What a partition's owner tells of its runs: spans and numbers, from the entries that the log has taken. Spans whose ids
 * are functions of the run (tracing.ts) may be written again by the next owner, each the same: what a planner had not sent
 * when it died is not missing.
 */
import type { ParentLink, QuestionRecord, RunEntry, StepSpec } from '@tutti/contracts';
import {
  ATTR,
  contentOf,
  failureOf,
  type Logger,
  logOf,
  OPERATION,
  SPAN,
  type SpanOptions,
  type Telemetry,
} from '@tutti/runtime';
import { PLANNER_LIMITS } from '../config.ts';
import type { Input } from '../core/decide.ts';
import {
  type ActiveRun,
  type EndedRun,
  isEnded,
  type OpenStep,
  type PartitionState,
  type RunState,
} from '../core/state.ts';
import type { RunCounts } from './planner-metrics.ts';
import { parentOf, partIdOf, planTraceparent, runTraceparent, spanIdOf } from './tracing.ts';

type Entry<T extends RunEntry['type']> = Extract<RunEntry, { type: T }>;
type End = Entry<'run.completed' | 'run.failed' | 'run.cancelled'>;

interface Begun {
  at: number;
  kind: StepSpec['kind'];
  /** Of a model call that makes a plan. */
  plans: boolean;
  /** Since when the try that is under way may have been sent. */
  triedAt: number;
}

/** What is known here of a run that has not ended. Where it began elsewhere, less is. */
interface Known {
  steps: Map<string, Begun>;
  /** The answer that the next plan is made of. */
  planned: { callId: string; at: number } | undefined;
  /** Questions and sleeps, with when they began. */
  waits: Map<string, number>;
}

export interface RunTelemetryOptions {
  telemetry: Telemetry;
  log: Logger;
  counts: RunCounts;
}

export class RunTelemetry {
  readonly #telemetry: Telemetry;
  readonly #log: Logger;
  readonly #counts: RunCounts;
  readonly #known = new Map<string, Known>();
  /** Spans alone: what an owner before this one counted is counted. */
  #again = false;

  constructor({ telemetry, log, counts }: RunTelemetryOptions) {
    this.#telemetry = telemetry;
    this.#log = log;
    this.#counts = counts;
  }

  /** A step is about to be sent. Returns the trace context that it goes with. */
  sent(run: ActiveRun, { callId, step, at, notBefore }: OpenStep): string | undefined {
    const plans = step.kind === 'complete' && step.purpose === 'plan';
    this.#of(run.id).steps.set(callId, { at, kind: step.kind, plans, triedAt: Math.max(at, notBefore) });
    return plans ? planTraceparent(this.#telemetry, run, callId) : runTraceparent(this.#telemetry, run);
  }

  /** Inputs that are about to be taken in: afterwards the state does not say any more since when it was waited for them. */
  arrived(state: PartitionState, inputs: readonly Input[]): void {
    for (const input of inputs) {
      if (input.kind !== 'inbound' || input.message.type !== 'input') continue;
      const { run, question } = input.message;
      const asked = state.parked.get(run)?.question ?? questionOf(state.runs.get(run), question);
      if (asked?.id === question) this.#of(run).waits.set(question, asked.askedAt);
    }
  }

  /** Entries that the log has taken, with the state behind them. */
  told(state: PartitionState, entries: readonly RunEntry[]): void {
    for (const entry of entries) this.#tell(state, entry);
  }

  /** A run that is written out costs nothing here. */
  parked(run: string): void {
    this.#known.delete(run);
  }

  /** What the owner before this one wrote last may not have left its process. */
  tellAgain(state: PartitionState, replayed: readonly RunEntry[]): void {
    if (!this.#telemetry.enabled) return;
    const since = (replayed.at(-1)?.at ?? 0) - PLANNER_LIMITS.spansAgainMs;
    const recent = replayed.filter((entry) => entry.at >= since);
    this.#again = true;
    for (const entry of replayed) if (entry.type === 'step.requested') this.#requested(entry);
    for (const entry of recent) this.#tell(state, entry);
    const told = new Set(recent.map((entry) => entry.run));
    // Those whose end is in the checkpoint.
    for (const id of state.ended) {
      const run = told.has(id) ? undefined : state.runs.get(id);
      if (run && isEnded(run) && run.endedAt >= since) this.#runSpan(run, run.endedAt);
    }
    this.#again = false;
    this.#known.clear();
  }

  /** Others need not be known: only what a plan is made of has spans below it. */
  #requested({ run, callId, step, at }: Entry<'step.requested'>): void {
    const plans = step.kind === 'complete' && step.purpose === 'plan';
    if (plans) this.#of(run).steps.set(callId, { at, kind: step.kind, plans, triedAt: at });
  }

  #of(run: string): Known {
    let known = this.#known.get(run);
    if (!known) {
      known = { steps: new Map(), planned: undefined, waits: new Map() };
      this.#known.set(run, known);
    }
    return known;
  }

  #tell(state: PartitionState, entry: RunEntry): void {
    switch (entry.type) {
      case 'run.accepted':
        if (!this.#again) this.#counts.started(entry.start.parent === null).inc();
        return;
      case 'run.started':
        return this.#queued(state.runs.get(entry.run), entry.at);
      case 'step.completed':
        return this.#completed(entry);
      case 'step.failed':
      case 'step.retried':
        return this.#failed(state.runs.get(entry.run), entry);
      case 'plan.made':
        return this.#plan(state.runs.get(entry.run), entry);
      case 'question.asked':
        return void this.#of(entry.run).waits.set(entry.question.id, entry.question.askedAt);
      case 'question.answered':
        return this.#answered(state.runs.get(entry.run), entry);
      case 'sleep.started':
        return void this.#of(entry.run).waits.set(entry.callId, entry.at);
      case 'sleep.ended':
        return this.#slept(state.runs.get(entry.run), entry);
      case 'approval.decided':
        return this.#decided(state.runs.get(entry.run), entry);
      case 'run.completed':
      case 'run.failed':
      case 'run.cancelled':
        return this.#ended(state.runs.get(entry.run), entry);
      default:
        return;
    }
  }

  /** A span below the run's, the same whoever writes it. */
  #write(run: RunState, name: string, part: string, span: SpanOptions, end: { endedAt: number; error?: string }): void {
    const parent = runTraceparent(this.#telemetry, run);
    if (parent) this.#telemetry.span(name, { parent, ...span, spanId: partIdOf(run.id, part) }).end(end);
  }

  #queued(run: RunState | undefined, at: number): void {
    if (!run || at - run.acceptedAt < PLANNER_LIMITS.queueShownMs) return;
    this.#write(run, SPAN.queueWait, 'queue', { startedAt: run.acceptedAt }, { endedAt: at });
  }

  #completed(entry: Entry<'step.completed'>): void {
    const { run, callId, result } = entry;
    const begun = this.#known.get(run)?.steps.get(callId);
    if (result.kind === 'complete' && result.purpose === 'plan')
      this.#of(run).planned = { callId, at: begun?.at ?? entry.at };
    if (!begun) return;
    this.#known.get(run)!.steps.delete(callId);
    if (!this.#again) this.#counts.step(begun.kind, 'completed').observe((entry.at - begun.at) / 1_000);
  }

  /** For the traces: a try that failed, with what is done next. A worker that was never reached leaves no other. */
  #failed(run: RunState | undefined, entry: Entry<'step.failed' | 'step.retried'>): void {
    const begun = this.#known.get(entry.run)?.steps.get(entry.callId);
    const startedAt = begun?.triedAt ?? entry.at;
    const retried = entry.type === 'step.retried';
    if (begun && retried) begun.triedAt = entry.notBefore;
    if (begun && !retried) {
      this.#known.get(entry.run)!.steps.delete(entry.callId);
      if (!this.#again) this.#counts.step(begun.kind, 'failed').observe((entry.at - begun.at) / 1_000);
    }
    if (!run) return;
    const { attributes, error } = failureOf(entry.error);
    const next = retried ? 'again' : entry.type === 'step.failed' && entry.dead ? 'dead letter' : 'given up';
    const span = {
      startedAt,
      attributes: {
        ...attributes,
        [ATTR.callId]: entry.callId,
        [ATTR.run]: run.id,
        [ATTR.step]: begun?.kind ?? '',
        [ATTR.stepNext]: next,
        ...(retried ? { [ATTR.stepAttempt]: entry.attempt, [ATTR.stepDelayMs]: entry.notBefore - entry.at } : {}),
      },
    };
    this.#write(run, SPAN.stepFailed(begun?.kind ?? 'step'), `failed ${entry.n}`, span, { endedAt: entry.at, error });
    if (begun?.plans && !retried)
      this.#planSpan(run, { callId: entry.callId, at: begun.at }, { endedAt: entry.at, error });
    if (this.#again || (retried && entry.error.retryable)) return;
    const about = logOf({ run: run.id, callId: entry.callId, traceparent: runTraceparent(this.#telemetry, run) });
    this.#log.warn({ ...about, step: begun?.kind, code: entry.error.code, next }, 'a step failed');
  }

  #plan(run: RunState | undefined, { plan, because, at, run: id }: Entry<'plan.made'>): void {
    const known = this.#known.get(id);
    const planned = known?.planned;
    if (!run || !planned) return;
    known.planned = undefined;
    const needs = (task: (typeof plan.tasks)[number]) =>
      task.dependsOn.length > 0 ? ` ← ${task.dependsOn.join(', ')}` : '';
    this.#planSpan(
      run,
      planned,
      { endedAt: at },
      {
        [ATTR.planTasks]: plan.tasks.map((task) => `${task.id}${needs(task)}`),
        [ATTR.planAsks]: plan.question !== null,
        ...content(ATTR.planReason, plan.reason),
        ...content(
          ATTR.planGoals,
          plan.tasks.map((task) => task.goal),
        ),
        ...content(ATTR.because, because),
      },
    );
  }

  #planSpan(
    run: RunState,
    { callId, at }: { callId: string; at: number },
    end: { endedAt: number; error?: string },
    attributes: Record<string, string | string[] | boolean> = {},
  ): void {
    const span = {
      startedAt: at,
      attributes: {
        [ATTR.operation]: OPERATION.plan,
        [ATTR.agent]: run.start.agent,
        [ATTR.run]: run.id,
        [ATTR.callId]: callId,
        ...attributes,
      },
    };
    this.#write(run, SPAN.plan(run.start.agent), `plan ${callId}`, span, end);
  }

  #answered(run: RunState | undefined, { question, outcome, at }: Entry<'question.answered'>): void {
    const startedAt = this.#waitedFor(run, question);
    if (!run || startedAt === undefined) return;
    const attributes = { [ATTR.question]: question, [ATTR.questionOutcome]: outcome, [ATTR.run]: run.id };
    this.#write(run, SPAN.questionWait, `question ${question}`, { startedAt, attributes }, { endedAt: at });
  }

  #slept(run: RunState | undefined, { callId, at }: Entry<'sleep.ended'>): void {
    const startedAt = this.#waitedFor(run, callId);
    if (!run || startedAt === undefined) return;
    const attributes = { [ATTR.callId]: callId, [ATTR.run]: run.id };
    this.#write(run, SPAN.sleep, `sleep ${callId}`, { startedAt, attributes }, { endedAt: at });
  }

  /** Since when; undefined where that is not known here. */
  #waitedFor(run: RunState | undefined, what: string): number | undefined {
    const waits = run && this.#known.get(run.id)?.waits;
    const since = waits?.get(what);
    waits?.delete(what);
    return since;
  }

  #decided(run: RunState | undefined, { approval: id, decision, at }: Entry<'approval.decided'>): void {
    if (!run || run.status === 'queued') return;
    const approval = run.approvals.find((candidate) => candidate.id === id);
    if (!approval) return;
    if (!this.#again) this.#counts.approval(decision).observe((at - approval.requestedAt) / 1_000);
    const attributes = {
      [ATTR.approval]: id,
      [ATTR.approvalStatus]: decision,
      [ATTR.approvalPolicy]: approval.policy,
      [ATTR.toolName]: approval.tool,
      [ATTR.toolEffect]: approval.effect,
      [ATTR.toolCallId]: approval.callId,
      [ATTR.run]: run.id,
      ...content(ATTR.toolArguments, approval.arguments),
    };
    const span = { startedAt: approval.requestedAt, attributes };
    this.#write(run, SPAN.approvalWait, `approval ${id}`, span, { endedAt: at });
  }

  #ended(run: RunState | undefined, entry: End): void {
    const steps = this.#known.get(entry.run)?.steps;
    this.#known.delete(entry.run);
    if (!run || !isEnded(run)) return;
    // What was open is given up: a plan that was being made has others below it.
    for (const [callId, { plans, at }] of steps ?? [])
      if (plans) this.#planSpan(run, { callId, at }, { endedAt: entry.at, error: run.status });
    this.#runSpan(run, entry.at);
    if (!this.#again) this.#count(run, entry);
  }

  #count(run: EndedRun, entry: End): void {
    const { status, usage } = run;
    const counts = this.#counts.ended(run.start.parent === null, status);
    counts.runs.inc();
    counts.seconds.observe((entry.at - run.acceptedAt) / 1_000);
    counts.cost.inc(usage.costUsd);
    if (entry.type !== 'run.failed') return;
    this.#counts.error(entry.error.code).inc();
    const about = logOf({ run: run.id, traceparent: runTraceparent(this.#telemetry, run) });
    this.#log.info({ ...about, agent: run.start.agent, code: entry.error.code }, 'a run failed');
  }

  #runSpan(run: EndedRun, endedAt: number): void {
    const own = runTraceparent(this.#telemetry, run);
    if (!own) return;
    const { start, usage } = run;
    const isRoot = start.parent === null;
    const failure = run.error ? failureOf(run.error) : undefined;
    const span = this.#telemetry.span(isRoot ? SPAN.workflow(start.agent) : SPAN.agent(start.agent), {
      parent: parentOf(this.#telemetry, run),
      traceId: own.slice(3, 35),
      spanId: spanIdOf(run.id),
      startedAt: run.acceptedAt,
      attributes: {
        [ATTR.operation]: isRoot ? OPERATION.invokeWorkflow : OPERATION.invokeAgent,
        [ATTR.agent]: start.agent,
        [ATTR.agentVersion]: start.bundle.slice(0, BUNDLE_DIGITS),
        [ATTR.conversation]: start.memorySession,
        [ATTR.inputTokens]: usage.inputTokens,
        [ATTR.outputTokens]: usage.outputTokens,
        [ATTR.run]: run.id,
        [ATTR.root]: start.root,
        [ATTR.runStatus]: run.status,
        [ATTR.runStrategy]: run.strategy,
        [ATTR.runEntries]: run.version,
        [ATTR.runModelCalls]: usage.modelCalls,
        [ATTR.runToolCalls]: usage.toolCalls,
        [ATTR.runCost]: usage.costUsd,
        [ATTR.tenant]: run.tenant,
        ...(start.parent ? parentAttributes(start.parent) : { [ATTR.workflow]: start.agent }),
        ...(run.degraded ? { [ATTR.runDegraded]: true } : {}),
        ...(start.schedule ? { [ATTR.runSchedule]: start.schedule.id } : {}),
        ...(start.fork ? { [ATTR.runForkOf]: start.fork.run } : {}),
        ...content(ATTR.runInput, start.input),
        ...content(ATTR.runOutput, run.output ?? undefined),
        ...failure?.attributes,
      },
    });
    span.end({ endedAt, ...(failure ? { error: failure.error } : {}) });
  }
}

const BUNDLE_DIGITS = 12;

function parentAttributes({ run, callId, task }: ParentLink): Record<string, string> {
  return { [ATTR.parentRun]: run, [ATTR.callId]: callId, ...(task === undefined ? {} : { [ATTR.task]: task }) };
}

function questionOf(run: RunState | undefined, id: string): QuestionRecord | undefined {
  return run && 'questions' in run ? run.questions[id] : undefined;
}

/** An attribute with what was said, where that is wanted. */
function content(name: string, value: unknown): Record<string, string> {
  const text = contentOf(value);
  return text === undefined ? {} : { [name]: text };
}
