/** How long a request is, without a tokenizer: close enough to leave out models that it cannot fit. */
import type { ChatRequest } from '@tutti/contracts';
import { unitsOf } from './pack-units.ts';

/** For prose in European languages. */
const CHARS_PER_TOKEN = 4;
const TOKENS_PER_MESSAGE = 4;

export function roughTokens(request: ChatRequest): number {
  let chars = 0;
  for (const message of request.messages) {
    chars += message.content?.length ?? 0;
    if (message.role === 'assistant' && message.toolCalls) chars += JSON.stringify(message.toolCalls).length;
  }
  for (const passage of request.passages) chars += passage.text.length + passage.title.length;
  for (const fact of request.facts) chars += fact.length;
  for (const tool of request.tools) chars += tool.description.length + JSON.stringify(tool.parameters).length;
  return Math.ceil(chars / CHARS_PER_TOKEN) + request.messages.length * TOKENS_PER_MESSAGE;
}

/** Without what may be left out. Tool results can be cut, so they count for nothing here. */
export function roughTokensNeeded(request: ChatRequest): number {
  const messages = unitsOf(request)
    .filter(({ fixed }) => fixed)
    .flatMap(({ from, to }) => request.messages.slice(from, to))
    .filter(({ role }) => role !== 'tool');
  return roughTokens({ ...request, messages, passages: [], facts: [] });
}
