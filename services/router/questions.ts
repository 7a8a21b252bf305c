/** Verbs that ask no model: what was used, and prompts as they render. */
import { contentHash, TuttiError } from '@tutti/contracts';
import type { Handlers } from '@tutti/runtime';
import { renderPrompt } from './adapters/prompts.ts';
import { countText } from './adapters/tokenizer.ts';
import type { CurrentBundles } from './current-bundles.ts';
import type { Ledgers } from './ledgers.ts';
import type { UsageLog } from './usage-log.ts';
import { usageOf } from './usage-verb.ts';

export function createQuestions(parts: {
  bundles: CurrentBundles;
  ledgers: Ledgers;
  usage: UsageLog;
}): Pick<Handlers, 'usage' | 'render'> {
  const { bundles, ledgers, usage } = parts;
  return {
    usage: async (body, { item }) => usageOf({ ...ledgers, usage }, item.tenant, await bundles.of(item.tenant), body),
    async render({ bundle, prompt }, { item }) {
      const from = bundle === undefined ? await bundles.of(item.tenant) : await bundles.pinned(bundle);
      if (!from) throw new TuttiError('not_found', bundle ? `there is no bundle ${bundle}` : 'no bundle is applied');
      const rendered = renderPrompt(bundle ?? contentHash(from), from.prompts, prompt);
      return { ...rendered, tokens: countText(rendered.text) };
    },
  };
}
