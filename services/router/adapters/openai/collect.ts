/**
 * Gathers an answer, streamed or whole, into one ChatResponse. Invariant: without a finish reason there is no answer, so
 * that a stream that broke off politely is not taken for a whole one.
 */
import type { ChatRequest, ChatResponse, FinishReason, TokenUsage, ToolCall } from '@tutti/contracts';
import { jsonrepair } from 'jsonrepair';
import type { ChatCompletion, ChatCompletionChunk } from 'openai/resources/chat/completions';
import type { CompletionUsage } from 'openai/resources/completions';
import { ModelFailure } from '../../core/failure.ts';

/** For endpoints that do not count: close enough for a budget, in English. */
const CHARS_PER_TOKEN = 4;

interface DraftCall {
  id: string;
  name: string;
  arguments: string;
}
export interface Draft {
  text: string;
  calls: DraftCall[];
  finishReason: string | null;
  usage: TokenUsage | undefined;
  chars: number;
}

export function emptyDraft(): Draft {
  return { text: '', calls: [], finishReason: null, usage: undefined, chars: 0 };
}

/** Returns the text that this chunk adds. Throws `invalid_answer` past `charsMax`. */
export function addChunk(draft: Draft, chunk: ChatCompletionChunk, charsMax: number): string {
  if (chunk.usage) draft.usage = countsOf(chunk.usage);
  const choice = chunk.choices?.[0];
  if (!choice) return '';
  if (choice.finish_reason) draft.finishReason = choice.finish_reason;
  const text = choice.delta?.content ?? '';
  draft.text += text;
  draft.chars += text.length;
  for (const piece of choice.delta?.tool_calls ?? []) addCallPiece(draft, piece);
  if (draft.chars > charsMax)
    throw new ModelFailure('rejected', `the answer is longer than TUTTI_MODEL_OUTPUT_CHARS_MAX (${charsMax})`);
  return text;
}

function addCallPiece(draft: Draft, piece: ChatCompletionChunk.Choice.Delta.ToolCall): void {
  const index = piece.index ?? draft.calls.length;
  while (draft.calls.length <= index) draft.calls.push({ id: '', name: '', arguments: '' });
  const call = draft.calls[index]!;
  // some endpoints repeat id and name in every piece: set, never append
  if (piece.id) call.id = piece.id;
  if (piece.function?.name) call.name = piece.function.name;
  call.arguments += piece.function?.arguments ?? '';
  draft.chars += piece.function?.arguments?.length ?? 0;
}

export function draftOf(completion: ChatCompletion): Draft {
  const choice = completion.choices?.[0];
  if (!choice?.message) throw new ModelFailure('network', 'the endpoint answered with something that is no completion');
  const calls = (choice.message.tool_calls ?? []).flatMap((call) =>
    call.type === 'custom'
      ? []
      : [{ id: call.id, name: call.function?.name ?? '', arguments: call.function?.arguments ?? '' }],
  );
  return {
    text: choice.message.content ?? '',
    calls,
    finishReason: choice.finish_reason,
    usage: completion.usage ? countsOf(completion.usage) : undefined,
    chars: 0,
  };
}

function countsOf(usage: CompletionUsage): TokenUsage {
  const cached = usage.prompt_tokens_details?.cached_tokens;
  const reasoning = usage.completion_tokens_details?.reasoning_tokens;
  return {
    inputTokens: whole(usage.prompt_tokens),
    outputTokens: whole(usage.completion_tokens),
    ...(cached ? { cachedInputTokens: whole(cached) } : {}),
    ...(reasoning ? { reasoningTokens: whole(reasoning) } : {}),
  };
}

/** Some endpoints count with null, with fractions, or below nothing. */
function whole(count: number | null | undefined): number {
  return typeof count === 'number' && Number.isFinite(count) ? Math.max(0, Math.trunc(count)) : 0;
}

/** The finished answer. Throws ModelFailure: `network` (broke off), `empty`, `filtered`, `invalid_answer`. */
export function finish(draft: Draft, request: ChatRequest): ChatResponse {
  if (!draft.finishReason) throw new ModelFailure('network', 'the answer broke off before its end');
  const usage = draft.usage ?? estimate(draft, request);
  if (draft.finishReason === 'content_filter' && !draft.text)
    throw new ModelFailure('filtered', 'the provider withheld the answer (content filter)', { usage });
  const toolCalls = draft.calls.map((call, index) => parseCall(call, index, draft, usage));
  if (!draft.text.trim() && toolCalls.length === 0)
    throw new ModelFailure('empty', 'the model answered with neither text nor a tool call', { usage });
  return {
    message: { role: 'assistant', content: draft.text || null, ...(toolCalls.length ? { toolCalls } : {}) },
    finishReason: toolCalls.length ? 'tool_calls' : finishReasonOf(draft.finishReason),
    usage,
  };
}

function finishReasonOf(reason: string): FinishReason {
  return reason === 'length' || reason === 'content_filter' ? reason : 'stop';
}

function parseCall(call: DraftCall, index: number, draft: Draft, usage: ChatResponse['usage']): ToolCall {
  const parsed = parseArguments(call.arguments);
  // a call cut off at the token limit may repair into other arguments than were meant
  if (!call.name || !parsed || (draft.finishReason === 'length' && !isJson(call.arguments))) {
    const problem = call.name ? 'arguments that are not a JSON object' : 'no name';
    throw new ModelFailure('invalid_answer', `the tool call ${call.name || index + 1} has ${problem}`, {
      answer: `${draft.text}\n${call.name}(${call.arguments})`.trim(),
      usage,
    });
  }
  return { id: call.id || `call_${index + 1}`, name: call.name, arguments: parsed };
}

function parseArguments(text: string): Record<string, unknown> | undefined {
  if (!text.trim()) return {};
  for (const read of [JSON.parse, (value: string) => JSON.parse(jsonrepair(value))]) {
    try {
      const value: unknown = read(text);
      if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
    } catch {
      // the next reader is more lenient; after the last one the caller reports it
    }
  }
  return undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text || '{}');
    return true;
  } catch {
    return false;
  }
}

function estimate(draft: Draft, request: ChatRequest): ChatResponse['usage'] {
  const input = JSON.stringify([request.messages, request.tools, request.passages]).length;
  const output = draft.text.length + draft.calls.reduce((sum, call) => sum + call.arguments.length, 0);
  return { inputTokens: Math.ceil(input / CHARS_PER_TOKEN), outputTokens: Math.ceil(output / CHARS_PER_TOKEN) };
}
