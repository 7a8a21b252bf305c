/** The request that shows a model its unusable answer and asks again. */
import type { ChatRequest } from '@tutti/contracts';

const ANSWER_CHARS_MAX = 8_000;

export function reaskWith(request: ChatRequest, answer: string, problem: string): ChatRequest {
  return {
    ...request,
    messages: [
      ...request.messages,
      { role: 'assistant', content: answer.slice(0, ANSWER_CHARS_MAX) || '(nothing)' },
      {
        role: 'user',
        content: `That answer cannot be used: ${problem}. Answer the request again, corrected and complete.`,
      },
    ],
  };
}
