/**
 * Requests: what the planner (and for reads the gateway) asks the other services. One verb, one body, one result.
 * Every receiver is idempotent by `callId`. The catalogue lists the verbs.
 */
import { z } from 'zod';
import { type ChatMessage, ChatRequest, ChatResponse, EffectKind, Passage, ToolDefinition } from './chat.ts';
import { ErrorInfo } from './errors.ts';
import { CallHistory, History } from './history.ts';
import { Name } from './ids.ts';
import { Label } from './labels.ts';
import { ModelTier } from './models.ts';
import { PromptUse } from './prompt.ts';

/** Stands for JSON that is too large for a message: where it lies in the object store of claims, and what it is. */
export const Claim = z.object({ blob: z.string(), bytes: z.number().int().positive(), hash: z.string() });
export type Claim = z.infer<typeof Claim>;

/** What every request says of itself; `body` is the verb's, `claim` stands for it where it is too large. */
export const RequestItem = z.object({
  callId: z.string(),
  /** Tells this asking from an earlier one under the same callId (before an approval, say); comes back with the result. */
  nonce: z.number().int().default(0),
  tenant: Name,
  run: z.string().optional(),
  /** The run at the top of the tree: where live events go. */
  root: z.string().optional(),
  session: z.string().optional(),
  /** W3C trace context of the span that this belongs to. */
  traceparent: z.string().optional(),
  /** Unix milliseconds after which nobody waits for the answer, by the sender's clock. */
  deadlineAt: z.number(),
  /** The same as ms from now on: what counts where it is given, for no two machines' clocks are ever compared. */
  leftMs: z.number().positive().optional(),
  body: z.unknown().optional(),
  claim: Claim.optional(),
});
export type RequestItem = z.infer<typeof RequestItem>;

/** One message on `tutti.svc.<service>.<verb>`: all requests of one sender's tick. */
export const RequestBatch = z.object({ v: z.literal(1), items: z.array(RequestItem).min(1) });
export type RequestBatch = z.infer<typeof RequestBatch>;

export const ResultItem = z.discriminatedUnion('ok', [
  z.object({
    callId: z.string(),
    nonce: z.number().int().default(0),
    ok: z.literal(true),
    body: z.unknown().optional(),
    claim: Claim.optional(),
  }),
  z.object({ callId: z.string(), nonce: z.number().int().default(0), ok: z.literal(false), error: ErrorInfo }),
]);
export type ResultItem = z.infer<typeof ResultItem>;

/** One message on a sender's inbox. `alive`: calls still being worked on. */
export const ResultBatch = z.object({
  v: z.literal(1),
  results: z.array(ResultItem).default([]),
  alive: z.array(z.string()).default([]),
});
export type ResultBatch = z.infer<typeof ResultBatch>;

/** One tool call that was carried out (or refused), as later steps, parents and memory see it. */
export const Action = z.object({
  callId: z.string(),
  tool: z.string(),
  arguments: z.record(z.string(), z.unknown()),
  content: z.string(),
  isError: z.boolean().default(false),
  effect: EffectKind.default('pure'),
  /** Of its content. */
  label: Label.optional(),
});
export type Action = z.infer<typeof Action>;

/** What a session keeps of one run. `actions` are replayed to models as calls with their results. */
export const Turn = z.object({
  run: z.string(),
  session: z.string(),
  agent: z.string(),
  at: z.number(),
  input: z.string(),
  output: z.string(),
  actions: z.array(Action).default([]),
  /** Of everything that went into the run. */
  label: Label.optional(),
  /** What the run did (with all below it), and what the conversation had done when it began. */
  did: History.optional(),
  didBefore: History.optional(),
});
export type Turn = z.infer<typeof Turn>;

/** Who asks, for the policy: an agent, of the bundle that its run has pinned. Without it only the built-in policies are asked. */
const asker = { bundle: z.string().optional(), agent: z.string().optional() };
/** What a policy kept back, and why. */
export const Withheld = z.object({ what: z.string(), reason: z.string(), policy: z.string() });
export type Withheld = z.infer<typeof Withheld>;

// memory
export const RecallBody = z.object({
  session: z.string(),
  query: z.string(),
  turnsMax: z.number().int().positive(),
  ...asker,
});
/** Turns oldest first. */
export const RecallResult = z.object({
  turns: z.array(Turn),
  summary: z.string().nullable(),
  facts: z.array(z.string()),
  /** Of summary and facts; turns have their own. */
  label: Label.optional(),
  withheld: z.array(Withheld).optional(),
});
export type RecallResult = z.infer<typeof RecallResult>;
export const RememberBody = z.object({ turn: Turn, bundle: z.string().optional() });
export const RememberResult = z.object({ stored: z.literal(true) });

// retriever
export const SearchBody = z.object({
  collections: z.array(Name).min(1),
  query: z.string().max(20_000),
  limit: z.number().int().min(1).max(50),
  ...asker,
});
export const SearchResult = z.object({ passages: z.array(Passage), withheld: z.array(Withheld).optional() });
export const DocumentsBody = z.object({
  collection: Name.optional(),
  document: z.string().optional(),
  /** The `next` of the page before. */
  after: z.string().max(200).optional(),
  limit: z.number().int().min(1).max(1_000).default(1_000),
});
/** By collection and id. `next`: there is more; ask again with it as `after`. */
export const DocumentsResult = z.object({
  next: z.string().nullable().default(null),
  documents: z.array(
    z.object({
      collection: Name,
      id: z.string(),
      title: z.string(),
      chunks: z.number().int(),
      revision: z.number().int(),
      text: z.string().optional(),
    }),
  ),
});

// tools
export const DescribeBody = z.object({
  bundle: z.string(),
  agent: z.string(),
  /** Hashes of toolsets that the asker already has. */
  have: z.array(z.string()).default([]),
});
/** `tools` is left out when the asker has this `hash`. `problems`: sources that could not be asked right now. */
export const DescribeResult = z.object({
  hash: z.string(),
  tools: z.array(ToolDefinition).optional(),
  problems: z.array(z.string()).default([]),
  /** Of the names and descriptions, where that is not the bundle's own word. */
  label: Label.optional(),
});
/** What an approval rests on beside the arguments, as it was when it was asked for. */
export const ApprovalBasis = z.object({
  /** Hash of the tool's parameters. */
  schema: z.string(),
  /** Hash of all policies. */
  policies: z.string(),
  /** Hash of the data that was shown beside the arguments. */
  data: z.string().optional(),
});
export type ApprovalBasis = z.infer<typeof ApprovalBasis>;
/** The yes of a human, or of several, bound to the exact arguments that were shown and to what they rest on. */
export const ApprovalGrant = z.object({
  id: z.string(),
  argumentsHash: z.string(),
  by: z.string(),
  at: z.number(),
  basis: ApprovalBasis.optional(),
  /** Until when it may be used, by the planner's clock: whoever sends the call leaves out what is over. */
  expiresAt: z.number().optional(),
  /** All who said yes; `by` alone where it is left out. */
  approvedBy: z.array(z.string()).optional(),
  /** An approver wrote these arguments: the hash of those that were asked about. */
  editedFrom: z.string().optional(),
});
export type ApprovalGrant = z.infer<typeof ApprovalGrant>;
export const ExecuteBody = z.object({
  bundle: z.string(),
  agent: z.string(),
  tool: z.string(),
  arguments: z.record(z.string(), z.unknown()),
  approval: ApprovalGrant.optional(),
  /** A fork's calls that are not pure: `approve`: only with a human's grant, `block`: not at all. */
  effects: z.enum(['approve', 'block']).optional(),
  /** Join of everything that led to the call. A call that does not say counts as untrusted and internal. */
  label: Label.optional(),
  /** What was done before it. */
  history: CallHistory.optional(),
});
export const ExecuteResult = z.discriminatedUnion('status', [
  /** `content`: JSON text of the tool's data, or plain text. `replayed`: the recorded outcome of an earlier delivery. */
  z.object({
    status: z.literal('done'),
    content: z.string(),
    isError: z.boolean(),
    effect: EffectKind,
    replayed: z.boolean().default(false),
    /** Of the content; untrusted and public where left out. */
    label: Label.optional(),
    /** Ids of the policies that allowed it. */
    policy: z.string().optional(),
    /** False: the call was never made, for its arguments did not fit. */
    dispatched: z.boolean().optional(),
    /** Arguments that came in another type and were converted without loss, in words. */
    converted: z.array(z.string()).optional(),
    /** All of a result of which `content` is an excerpt. */
    whole: Claim.optional(),
  }),
  /** Policy allows it after a human's yes. Nothing was done yet. */
  z.object({
    status: z.literal('approval_required'),
    reason: z.string(),
    policy: z.string(),
    /** The validated arguments, as they will be executed. */
    arguments: z.record(z.string(), z.unknown()),
    argumentsHash: z.string(),
    expiresInMs: z.number().positive().optional(),
    effect: EffectKind,
    /** Of everything that led to the call. */
    label: Label.optional(),
    basis: ApprovalBasis.optional(),
    /** Data that the tool has shown beside the arguments, as it is now. */
    shown: z.string().optional(),
    /** Names or roles of those who may answer, and how many of them have to. */
    approvers: z.array(z.string()).optional(),
    quorum: z.number().int().positive().optional(),
  }),
  z.object({ status: z.literal('denied'), reason: z.string(), policy: z.string() }),
]);
export type ExecuteResult = z.infer<typeof ExecuteResult>;

// router
export const CompleteBody = z.object({
  bundle: z.string(),
  agent: z.string(),
  /** A model's or route's name, or `auto`. */
  model: z.string(),
  chat: ChatRequest,
  /** Publish tokens on the run's live subject as they come. */
  live: z.boolean().default(false),
  /** Join of all that the model is told; untrusted and internal where left out. */
  label: Label.optional(),
  /** Who started the run: what budgets call a key. */
  principal: z.string().optional(),
  /** A prompt of the bundle, which the router renders before the first instructions. */
  prompt: PromptUse.optional(),
  /** Labels of what the request holds, beside the agent's own. */
  labels: z.array(z.string()).optional(),
});
export const RouteCandidate = z.object({
  model: z.string(),
  provider: z.string(),
  kept: z.boolean(),
  reason: z.string(),
});
const LeftOut = z.object({ kind: z.string(), count: z.number().int(), tokens: z.number().int() });
/** What had to go so that the request fits the model's window, in tokens. */
export const PackingReport = z.object({
  roomTokens: z.number().int(),
  inputTokens: z.number().int(),
  leftOut: z.array(LeftOut),
  shrunk: z.array(LeftOut),
});
/** How much of an answer its sources say. */
export const GroundingReport = z.object({
  score: z.number(),
  threshold: z.number(),
  supported: z.boolean(),
  unsupported: z.array(z.string()),
  /** What a judge said where one was asked. */
  judge: z.string().optional(),
});
export const CompleteResult = ChatResponse.extend({
  model: z.string(),
  provider: z.string(),
  /** What was asked for, and how that was understood. */
  route: z
    .object({
      asked: z.string(),
      tier: ModelTier.optional(),
      /** 0 to 1, where it was looked at. */
      difficulty: z.number().optional(),
      /** What the difficulty was told by, where it was looked at; those that are 0 are left out. For calibration. */
      features: z.record(z.string(), z.number()).optional(),
      /** The model that was asked how hard it is, where its word counted. */
      gradedBy: z.string().optional(),
      reason: z.string(),
    })
    .optional(),
  /** True when every better model failed and the offline model answered. */
  degraded: z.boolean().default(false),
  costUsd: z.number().nonnegative().default(0),
  attempts: z
    .array(
      z.object({
        model: z.string(),
        provider: z.string(),
        ok: z.boolean(),
        error: z.string().optional(),
        durationMs: z.number(),
        /** Name of the key's variable. */
        key: z.string().optional(),
        /** What followed from the error: `same`, `other_key`, `other_provider`, `other_model`, … */
        next: z.string().optional(),
      }),
    )
    .default([]),
  candidates: z.array(RouteCandidate).default([]),
  /** Of the answer: at least that of all that the model was told. */
  label: Label.optional(),
  packing: PackingReport.optional(),
  grounding: GroundingReport.optional(),
  /** Not asked anew: the same question was answered before, or is being answered, or one that means the same was. */
  cached: z.enum(['exact', 'joined', 'semantic']).optional(),
  /** How many values of each kind the model saw placeholders for. */
  masked: z.record(z.string(), z.number().int()).optional(),
  /** Version and hash of the prompt that was rendered. */
  prompt: z.object({ name: z.string(), version: z.string(), hash: z.string() }).optional(),
  /** What is to be said of the answer: it declines, it was cut off, its JSON was mended, its usage cannot be right. */
  notes: z.array(z.enum(['refused', 'truncated', 'repaired', 'usage_suspect', 'not_verified'])).optional(),
});
export type CompleteResult = z.infer<typeof CompleteResult>;

/** `bundle`: hash of the one whose catalogue is asked for; without it, the router's own. */
export const ModelsBody = z.object({ bundle: z.string().optional() });
export const ModelsResult = z.object({
  models: z.array(
    z.object({ id: z.string(), provider: z.string(), description: z.string(), tier: ModelTier.optional() }),
  ),
});

// planner: what can be done with a journal afterwards
/** The state of a run after its entry `version` (its newest where it is left out), rebuilt from its journal. */
export const StateBody = z.object({ run: z.string(), version: z.number().int().positive().optional() });
/** `state`: the planner's own shape, for people to look at; it may differ between versions of Tutti. */
export const StateResult = z.object({ run: z.string(), version: z.number().int(), state: z.unknown() });

/** What a fork does differently. */
export const ForkChanges = z.object({
  input: z.string().min(1).optional(),
  instructions: z.string().optional(),
  model: z.string().optional(),
  /** Hash of the bundle that it pins. */
  bundle: z.string().optional(),
});
export type ForkChanges = z.infer<typeof ForkChanges>;
export const ForkBody = z.object({
  run: z.string(),
  version: z.number().int().positive(),
  changes: ForkChanges.default({}),
  effects: z.enum(['approve', 'block']).default('approve'),
  principal: z.object({ id: z.string(), roles: z.array(z.string()).default([]) }),
  /** Makes a repeat of the same request the same fork. */
  key: z.string().optional(),
});
export const ForkResult = z.object({ run: z.string(), session: z.string() });

export const PreflightBody = z.object({
  /** Hash of the bundle to try. */
  bundle: z.string(),
  /** These runs, or else what waits now or has run lately. */
  runs: z.array(z.string()).max(200).optional(),
  scope: z.enum(['waiting', 'recent']).default('waiting'),
  limit: z.number().int().min(1).max(200).default(50),
  /** Of the scope, those that are older than this run. */
  before: z.string().optional(),
});
export const PreflightReport = z.object({
  run: z.string(),
  agent: z.string(),
  status: z.string(),
  verdict: z.enum(['same', 'diverges', 'unreadable']),
  /** From 1: the first step that would be another one, or would be asked otherwise. */
  step: z.number().int().optional(),
  reason: z.string().optional(),
});
export type PreflightReport = z.infer<typeof PreflightReport>;
/** `next`: what `before` is for those that come next, newest first; null: none is left, or the runs were named. */
export const PreflightResult = z.object({
  reports: z.array(PreflightReport),
  next: z.string().nullable().default(null),
});

export type MessageList = z.infer<typeof ChatMessage>[];
