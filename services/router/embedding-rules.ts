/**
 * What may be shown to the endpoint of embeddings: the question goes there as it stands, unmasked. Invariant: what no model
 * of that endpoint could be sent is not sent to it for the sake of a cache; such a question is simply asked.
 */
import type { RouterConfig } from './config.ts';
import { dataLabelsOf, unclearedOf } from './core/data-labels.ts';
import { findSensitive, namesSaidIn } from './core/pii.ts';
import { findRulesOf } from './core/privacy-rules.ts';
import type { ModelGate } from './policy.ts';
import { stateOf } from './stage-state.ts';
import type { Ask } from './stages.ts';

/** What policies know the endpoint of embeddings by. */
const PROVIDER = 'embeddings';

export function createEmbeddingRules(config: RouterConfig, gate: ModelGate): (ask: Ask, text: string) => boolean {
  const model = config.TUTTI_EMBEDDINGS_MODEL;
  return (ask, text) => {
    if (model === undefined) return false;
    const { agent, body } = ask;
    const labels = dataLabelsOf(agent?.dataLabels, body.labels, body.label);
    if (unclearedOf(labels, config.TUTTI_EMBEDDINGS_LABELS).length > 0) return false;
    const region = config.TUTTI_EMBEDDINGS_REGION;
    if (agent?.regions && !(region && agent.regions.includes(region))) return false;
    if (holdsSensitive(ask, text)) return false;
    return gate.refusal(ask, model, PROVIDER) === undefined;
  };
}

function holdsSensitive(ask: Ask, text: string): boolean {
  const rules = findRulesOf(stateOf(ask).privacy);
  const names = rules.kinds.has('name') ? [...rules.names, ...namesSaidIn(text)] : rules.names;
  return findSensitive(text, { ...rules, names }).length > 0;
}
