/** Verbs of the router. */
import type { CompleteResult } from '@tutti/contracts';
import type { Bus, Handlers } from '@tutti/runtime';
import type { Complete } from './complete.ts';
import type { ModelEntry } from './core/model.ts';
import { createJoinedCalls } from './joined-calls.ts';
import { createLiveText } from './live-text.ts';

export interface HandlerParts {
  complete: Complete;
  catalogue: readonly ModelEntry[];
  bus: Pick<Bus, 'publish'>;
  resultsMax: number;
}

export function createHandlers(parts: HandlerParts): Handlers {
  const calls = createJoinedCalls<CompleteResult>(parts.resultsMax);
  return {
    complete(body, { item, signal, traceparent, attributes }) {
      return calls.run(`${item.tenant}\n${item.callId}`, signal, async (joined) => {
        const live =
          body.live && item.run
            ? createLiveText(parts.bus, {
                tenant: item.tenant,
                root: item.root ?? item.run,
                run: item.run,
                callId: item.callId,
              })
            : undefined;
        const { tenant, deadlineAt, session } = item;
        const call = { tenant, signal: joined, deadlineAt, traceparent, session, live };
        const result = await parts.complete(body, call);
        attributes({ 'tutti.model': result.model, 'tutti.degraded': result.degraded });
        // An answer is made from all that the model was told.
        return body.label ? { ...result, label: body.label } : result;
      });
    },
    async models() {
      return { models: parts.catalogue.map(({ id, provider, description }) => ({ id, provider, description })) };
    },
  };
}
