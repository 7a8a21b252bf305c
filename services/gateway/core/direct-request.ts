/**
 * A Chat Completions request for a model itself (`model/<id>`, or a route's name): what of it becomes the router's request.
 * Pure. Everything that would change the answer is passed on or refused; what has no effect is named in `ignored`.
 */
import {
  type Bundle,
  type ChatMessage,
  type ChatRequest,
  JsonSchema,
  type ToolChoice,
  ToolDefinition,
} from '@tutti/contracts';
import { z } from 'zod';
import { RequestProblem } from './errors.ts';

export const DIRECT_PREFIX = 'model/';

const Part = z.looseObject({ type: z.string(), text: z.string().optional() });
const Content = z.union([z.string(), z.array(Part)]).nullish();
const Call = z.looseObject({
  id: z.string(),
  type: z.literal('function'),
  function: z.looseObject({ name: z.string(), arguments: z.string() }),
});
const Message = z.looseObject({
  role: z.string(),
  content: Content,
  tool_calls: z.array(Call).nullish(),
  tool_call_id: z.string().nullish(),
});
const Tool = z.looseObject({
  type: z.literal('function'),
  function: z.looseObject({ name: z.string(), description: z.string().nullish(), parameters: JsonSchema.nullish() }),
});
const Choice = z.union([
  z.enum(['auto', 'none', 'required']),
  z.looseObject({ type: z.literal('function'), function: z.looseObject({ name: z.string() }) }),
]);
const Format = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text') }),
  z.looseObject({ type: z.literal('json_object') }),
  z.looseObject({
    type: z.literal('json_schema'),
    json_schema: z.looseObject({ name: z.string(), schema: JsonSchema.optional() }),
  }),
]);

export const DirectRequest = z.looseObject({
  model: z.string().min(1),
  messages: z.array(Message).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  n: z.number().nullish(),
  tools: z.array(Tool).nullish(),
  tool_choice: Choice.nullish(),
  response_format: Format.nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  max_tokens: z.number().int().positive().nullish(),
  max_completion_tokens: z.number().int().positive().nullish(),
});
export type DirectRequest = z.infer<typeof DirectRequest>;

const USED = new Set(Object.keys(DirectRequest.shape));
/** Change how a model answers: passed on as they are. */
const PASSED = new Set([
  'top_p',
  'stop',
  'seed',
  'presence_penalty',
  'frequency_penalty',
  'logit_bias',
  'reasoning_effort',
  'verbosity',
  'parallel_tool_calls',
  'service_tier',
  'prompt_cache_key',
  'safety_identifier',
]);
/** Would change the answer's shape, which only one model call could give. */
const REFUSED: Record<string, string> = {
  functions: 'use `tools`',
  function_call: 'use `tool_choice`',
  logprobs: 'log probabilities are not passed on',
  top_logprobs: 'log probabilities are not passed on',
  audio: 'only text is supported',
  prediction: 'predicted outputs are not passed on',
};
/** Say who asks or how to keep the answer, not what to answer. */
const SILENT = new Set(['user', 'store', 'metadata']);

/** The name to route by; undefined: the request is for an agent. */
export function directModel(model: string, bundle: Pick<Bundle, 'agents' | 'routes'>): string | undefined {
  if (model.startsWith(DIRECT_PREFIX)) return model.slice(DIRECT_PREFIX.length);
  const isRoute = !Object.hasOwn(bundle.agents, model) && Object.hasOwn(bundle.routes ?? {}, model);
  return isRoute ? model : undefined;
}

/** `now`: ISO 8601. Throws RequestProblem. */
export function readDirect(
  request: DirectRequest,
  now: string,
): { chat: z.input<typeof ChatRequest>; ignored: string[] } {
  if ((request.n ?? 1) !== 1) throw new RequestProblem('n', 'one answer a request; ask again for another one');
  for (const [field, instead] of Object.entries(REFUSED)) {
    const value = request[field];
    if (value != null && value !== false) throw new RequestProblem(field, instead);
  }
  const rest = Object.entries(request).filter(([field, value]) => value != null && !USED.has(field));
  const parameters = Object.fromEntries(rest.filter(([field]) => PASSED.has(field)));
  const outputTokensMax = request.max_completion_tokens ?? request.max_tokens ?? undefined;
  return {
    chat: {
      messages: messagesOf(request),
      tools: (request.tools ?? []).map(toolOf),
      toolChoice: choiceOf(request.tool_choice),
      responseFormat: formatOf(request.response_format),
      now,
      plain: true,
      ...(request.temperature == null ? {} : { temperature: request.temperature }),
      ...(outputTokensMax === undefined ? {} : { outputTokensMax }),
      ...(Object.keys(parameters).length ? { parameters } : {}),
    },
    ignored: rest
      .filter(([field]) => !PASSED.has(field) && !SILENT.has(field) && !(field in REFUSED))
      .map(([field]) => field),
  };
}

function messagesOf({ messages }: DirectRequest): ChatMessage[] {
  const names = new Map<string, string>();
  return messages.map((message, index): ChatMessage => {
    const content = textOf(message.content, index);
    switch (message.role) {
      case 'system':
      case 'developer':
        return { role: 'system', content };
      case 'user':
        return { role: 'user', content };
      case 'assistant': {
        const toolCalls = (message.tool_calls ?? []).map(({ id, function: { name, arguments: given } }) => {
          names.set(id, name);
          return { id, name, arguments: argumentsOf(given, index) };
        });
        return { role: 'assistant', content: content || null, ...(toolCalls.length ? { toolCalls } : {}) };
      }
      case 'tool': {
        const id = message.tool_call_id ?? '';
        const name = names.get(id);
        if (name === undefined)
          throw new RequestProblem(
            `messages.${index}.tool_call_id`,
            `no earlier message calls a tool with the id "${id}"`,
          );
        return { role: 'tool', toolCallId: id, name, content };
      }
      default:
        throw new RequestProblem(`messages.${index}.role`, `unknown role "${message.role}"`);
    }
  });
}

function argumentsOf(text: string, index: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text || '{}');
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // said below
  }
  throw new RequestProblem(`messages.${index}.tool_calls`, 'the arguments of a call must be a JSON object');
}

function textOf(content: z.infer<typeof Content>, index: number): string {
  if (content == null) return '';
  if (typeof content === 'string') return content;
  return content
    .map((part) => {
      if (part.text !== undefined && part.type.includes('text')) return part.text;
      throw new RequestProblem(`messages.${index}.content`, `only text parts are supported, not "${part.type}"`);
    })
    .join('');
}

function toolOf({ function: { name, description, parameters } }: z.infer<typeof Tool>, index: number): ToolDefinition {
  const tool = ToolDefinition.safeParse({
    name,
    description: description ?? '',
    parameters: parameters ?? { type: 'object' },
  });
  if (!tool.success)
    throw new RequestProblem(
      `tools.${index}.function.name`,
      `"${name}" is no name for a tool (1 to 64 letters, digits, "_" and "-")`,
    );
  return tool.data;
}

function choiceOf(choice: z.infer<typeof Choice> | null | undefined): ToolChoice {
  if (choice == null) return 'auto';
  return typeof choice === 'string' ? choice : { name: choice.function.name };
}

function formatOf(format: z.infer<typeof Format> | null | undefined): ChatRequest['responseFormat'] {
  if (format?.type === 'json_schema')
    return { type: 'json_schema', name: format.json_schema.name, schema: format.json_schema.schema ?? {} };
  return format?.type === 'json_object'
    ? { type: 'json_schema', name: 'json_object', schema: { type: 'object' } }
    : { type: 'text' };
}
