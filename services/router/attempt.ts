/**
 * One try of one target: let in, fitted, paid for, called within its time limits, judged, settled. Never throws for what a
 * model may do. Invariants: whatever was set aside is settled or released; health hears of every request that left.
 */
import type { ChatRequest, ChatResponse, TokenUsage } from '@tutti/contracts';
import { type Logger, logOf } from '@tutti/runtime';
import { checkJsonAnswer } from './adapters/json-answer.ts';
import { ModelFailure } from './core/failure.ts';
import type { Target } from './core/model.ts';
import type { ModelHealth } from './health.ts';
import type { ModelProvider } from './ports/provider.ts';
import type { Ask, Fitted, Hold, Report, Stages, Window } from './stages.ts';
import { createTimeLimits, type TimeLimits } from './time-limits.ts';

export interface AttemptParts {
  stages: Stages;
  health: ModelHealth;
  limits: TimeLimits;
  log: Logger;
}

export interface Try {
  ask: Ask;
  target: Target;
  provider: ModelProvider;
  request: ChatRequest;
  window: Window;
  timeoutMs: number;
}

export interface Outcome {
  response?: ChatResponse;
  failure?: ModelFailure;
  /** Of a request that left. */
  usage?: TokenUsage | undefined;
  report?: Report | undefined;
  sent: boolean;
}

const free: Hold = { settle() {}, release() {} };

export async function attempt(parts: AttemptParts, one: Try): Promise<Outcome> {
  const { health } = parts;
  const { ask, target } = one;
  let fitted: Fitted;
  let hold: Hold;
  try {
    fitted = (await parts.stages.fit?.(ask, target, one.request, one.window)) ?? { request: one.request };
    hold = (await parts.stages.reserve?.(ask, target, fitted)) ?? free;
  } catch (error) {
    return { failure: failureOf(parts, one, error), sent: false };
  }
  // asked last, with nothing to wait for between this and the request: of two calls one is the probe
  const blocked = health.admit(target.id);
  if (blocked !== undefined) {
    hold.release();
    return { failure: new ModelFailure('held_back', blocked), sent: false };
  }
  const startedAt = performance.now();
  const outcome = await answered(parts, one, fitted, hold);
  if (outcome.failure) health.failed(target.id, outcome.failure.kind);
  else health.succeeded(target.id, performance.now() - startedAt);
  hold.settle(outcome.usage);
  return { ...outcome, sent: true, report: { ...fitted.report, ...outcome.report } };
}

async function answered(parts: AttemptParts, one: Try, fitted: Fitted, hold: Hold): Promise<Omit<Outcome, 'sent'>> {
  const request = within(fitted.request, hold.outputTokensMax);
  const raw = await guarded(parts, one, request, fitted);
  if (raw instanceof ModelFailure) return { failure: raw, usage: raw.usage };
  const { usage } = raw;
  const checked = checkedAnswer(one.request, fitted.restore ? fitted.restore.response(raw) : raw);
  if (checked instanceof ModelFailure) return { failure: checked, usage };
  try {
    const judged = await parts.stages.judge?.(one.ask, one.target, one.request, checked);
    if (!judged) return { response: checked, usage };
    return judged.ok ? { response: judged.response, usage, report: judged.report } : { failure: judged.failure, usage };
  } catch (error) {
    return { failure: failureOf(parts, one, error), usage };
  }
}

function within(request: ChatRequest, outputTokensMax: number | undefined): ChatRequest {
  if (outputTokensMax === undefined || (request.outputTokensMax ?? Number.POSITIVE_INFINITY) <= outputTokensMax)
    return request;
  return { ...request, outputTokensMax };
}

async function guarded(
  parts: AttemptParts,
  one: Try,
  request: ChatRequest,
  { restore }: Fitted,
): Promise<ChatResponse | ModelFailure> {
  const { call } = one.ask;
  const limit = new AbortController();
  const signal = AbortSignal.any([call.signal, limit.signal]);
  // JSON is for programs: nobody watches it grow
  const live = request.responseFormat.type === 'text' ? call.live?.begin() : undefined;
  const stream = live && restore?.stream(live);
  const onText = stream ? (text: string) => stream.push(text) : live;
  const guards = createTimeLimits(parts.limits, one.timeoutMs, onText !== undefined, (reason) => limit.abort(reason));
  try {
    const { model } = one.target.endpoint;
    const response = await one.provider.complete(request, { model, signal, onText, onActivity: guards.activity });
    stream?.end();
    return response;
  } catch (error) {
    if (limit.signal.aborted && !call.signal.aborted) return new ModelFailure('timeout', String(limit.signal.reason));
    return failureOf(parts, one, error);
  } finally {
    guards.stop();
  }
}

function failureOf(parts: AttemptParts, { ask, target }: Try, error: unknown): ModelFailure {
  if (ask.call.signal.aborted) return new ModelFailure('cancelled', 'the request was cancelled');
  if (error instanceof ModelFailure) return error;
  // a fault of an adapter must not take the other models down with it
  parts.log.error(
    { ...logOf(ask.call), model: target.entry.id, err: error },
    'a provider or a stage broke its contract',
  );
  return new ModelFailure('server_error', error instanceof Error ? error.message : String(error), { cause: error });
}

function checkedAnswer(request: ChatRequest, response: ChatResponse): ChatResponse | ModelFailure {
  const { message, usage } = response;
  if (message.toolCalls?.length || request.responseFormat.type === 'text') {
    const empty = !message.content?.trim() && !message.toolCalls?.length;
    return empty ? new ModelFailure('empty', 'the model answered nothing', { usage }) : response;
  }
  const verdict = checkJsonAnswer(request.responseFormat, message.content);
  if (verdict.ok) return { ...response, message: { ...message, content: verdict.text } };
  return new ModelFailure('invalid_answer', verdict.problem, { usage, answer: message.content ?? '' });
}
