/**
 * What a model is asked and what it answers: the shape behind every provider's port, the offline model's included.
 * Owns no behaviour. Content that is not an instruction (passages, facts) stays in fields of its own, so that a
 * provider's adapter decides how to render it and nothing from a document can pose as an instruction unnoticed.
 */
import { z } from 'zod';
import { Sums } from './history.ts';
import { Label } from './labels.ts';

/** A JSON Schema (draft 2020-12 or draft-07) as plain data. */
export const JsonSchema = z.record(z.string(), z.unknown());
export type JsonSchema = z.infer<typeof JsonSchema>;

/** `pure` may repeat freely; `keyed`: remote honours an idempotency key; `probeable`: can be asked whether it happened; `irreversible`: never repeated unless proven undone. */
export const EffectKind = z.enum(['pure', 'keyed', 'probeable', 'irreversible']);
export type EffectKind = z.infer<typeof EffectKind>;

/** A tool as a model sees it. `returns` is the schema of its result where it is known. */
export const ToolDefinition = z.object({
  name: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/),
  description: z.string().default(''),
  parameters: JsonSchema,
  returns: JsonSchema.optional(),
  effect: EffectKind.default('pure'),
  /** Name of the tool that undoes what this one did, where the bundle says so. */
  undo: z.string().optional(),
  /** Its arguments, each a value or where it comes from: `$result.…`, `$arguments.…`, `$idempotencyKey`. */
  undoWith: z.record(z.string(), z.string()).optional(),
  /** The planner carries it out itself (`ask_user`, `sleep`, `delegate`, …). */
  engine: z.boolean().optional(),
  /** Of its results, where that is not the one of a tool that says nothing of itself. */
  label: Label.optional(),
  /** What is summed up of its calls. */
  sums: Sums.optional(),
});
export type ToolDefinition = z.infer<typeof ToolDefinition>;

/** Tools that the planner has for an agent whose manifest names them; no source offers them. */
export const ENGINE_TOOL_NAMES: readonly string[] = ['ask_user', 'sleep'];

export const ToolCall = z.object({
  id: z.string(),
  name: z.string(),
  arguments: z.record(z.string(), z.unknown()),
});
export type ToolCall = z.infer<typeof ToolCall>;

/** One turn of a conversation. A `tool` message always follows the assistant message that holds its call. */
export const ChatMessage = z.discriminatedUnion('role', [
  z.object({ role: z.literal('system'), content: z.string() }),
  z.object({ role: z.literal('user'), content: z.string() }),
  z.object({
    role: z.literal('assistant'),
    content: z.string().nullable(),
    toolCalls: z.array(ToolCall).optional(),
  }),
  z.object({
    role: z.literal('tool'),
    toolCallId: z.string(),
    name: z.string(),
    /** JSON text where the tool returned data, plain text otherwise. */
    content: z.string(),
    isError: z.boolean().optional(),
  }),
]);
export type ChatMessage = z.infer<typeof ChatMessage>;

/** A piece of a document that an answer may rest on; cited as `[n]`, n from 1. */
export const Passage = z.object({
  id: z.string(),
  document: z.string(),
  title: z.string(),
  section: z.string().optional(),
  text: z.string(),
  score: z.number().optional(),
  collection: z.string().optional(),
  label: Label.optional(),
});
export type Passage = z.infer<typeof Passage>;

export const ResponseFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_schema'), name: z.string(), schema: JsonSchema }),
]);
export type ResponseFormat = z.infer<typeof ResponseFormat>;

export const ToolChoice = z.union([z.enum(['auto', 'none', 'required']), z.object({ name: z.string() })]);
export type ToolChoice = z.infer<typeof ToolChoice>;

/**
 * What some of a request's messages are, for whoever has to fit them into a window. `history`: earlier runs of the
 * session. `earlier`: what was done before this run began. `thread`: the run's own turns.
 */
export const SegmentKind = z.enum(['instructions', 'summary', 'history', 'goal', 'earlier', 'thread']);
export type SegmentKind = z.infer<typeof SegmentKind>;
export const Segment = z.object({
  kind: SegmentKind,
  /** How many messages, from where the segment before it ends. */
  messages: z.number().int().positive(),
  /** 0 to 100, higher stays longer, 100 always; its kind's own where it is left out. */
  priority: z.number().min(0).max(100).optional(),
  /** Where it came from and who may see it. */
  labels: z.array(z.string()).optional(),
});
export type Segment = z.infer<typeof Segment>;

export const ChatRequest = z.object({
  messages: z.array(ChatMessage).min(1),
  /** The messages' parts, in order; messages behind the last one, and all where it is left out, are told by where they stand. */
  segments: z.array(Segment).optional(),
  tools: z.array(ToolDefinition).default([]),
  toolChoice: ToolChoice.default('auto'),
  responseFormat: ResponseFormat.default({ type: 'text' }),
  /** Retrieved passages, best first; the answer cites the i-th as `[i+1]`. */
  passages: z.array(Passage).default([]),
  /** Short statements remembered about the user or tenant. */
  facts: z.array(z.string()).default([]),
  /** ISO 8601 instant: what "today" means to this request. */
  now: z.string(),
  /** IANA zone, e.g. `Europe/Berlin`. */
  timeZone: z.string().default('UTC'),
  temperature: z.number().min(0).max(2).optional(),
  outputTokensMax: z.number().int().positive().optional(),
  /** The messages are all there is: no date and no facts are put beside them. For whoever uses a model directly. */
  plain: z.boolean().optional(),
  /** Parameters of OpenAI's that are passed on as they are (`top_p`, `stop`, `seed`, …). */
  parameters: z.record(z.string(), z.unknown()).optional(),
});
export type ChatRequest = z.infer<typeof ChatRequest>;

/** `cachedInputTokens` are among the input's, `reasoningTokens` among the output's. */
export const TokenUsage = z.object({
  inputTokens: z.number().int(),
  outputTokens: z.number().int(),
  cachedInputTokens: z.number().int().optional(),
  reasoningTokens: z.number().int().optional(),
});
export type TokenUsage = z.infer<typeof TokenUsage>;

export const FinishReason = z.enum(['stop', 'tool_calls', 'length', 'content_filter']);
export type FinishReason = z.infer<typeof FinishReason>;

export const ChatResponse = z.object({
  message: z.object({
    role: z.literal('assistant'),
    content: z.string().nullable(),
    toolCalls: z.array(ToolCall).optional(),
  }),
  finishReason: FinishReason,
  usage: TokenUsage,
});
export type ChatResponse = z.infer<typeof ChatResponse>;
