/** A prompt of the bundle in front of a request's own instructions; values of users and documents go beside them, as data. */
import type { Bundle, ChatRequest, PromptUse } from '@tutti/contracts';
import { type RenderedPrompt, renderPrompt } from './adapters/prompts.ts';
import type { PromptData } from './core/prompt-values.ts';

export function withPrompt(
  chat: ChatRequest,
  use: PromptUse,
  bundle: { hash: string; prompts: Bundle['prompts'] },
): { chat: ChatRequest; rendered: RenderedPrompt } {
  const rendered = renderPrompt(bundle.hash, bundle.prompts, use);
  return {
    rendered,
    chat: {
      ...chat,
      messages: [{ role: 'system', content: rendered.text }, ...chat.messages],
      ...(chat.segments ? { segments: [{ kind: 'instructions', messages: 1 }, ...chat.segments] } : {}),
      facts: [...chat.facts, ...rendered.data.map(factOf)],
    },
  };
}

/** Facts are rendered as data that is no instruction; this says whose it is. */
function factOf({ name, from, text }: PromptData): string {
  return `"${name}", as the ${from} gave it: ${text}`;
}
