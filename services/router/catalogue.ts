/**
 * The catalogue of a call: the pinned bundle's, or where it names no models, the one model of the router's environment.
 * The offline model is always in it. Owns where keys come from: the bundle has names of variables, never their values.
 */
import type { Bundle, ModelManifest, ProviderManifest, RoutingManifest } from '@tutti/contracts';
import { DEFAULT_MODEL, OFFLINE_MODEL, type RouterConfig } from './config.ts';
import type { Rule } from './core/choose.ts';
import type { Endpoint, ModelEntry } from './core/model.ts';

export interface ProviderSpec {
  kind: 'openai' | 'offline';
  /** Filled in. OpenAI's own where it is left out. */
  baseUrl?: string | undefined;
  /** Name → value. A provider without keys has one without a name. */
  keys: ReadonlyMap<string, string>;
}

export interface Catalogue {
  entries: readonly ModelEntry[];
  rules: Readonly<Record<string, Rule>>;
  routing: RoutingManifest;
  providers: ReadonlyMap<string, ProviderSpec>;
}

const FREE = { input: 0, output: 0 };
const OFFLINE_PROVIDER = 'offline';
/** What the offline model can do is a lot less than its tier says: it is one of the last resort. */
const offline: ModelEntry = {
  id: OFFLINE_MODEL,
  description: 'Built in: deterministic, no key and no network. Chains tools over their schemas and quotes passages.',
  abilities: ['tools', 'parallelTools', 'jsonSchema'],
  endpoints: [
    { provider: OFFLINE_PROVIDER, model: OFFLINE_MODEL, weight: 1, priority: 0, labels: [], price: FREE, keys: [''] },
  ],
  lastResort: true,
};
const offlineSpec: ProviderSpec = { kind: 'offline', keys: new Map([['', '']]) };

/** Of the environment alone. */
export function catalogueOf(config: RouterConfig): Catalogue {
  const configured = config.TUTTI_MODEL ?? (config.OPENAI_API_KEY ? DEFAULT_MODEL : OFFLINE_MODEL);
  const providers = new Map([[OFFLINE_PROVIDER, offlineSpec]]);
  if (configured === OFFLINE_MODEL) return { entries: [offline], rules: {}, routing: {}, providers };
  const key = config.OPENAI_API_KEY ? 'OPENAI_API_KEY' : '';
  providers.set('openai', {
    kind: 'openai',
    baseUrl: config.OPENAI_BASE_URL,
    keys: new Map([[key, config.OPENAI_API_KEY ?? NO_KEY]]),
  });
  const model: ModelEntry = {
    id: configured,
    description: `Chat Completions at ${config.OPENAI_BASE_URL ?? 'api.openai.com'}.`,
    abilities: config.TUTTI_MODEL_TOOLS ? ['tools', 'parallelTools', 'jsonSchema'] : ['jsonSchema'],
    contextTokens: config.TUTTI_MODEL_CONTEXT_TOKENS,
    endpoints: [
      {
        provider: 'openai',
        model: configured,
        weight: 1,
        priority: 0,
        labels: config.TUTTI_MODEL_LABELS,
        region: config.TUTTI_MODEL_REGION,
        price: { input: config.TUTTI_MODEL_PRICE_INPUT, output: config.TUTTI_MODEL_PRICE_OUTPUT },
        keys: [key],
      },
    ],
    lastResort: false,
  };
  return { entries: [model, offline], rules: {}, routing: {}, providers };
}

/** Endpoints that ask for no key are sent one all the same: the `openai` package insists. */
const NO_KEY = 'none';

export type BundleModels = Pick<Bundle, 'providers' | 'models' | 'routes' | 'routing'>;

/** `variables`: of this router, by the names that bundles use. */
export function catalogueOfBundle(
  bundle: BundleModels,
  fallback: Catalogue,
  variables: Readonly<Record<string, string>>,
): Catalogue {
  const rules = Object.fromEntries(
    Object.entries(bundle.routes ?? {}).map(([name, route]): [string, Rule] => [name, { name, ...route }]),
  );
  const routing = bundle.routing ?? {};
  if (Object.keys(bundle.models ?? {}).length === 0) return { ...fallback, rules, routing };
  const problems = new Map<string, string>();
  const providers = new Map<string, ProviderSpec>([[OFFLINE_PROVIDER, offlineSpec]]);
  for (const [name, manifest] of Object.entries(bundle.providers ?? {})) {
    const { spec, problem } = specOf(manifest, variables);
    providers.set(name, spec);
    if (problem) problems.set(name, problem);
  }
  const entries = Object.entries(bundle.models ?? {}).map(([id, manifest]) =>
    entryOf(id, manifest, bundle.providers ?? {}, providers, problems),
  );
  return { entries: [...entries, offline], rules, routing, providers };
}

function entryOf(
  id: string,
  manifest: ModelManifest,
  manifests: Record<string, ProviderManifest>,
  specs: ReadonlyMap<string, ProviderSpec>,
  problems: ReadonlyMap<string, string>,
): ModelEntry {
  const { description, abilities, tier, contextTokens, outputTokensMax, latencyMs } = manifest;
  const endpoints = manifest.providers.map((given): Endpoint => {
    const provider = manifests[given.provider]!;
    const { requestsPerMinute, tokensPerMinute } = provider;
    return {
      provider: given.provider,
      model: given.model ?? id,
      weight: given.weight,
      priority: given.priority,
      canaryPercent: given.canaryPercent,
      region: provider.region,
      labels: provider.labels,
      price: given.price ?? manifest.price,
      keys: [...specs.get(given.provider)!.keys.keys()],
      problem: problems.get(given.provider),
      limits: requestsPerMinute || tokensPerMinute ? { requestsPerMinute, tokensPerMinute } : undefined,
    };
  });
  return { id, description, abilities, tier, contextTokens, outputTokensMax, latencyMs, endpoints, lastResort: false };
}

const PLACEHOLDER = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

function specOf(
  { kind, baseUrl, keys }: ProviderManifest,
  variables: Readonly<Record<string, string>>,
): { spec: ProviderSpec; problem?: string } {
  const missing: string[] = [];
  const read = (name: string) => {
    const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
    if (!value) missing.push(name);
    return value ?? '';
  };
  const address = baseUrl?.replace(PLACEHOLDER, (_all, name: string) => read(name));
  const lackingAddress = missing.length > 0;
  const named = keys.map((reference) => reference.slice(2, -1));
  const values = new Map(named.map((name) => [name, read(name)] as const).filter(([, value]) => value !== ''));
  if (named.length === 0) values.set('', NO_KEY);
  const spec: ProviderSpec = { kind, baseUrl: address, keys: values };
  // one key that is not set is a matter of the others; without any there is no way
  if (!lackingAddress && values.size > 0) return { spec };
  const set = missing.map((name) => `TUTTI_VAR_${name}`).join(', ');
  return { spec, problem: `its provider needs ${missing.join(', ')}: set ${set} for the router` };
}

export interface Catalogues {
  /** Of a pinned bundle. Throws `not_found`. */
  of(bundleHash: string): Promise<{ catalogue: Catalogue; bundle: Bundle }> | { catalogue: Catalogue; bundle: Bundle };
  /** Of the environment alone. */
  own: Catalogue;
}

const KEPT_MAX = 64;

/** A bundle never changes, so its catalogue is made once: a new one comes with a new hash, on every replica. */
export function createCatalogues(config: RouterConfig, bundles: { get(hash: string): Promise<Bundle> }): Catalogues {
  const own = catalogueOf(config);
  const kept = new Map<string, { catalogue: Catalogue; bundle: Bundle }>();
  const keep = (hash: string, bundle: Bundle) => {
    const made = { catalogue: catalogueOfBundle(bundle, own, config.variables), bundle };
    if (kept.size >= KEPT_MAX) kept.delete(kept.keys().next().value as string);
    kept.set(hash, made);
    return made;
  };
  return {
    own,
    of: (hash) => kept.get(hash) ?? bundles.get(hash).then((bundle) => keep(hash, bundle)),
  };
}
