/** Verbs of the router. */
import type { CompleteResult } from '@tutti/contracts';
import type { Bus, Handlers } from '@tutti/runtime';
import type { Catalogues } from './catalogue.ts';
import type { Complete } from './complete.ts';
import { createJoinedCalls } from './joined-calls.ts';
import { createLiveText } from './live-text.ts';

export interface HandlerParts {
  complete: Complete;
  catalogues: Catalogues;
  bus: Pick<Bus, 'publish'>;
  resultsMax: number;
}

export function createHandlers(parts: HandlerParts): Handlers {
  const calls = createJoinedCalls<CompleteResult>(parts.resultsMax);
  return {
    complete(body, { item, signal, traceparent }) {
      const { tenant, callId, deadlineAt, session, run } = item;
      return calls.run(`${tenant}\n${callId}`, signal, async (joined) => {
        const root = item.root ?? run;
        const live = body.live && run && root ? createLiveText(parts.bus, { tenant, root, run, callId }) : undefined;
        const call = { callId, tenant, signal: joined, deadlineAt, traceparent, session, run, root, live };
        const result = await parts.complete(body, call);
        // An answer is made from all that the model was told.
        return body.label ? { ...result, label: body.label } : result;
      });
    },
    async models({ bundle }) {
      const { entries } = bundle ? (await parts.catalogues.of(bundle)).catalogue : parts.catalogues.own;
      return {
        models: entries.map(({ id, endpoints, description, tier }) => ({
          id,
          provider: endpoints.map(({ provider }) => provider).join(', '),
          description,
          ...(tier ? { tier } : {}),
        })),
      };
    },
  };
}
