/** Configuration → catalogue, best model first. The offline model is always in it. */
import { DEFAULT_MODEL, OFFLINE_MODEL, type RouterConfig } from './config.ts';
import type { ModelEntry } from './core/model.ts';

const offline: ModelEntry = {
  id: OFFLINE_MODEL,
  provider: 'offline',
  description: 'Built in: deterministic, no key and no network. Chains tools over their schemas and quotes passages.',
  abilities: ['tools', 'json'],
  price: { input: 0, output: 0 },
  lastResort: true,
};

export function catalogueOf(config: RouterConfig): ModelEntry[] {
  const configured = config.TUTTI_MODEL ?? (config.OPENAI_API_KEY ? DEFAULT_MODEL : OFFLINE_MODEL);
  if (configured === OFFLINE_MODEL) return [offline];
  const model: ModelEntry = {
    id: configured,
    provider: 'openai',
    description: `Chat Completions at ${config.OPENAI_BASE_URL ?? 'api.openai.com'}.`,
    abilities: config.TUTTI_MODEL_TOOLS ? ['tools', 'json'] : ['json'],
    price: { input: config.TUTTI_MODEL_PRICE_INPUT, output: config.TUTTI_MODEL_PRICE_OUTPUT },
    lastResort: false,
  };
  return [model, offline];
}
