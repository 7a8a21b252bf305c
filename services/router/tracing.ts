/**
 * What the router tells of a model call: one span for the whole of it, every attempt an event in it with how it went and
 * what was done next, and the numbers of the GenAI conventions. The span's model is the one that was chosen first; the
 * response's the one that answered.
 */
import type { ChatMessage, ChatResponse, CompleteBody } from '@tutti/contracts';
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
import type { z } from 'zod';
import type { Candidate } from './core/choose.ts';
import type { ModelFailure, NextMove } from './core/failure.ts';
import type { ModelEntry, TokenCount } from './core/model.ts';

type Body = z.output<typeof CompleteBody>;

export interface ChatTrace {
  /** One request to one model has failed, and `next` is done. */
  failed(entry: ModelEntry, failure: ModelFailure, next: NextMove, durationMs: number): void;
  answered(
    entry: ModelEntry,
    response: ChatResponse,
    total: { usage: TokenCount; costUsd: number; attempts: number; degraded: boolean },
  ): void;
  /** No model answers. */
  ended(error: unknown, attempts: number): void;
}

export type BeginChat = (
  body: Body,
  call: { traceparent: string | undefined; session: string | undefined },
  candidates: readonly Candidate[],
) => ChatTrace;

export function observeChats(telemetry: Telemetry, metrics: Metrics = createMetrics()): BeginChat {
  const count = countChats(metrics);
  return (body, call, candidates) => {
    const first = (candidates.find(({ kept }) => kept) ?? candidates[0])?.entry;
    const span = telemetry.enabled ? startSpan(telemetry, body, call, candidates, first) : undefined;
    const startedMs = performance.now();
    const seconds = () => (performance.now() - startedMs) / 1_000;
    return {
      failed(entry, failure, next, durationMs) {
        count.attempt(entry, failure.kind, next.move);
        span?.event(EVENT.attempt, attemptAttributes(entry, durationMs, failure, next));
      },
      answered(entry, response, total) {
        count.attempt(entry, 'ok', 'done');
        count.answered(first ?? entry, entry, total, seconds());
        if (span) endSpan(span, entry, response, total);
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

function startSpan(
  telemetry: Telemetry,
  body: Body,
  call: { traceparent: string | undefined; session: string | undefined },
  candidates: readonly Candidate[],
  first: ModelEntry | undefined,
): OpenSpan {
  const { chat } = body;
  const messages = capturesContent() ? contentOf(chat.messages.map(partsOf)) : undefined;
  return telemetry.span(SPAN.chat(first?.id ?? body.model), {
    kind: 'client',
    parent: call.traceparent,
    attributes: {
      [ATTR.operation]: OPERATION.chat,
      [ATTR.provider]: first?.provider,
      [ATTR.requestModel]: first?.id ?? body.model,
      [ATTR.agent]: body.agent,
      [ATTR.outputType]: chat.responseFormat.type === 'text' ? 'text' : 'json',
      [ATTR.conversation]: call.session,
      [ATTR.routeAsked]: body.model,
      [ATTR.routeCandidates]: candidates.map(
        ({ entry, kept, reason }) => `${entry.id}: ${kept ? '' : 'not used, '}${reason}`,
      ),
      ...(chat.temperature === undefined ? {} : { [ATTR.requestTemperature]: chat.temperature }),
      ...(messages === undefined ? {} : { [ATTR.inputMessages]: messages }),
    },
  });
}

function attemptAttributes(entry: ModelEntry, durationMs: number, failure: ModelFailure, next: NextMove) {
  const message = contentOf(failure.message);
  return {
    [ATTR.requestModel]: entry.id,
    [ATTR.provider]: entry.provider,
    [ATTR.errorType]: failure.kind,
    [ATTR.routeDurationMs]: Math.round(durationMs),
    [ATTR.routeNext]: next.move,
    ...(next.move === 'retry' ? { [ATTR.routeDelayMs]: Math.round(next.delayMs) } : {}),
    ...(message === undefined ? {} : { [ATTR.errorMessage]: message }),
  };
}

function endSpan(
  span: OpenSpan,
  entry: ModelEntry,
  response: ChatResponse,
  { usage, costUsd, attempts, degraded }: { usage: TokenCount; costUsd: number; attempts: number; degraded: boolean },
): void {
  const said = () => [{ ...partsOf(response.message), finish_reason: response.finishReason }];
  const messages = capturesContent() ? contentOf(said()) : undefined;
  span.attributes({
    [ATTR.responseModel]: entry.id,
    [ATTR.finishReasons]: [response.finishReason],
    [ATTR.inputTokens]: usage.inputTokens,
    [ATTR.outputTokens]: usage.outputTokens,
    [ATTR.routeAttempts]: attempts,
    [ATTR.routeCost]: costUsd,
    ...(degraded ? { [ATTR.routeDegraded]: true } : {}),
    ...(messages === undefined ? {} : { [ATTR.outputMessages]: messages }),
  });
  span.end();
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
  const degraded = metrics.counter(METRIC.modelDegraded).of();
  return {
    attempt(entry: ModelEntry, outcome: string, next: string) {
      attempts.of(entry.provider, entry.id, outcome, next).inc();
    },
    answered(
      first: ModelEntry,
      entry: ModelEntry,
      total: { usage: TokenCount; costUsd: number; degraded: boolean },
      seconds: number,
    ) {
      const labels = [OPERATION.chat, entry.provider, first.id, entry.id] as const;
      tokens.of(...labels, 'input').observe(total.usage.inputTokens);
      tokens.of(...labels, 'output').observe(total.usage.outputTokens);
      duration.of(...labels, '').observe(seconds);
      cost.of(entry.id).inc(total.costUsd);
      if (total.degraded) degraded.inc();
    },
    ended(first: ModelEntry, code: string, seconds: number) {
      duration.of(OPERATION.chat, first.provider, first.id, '', code).observe(seconds);
    },
  };
}
