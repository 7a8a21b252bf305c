/**
 * What the API shows of a journal's entries. Pure. Left out on purpose: instructions, tool definitions, what was
 * recalled and the thread that models saw; those are for operators (`/journal?view=full`).
 */
import type { RunEntry } from '@tutti/contracts';
import { approvalBody, iso, questionBody } from './views.ts';

type Completed = Extract<RunEntry, { type: 'step.completed' }>['result'];
type Requested = Extract<RunEntry, { type: 'step.requested' }>['step'];

/** `requestedAt`: when the entry's step was asked for, Unix ms, where it is known. */
export function publicEntry(entry: RunEntry, requestedAt?: number): Record<string, unknown> {
  const head = { run: entry.run, n: entry.n, at: iso(entry.at), type: entry.type };
  const durationMs = requestedAt === undefined ? undefined : entry.at - requestedAt;
  return { ...head, ...dataOf(entry, durationMs) };
}

function dataOf(entry: RunEntry, durationMs: number | undefined): Record<string, unknown> {
  switch (entry.type) {
    case 'run.accepted': {
      const { start } = entry;
      const task = start.brief ? { task: start.brief.task } : {};
      return {
        session: entry.session,
        agent: start.agent,
        input: start.input,
        parent: start.parent?.run ?? null,
        root: start.root,
        bundle: start.bundle,
        ...task,
        limits: entry.limits,
      };
    }
    case 'run.started':
      return { strategy: entry.strategy, reason: entry.reason, agent: entry.agent.name, model: entry.agent.model };
    case 'step.requested':
      return { callId: entry.callId, ...requested(entry.step) };
    case 'step.completed':
      return { callId: entry.callId, durationMs, ...completed(entry.result) };
    case 'step.failed':
      return { callId: entry.callId, durationMs, error: entry.error };
    case 'step.retried':
      return { callId: entry.callId, attempt: entry.attempt, notBefore: iso(entry.notBefore), error: entry.error };
    case 'plan.made':
      return { plan: entry.plan, because: entry.because ?? null };
    case 'question.asked':
      return { question: questionBody(entry.question) };
    case 'question.answered':
      return { question: entry.question, outcome: entry.outcome, text: entry.text, by: entry.by };
    case 'sleep.started':
      return { callId: entry.callId, until: iso(entry.until) };
    case 'sleep.ended':
      return { callId: entry.callId };
    case 'call.settled': {
      const { callId, tool, arguments: given, content, isError } = entry.action;
      return { callId, tool, arguments: given, content, isError };
    }
    case 'run.forked':
      return { of: entry.of, version: entry.version };
    case 'approval.requested':
      return { approval: approvalBody(entry.approval) };
    case 'approval.voted':
      return { approval: entry.approval, by: entry.by, arguments: entry.arguments ?? null };
    case 'approval.decided':
      return { approval: entry.approval, decision: entry.decision, by: entry.by, reason: entry.reason ?? null };
    case 'child.started':
      return {
        callId: entry.callId,
        child: entry.child,
        session: entry.session,
        task: entry.task,
        kind: entry.kind ?? 'task',
        agent: entry.start.agent,
      };
    case 'child.waiting':
      return {
        child: entry.child,
        approvals: entry.approvals.map(approvalBody),
        questions: (entry.questions ?? []).map(questionBody),
      };
    case 'child.ended': {
      const { child, status, output, usage, error } = entry.outcome;
      return { task: entry.task, child, status, output, usage, error: error ?? null };
    }
    case 'run.cancelling':
      return { by: entry.by, reason: entry.reason };
    case 'run.completed':
      return { output: entry.output, citations: entry.citations, usage: entry.usage, degraded: entry.degraded };
    case 'run.failed':
      return { error: entry.error, output: entry.output, usage: entry.usage, undo: entry.undo ?? [] };
    case 'run.cancelled':
      return { by: entry.by, reason: entry.reason, usage: entry.usage, undo: entry.undo ?? [] };
    default:
      return never(entry);
  }
}

function requested(step: Requested): Record<string, unknown> {
  switch (step.kind) {
    case 'complete':
      return { kind: step.kind, purpose: step.purpose };
    case 'execute':
      return {
        kind: step.kind,
        tool: step.call.name,
        arguments: step.call.arguments,
        approval: step.approval ?? null,
      };
    case 'recall':
    case 'search':
    case 'describe':
    case 'remember':
      return { kind: step.kind };
    default:
      return never(step);
  }
}

function completed(result: Completed): Record<string, unknown> {
  const { kind } = result;
  switch (kind) {
    case 'recall':
      return {
        kind,
        turns: result.recall.turns.length,
        facts: result.recall.facts.length,
        summary: result.recall.summary !== null,
      };
    case 'search':
      return {
        kind,
        passages: result.passages.map(({ document, title, section, score }) => ({ document, title, section, score })),
      };
    case 'describe':
      return { kind, problems: result.problems };
    case 'complete': {
      const { message, finishReason, usage, model, provider, degraded, costUsd, attempts, candidates, route } =
        result.completion;
      return {
        kind,
        purpose: result.purpose,
        // A plan is shown by `plan.made`, checked; here it would be raw.
        content: result.purpose === 'plan' ? null : message.content,
        toolCalls: (message.toolCalls ?? []).map(({ id, name, arguments: given }) => ({ id, name, arguments: given })),
        finishReason,
        usage,
        model,
        provider,
        degraded,
        costUsd,
        attempts,
        // as they were considered, kept or dropped, each with its reason
        route: { ...route, candidates: candidates ?? [] },
      };
    }
    case 'execute': {
      const { tool, arguments: given, content, isError, effect } = result.action;
      const { converted, whole, replayed } = result;
      const more = { ...(converted ? { converted } : {}), ...(whole ? { bytes: whole.bytes } : {}) };
      return { kind, tool, arguments: given, content, isError, effect, replayed, ...more };
    }
    case 'remember':
      return { kind };
    default:
      return never(result);
  }
}

function never(value: never): never {
  throw new Error(`no view for ${JSON.stringify(value)}`);
}

/** Shows entries one after the other, with how long each step took. Steps that are open are remembered, others not. */
export class EntryViews {
  readonly #requestedAt = new Map<string, number>();
  readonly #approvalOf = new Map<string, string>();
  view(entry: RunEntry): Record<string, unknown> {
    if (entry.type === 'step.requested') this.#requestedAt.set(entry.callId, entry.at);
    if (entry.type === 'approval.requested') this.#approvalOf.set(entry.approval.id, entry.approval.callId);
    if (entry.type === 'approval.decided') this.#decided(entry.approval, entry.at);
    const callId = 'callId' in entry ? entry.callId : undefined;
    const body = publicEntry(entry, callId === undefined ? undefined : this.#requestedAt.get(callId));
    if (callId && (entry.type === 'step.completed' || entry.type === 'step.failed')) this.#requestedAt.delete(callId);
    return body;
  }

  /** How long a human took is not how long the call took. */
  #decided(approval: string, at: number): void {
    const callId = this.#approvalOf.get(approval);
    if (callId === undefined) return;
    this.#approvalOf.delete(approval);
    if (this.#requestedAt.has(callId)) this.#requestedAt.set(callId, at);
  }
}
