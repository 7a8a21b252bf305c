/**
 * The clients behind the catalogue's providers, one an address and key. Invariant: no value of a key is in what leaves:
 * endpoints that repeat it in an error are silenced.
 */
import type { Catalogue } from '../catalogue.ts';
import { ModelFailure } from '../core/failure.ts';
import type { Target } from '../core/model.ts';
import type { ModelProvider } from '../ports/provider.ts';
import { createOpenAiProvider } from './openai/provider.ts';

/** Clients that are kept; the oldest is dropped. */
const CLIENTS_MAX = 256;

export function createProviderPool(offline: ModelProvider, outputCharsMax: number) {
  const clients = new Map<string, ModelProvider>();
  return {
    of(target: Target, catalogue: Catalogue): ModelProvider {
      const spec = catalogue.providers.get(target.endpoint.provider);
      if (!spec) throw new Error(`the catalogue names a provider that is not there: ${target.endpoint.provider}`);
      if (spec.kind === 'offline') return offline;
      const value = spec.keys.get(target.key);
      if (value === undefined) throw new ModelFailure('key_refused', `the key ${target.key} is not set`);
      const id = `${spec.baseUrl ?? ''}\n${value}`;
      const known = clients.get(id);
      if (known) return known;
      const made = createOpenAiProvider({ baseUrl: spec.baseUrl, apiKey: value, outputCharsMax });
      if (clients.size >= CLIENTS_MAX) clients.delete(clients.keys().next().value as string);
      clients.set(id, made);
      return made;
    },
  };
}
