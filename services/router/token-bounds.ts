/** How many tokens a request takes: about, and at the most. */
import type { ChatRequest } from '@tutti/contracts';
import { countText } from './adapters/tokenizer.ts';
import type { Target } from './core/model.ts';
import { countRequest, MESSAGE_TOKENS, REQUEST_TOKENS } from './core/pack.ts';

/** Other tokenizers make more of the same text than ours; templates add some. */
export const TOKEN_MARGIN = { known: 1.02, unknown: 1.2 } as const;
/** What a chat template puts around a message at the most, and before all of them, in bytes. */
const TEMPLATE_MESSAGE_BYTES = 64;
const TEMPLATE_BYTES = 512;
/** What providers tell a model about how to call tools. */
const TOOLS_TOKENS = 400;
const OPENAI_MODEL = /(?:^|\/)(?:gpt-(?:4o|4\.1|[5-9])|chatgpt|o[1-9]\b|gpt-oss)/;

/** Does it count as we do (o200k)? */
export function knowsTokenizer({ endpoint }: Target): boolean {
  return OPENAI_MODEL.test(endpoint.model);
}

export interface RequestSize {
  tokens: number;
  /** It cannot be more, whatever the tokenizer: there are no more bytes. */
  tokensMax: number;
}

export function sizeOf(target: Target, request: ChatRequest): RequestSize {
  const tokens = countRequest(request, countText);
  const known = Math.ceil(tokens * TOKEN_MARGIN.known) + REQUEST_TOKENS;
  const tools = request.tools.length > 0 ? TOOLS_TOKENS : 0;
  return { tokens, tokensMax: (knowsTokenizer(target) ? known : bytesOf(request)) + tools };
}

function bytesOf(request: ChatRequest): number {
  const { messages, tools, passages, facts, responseFormat } = request;
  return (
    Buffer.byteLength(JSON.stringify([messages, tools, passages, facts, responseFormat])) +
    (messages.length + passages.length) * (TEMPLATE_MESSAGE_BYTES + MESSAGE_TOKENS) +
    TEMPLATE_BYTES
  );
}
