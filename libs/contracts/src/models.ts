/**
 * The catalogue of models in a bundle: who offers models (`providers`), what each can do and costs (`models`), and named
 * rules that pick among them (`routes`). Owns the shapes and what must hold between them. Keys never stand here: a
 * `${NAME}` is filled in by the router from its own environment (`TUTTI_VAR_NAME`) at the moment of the call.
 */
import { z } from 'zod';
import { Name } from './ids.ts';

export const ModelTier = z.enum(['small', 'medium', 'large']);
export type ModelTier = z.infer<typeof ModelTier>;
/** What `model` may say beside a model's or a route's name. `auto`: by how hard the request looks. */
export const MODEL_WORDS: readonly string[] = ['auto', ...ModelTier.options];
/** Always there, whatever the bundle says. */
export const OFFLINE_MODEL = 'offline';

export const ModelAbility = z.enum(['tools', 'parallelTools', 'jsonSchema', 'vision', 'reasoning']);
export type ModelAbility = z.infer<typeof ModelAbility>;

/** A model's name, as providers spell them: `gpt-5-mini`, `meta-llama/Llama-3.1-8B`. */
export const ModelName = z
  .string()
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9._:/@+-]{0,127}$/, 'must be 1 to 128 letters, digits and . _ : / @ + -')
  .refine((name) => !MODEL_WORDS.includes(name) && name !== OFFLINE_MODEL && !name.startsWith('model/'), {
    message: `must not be ${[...MODEL_WORDS, OFFLINE_MODEL].map((word) => `"${word}"`).join(', ')} or begin with "model/"`,
  });

/** Words for where data comes from and how well it must be kept: `internal`, `confidential`, `pii`. */
export const DataLabel = Name;

const SecretReference = z
  .string()
  .regex(
    /^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/,
    `must be a reference like ${'$'}{OPENAI_KEY}: keys do not belong in a bundle`,
  );
const rate = z.number().int().positive().optional();

export const ProviderManifest = z.strictObject({
  /** `openai`: anything that speaks OpenAI's Chat Completions. `offline`: the built-in model. */
  kind: z.enum(['openai', 'offline']).default('openai'),
  /** OpenAI's own where it is left out. May begin with `${NAME}`. */
  baseUrl: z.string().min(1).optional(),
  /** One or several; calls are spread over them. None: the endpoint asks for none. */
  keys: z.array(SecretReference).max(32).default([]),
  /** Where requests are worked on, in your own words: `eu`, `us-east`. */
  region: Name.optional(),
  /** Labelled data that may be sent there. What has no label may go anywhere. */
  labels: z.array(DataLabel).default([]),
  /** Of each key. Shared by all replicas. */
  requestsPerMinute: rate,
  tokensPerMinute: rate,
});
export type ProviderManifest = z.infer<typeof ProviderManifest>;

const dollars = z.number().nonnegative();
/** US dollars per million tokens. What is left out costs as much as its wider kind. */
export const ModelPrice = z.strictObject({
  input: dollars,
  output: dollars,
  cachedInput: dollars.optional(),
  reasoning: dollars.optional(),
});
export type ModelPrice = z.infer<typeof ModelPrice>;

export const ModelEndpoint = z.strictObject({
  provider: Name,
  /** The name that the provider knows it by; the catalogue's where it is left out. */
  model: z.string().min(1).max(200).optional(),
  /** Share of the calls among endpoints of the same priority. 0: only when the others fail. */
  weight: z.number().nonnegative().max(1_000).default(1),
  /** Lower ones are asked first; the others stand by. */
  priority: z.number().int().nonnegative().max(100).default(0),
  /** This much of all calls goes here first, whatever the priorities say. */
  canaryPercent: z.number().min(0).max(100).optional(),
  /** Where it costs something else there. */
  price: ModelPrice.optional(),
});
export type ModelEndpoint = z.infer<typeof ModelEndpoint>;

export const ModelManifest = z.strictObject({
  description: z.string().default(''),
  providers: z.array(ModelEndpoint).min(1).max(16),
  /** Input and output together. Not checked where it is left out. */
  contextTokens: z.number().int().positive().optional(),
  outputTokensMax: z.number().int().positive().optional(),
  abilities: z.array(ModelAbility).default(['tools', 'parallelTools', 'jsonSchema']),
  tier: ModelTier.default('medium'),
  price: ModelPrice.default({ input: 0, output: 0 }),
  /** Of a typical answer, until calls have shown it. */
  latencyMs: z.number().positive().optional(),
});
export type ModelManifest = z.infer<typeof ModelManifest>;

/** What counts most among models that can do it. `order`: as the route lists them. */
export const RouteObjective = z.enum(['balanced', 'cost', 'latency', 'order']);
export type RouteObjective = z.infer<typeof RouteObjective>;

export const RouteManifest = z.strictObject({
  description: z.string().default(''),
  /** All models of the bundle where it is left out. */
  models: z.array(z.string()).min(1).optional(),
  /** `auto`: by how hard the request looks. No tier is preferred where it is left out. */
  tier: z.enum(['auto', ...ModelTier.options]).optional(),
  objective: RouteObjective.default('balanced'),
  /** US dollars per million tokens: dearer models are never asked. */
  priceMax: z.strictObject({ input: dollars.optional(), output: dollars.optional() }).optional(),
  /** US dollars of one call at the most, by its size and the longest answer that it may get. */
  costUsdMax: z.number().positive().optional(),
  /** Providers' regions that are allowed. */
  regions: z.array(Name).min(1).optional(),
  /** `false`: no answer of the offline model when all fail. */
  offlineFallback: z.boolean().optional(),
});
export type RouteManifest = z.infer<typeof RouteManifest>;

/** How `auto` tells hard requests from simple ones. */
export const RoutingManifest = z.strictObject({
  /** From this difficulty (0 to 1) on: medium, and large. */
  medium: z.number().min(0).max(1).optional(),
  large: z.number().min(0).max(1).optional(),
  /** Feature → weight, in place of the built-in ones; `bias` is one. */
  weights: z.record(z.string(), z.number()).optional(),
  /** A model that is asked how hard a request is; the features decide where it cannot be. */
  classifier: z.string().min(1).max(128).optional(),
});
export type RoutingManifest = z.infer<typeof RoutingManifest>;

/** The catalogue's part of a bundle. */
export const modelSections = {
  providers: z.record(Name, ProviderManifest).optional(),
  models: z.record(ModelName, ModelManifest).optional(),
  routes: z.record(Name, RouteManifest).optional(),
  routing: RoutingManifest.optional(),
};
export const ModelSections = z.strictObject(modelSections);
export type ModelSections = z.infer<typeof ModelSections>;

export interface SectionProblem {
  path: (string | number)[];
  message: string;
}

/** Names that lead nowhere and what would never be chosen. `agents`: what they say of models, by name. */
export function problemsOfModels(
  sections: ModelSections,
  agents: Record<string, { model: string; models?: Record<string, string | undefined> | undefined }> = {},
): SectionProblem[] {
  const { providers = {}, models = {}, routes = {}, routing } = sections;
  const problems: SectionProblem[] = [];
  const add = (path: (string | number)[], message: string) => void problems.push({ path, message });
  const isModel = (name: string) => name === OFFLINE_MODEL || Object.hasOwn(models, name);
  for (const [name, { kind, baseUrl, keys }] of Object.entries(providers)) {
    if (kind === 'offline' && (baseUrl || keys.length))
      add(['providers', name], 'the offline model has no address and no key');
    if (baseUrl && !baseUrl.startsWith('${') && !URL.canParse(baseUrl))
      add(['providers', name, 'baseUrl'], 'is no URL');
  }
  for (const [name, { providers: endpoints }] of Object.entries(models))
    for (const [index, { provider }] of endpoints.entries())
      if (!Object.hasOwn(providers, provider))
        add(['models', name, 'providers', index, 'provider'], `there is no provider "${provider}"`);
  for (const [name, route] of Object.entries(routes)) {
    if (MODEL_WORDS.includes(name) || isModel(name))
      add(['routes', name], `"${name}" is a model's name, or a word of Tutti's`);
    for (const [index, model] of (route.models ?? []).entries())
      if (!isModel(model)) add(['routes', name, 'models', index], `there is no model "${model}"`);
  }
  if (routing?.medium !== undefined && routing.large !== undefined && routing.medium > routing.large)
    add(['routing', 'medium'], 'must not be above `large`');
  if (routing?.classifier !== undefined && !Object.hasOwn(models, routing.classifier))
    add(['routing', 'classifier'], `there is no model "${routing.classifier}" in this bundle`);
  // without models of its own a bundle goes with those of the router's environment, which it cannot know
  if (Object.keys(models).length === 0) return problems;
  const isAnswer = (name: string) => MODEL_WORDS.includes(name) || isModel(name) || Object.hasOwn(routes, name);
  for (const [agent, { model, models: bySteps = {} }] of Object.entries(agents))
    for (const [path, name] of [
      [['model'], model] as const,
      ...Object.entries(bySteps).map(([step, of]) => [['models', step], of] as const),
    ])
      if (name !== undefined && !isAnswer(name))
        add(['agents', agent, ...path], `there is no model or route "${name}"`);
  return problems;
}
