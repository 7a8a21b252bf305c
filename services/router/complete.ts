/**
 * The shell around `choose`: works down the candidates until one gives a usable answer. Invariants: an answer is one
 * attempt's, never spliced; every try is in `attempts`; nothing goes on after the deadline or after the asker has left.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChatRequest, ChatResponse, CompleteBody, CompleteResult } from '@tutti/contracts';
import { TuttiError } from '@tutti/contracts';
import type { Logger, OpenSpan, Telemetry } from '@tutti/runtime';
import type { z } from 'zod';
import { checkJsonAnswer } from './adapters/json-answer.ts';
import { checkToolCalls } from './adapters/tool-arguments.ts';
import { type Candidate, choose } from './core/choose.ts';
import { ModelFailure, nextMove, type RetryLimits } from './core/failure.ts';
import type { Ability, ModelEntry } from './core/model.ts';
import { costNano, usdOfNano } from './core/money.ts';
import { reaskWith } from './core/reask.ts';
import { isRefusal } from './core/refusal.ts';
import {
  type AttemptContext,
  type AttemptReport,
  type AttemptTarget,
  type GuardParts,
  guardAttempt,
} from './guard-attempt.ts';
import type { ModelHealth } from './health.ts';
import type { LiveText } from './live-text.ts';
import type { ModelProvider } from './ports/provider.ts';
import type { UsageLog } from './usage-log.ts';

export interface CompleterLimits extends RetryLimits {
  /** One try. */
  attemptTimeoutMs: number;
  /** Silence in a stream that has begun. */
  idleTimeoutMs: number;
  /** Kept before the deadline while there is another candidate. */
  reserveMs: number;
  /** How long a try waits for a provider's rate limit. */
  rateWaitMaxMs: number;
}

export interface CompleterParts {
  catalogue: readonly ModelEntry[];
  /** By the catalogue's provider names. */
  providers: ReadonlyMap<string, ModelProvider>;
  health: ModelHealth;
  limits: CompleterLimits;
  fallback: boolean;
  guards: GuardParts;
  usage: UsageLog;
  telemetry: Telemetry;
  log: Logger;
}

export interface CallContext {
  signal: AbortSignal;
  deadlineAt: number;
  traceparent: string | undefined;
  session: string | undefined;
  /** Where text goes as it comes; undefined: nobody watches. */
  live: LiveText | undefined;
  /** Who pays, and what may be seen. */
  limits: Pick<AttemptContext, 'budgets' | 'privacy' | 'spender'>;
}

type Attempts = CompleteResult['attempts'];
interface Progress {
  attempts: Attempts;
  usage: { inputTokens: number; outputTokens: number };
  costNano: number;
  /** Of the last try. */
  report: AttemptReport;
  notes: NonNullable<CompleteResult['notes']>;
  failures: { model: string; failure: ModelFailure }[];
}

export type Complete = (body: z.output<typeof CompleteBody>, call: CallContext) => Promise<CompleteResult>;

/** The result's promise rejects with TuttiError: `not_found` (no such model), `model_failed`, `timeout`, `cancelled`. */
export function createCompleter(parts: CompleterParts): Complete {
  return async (body, call) => {
    const candidates = candidatesFor(parts, body);
    const kept = candidates.filter((candidate) => candidate.kept);
    const progress: Progress = {
      attempts: [],
      usage: { inputTokens: 0, outputTokens: 0 },
      costNano: 0,
      report: {},
      notes: [],
      failures: [],
    };
    for (const [index, { entry }] of kept.entries()) {
      const response = await askModel(parts, entry, body, call, progress, index < kept.length - 1);
      if (response) return resultOf(parts, entry, body.model, response, progress, candidates);
    }
    throw allFailed(body.model, candidates, progress);
  };
}

function candidatesFor(parts: CompleterParts, body: z.output<typeof CompleteBody>): Candidate[] {
  const needs: Ability[] = body.chat.tools.length ? ['tools'] : [];
  if (body.chat.responseFormat.type === 'json_schema') needs.push('json');
  const question = { model: body.model, needs, fallback: parts.fallback };
  const candidates = choose(question, parts.catalogue, parts.health.now(parts.catalogue));
  if (candidates) return candidates;
  const known = parts.catalogue.map(({ id }) => id).join(', ');
  throw new TuttiError(
    'not_found',
    `there is no model "${body.model}" here (there are: ${known}); use "auto", or set TUTTI_MODEL`,
  );
}

/** All tries of one model, in one span. Undefined: the next candidate is to be asked. */
async function askModel(
  parts: CompleterParts,
  entry: ModelEntry,
  body: z.output<typeof CompleteBody>,
  call: CallContext,
  progress: Progress,
  moreToCome: boolean,
): Promise<ChatResponse | undefined> {
  const span = startSpan(parts, entry, body, call);
  const tries = { retries: 0, reasks: 0 };
  let request = body.chat;
  for (;;) {
    const timeoutMs = timeLeft(parts, call, moreToCome);
    if (timeoutMs <= 0 && moreToCome) return void span.end({ error: 'no time left for this model' });
    const outcome = await attempt(parts, entry, request, call, timeoutMs, progress);
    if (!(outcome instanceof ModelFailure)) {
      endSpan(span, entry, outcome);
      return outcome;
    }
    progress.failures.push({ model: entry.id, failure: outcome });
    const remainingMs = call.deadlineAt - Date.now() - (moreToCome ? parts.limits.reserveMs : 0);
    const next = nextMove(outcome, tries, parts.limits, remainingMs, Math.random());
    span.event('attempt failed', { 'error.type': outcome.kind, message: outcome.message, next: next.move });
    parts.log.warn({ model: entry.id, kind: outcome.kind, next: next.move, reason: outcome.message }, 'a model failed');
    switch (next.move) {
      case 'retry':
        tries.retries += 1;
        await pause(next.delayMs, call, span);
        break;
      case 'reask':
        tries.reasks += 1;
        request = reaskWith(body.chat, outcome.answer ?? '', outcome.message);
        break;
      case 'next':
        if (next.coolDownMs !== undefined) parts.health.coolDown(entry.id, next.coolDownMs);
        return void span.end({ error: outcome.kind });
      case 'stop':
        span.end({ error: outcome.kind });
        throw goneError(call);
      default: {
        const never: never = next;
        throw new Error(`unknown move ${JSON.stringify(never)}`);
      }
    }
  }
}

function timeLeft(parts: CompleterParts, call: CallContext, moreToCome: boolean): number {
  const remainingMs = call.deadlineAt - Date.now() - (moreToCome ? parts.limits.reserveMs : 0);
  return Math.min(parts.limits.attemptTimeoutMs, remainingMs);
}

async function pause(delayMs: number, call: CallContext, span: OpenSpan): Promise<void> {
  try {
    await sleep(delayMs, undefined, { signal: call.signal });
  } catch {
    span.end({ error: 'cancelled' });
    throw goneError(call);
  }
}

/** One try: one request to one model, and the check of its answer. Never throws for what a model may do. */
async function attempt(
  parts: CompleterParts,
  entry: ModelEntry,
  request: ChatRequest,
  call: CallContext,
  timeoutMs: number,
  progress: Progress,
): Promise<ChatResponse | ModelFailure> {
  const startedAt = Date.now();
  const provider = parts.providers.get(entry.provider);
  if (!provider) throw new Error(`the catalogue names a provider that is not there: ${entry.provider}`);
  parts.health.sent(entry.id);
  const outcome = await bounded(parts, provider, entry, request, call, timeoutMs, progress);
  const failure = outcome instanceof ModelFailure ? outcome : undefined;
  if (failure) parts.health.failed(entry.id, failure.kind);
  else parts.health.succeeded(entry.id);
  const usage = outcome instanceof ModelFailure ? outcome.usage : outcome.usage;
  if (usage) {
    progress.usage.inputTokens += usage.inputTokens;
    progress.usage.outputTokens += usage.outputTokens;
  }
  account(parts, entry, call, progress, usage, failure);
  progress.attempts.push({
    model: entry.id,
    provider: entry.provider,
    ok: failure === undefined,
    ...(failure ? { error: `${failure.kind}: ${failure.message}` } : {}),
    durationMs: Date.now() - startedAt,
  });
  return outcome;
}

/** What the try cost, and a line for those who ask what was used. One that never left is none. */
function account(
  parts: CompleterParts,
  entry: ModelEntry,
  call: CallContext,
  progress: Progress,
  usage: ChatResponse['usage'] | undefined,
  failure: ModelFailure | undefined,
): void {
  if (failure?.kind === 'no_budget' || failure?.kind === 'throttled') return;
  const cost = usage ? costNano(entry.price, usage) : 0;
  progress.costNano += cost;
  const { tenant, agent } = call.limits.spender;
  parts.usage.add(
    tenant,
    { agent, model: entry.id, provider: entry.provider },
    { requests: 1, failed: failure ? 1 : 0, nanoUsd: cost, ...(usage ? tokensOf(usage) : {}) },
  );
}

function tokensOf({ inputTokens, outputTokens }: ChatResponse['usage']) {
  return { inputTokens, outputTokens };
}

async function bounded(
  parts: CompleterParts,
  provider: ModelProvider,
  entry: ModelEntry,
  request: ChatRequest,
  call: CallContext,
  timeoutMs: number,
  progress: Progress,
): Promise<ChatResponse | ModelFailure> {
  const limit = new AbortController();
  const signal = AbortSignal.any([call.signal, limit.signal]);
  const whole = setTimeout(() => limit.abort(`no whole answer within ${timeoutMs} ms`), Math.max(1, timeoutMs));
  let idle: NodeJS.Timeout | undefined;
  // JSON is for programs: nobody watches it grow
  const onText = request.responseFormat.type === 'text' ? call.live?.begin() : undefined;
  const onActivity = () => {
    if (!onText) return;
    idle ??= setTimeout(() => limit.abort(`silent for ${parts.limits.idleTimeoutMs} ms`), parts.limits.idleTimeoutMs);
    idle.refresh();
  };
  try {
    const context: AttemptContext = {
      ...call.limits,
      signal,
      deadlineAt: Date.now() + timeoutMs,
      rateWaitMaxMs: parts.limits.rateWaitMaxMs,
      first: progress.attempts.length === 0,
    };
    const { outcome, report } = await guardAttempt(
      parts.guards,
      targetOf(entry),
      request,
      context,
      async (outgoing, stream) => {
        try {
          return await provider.complete(outgoing, {
            model: entry.id,
            signal,
            onText: onText && stream.begin(onText),
            onActivity,
          });
        } catch (error) {
          if (error instanceof ModelFailure) return error;
          throw error;
        } finally {
          stream.end();
        }
      },
    );
    progress.report = report;
    if (outcome instanceof ModelFailure) throw outcome;
    return checked(request, outcome, progress);
  } catch (error) {
    if (call.signal.aborted) return new ModelFailure('cancelled', 'the request was cancelled');
    if (limit.signal.aborted) return new ModelFailure('timeout', String(limit.signal.reason));
    if (error instanceof ModelFailure) return error;
    // a fault of an adapter must not take the other models down with it
    parts.log.error({ model: entry.id, error: String(error) }, 'a provider broke its contract');
    return new ModelFailure('server_error', error instanceof Error ? error.message : String(error), { cause: error });
  } finally {
    clearTimeout(whole);
    clearTimeout(idle);
    call.live?.flush();
  }
}

function targetOf(entry: ModelEntry): AttemptTarget {
  const builtIn = entry.provider === 'offline';
  return {
    model: entry.id,
    account: `${entry.provider}/${entry.id}`,
    prices: entry.price,
    contextTokens: undefined,
    outputTokensMax: undefined,
    rates: undefined,
    cleared: builtIn,
    builtIn,
    knownTokenizer: false,
  };
}

function checked(request: ChatRequest, response: ChatResponse, progress: Progress): ChatResponse | ModelFailure {
  const { message, usage, finishReason } = response;
  progress.notes = [];
  if (finishReason === 'length') progress.notes.push('truncated');
  if (isRefusal(message.content) && !message.toolCalls?.length) progress.notes.push('refused');
  if (progress.report.usageSuspect) progress.notes.push('usage_suspect');
  if (message.toolCalls?.length) {
    const verdict = checkToolCalls(message.toolCalls, request.tools);
    if (!verdict.ok)
      return new ModelFailure('invalid_answer', verdict.problem, { usage, answer: JSON.stringify(message.toolCalls) });
    if (verdict.repaired > 0) progress.notes.push('repaired');
    return { ...response, message: { ...message, toolCalls: verdict.calls } };
  }
  if (request.responseFormat.type === 'text') {
    return !message.content?.trim() ? new ModelFailure('empty', 'the model answered nothing', { usage }) : response;
  }
  const verdict = checkJsonAnswer(request.responseFormat, message.content);
  if (verdict.ok && verdict.text !== message.content) progress.notes.push('repaired');
  if (verdict.ok) return { ...response, message: { ...message, content: verdict.text } };
  return new ModelFailure('invalid_answer', verdict.problem, { usage, answer: message.content ?? '' });
}

function resultOf(
  parts: CompleterParts,
  entry: ModelEntry,
  asked: string,
  response: ChatResponse,
  progress: Progress,
  candidates: Candidate[],
): CompleteResult {
  return {
    ...response,
    usage: progress.usage,
    model: entry.id,
    provider: entry.provider,
    degraded: entry.lastResort && asked !== entry.id && parts.catalogue.some((other) => !other.lastResort),
    costUsd: usdOfNano(progress.costNano),
    ...(progress.report.packing ? { packing: progress.report.packing } : {}),
    ...(progress.report.masked ? { masked: progress.report.masked } : {}),
    ...(progress.notes.length ? { notes: progress.notes } : {}),
    attempts: progress.attempts,
    candidates: candidates.map(({ entry: { id, provider }, kept, reason }) => ({ model: id, provider, kept, reason })),
  };
}

/** The asker's signal also stands for its deadline. */
function goneError(call: CallContext): TuttiError {
  return Date.now() >= call.deadlineAt
    ? new TuttiError('timeout', 'the deadline passed before a model had answered')
    : new TuttiError('cancelled', 'the request was cancelled');
}

function allFailed(asked: string, candidates: Candidate[], progress: Progress): TuttiError {
  const dropped = candidates.filter(({ kept }) => !kept).map(({ entry, reason }) => `${entry.id}: ${reason}`);
  const failed = progress.failures.map(({ model, failure }) => `${model}: ${failure.message}`);
  const hints = progress.failures.flatMap(({ failure }) => failure.retryAfterMs ?? []);
  const broke = progress.failures.find(({ failure }) => failure.kind === 'no_budget');
  if (broke && progress.failures.every(({ failure }) => failure.kind === 'no_budget'))
    return broke.failure.cause instanceof TuttiError
      ? broke.failure.cause
      : new TuttiError('budget_exceeded', broke.failure.message);
  return new TuttiError(
    'model_failed',
    `no model gave a usable answer for "${asked}" (${[...failed, ...dropped].join('; ')})`,
    {
      ...(hints.length ? { retryAfterMs: Math.min(...hints) } : {}),
      details: { attempts: progress.attempts },
    },
  );
}

function startSpan(
  parts: CompleterParts,
  entry: ModelEntry,
  body: z.output<typeof CompleteBody>,
  call: CallContext,
): OpenSpan {
  const span = parts.telemetry.span(`chat ${entry.id}`, {
    kind: 'client',
    parent: call.traceparent,
    attributes: {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': entry.provider,
      'gen_ai.request.model': entry.id,
      'gen_ai.agent.name': body.agent,
      'gen_ai.output.type': body.chat.responseFormat.type === 'text' ? 'text' : 'json',
    },
  });
  if (call.session) span.attributes({ 'gen_ai.conversation.id': call.session });
  if (body.chat.temperature !== undefined) span.attributes({ 'gen_ai.request.temperature': body.chat.temperature });
  return span;
}

function endSpan(span: OpenSpan, entry: ModelEntry, response: ChatResponse): void {
  span.attributes({
    'gen_ai.response.model': entry.id,
    'gen_ai.response.finish_reasons': [response.finishReason],
    'gen_ai.usage.input_tokens': response.usage.inputTokens,
    'gen_ai.usage.output_tokens': response.usage.outputTokens,
  });
  span.end();
}
