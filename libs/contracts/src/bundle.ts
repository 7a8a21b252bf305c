/**
 * A bundle: all manifests of a tenant as one immutable, content-addressed value. Files become this when they are
 * applied; a run pins the hash of the bundle that it started with. Nothing in it depends on the machine: `${NAME}` in a
 * tool source is filled in by the tools service from its own environment (`TUTTI_VAR_NAME`) at the moment of the call.
 */
import { z } from 'zod';
import { BudgetManifest } from './budget.ts';
import { EffectKind, JsonSchema } from './chat.ts';
import { Sums } from './history.ts';
import { Name } from './ids.ts';
import { ContentLabels, ToolLabels } from './labels.ts';
import { SomeRunLimits } from './limits.ts';
import { CachePolicy, GroundingPolicy, PrivacyPolicy } from './model-policy.ts';
import { DataLabel, modelSections, problemsOfModels } from './models.ts';
import { PromptManifest, PromptUse } from './prompt.ts';
import { DocumentOrigin, McpPins, OAuthGrant } from './tool-pins.ts';

export const Strategy = z.enum(['direct', 'react', 'plan', 'auto']);
export type Strategy = z.infer<typeof Strategy>;

/**
 * What a message does that comes while a run of its session is under way: wait for its turn, be refused, cancel that run
 * and go on with both messages in context, or run beside it.
 */
export const WhenBusy = z.enum(['queue', 'reject', 'interrupt', 'parallel']);
export type WhenBusy = z.infer<typeof WhenBusy>;

/** Values of attributes that the bundle's `policySchema` adds, by name; an entity as `{type, id}`. */
const scalar = z.union([z.string().max(2_000), z.number().int(), z.boolean()]);
export const PolicyAttributes = z.record(
  z.string().max(100),
  z.union([scalar, z.array(scalar).max(200), z.strictObject({ type: z.string(), id: z.string() })]),
);
export type PolicyAttributes = z.infer<typeof PolicyAttributes>;

export const AgentManifest = z.strictObject({
  name: Name,
  description: z.string().default(''),
  strategy: Strategy.default('auto'),
  /** The system prompt as text (in files: a path, read when applied). */
  instructions: z.string(),
  /** A model's or route's name, or `auto`. */
  model: z.string().default('auto'),
  /** In its place for some steps: making a plan, acting, writing the answer from what tasks found. */
  models: z
    .strictObject({ plan: z.string().optional(), act: z.string().optional(), answer: z.string().optional() })
    .optional(),
  /** What its conversations hold: only providers that are cleared for all of these are asked. */
  dataLabels: z.array(DataLabel).optional(),
  /** Regions of providers that may be asked; any where it is left out. */
  regions: z.array(Name).min(1).optional(),
  /** May the offline model answer when all others fail (marked as degraded)? As the router is set where it is left out. */
  offlineFallback: z.boolean().optional(),
  /** Tool names; `*` at the end matches any rest. `ask_user` and `sleep` are the engine's own and only there when named. */
  tools: z.array(z.string()).default([]),
  /** Agents of the bundle that it may delegate to, hand over to, or give tasks of a plan. */
  agents: z.array(Name).optional(),
  /** `queue` where it is left out. */
  whenBusy: WhenBusy.optional(),
  /** Collections that ground this agent. */
  knowledge: z.array(Name).default([]),
  /** Short statements that hold for every run (`The office is in Berlin`). */
  facts: z.array(z.string()).default([]),
  limits: SomeRunLimits.default({}),
  timeZone: z.string().default('UTC'),
  /** Of what its users say: a `user`'s word, and public, where left out. An agent that reads strangers' mail says `untrusted`. */
  labels: ContentLabels.optional(),
  attributes: PolicyAttributes.optional(),
  /** A prompt of the bundle, whose text comes before the instructions. */
  prompt: PromptUse.optional(),
  /** How well answers must be supported by the passages that they were given. Not checked where it is left out. */
  grounding: GroundingPolicy.optional(),
  /** Which answers of models may be given again. None where it is left out. */
  cache: CachePolicy.optional(),
});
export type AgentManifest = z.infer<typeof AgentManifest>;

/** What the bundle says of one tool beyond what its source says. */
export const ToolOverride = z.strictObject({
  effect: EffectKind.optional(),
  description: z.string().optional(),
  /** How to ask whether a call's effect happened: a pure tool of the same source. */
  probe: z
    .strictObject({
      tool: z.string(),
      /** Argument name → where its value comes from: `$idempotencyKey` or `$arguments.<name>`. */
      arguments: z.record(z.string(), z.string()),
      /** The effect happened when this key of the probe's result is present and not empty (`$` = the result itself). */
      foundAt: z.string().default('$'),
    })
    .optional(),
  /**
   * What an approver is shown beside the arguments: a pure tool of the same source, whose answer is read again before the
   * call is made. Is it another one by then, the approval does not count. `arguments` as with `probe`, without the key.
   */
  shows: z
    .strictObject({ tool: z.string(), arguments: z.record(z.string(), z.string()), at: z.string().default('$') })
    .optional(),
  /**
   * The tool of the same source that undoes this one. With `arguments` (name → `$result.<name>`, `$arguments.<name>`,
   * `$idempotencyKey`, or a value) it is offered when a run ends early after this one.
   */
  undo: z
    .union([z.string(), z.strictObject({ tool: z.string(), arguments: z.record(z.string(), z.string()) })])
    .optional(),
  /** Free words that policies can ask for, e.g. `spends-money`. */
  tags: z.array(z.string()).default([]),
  timeoutMs: z.number().int().positive().optional(),
  /** Calls of it at once, and a minute, in each replica of the tools service; without them the service's own limits hold. */
  limits: z
    .strictObject({
      concurrentMax: z.number().int().positive().optional(),
      perMinuteMax: z.number().int().positive().optional(),
    })
    .optional(),
  /** What is silent here is as the source says. */
  labels: ToolLabels.optional(),
  sums: Sums.optional(),
  attributes: PolicyAttributes.optional(),
});
export type ToolOverride = z.infer<typeof ToolOverride>;

const sourceBase = {
  /** Operation or tool names to take, `*` at the end for any rest; all where it is left out. */
  allow: z.array(z.string()).optional(),
  /** Names not to take, in the same form; wins over `allow`. */
  deny: z.array(z.string()).optional(),
  /** Put before each name, for sources whose names clash. */
  prefix: z
    .string()
    .regex(/^[a-zA-Z0-9_-]*$/)
    .default(''),
  tools: z.record(z.string(), ToolOverride).default({}),
  /** Of all its tools. */
  labels: ToolLabels.optional(),
};
export const ToolSource = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('openapi'),
    /**
     * The OpenAPI 3.0 or 3.1 document as data. In files: a path or an http(s) URL of YAML or JSON, read when applied; then
     * only what the operations taken need is kept.
     */
    document: z.record(z.string(), z.unknown()),
    /** Where the document was read from, and the hash of what was there. */
    origin: DocumentOrigin.optional(),
    /** Base URL; the document's first server where it is left out. */
    url: z.string().optional(),
    /** Values of the variables in the document's server URL, in place of their defaults. */
    serverVariables: z.record(z.string(), z.string()).optional(),
    /** By name of a security scheme of the document: the token, the key, or `user:password` for basic. */
    auth: z.record(z.string(), z.string()).optional(),
    headers: z.record(z.string(), z.string()).default({}),
    /** Header that carries the idempotency key of calls that are not pure. */
    idempotencyHeader: z.string().default('Idempotency-Key'),
    ...sourceBase,
  }),
  z.strictObject({
    type: z.literal('mcp'),
    transport: z.discriminatedUnion('type', [
      z.strictObject({
        type: z.literal('stdio'),
        command: z.string(),
        args: z.array(z.string()).default([]),
        env: z.record(z.string(), z.string()).default({}),
      }),
      z.strictObject({
        type: z.literal('http'),
        url: z.string(),
        headers: z.record(z.string(), z.string()).default({}),
        /** How a token is had where the server asks for one (OAuth 2.1). */
        oauth: OAuthGrant.optional(),
        /**
         * `off`: the metadata of the authorization server may name an issuer that it was not asked for, against RFC 8414.
         * For servers of the revision 2025-03-26 that do; never with an authorization server that others can write to.
         */
        issuerCheck: z.enum(['strict', 'off']).optional(),
      }),
    ]),
    /** The tools that somebody has looked at, and no others (in files: a path; `tutti tools pins` writes it). */
    pins: McpPins.optional(),
    /**
     * Where there are no `pins`. `first-use` (where it is left out): what the server offered first is what it may offer,
     * until somebody approves something else. `off`: it may change at will; for servers that are the bundle's own.
     */
    pinning: z.enum(['first-use', 'off']).optional(),
    /** The server's resources and prompts as tools: `list_resources`, `read_resource`, `list_prompts`, `get_prompt`. */
    resources: z.boolean().optional(),
    prompts: z.boolean().optional(),
    ...sourceBase,
  }),
  z.strictObject({
    type: z.literal('nats'),
    /** Workers that serve under this name (`tutti.worker.<tenant>.<name>`); the source's own name where it is left out. */
    worker: Name.optional(),
    ...sourceBase,
  }),
  z.strictObject({
    type: z.literal('local'),
    /** A toolset of the process that runs the tools service; the source's own name where it is left out. */
    toolset: Name.optional(),
    ...sourceBase,
  }),
  z.strictObject({ type: z.literal('builtin'), ...sourceBase }),
]);
export type ToolSource = z.infer<typeof ToolSource>;

export const CollectionManifest = z.strictObject({
  name: Name,
  description: z.string().default(''),
  /** Of its documents: `untrusted` and `internal` where left out. */
  labels: ContentLabels.optional(),
  attributes: PolicyAttributes.optional(),
});
export type CollectionManifest = z.infer<typeof CollectionManifest>;

const BundleShape = z.strictObject({
  v: z.literal(1),
  name: Name,
  agents: z.record(Name, AgentManifest),
  tools: z.record(Name, ToolSource),
  collections: z.record(Name, CollectionManifest),
  /** Cedar policies in addition to the built-in ones (libs/policy), as text by file name. */
  policies: z.record(z.string(), z.string()).default({}),
  /** A Cedar schema in addition to the built-in one: entity types of its own, and attributes more of the built-in ones. */
  policySchema: z.string().max(200_000).optional(),
  budgets: z.record(Name, BudgetManifest).optional(),
  privacy: PrivacyPolicy.optional(),
  prompts: z.record(Name, PromptManifest).optional(),
  ...modelSections,
});
export const Bundle = BundleShape.superRefine((bundle, context) => {
  for (const { path, message } of problemsOfModels(sectionsOf(bundle), bundle.agents))
    context.addIssue({ code: 'custom', path, message });
});
export type Bundle = z.infer<typeof Bundle>;

function sectionsOf({ providers, models, routes, routing }: z.infer<typeof BundleShape>) {
  return { providers, models, routes, routing };
}

/** A document on its way into a collection. `text` is Markdown or plain text. */
export const KnowledgeDocument = z.object({
  id: z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_-]{0,127}$/),
  collection: Name,
  title: z.string().min(1).max(500),
  text: z.string().max(2_000_000),
  uri: z.string().optional(),
  /** A deleted document: kept as the last word on its subject. */
  deleted: z.boolean().default(false),
});
export type KnowledgeDocument = z.infer<typeof KnowledgeDocument>;
export { JsonSchema };
