/** The built-in model behind the provider port. The answer is there at once; its text is handed out in small pieces, as from a stream. */
import { setImmediate as nextTick } from 'node:timers/promises';
import type { ChatRequest, ChatResponse } from '@tutti/contracts';
import { ModelFailure } from '../core/failure.ts';
import type { ModelProvider } from '../ports/provider.ts';

/** Characters, then up to the end of the word. */
const PIECE = /[\s\S]{1,24}(?:\S*\s+|\S*$)/g;

export function createOfflineProvider(complete: (request: ChatRequest) => ChatResponse): ModelProvider {
  return {
    name: 'offline',
    deterministic: true,
    async complete(request, { signal, onText, onActivity }) {
      const response = complete(request);
      for (const piece of onText ? (response.message.content?.match(PIECE) ?? []) : []) {
        await nextTick();
        if (signal.aborted) throw new ModelFailure('cancelled', 'the request was cancelled');
        onText?.(piece);
        onActivity?.(piece.length);
      }
      if (signal.aborted) throw new ModelFailure('cancelled', 'the request was cancelled');
      return response;
    },
  };
}
