/**
 * What a run does next. `takeInput` turns one input into entries, `advance` goes on from where that leaves the run.
 * Pure: time comes with the call, ids from the run and its version. Every entry is applied at once (evolve), so that the
 * next decision sees it.
 */
import {
  type AgentManifest,
  type ApprovalRecord,
  type Bundle,
  type Citation,
  derivedApprovalId,
  derivedCallId,
  derivedRunId,
  derivedSessionId,
  type ErrorInfo,
  type InboundMessage,
  LIMITS,
  type PartitionEntry,
  Plan,
  type RunEntry,
  RunLimits,
  type RunStart,
  type StepSpec,
  type Strategy,
  TuttiError,
  type VERBS,
} from '@tutti/contracts';
import type { z } from 'zod';
import { boundActions } from './bound-actions.ts';
import { evolve, evolvePartition } from './evolve.ts';
import { checkPlan } from './plan-rules.ts';
import { toolsOf } from './requests.ts';
import { isEnded, type PartitionState, type RunState, sessionKey } from './state.ts';

type Result<V extends keyof typeof VERBS> = z.output<(typeof VERBS)[V]['result']>;
export type StepOutcome = { ok: true; body: unknown } | { ok: false; error: ErrorInfo };
export type Input =
  | { kind: 'inbound'; sequence: number; message: InboundMessage }
  /** The sequence holds nothing that can be read. */
  | { kind: 'skip'; sequence: number }
  | { kind: 'result'; run: string; callId: string; outcome: StepOutcome }
  /** This input made the state machine throw before: its run is given up, the others go on. */
  | { kind: 'poisoned'; key: string; sequence: number | null; run: string; reason: string; message?: InboundMessage }
  /** The bus has stored this letter. */
  | { kind: 'delivered'; key: string }
  | { kind: 'tick' };

/** An input that cannot be taken in, with why. */
export class PoisonedInput extends Error {
  override name = 'PoisonedInput';
  readonly input: Input;
  constructor(input: Input, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.input = input;
  }
}

export interface Environment {
  /** Unix milliseconds. */
  now: number;
  bundle(hash: string): Bundle | undefined;
}

type Unnumbered = RunEntry extends infer E ? (E extends RunEntry ? Omit<E, 'run' | 'n' | 'at'> : never) : never;

export class Decider {
  readonly entries: RunEntry[] = [];
  readonly partitionEntries: PartitionEntry[] = [];
  readonly delivered: string[] = [];
  /** Calls that nobody waits for any more. */
  readonly forgotten: string[] = [];
  /** Calls to send (again), with the run that they belong to. */
  readonly toSend: { run: string; callId: string }[] = [];
  readonly #state: PartitionState;
  readonly #env: Environment;

  constructor(state: PartitionState, env: Environment) {
    this.#state = state;
    this.#env = env;
  }

  take(input: Input): void {
    switch (input.kind) {
      case 'skip':
        this.#state.readUpTo = Math.max(this.#state.readUpTo, input.sequence);
        return;
      case 'inbound':
        if (input.sequence <= this.#state.readUpTo) return;
        this.#state.readUpTo = input.sequence;
        return this.#inbound(input.message);
      case 'result': {
        const run = this.#state.runs.get(input.run);
        // Late: the run has ended or given the call up.
        if (!run?.open[input.callId]) return;
        this.#result(run, input.callId, input.outcome);
        return this.#advance(run);
      }
      case 'poisoned':
        return this.#poisoned(input);
      case 'delivered':
        if (this.#state.outbox.delete(input.key)) this.delivered.push(input.key);
        return;
      case 'tick':
        return this.#tick();
      default:
        input satisfies never;
    }
  }

  #poisoned({ sequence, run: runId, reason, message }: Extract<Input, { kind: 'poisoned' }>): void {
    if (sequence !== null) this.#state.readUpTo = Math.max(this.#state.readUpTo, sequence);
    if (message?.type === 'start' && !this.#known(runId)) this.#accept(message, RunLimits.parse({}));
    const run = this.#state.runs.get(runId);
    if (run) this.#end(run, new TuttiError('internal', `Tutti could not go on with this run: ${reason}`).toInfo());
  }

  #known(run: string): boolean {
    return this.#state.runs.has(run) || this.#state.endedIds.has(run);
  }

  #accept(message: Extract<InboundMessage, { type: 'start' }>, limits: RunLimits): void {
    const { tenant, session, start } = message;
    this.#emit(message.run, { type: 'run.accepted', tenant, session, start, limits });
  }

  #emit(run: string, entry: Unnumbered): void {
    const n = (this.#state.runs.get(run)?.version ?? 0) + 1;
    const full = { ...entry, run, n, at: this.#env.now } as RunEntry;
    this.entries.push(full);
    evolve(this.#state, full);
  }

  #emitPartition(entry: PartitionEntry): void {
    this.partitionEntries.push(entry);
    evolvePartition(this.#state, entry);
  }

  /** A cancel that overtook its start. */
  #bar(run: string): void {
    if (!this.#state.endedIds.has(run) && !this.#state.barred.has(run))
      this.#emitPartition({ type: 'run.barred', at: this.#env.now, run });
  }

  #inbound(message: InboundMessage): void {
    if (message.type === 'start') return this.#start(message);
    const run = this.#state.runs.get(message.run);
    if (!run && message.type === 'cancel') return this.#bar(message.run);
    if (!run || isEnded(run)) return;
    switch (message.type) {
      case 'cancel':
        return this.#cancel(run, message.by, message.reason);
      case 'approve':
        this.#decideApproval(
          run,
          message.approval,
          message.decision === 'approve' ? 'approved' : 'denied',
          message.by,
          message.reason,
        );
        return this.#advance(run);
      case 'timer':
        this.#decideApproval(run, message.timer.approval, 'expired', 'system');
        return this.#advance(run);
      case 'child_waiting': {
        const known = run.childApprovals[message.child]?.version ?? 0;
        const running = run.tasks.some((task) => task.child === message.child && task.status === 'running');
        if (!running || known >= message.version) return;
        return this.#emit(run.id, {
          type: 'child.waiting',
          child: message.child,
          version: message.version,
          approvals: message.approvals,
        });
      }
      case 'child_ended': {
        const task = run.tasks.find((candidate) => candidate.child === message.outcome.child);
        if (task?.status !== 'running') return;
        this.#emit(run.id, { type: 'child.ended', task: task.id, outcome: message.outcome });
        return this.#advance(run);
      }
      case 'input':
      case 'schedule_set':
      case 'schedule_remove':
        return;
      default:
        message satisfies never;
    }
  }

  #start(message: Extract<InboundMessage, { type: 'start' }>): void {
    if (this.#known(message.run)) return;
    const agent = agentOf(this.#env.bundle(message.start.bundle), message.start.agent);
    this.#accept(message, lowerLimits(RunLimits.parse(agent?.limits ?? {}), message.start.limits));
    if (this.#state.barred.has(message.run)) {
      return this.#cancel(this.#state.runs.get(message.run)!, 'system', 'It was cancelled before it began.');
    }
    const session = this.#state.sessions.get(sessionKey(message.tenant, message.session))!;
    if (session.queue.length > LIMITS.sessionQueueMax) {
      const error = new TuttiError(
        'overloaded',
        `${LIMITS.sessionQueueMax} runs wait in this session already`,
      ).toInfo();
      return this.#end(this.#state.runs.get(message.run)!, error);
    }
    this.#startNext(message.tenant, message.session);
  }

  #startNext(tenant: string, sessionId: string): void {
    const session = this.#state.sessions.get(sessionKey(tenant, sessionId));
    if (!session || session.active !== null || session.queue.length === 0) return;
    const run = this.#state.runs.get(session.queue[0]!)!;
    const agent = this.#agent(run);
    if (!agent) {
      return this.#end(
        run,
        new TuttiError('not_found', `the bundle ${run.start.bundle} has no agent "${run.start.agent}"`).toInfo(),
      );
    }
    const { strategy, reason } = chooseStrategy(agent, run);
    this.#emit(run.id, { type: 'run.started', strategy, reason, agent: { name: agent.name, model: agent.model } });
    this.#request(run, { kind: 'recall' });
    if (agent.knowledge.length > 0) this.#request(run, { kind: 'search' });
    if (agent.tools.length > 0) this.#request(run, { kind: 'describe' });
  }

  #agent(run: RunState): AgentManifest | undefined {
    return agentOf(this.#env.bundle(run.start.bundle), run.start.agent);
  }

  /** Asks for a step, or ends the run when it is at one of its limits. */
  #request(run: RunState, step: StepSpec, callId = derivedCallId(run.id, run.version + 1)): void {
    if (isEnded(run)) return;
    const limit = limitReached(run, step);
    if (limit) return this.#end(run, new TuttiError('limit_exceeded', limit).toInfo());
    this.#emit(run.id, { type: 'step.requested', callId, step });
    this.toSend.push({ run: run.id, callId });
  }

  #result(run: RunState, callId: string, outcome: StepOutcome): void {
    const open = run.open[callId]!;
    if (!outcome.ok) return this.#stepFailed(run, callId, outcome.error);
    const { step } = open;
    switch (step.kind) {
      case 'recall':
        return this.#recalled(run, callId, outcome.body as Result<'recall'>);
      case 'search':
        return this.#emit(run.id, {
          type: 'step.completed',
          callId,
          result: { kind: 'search', passages: (outcome.body as Result<'search'>).passages },
        });
      case 'describe':
        return this.#described(run, callId, outcome.body as Result<'describe'>);
      case 'complete':
        return this.#completed(run, callId, step.purpose, outcome.body as Result<'complete'>);
      case 'execute':
        return this.#executed(run, callId, step, outcome.body as Result<'execute'>);
      case 'remember':
        return this.#emit(run.id, { type: 'step.completed', callId, result: { kind: 'remember' } });
      default:
        step satisfies never;
    }
  }

  #recalled(run: RunState, callId: string, recall: Result<'recall'>): void {
    this.#emit(run.id, { type: 'step.completed', callId, result: { kind: 'recall', recall } });
    const agent = this.#agent(run);
    if (run.start.brief || recall.turns.length === 0 || !agent || agent.knowledge.length === 0) return;
    const earlier = recall.turns.slice(-TURNS_IN_QUERY_MAX).map((turn) => turn.input);
    this.#request(run, { kind: 'search', query: [run.start.input, ...earlier.reverse()].join('\n') });
  }

  #described(run: RunState, callId: string, result: Result<'describe'>): void {
    if (!this.#state.toolsets.has(result.hash)) {
      if (!result.tools)
        return this.#stepFailed(
          run,
          callId,
          new TuttiError('internal', `the tools service left out toolset ${result.hash}, which is not known here`, {
            retryable: true,
          }).toInfo(),
        );
      this.#emitPartition({ type: 'toolset.learned', at: this.#env.now, hash: result.hash, tools: result.tools });
    }
    this.#emit(run.id, {
      type: 'step.completed',
      callId,
      result: { kind: 'describe', toolset: result.hash, problems: result.problems },
    });
  }

  #completed(run: RunState, callId: string, purpose: 'plan' | 'act' | 'answer', result: Result<'complete'>): void {
    // Calls get ids of ours: a model's own may repeat within a run.
    const calls = result.message.toolCalls?.map((call, index) => ({
      ...call,
      id: derivedCallId(run.id, `${run.version + 1}.${index}`),
    }));
    const completion = { ...result, message: { ...result.message, ...(calls ? { toolCalls: calls } : {}) } };
    this.#emit(run.id, { type: 'step.completed', callId, result: { kind: 'complete', purpose, completion } });
    if (purpose === 'plan') return this.#planned(run, completion.message.content ?? '');
    if (purpose !== 'act') return;
    for (const call of calls ?? []) this.#request(run, { kind: 'execute', call }, call.id);
  }

  #planned(run: RunState, content: string): void {
    const none = (reason: string): Plan => ({ reason, question: null, tasks: [] });
    let parsed: unknown;
    try {
      parsed = JSON.parse(content);
    } catch {
      return this.#emit(run.id, { type: 'plan.made', plan: none('The plan was not JSON: going on without one.') });
    }
    const plan = Plan.safeParse(parsed);
    const checked = plan.success
      ? checkPlan(plan.data, toolsOf(this.#state, run))
      : { problem: 'it does not fit its schema' };
    if ('problem' in checked)
      return this.#emit(run.id, {
        type: 'plan.made',
        plan: none(`The plan could not be used (${checked.problem}): going on without one.`),
      });
    this.#emit(run.id, { type: 'plan.made', plan: checked.plan });
  }

  #executed(
    run: RunState,
    callId: string,
    step: Extract<StepSpec, { kind: 'execute' }>,
    result: Result<'execute'>,
  ): void {
    if (result.status === 'approval_required') return this.#askApproval(run, callId, step, result);
    const done = result.status === 'done';
    this.#emit(run.id, {
      type: 'step.completed',
      callId,
      result: {
        kind: 'execute',
        replayed: done && result.replayed,
        action: {
          callId,
          tool: step.call.name,
          arguments: step.call.arguments,
          content: done ? result.content : `Not done: a policy denies ${step.call.name}. Reason: ${result.reason}`,
          isError: done ? result.isError : true,
          effect: done ? result.effect : 'pure',
        },
      },
    });
  }

  #askApproval(
    run: RunState,
    callId: string,
    step: Extract<StepSpec, { kind: 'execute' }>,
    result: Extract<Result<'execute'>, { status: 'approval_required' }>,
  ): void {
    const attempt = run.approvals.filter((approval) => approval.callId === callId).length;
    const approval: ApprovalRecord = {
      id: derivedApprovalId(run.id, callId, attempt),
      run: run.start.root,
      waitingRun: run.id,
      session: run.session,
      callId,
      status: 'pending',
      tool: step.call.name,
      arguments: result.arguments,
      argumentsHash: result.argumentsHash,
      effect: result.effect,
      reason: result.reason,
      policy: result.policy,
      requestedAt: this.#env.now,
      expiresAt: this.#env.now + Math.min(result.expiresInMs ?? run.limits.approvalTtlMs, run.limits.approvalTtlMs),
    };
    this.#emit(run.id, { type: 'approval.requested', approval });
  }

  #stepFailed(run: RunState, callId: string, error: ErrorInfo): void {
    const open = run.open[callId]!;
    const patient = !countsAsTry(error) || this.#mayHaveHappened(run, open.step);
    if (error.retryable && (patient || open.attempt + 1 < LIMITS.stepAttemptsMax)) {
      const waitMs = error.retryAfterMs ?? 0;
      const backoffMs = Math.min(LIMITS.stepBackoffMs * 2 ** Math.min(open.tries, 16), LIMITS.stepBackoffMaxMs);
      return this.#emit(run.id, {
        type: 'step.retried',
        callId,
        attempt: open.attempt + (patient ? 0 : 1),
        notBefore: this.#env.now + Math.max(waitMs, Math.round(backoffMs * spread(callId))),
        error,
      });
    }
    const { step } = open;
    this.#emit(run.id, { type: 'step.failed', callId, error });
    // The model can say what a failed tool call means, and an answer that was not remembered is an answer still.
    if (step.kind !== 'execute' && step.kind !== 'remember')
      this.#end(run, { ...error, message: `${stepName(step)}: ${error.message}` });
  }

  /** A call with an effect is not given up while the run lasts: a model that calls again would do it under a new id. */
  #mayHaveHappened(run: RunState, step: StepSpec): boolean {
    if (step.kind !== 'execute') return false;
    const tool = toolsOf(this.#state, run).find((candidate) => candidate.name === step.call.name);
    return tool?.effect !== 'pure';
  }

  #decideApproval(
    run: RunState,
    id: string,
    decision: 'approved' | 'denied' | 'expired' | 'cancelled',
    by: string,
    reason?: string,
  ): void {
    const approval = run.approvals.find((candidate) => candidate.id === id);
    if (approval?.status !== 'pending') return;
    const late = decision === 'approved' && this.#env.now >= approval.expiresAt;
    this.#emit(run.id, {
      type: 'approval.decided',
      approval: id,
      decision: late ? 'expired' : decision,
      by,
      ...(reason === undefined ? {} : { reason }),
    });
    if (run.open[approval.callId]) this.toSend.push({ run: run.id, callId: approval.callId });
  }

  #cancel(run: RunState, by: string, reason: string): void {
    this.forgotten.push(...Object.keys(run.open));
    for (const approval of run.approvals) this.#decideApproval(run, approval.id, 'cancelled', by, reason);
    this.#emit(run.id, { type: 'run.cancelling', by, reason });
    this.#emit(run.id, { type: 'run.cancelled', by, reason, usage: { ...run.usage } });
    this.#startNext(run.tenant, run.session);
  }

  /** Ends the run: with its answer, or with an error and what was achieved until then. */
  #end(run: RunState, error?: ErrorInfo): void {
    if (isEnded(run)) return;
    if (error) {
      const output = run.answer ?? achieved(run);
      if (Object.keys(run.open).length > 0 || run.tasks.some((task) => task.status === 'running')) {
        this.forgotten.push(...Object.keys(run.open));
        this.#emit(run.id, { type: 'run.cancelling', by: 'system', reason: error.message });
      }
      this.#emit(run.id, { type: 'run.failed', error, output, usage: { ...run.usage } });
    } else {
      const output = run.answer ?? '';
      this.#emit(run.id, {
        type: 'run.completed',
        output,
        citations: citationsOf(run, output),
        usage: { ...run.usage },
        degraded: run.degraded,
      });
    }
    this.#startNext(run.tenant, run.session);
  }

  /** Goes on when nothing is under way: every branch asks for a step, starts children, or ends the run. */
  #advance(run: RunState): void {
    if (isEnded(run) || run.phase === 'queued') return;
    if (run.phase === 'tasks') this.#startTasks(run);
    if (isEnded(run) || Object.keys(run.open).length > 0 || Object.keys(run.parked).length > 0) return;
    switch (run.phase) {
      case 'gather':
        return this.#complete(run, run.strategy === 'plan' ? 'plan' : run.strategy === 'direct' ? 'answer' : 'act');
      case 'plan': {
        // plan.made moved it on to `tasks` if there are any.
        if (run.plan?.question) return this.#finish(run, run.plan.question);
        return this.#complete(run, 'act');
      }
      case 'tasks':
        if (run.tasks.some((task) => task.status === 'running' || task.status === 'pending')) return;
        return this.#complete(run, 'answer');
      case 'act':
        return run.answer === null ? this.#complete(run, 'act') : this.#finish(run, run.answer);
      case 'answer':
        return this.#finish(run, run.answer ?? '');
      case 'remember':
        return this.#end(run);
      case 'ended':
        return;
      default:
        run.phase satisfies never;
    }
  }

  #complete(run: RunState, purpose: 'plan' | 'act' | 'answer'): void {
    this.#request(run, { kind: 'complete', purpose, messages: run.thread.length });
  }

  #finish(run: RunState, answer: string): void {
    run.answer = answer;
    if (run.start.parent) return this.#end(run);
    this.#request(run, { kind: 'remember' });
  }

  #startTasks(run: RunState): void {
    for (const planned of run.plan!.tasks) {
      const task = run.tasks.find((candidate) => candidate.id === planned.id)!;
      if (task.status !== 'pending' || isEnded(run)) continue;
      const needs = planned.dependsOn.map((id) => run.tasks.find((candidate) => candidate.id === id)!);
      if (!needs.every((need) => need.status === 'completed')) continue;
      const limit = childLimit(run);
      if (limit) return this.#end(run, new TuttiError('limit_exceeded', limit).toInfo());
      const callId = derivedCallId(run.id, run.version + 1);
      const session = derivedSessionId(run.id, planned.id);
      this.#emit(run.id, {
        type: 'child.started',
        callId,
        child: derivedRunId(session, run.id, planned.id),
        session,
        task: planned.id,
        start: childStart(run, planned, callId),
      });
    }
  }

  #tick(): void {
    const { now } = this.#env;
    for (const run of this.#state.runs.values()) {
      if (isEnded(run) || run.phase === 'queued') continue;
      const limit = run.limits.wallTimeMs;
      if (run.waitingSince === null && now - run.startedAt - run.waitedMs > limit) {
        this.#end(run, new TuttiError('limit_exceeded', `the run took longer than wallTimeMs (${limit} ms)`).toInfo());
        continue;
      }
      for (const open of Object.values(run.open)) {
        // The shell passes over what is under way already.
        if (open.notBefore > 0 && open.notBefore <= now) this.toSend.push({ run: run.id, callId: open.callId });
      }
    }
  }
}

/** An agent's name comes from outside: `constructor` is not one. */
export function agentOf(bundle: Bundle | undefined, name: string): AgentManifest | undefined {
  return bundle && Object.hasOwn(bundle.agents, name) ? bundle.agents[name] : undefined;
}

/** Earlier goals of the session that a search is widened with. */
const TURNS_IN_QUERY_MAX = 3;

/** Nobody there, or all busy, says nothing of the step: it waits until the run's own time is over. */
function countsAsTry(error: ErrorInfo): boolean {
  return error.code !== 'overloaded' && error.code !== 'unavailable';
}

/** From 0.5 to 1 by the call's id: those that were refused together do not come back together. */
function spread(callId: string): number {
  let sum = 0;
  for (const char of callId) sum = (sum * 31 + char.charCodeAt(0)) % 1_000;
  return 0.5 + sum / 2_000;
}

/** A request may lower an agent's limits, never raise them. */
function lowerLimits(limits: RunLimits, wanted: Partial<RunLimits>): RunLimits {
  const lowered = { ...limits };
  for (const [key, value] of Object.entries(wanted) as [keyof RunLimits, number | undefined][]) {
    if (value !== undefined) lowered[key] = Math.min(lowered[key], value);
  }
  return lowered;
}

function chooseStrategy(agent: AgentManifest, run: RunState): { strategy: Strategy; reason: string } {
  if (run.start.brief) return { strategy: 'react', reason: 'a sub-task of a plan' };
  if (agent.strategy !== 'auto') return { strategy: agent.strategy, reason: 'set by the agent' };
  if (agent.tools.length === 0) return { strategy: 'direct', reason: 'the agent has no tools' };
  return { strategy: 'plan', reason: 'the agent has tools: the plan says whether there is more than one thing to do' };
}

function limitReached(run: RunState, step: StepSpec): string | null {
  const { limits, usage } = run;
  // Remembering is how a run ends: no limit may keep an answer from its session.
  if (step.kind === 'remember') return null;
  if (run.stepCount >= limits.stepsMax) return `the run reached stepsMax (${limits.stepsMax})`;
  const underWay = (kind: StepSpec['kind']) => Object.values(run.open).filter((open) => open.step.kind === kind).length;
  if (step.kind === 'complete' && usage.modelCalls + underWay('complete') >= limits.modelCallsMax)
    return `the run reached modelCallsMax (${limits.modelCallsMax})`;
  if (step.kind === 'execute' && usage.toolCalls + underWay('execute') >= limits.toolCallsMax)
    return `the run reached toolCallsMax (${limits.toolCallsMax})`;
  if (step.kind === 'complete' && usage.inputTokens + usage.outputTokens >= limits.tokensMax)
    return `the run reached tokensMax (${limits.tokensMax})`;
  return null;
}

function childLimit(run: RunState): string | null {
  if (run.start.depth + 1 > run.limits.depthMax) return `the run reached depthMax (${run.limits.depthMax})`;
  const children = run.tasks.filter((task) => task.child).length;
  return children >= run.limits.childrenMax ? `the run reached childrenMax (${run.limits.childrenMax})` : null;
}

function childStart(run: RunState, planned: Plan['tasks'][number], callId: string): RunStart {
  const needs = run.tasks.filter((task) => planned.dependsOn.includes(task.id));
  return {
    agent: run.start.agent,
    input: planned.goal,
    bundle: run.start.bundle,
    principal: run.start.principal,
    limits: { ...run.start.limits },
    root: run.start.root,
    memorySession: run.start.memorySession,
    depth: run.start.depth + 1,
    parent: { run: run.id, session: run.session, callId },
    brief: {
      goal: run.start.brief?.goal ?? run.start.input,
      task: planned.goal,
      tools: planned.tools,
      actions: boundActions(needs.flatMap((task) => task.outcome?.actions ?? [])),
      notes: needs.flatMap((task) => {
        const goal = run.plan!.tasks.find((candidate) => candidate.id === task.id)!.goal;
        return task.outcome ? [{ task: goal, output: task.outcome.output.replace(/\s*\[\d+\]/g, '') }] : [];
      }),
    },
    live: run.start.live,
    ...(run.start.traceparent ? { traceparent: run.start.traceparent } : {}),
  };
}

/** What a run that ends early has to show: the results that it had. */
function achieved(run: RunState): string {
  const done = run.actions
    .filter((action) => !action.isError)
    .map((action) => `- ${action.tool}: ${action.content.slice(0, ACHIEVED_CHARS_MAX)}`);
  const open = Object.values(run.open).flatMap(({ step }) =>
    step.kind === 'execute'
      ? [`- ${step.call.name} ${JSON.stringify(step.call.arguments).slice(0, ACHIEVED_CHARS_MAX)}`]
      : [],
  );
  return [
    ...(done.length > 0 ? [`Until then:\n${done.join('\n')}`] : []),
    ...(open.length > 0
      ? [`Under way when the run ended; it is not known here whether it happened:\n${open.join('\n')}`]
      : []),
  ].join('\n\n');
}
const ACHIEVED_CHARS_MAX = 300;

function citationsOf(run: RunState, output: string): Citation[] {
  const numbers = [...new Set([...output.matchAll(/\[(\d{1,2})\]/g)].map((match) => Number(match[1])))];
  return numbers
    .filter((n) => n >= 1 && n <= run.passages.length)
    .map((n) => {
      const passage = run.passages[n - 1]!;
      return {
        n,
        document: passage.document,
        title: passage.title,
        text: passage.text,
        ...(passage.section ? { section: passage.section } : {}),
      };
    });
}

function stepName(step: StepSpec): string {
  const names = {
    recall: 'recalling the session',
    search: 'searching the knowledge',
    describe: 'listing the tools',
    complete: 'asking a model',
    execute: 'calling a tool',
    remember: 'remembering',
  };
  return `${names[step.kind]} failed`;
}
