/** Verbs of the router. */
import { type CompleteResult, contentHash, TuttiError } from '@tutti/contracts';
import type { Bus, Handlers } from '@tutti/runtime';
import { renderPrompt } from './adapters/prompts.ts';
import { countText } from './adapters/tokenizer.ts';
import type { ModelEntry } from './core/model.ts';
import type { CurrentBundles } from './current-bundles.ts';
import { type CallGuardParts, guardCall } from './guard-call.ts';
import { createJoinedCalls } from './joined-calls.ts';
import { limitsOf } from './limits-context.ts';
import { createLiveText } from './live-text.ts';
import { type UsageVerbParts, usageOf } from './usage-verb.ts';

export interface HandlerParts {
  guards: CallGuardParts;
  bundles: CurrentBundles;
  ledgers: UsageVerbParts;
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
        const current = parts.bundles.of(item.tenant);
        const pinned = parts.bundles.pinned(body.bundle);
        const [now, its] =
          current instanceof Promise || pinned instanceof Promise
            ? await Promise.all([current, pinned])
            : [current, pinned];
        const limits = limitsOf(item, body, now, its);
        const call = { signal: joined, deadlineAt: item.deadlineAt, traceparent, session: item.session, live, limits };
        const result = await guardCall(parts.guards, its, item.tenant, body, call);
        attributes({ 'tutti.model': result.model, 'tutti.degraded': result.degraded });
        return result;
      });
    },
    async usage(body, { item }) {
      return usageOf(parts.ledgers, item.tenant, await parts.bundles.of(item.tenant), body);
    },
    async render({ bundle, prompt }, { item }) {
      const from = bundle === undefined ? await parts.bundles.of(item.tenant) : await parts.bundles.pinned(bundle);
      if (!from) throw new TuttiError('not_found', bundle ? `there is no bundle ${bundle}` : 'no bundle is applied');
      const rendered = renderPrompt(bundle ?? contentHash(from), from.prompts, prompt);
      return { ...rendered, tokens: countText(rendered.text) };
    },
    async models() {
      return { models: parts.catalogue.map(({ id, provider, description }) => ({ id, provider, description })) };
    },
  };
}
