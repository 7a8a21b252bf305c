/**
 * What the router tells of a model call: one span for the whole of it, every try an event in it with how it went and what
 * was done next, and the numbers of the GenAI conventions. The span's model is the one that was chosen first; the
 * response's the one that answered. What a cache answered has a span too, and has used nothing.
 */
import type { ChatMessage, CompleteResult, TokenUsage } from '@tutti/contracts';
import { toErrorInfo } from '@tutti/contracts';
import {
  ATTR,
  capturesContent,
  contentOf,
  createMetrics,
  EVENT,
  failureOf,
  METRIC,
  type Metrics,
  OPERATION,
  type OpenSpan,
  SPAN,
  type Telemetry,
} from '@tutti/runtime';
import type { Candidate } from './core/choose.ts';
import type { ModelFailure, NextMove } from './core/failure.ts';
import type { Target } from './core/model.ts';
import type { Route } from './results.ts';
import type { Ask } from './stages.ts';

/** What this call itself has used: not what its judges have, which are calls of their own, nor what a cache has saved. */
export interface Spent {
  usage: TokenUsage;
  costUsd: number;
  attempts: readonly unknown[];
}

export interface ChatTrace {
  /** One try has failed, and `next` is done. `sent`: a request has left. */
  failed(target: Target, failure: ModelFailure, next: NextMove, durationMs: number, sent: boolean): void;
  /** One request to one model was answered with something of use. */
  succeeded(target: Target): void;
  answered(result: CompleteResult, spent: Spent): void;
  /** No model answers. */
  ended(error: unknown, attempts: number): void;
}

export type BeginChat = (
  ask: Pick<Ask, 'body'> & { call: Pick<Ask['call'], 'traceparent' | 'session'> },
  candidates: readonly Candidate[],
  route: Route,
) => ChatTrace;

/** Who is meant by provider and model in a metric. */
interface Who {
  provider: string;
  model: string;
}

export function observeChats(telemetry: Telemetry, metrics: Metrics = createMetrics()): BeginChat {
  const count = countChats(metrics);
  return (ask, candidates, route) => {
    const first = firstOf(candidates);
    const span = telemetry.enabled ? startSpan(telemetry, ask, candidates, route, first) : undefined;
    const startedMs = performance.now();
    const seconds = () => (performance.now() - startedMs) / 1_000;
    return {
      failed(target, failure, next, durationMs, sent) {
        if (sent) count.attempt(target, failure.kind, next.move);
        span?.event(sent ? EVENT.attempt : EVENT.unsent, attemptAttributes(target, durationMs, failure, next));
      },
      succeeded(target) {
        count.attempt(target, 'ok', 'done');
        span?.attributes({ [ATTR.routeEndpoint]: target.id });
      },
      answered(result, spent) {
        count.answered(first?.model ?? result.model, result, spent, seconds());
        if (span) endSpan(span, result, spent);
      },
      ended(error, attempts) {
        const info = toErrorInfo(error);
        if (first) count.ended(first, info.code, seconds());
        if (!span) return;
        const failure = failureOf(info);
        span.attributes({ ...failure.attributes, [ATTR.routeAttempts]: attempts });
        span.end({ error: failure.error });
      },
    };
  };
}

function firstOf(candidates: readonly Candidate[]): Who | undefined {
  const first = candidates.find(({ kept }) => kept) ?? candidates[0];
  return first && { provider: first.endpoint.provider, model: first.entry.id };
}

function startSpan(
  telemetry: Telemetry,
  { body, call }: Parameters<BeginChat>[0],
  candidates: readonly Candidate[],
  { tier, difficulty, reason }: Route,
  first: Who | undefined,
): OpenSpan {
  const { chat } = body;
  const messages = capturesContent() ? contentOf(chat.messages.map(partsOf)) : undefined;
  return telemetry.span(SPAN.chat(first?.model ?? body.model), {
    kind: 'client',
    parent: call.traceparent,
    attributes: {
      [ATTR.operation]: OPERATION.chat,
      [ATTR.provider]: first?.provider,
      [ATTR.requestModel]: first?.model ?? body.model,
      [ATTR.agent]: body.agent,
      [ATTR.outputType]: chat.responseFormat.type === 'text' ? 'text' : 'json',
      [ATTR.conversation]: call.session,
      [ATTR.routeAsked]: body.model,
      [ATTR.routeReason]: reason,
      ...(tier === undefined ? {} : { [ATTR.routeTier]: tier }),
      ...(difficulty === undefined ? {} : { [ATTR.routeDifficulty]: difficulty }),
      [ATTR.routeCandidates]: candidates.map(
        ({ entry, endpoint, kept, reason }) =>
          `${entry.id} (${endpoint.provider}): ${kept ? '' : 'not used, '}${reason}`,
      ),
      ...(chat.temperature === undefined ? {} : { [ATTR.requestTemperature]: chat.temperature }),
      ...(messages === undefined ? {} : { [ATTR.inputMessages]: messages }),
    },
  });
}

function attemptAttributes(target: Target, durationMs: number, failure: ModelFailure, next: NextMove) {
  const message = contentOf(failure.message);
  return {
    [ATTR.requestModel]: target.entry.id,
    [ATTR.provider]: target.endpoint.provider,
    [ATTR.routeEndpoint]: target.id,
    [ATTR.errorType]: failure.kind,
    [ATTR.routeDurationMs]: Math.round(durationMs),
    [ATTR.routeNext]: next.move,
    ...(next.move === 'same' ? { [ATTR.routeDelayMs]: Math.round(next.delayMs) } : {}),
    ...(message === undefined ? {} : { [ATTR.errorMessage]: message }),
  };
}

function endSpan(span: OpenSpan, result: CompleteResult, { usage, costUsd, attempts }: Spent): void {
  const said = () => [{ ...partsOf(result.message), finish_reason: result.finishReason }];
  const messages = capturesContent() ? contentOf(said()) : undefined;
  const { cachedInputTokens } = usage;
  span.attributes({
    [ATTR.responseModel]: result.model,
    [ATTR.finishReasons]: [result.finishReason],
    [ATTR.inputTokens]: usage.inputTokens,
    [ATTR.outputTokens]: usage.outputTokens,
    ...(cachedInputTokens === undefined ? {} : { [ATTR.cachedInputTokens]: cachedInputTokens }),
    [ATTR.routeAttempts]: attempts.length,
    [ATTR.routeCost]: costUsd,
    ...doneTo(result),
    ...(messages === undefined ? {} : { [ATTR.outputMessages]: messages }),
  });
  span.end();
}

/** What was done to the request and to the answer, in numbers and words of our own. */
function doneTo({ degraded, cached, packing, masked, notes, grounding, prompt }: CompleteResult) {
  const packed = packing && [
    ...packing.leftOut.map(({ kind, count }) => `left out: ${count} ${kind}`),
    ...packing.shrunk.map(({ kind, count }) => `shrunk: ${count} ${kind}`),
  ];
  return {
    ...(degraded ? { [ATTR.routeDegraded]: true } : {}),
    ...(cached ? { [ATTR.routeCached]: cached } : {}),
    ...(packed ? { [ATTR.routePacked]: packed } : {}),
    ...(masked ? { [ATTR.routeMasked]: Object.entries(masked).map(([kind, count]) => `${count} ${kind}`) } : {}),
    ...(notes ? { [ATTR.routeNotes]: notes } : {}),
    ...(grounding ? { [ATTR.routeGrounding]: grounding.score } : {}),
    ...(prompt ? { [ATTR.routePrompt]: `${prompt.name} ${prompt.version}` } : {}),
  };
}

/** A message in the shape of the conventions' JSON schema. */
function partsOf(message: ChatMessage) {
  const { role, content } = message;
  if (role === 'tool')
    return { role, parts: [{ type: 'tool_call_response', id: message.toolCallId, response: content }] };
  const calls = role === 'assistant' ? (message.toolCalls ?? []) : [];
  return {
    role,
    parts: [
      ...(content ? [{ type: 'text', content }] : []),
      ...calls.map((call) => ({ type: 'tool_call', id: call.id, name: call.name, arguments: call.arguments })),
    ],
  };
}

function countChats(metrics: Metrics) {
  const tokens = metrics.histogram(METRIC.tokenUsage);
  const duration = metrics.histogram(METRIC.operationDuration);
  const attempts = metrics.counter(METRIC.modelAttempts);
  const cost = metrics.counter(METRIC.modelCost);
  const cached = metrics.counter(METRIC.modelCached);
  const degraded = metrics.counter(METRIC.modelDegraded).of();
  return {
    attempt({ entry, endpoint }: Target, outcome: string, next: string) {
      attempts.of(endpoint.provider, entry.id, outcome, next).inc();
    },
    answered(first: string, result: CompleteResult, { usage, costUsd }: Spent, seconds: number) {
      const labels = [OPERATION.chat, result.provider, first, result.model] as const;
      duration.of(...labels, '').observe(seconds);
      if (result.cached) return cached.of(result.cached).inc();
      tokens.of(...labels, 'input').observe(usage.inputTokens);
      tokens.of(...labels, 'output').observe(usage.outputTokens);
      cost.of(result.model).inc(costUsd);
      if (result.degraded) degraded.inc();
    },
    ended(first: Who, code: string, seconds: number) {
      duration.of(OPERATION.chat, first.provider, first.model, '', code).observe(seconds);
    },
  };
}
