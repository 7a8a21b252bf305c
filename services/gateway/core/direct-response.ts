/** Chat Completions answers of a model itself. Pure. `tutti` says which model answered and why; clients skip what they do not know. */
import type { CompleteResult, TokenUsage } from '@tutti/contracts';

export interface DirectFrame {
  /** The call's id. */
  id: string;
  /** Unix seconds. */
  created: number;
  /** As it was asked for. */
  model: string;
  ignored: string[];
}

/** Why this model answered: what was asked, all candidates with reasons, all tries. */
export function routeBody(result: CompleteResult) {
  const { model, provider, degraded, candidates, attempts, route, costUsd } = result;
  return { ...route, model, provider, degraded, costUsd, attempts, candidates };
}

export function directUsage({ inputTokens, outputTokens, cachedInputTokens, reasoningTokens }: TokenUsage) {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    ...(cachedInputTokens === undefined ? {} : { prompt_tokens_details: { cached_tokens: cachedInputTokens } }),
    ...(reasoningTokens === undefined ? {} : { completion_tokens_details: { reasoning_tokens: reasoningTokens } }),
  };
}

function tuttiOf(frame: DirectFrame, result: CompleteResult) {
  return { call: frame.id, degraded: result.degraded, ignored: frame.ignored, route: routeBody(result) };
}

function callsOf({ message }: CompleteResult) {
  return (message.toolCalls ?? []).map(({ id, name, arguments: given }) => ({
    id,
    type: 'function' as const,
    function: { name, arguments: JSON.stringify(given) },
  }));
}

export function directBody(frame: DirectFrame, result: CompleteResult) {
  const calls = callsOf(result);
  const message = {
    role: 'assistant' as const,
    content: result.message.content,
    refusal: null,
    ...(calls.length ? { tool_calls: calls } : {}),
  };
  return {
    id: frame.id,
    object: 'chat.completion' as const,
    created: frame.created,
    model: result.model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: result.finishReason }],
    usage: directUsage(result.usage),
    tutti: tuttiOf(frame, result),
  };
}

function chunkHead({ id, created, model }: DirectFrame) {
  return { id, object: 'chat.completion.chunk' as const, created, model };
}

export function directChunk(frame: DirectFrame, delta: { role?: 'assistant'; content?: string }) {
  return { ...chunkHead(frame), choices: [{ index: 0, delta, logprobs: null, finish_reason: null }] };
}

/** What was sent of an attempt is void: for clients that said that they can take it back. */
export function supersededChunk(frame: DirectFrame, attempt: number, reason: string) {
  return { ...directChunk(frame, {}), tutti: { call: frame.id, superseded: { attempt, reason } } };
}

/** Tool calls, each whole, and the end. */
export function lastChunks(frame: DirectFrame, result: CompleteResult, includeUsage: boolean): object[] {
  const named = { ...frame, model: result.model };
  const calls = callsOf(result).map((call, index) => ({ index, ...call }));
  const choice = { index: 0, logprobs: null };
  return [
    ...(calls.length
      ? [{ ...chunkHead(named), choices: [{ ...choice, delta: { tool_calls: calls }, finish_reason: null }] }]
      : []),
    {
      ...chunkHead(named),
      choices: [{ ...choice, delta: {}, finish_reason: result.finishReason }],
      tutti: tuttiOf(frame, result),
    },
    ...(includeUsage ? [{ ...chunkHead(named), choices: [], usage: directUsage(result.usage) }] : []),
  ];
}
