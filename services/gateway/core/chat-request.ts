/**
 * OpenAI's Chat Completions request, and what of it becomes a run. Pure.
 * The agent's manifest owns model, tools and format, so fields that would change those are refused (`tools`, `n` > 1)
 * or, where leaving them out changes no meaning, named in `ignored` (`temperature` and the like).
 */
import { LIMITS } from '@tutti/contracts';
import { z } from 'zod';
import { RequestProblem } from './errors.ts';

const TextPart = z.looseObject({ type: z.string(), text: z.string().optional() });
const Content = z.union([z.string(), z.array(TextPart)]).nullish();

export const ChatCompletionRequest = z.looseObject({
  model: z.string().min(1),
  messages: z.array(z.looseObject({ role: z.string(), content: Content })).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
  n: z.number().nullish(),
  tools: z.array(z.unknown()).nullish(),
  functions: z.array(z.unknown()).nullish(),
  response_format: z.looseObject({ type: z.string() }).nullish(),
});
export type ChatCompletionRequest = z.infer<typeof ChatCompletionRequest>;

export interface ChatInput {
  /** What a run is started with. */
  input: string;
  /** The user's own words of it: what answers a question. */
  said: string;
  /** What was said before, oldest first: for a request that names no session. */
  history: { input: string; output: string }[];
  /** Fields that had no effect. */
  ignored: string[];
}

const USED = [
  'model',
  'messages',
  'stream',
  'stream_options',
  'metadata',
  'n',
  'tools',
  'functions',
  'response_format',
];
/** Say who asks or how to keep the answer, not what to answer. */
const SILENT = ['user', 'store', 'safety_identifier', 'prompt_cache_key', 'tool_choice', 'parallel_tool_calls'];
const PARAGRAPH = '\n\n';

/** Throws RequestProblem for what cannot be done. */
export function readChat(request: ChatCompletionRequest): ChatInput {
  refuse(request);
  const turns = conversation(request.messages);
  const last = turns.pop();
  if (!last || last.output !== null)
    throw new RequestProblem('messages', 'the last message must be the user’s: it is the input of the run');
  const rules = instructions(request.messages);
  const input = rules ? `Instructions from the application:\n${rules}\n\n${last.input}` : last.input;
  if (!last.input.trim()) throw new RequestProblem('messages', 'the last user message is empty');
  if (input.length > LIMITS.inputCharsMax)
    throw new RequestProblem(
      'messages',
      `the input has ${input.length} characters; at most ${LIMITS.inputCharsMax} are taken`,
    );
  const history = turns.flatMap(({ input: said, output }) => (output === null ? [] : [{ input: said, output }]));
  return { input, said: last.input, history, ignored: ignoredOf(request) };
}

function refuse(request: ChatCompletionRequest): void {
  if ((request.n ?? 1) !== 1) throw new RequestProblem('n', 'one answer a request; ask again for another one');
  for (const field of ['tools', 'functions'] as const)
    if (request[field]?.length)
      throw new RequestProblem(field, 'an agent’s tools stand in its manifest; declare them in the bundle');
  if (request.response_format && request.response_format.type !== 'text')
    throw new RequestProblem('response_format', 'only "text" is supported');
}

function ignoredOf(request: ChatCompletionRequest): string[] {
  return Object.entries(request)
    .filter(([field, value]) => value != null && !USED.includes(field) && !SILENT.includes(field))
    .map(([field]) => field);
}

/** User messages that follow each other are one; assistant messages, too. Tool traffic is the agent's own affair. */
function conversation(messages: ChatCompletionRequest['messages']): { input: string; output: string | null }[] {
  const turns: { input: string; output: string | null }[] = [];
  messages.forEach((message, index) => {
    const last = turns.at(-1);
    const text = textOf(message.content, index);
    if (message.role === 'user') {
      if (last && last.output === null) last.input += PARAGRAPH + text;
      else turns.push({ input: text, output: null });
    } else if (message.role === 'assistant') {
      if (!text) return;
      if (last) last.output = last.output === null ? text : last.output + PARAGRAPH + text;
      else turns.push({ input: '', output: text });
    } else if (!['system', 'developer', 'tool', 'function'].includes(message.role)) {
      throw new RequestProblem(`messages.${index}.role`, `unknown role "${message.role}"`);
    }
  });
  return turns;
}

function instructions(messages: ChatCompletionRequest['messages']): string {
  return messages
    .map((message, index) => (['system', 'developer'].includes(message.role) ? textOf(message.content, index) : ''))
    .filter(Boolean)
    .join(PARAGRAPH);
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
