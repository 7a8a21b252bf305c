/** What the router knows of models: the catalogue is a list of these. */
import type { ModelAbility, ModelPrice, ModelTier, TokenUsage } from '@tutti/contracts';

export type Ability = ModelAbility;

/** One way to a model: a provider, the name that it knows the model by, and its keys. */
export interface Endpoint {
  provider: string;
  /** The provider's name for the model. */
  model: string;
  weight: number;
  /** Lower first. */
  priority: number;
  canaryPercent?: number | undefined;
  region?: string | undefined;
  /** Labelled data that may go there. */
  labels: readonly string[];
  price: ModelPrice;
  /** Names of the keys, never the keys. One that is `''` where none is asked for. */
  keys: readonly string[];
  /** Why it cannot be used at all (no key is set). */
  problem?: string | undefined;
  limits?: { requestsPerMinute?: number | undefined; tokensPerMinute?: number | undefined } | undefined;
}

export interface ModelEntry {
  /** The name that agents and requests use. */
  id: string;
  description: string;
  abilities: readonly Ability[];
  /** Undefined: nobody said, and no tier is as good as any. */
  tier?: ModelTier | undefined;
  contextTokens?: number | undefined;
  outputTokensMax?: number | undefined;
  latencyMs?: number | undefined;
  endpoints: readonly Endpoint[];
  /** Answers when everything better has failed; such an answer is marked degraded. */
  lastResort: boolean;
}

/** Where one request goes: what breakers, rate limits and money are counted by. */
export interface Target {
  entry: ModelEntry;
  endpoint: Endpoint;
  key: string;
  /** Provider, model and key. */
  id: string;
}

export function targetOf(entry: ModelEntry, endpoint: Endpoint, key: string): Target {
  return { entry, endpoint, key, id: `${endpoint.provider}/${endpoint.model}#${key}` };
}

const TOKENS_PER_PRICE = 1_000_000;

/** US dollars. Cached input and reasoning are part of the input and the output that they are counted in. */
export function costOf(price: ModelPrice, usage: TokenUsage): number {
  const cached = Math.min(usage.cachedInputTokens ?? 0, usage.inputTokens);
  const reasoning = Math.min(usage.reasoningTokens ?? 0, usage.outputTokens);
  const input = (usage.inputTokens - cached) * price.input + cached * (price.cachedInput ?? price.input);
  const output = (usage.outputTokens - reasoning) * price.output + reasoning * (price.reasoning ?? price.output);
  return (input + output) / TOKENS_PER_PRICE;
}

const TIERS: readonly ModelTier[] = ['small', 'medium', 'large'];

export function tierRank(tier: ModelTier | undefined): number | undefined {
  return tier === undefined ? undefined : TIERS.indexOf(tier);
}
