/**
 * All stages of a call, and what they share: prompts, the cache, money, rate limits, privacy, packing, and answers that
 * hold. Each costs next to nothing where the bundle does not ask for it.
 */
import { randomUUID } from 'node:crypto';
import { type Bundle, type CompleteResult, TuttiError } from '@tutti/contracts';
import type { BundleStore, Bus, Logger } from '@tutti/runtime';
import { createOpenAiEmbedder } from './adapters/openai/embedder.ts';
import { createAnswerCache } from './answer-cache.ts';
import { type CachingParts, completeCached } from './caching.ts';
import type { Complete } from './complete.ts';
import type { RouterConfig } from './config.ts';
import { type CurrentBundles, createCurrentBundles } from './current-bundles.ts';
import { createEmbeddingRules } from './embedding-rules.ts';
import { createLedgers, type Ledgers } from './ledgers.ts';
import type { ModelGate } from './policy.ts';
import type { Embedder } from './ports/embedder.ts';
import { withPrompt } from './prompting.ts';
import { createRateGate } from './rate-limits.ts';
import { createSpending } from './spending.ts';
import { fit } from './stage-fit.ts';
import { grade } from './stage-grade.ts';
import { judge } from './stage-judge.ts';
import { type ReserveParts, reserve, unaffordable } from './stage-reserve.ts';
import { setState, stateOf } from './stage-state.ts';
import type { Ask, Stages } from './stages.ts';
import { createUsageLog, type UsageLog } from './usage-log.ts';

export interface CreatedStages {
  stages: Stages;
  usage: UsageLog;
  ledgers: Ledgers;
  bundles: CurrentBundles;
  /** A provider, model and key that asked to be left alone: for all routers. */
  coolDown(target: string, durationMs: number): void;
  /** For judges and classifiers: what asks models. Once, before the first call. */
  connect(complete: Complete): void;
  /** Everything is settled and written. */
  stop(): Promise<void>;
}

const EMBEDDING_TIMEOUT_MS = 10_000;

export function createStages(parts: {
  config: RouterConfig;
  bus: Pick<Bus, 'bucket'>;
  bundles: BundleStore;
  instance: string;
  gate: ModelGate;
  log: Logger;
}): CreatedStages {
  const { config, log } = parts;
  const ledgers = createLedgers(parts.bus, parts.instance);
  const usage = createUsageLog({ ledgers: ledgers.days, flushMs: config.TUTTI_USAGE_FLUSH_MS, log });
  const spending = createSpending({
    lasting: ledgers.lasting,
    ageing: ledgers.ageing,
    limits: { waitMaxMs: config.TUTTI_BUDGET_WAIT_MS, orphanMs: config.TUTTI_BUDGET_ORPHAN_MS },
    newId: randomUUID,
    log,
  });
  const rates = createRateGate({ ledgers: ledgers.rates, log });
  const paying: ReserveParts = { spending, rates, usage, rateWaitMaxMs: config.TUTTI_RATE_WAIT_MS };
  const caching: CachingParts = {
    cache: createAnswerCache({ entriesMax: config.TUTTI_CACHE_ENTRIES_MAX, charsMax: config.TUTTI_CACHE_CHARS_MAX }),
    embedder: embedderOf(config),
    mayEmbed: createEmbeddingRules(config, parts.gate),
    log,
  };
  const bundles = createCurrentBundles({ bundles: parts.bundles, freshMs: config.TUTTI_BUNDLE_FRESH_MS, log });
  let complete: Complete = () => Promise.reject(new Error('the stages are not connected'));
  return {
    usage,
    ledgers,
    bundles,
    coolDown: rates.block,
    connect(given) {
      complete = given;
    },
    stages: {
      prepare(ask) {
        const current = bundles.of(ask.call.tenant);
        return current instanceof Promise ? current.then((known) => prepared(ask, known)) : prepared(ask, current);
      },
      grade: (ask, classifier) =>
        grade(
          { complete: (body, call) => complete(body, call), timeoutMs: config.TUTTI_CLASSIFIER_TIMEOUT_MS },
          ask,
          classifier,
        ),
      cached: (ask, work) => around(caching, usage, ask, work),
      unaffordable: (ask, model) => unaffordable(paying, ask, model),
      fit,
      reserve: (ask, target, fitted) => reserve(paying, ask, target, fitted),
      judge: (ask, target, request, response) =>
        judge({ complete: (body, call) => complete(body, call) }, ask, target, request, response),
    },
    async stop() {
      await Promise.all([spending.idle(), usage.stop(), ledgers.rates.idle()]);
    },
  };
}

/** Budgets and privacy are those of now, whatever a run has pinned. */
function prepared(ask: Ask, current: Bundle | undefined): Ask {
  const { body, call, bundle } = ask;
  const prompted = body.prompt
    ? withPrompt(body.chat, body.prompt, { hash: body.bundle, prompts: bundle.prompts })
    : undefined;
  const next = prompted ? { ...ask, body: { ...body, chat: prompted.chat } } : ask;
  setState(next, {
    budgets: current?.budgets,
    privacy: current?.privacy ?? bundle.privacy,
    spender: {
      tenant: call.tenant,
      run: call.root ?? call.run,
      session: call.session,
      key: body.principal,
      agent: body.agent,
    },
    prompt: prompted?.rendered,
    counted: false,
    suspect: false,
    refused: undefined,
    ungrounded: undefined,
    judged: { inputTokens: 0, outputTokens: 0, costUsd: 0 },
  });
  return next;
}

async function around(
  caching: CachingParts,
  usage: UsageLog,
  ask: Ask,
  work: () => Promise<CompleteResult>,
): Promise<CompleteResult> {
  const { body, call, agent } = ask;
  const answered = () =>
    work().then(
      (result) => completed(ask, result),
      (error) => Promise.reject(meant(ask, error)),
    );
  if (!agent?.cache) return answered();
  const result = await completeCached(caching, agent.cache, ask, answered);
  if (result.cached)
    usage.add(call.tenant, { agent: body.agent, model: result.model, provider: result.provider }, { cached: 1 });
  return result;
}

function completed(ask: Ask, result: CompleteResult): CompleteResult {
  const { prompt, judged, suspect } = stateOf(ask);
  const { usage } = result;
  return {
    ...result,
    ...(suspect ? { notes: [...(result.notes ?? []), 'usage_suspect' as const] } : {}),
    ...(prompt ? { prompt: { name: prompt.name, version: prompt.version, hash: prompt.hash } } : {}),
    ...(judged.inputTokens + judged.outputTokens > 0
      ? {
          usage: {
            ...usage,
            inputTokens: usage.inputTokens + judged.inputTokens,
            outputTokens: usage.outputTokens + judged.outputTokens,
          },
          costUsd: result.costUsd + judged.costUsd,
        }
      : {}),
  };
}

/** That no model answered has a reason of its own where it was ours. */
function meant(ask: Ask, error: unknown): unknown {
  if (!(error instanceof TuttiError) || error.code !== 'model_failed') return error;
  const { refused, ungrounded } = stateOf(ask);
  const attempts = (error.details as { attempts?: unknown[] } | undefined)?.attempts ?? [];
  if (refused && attempts.length === 0) return refused;
  if (ungrounded?.policy.otherwise !== 'fail') return error;
  const share = (score: number) => `${Math.round(score * 100)}%`;
  const { score, policy } = ungrounded;
  return new TuttiError(
    'not_grounded',
    `the sources support only ${share(score)} of the answer; the agent demands ${share(policy.threshold)}`,
    { details: error.details, cause: error },
  );
}

function embedderOf(config: RouterConfig): Embedder | undefined {
  if (!config.TUTTI_EMBEDDINGS_MODEL) return undefined;
  return createOpenAiEmbedder({
    baseUrl: config.TUTTI_EMBEDDINGS_BASE_URL ?? config.OPENAI_BASE_URL,
    apiKey: config.TUTTI_EMBEDDINGS_API_KEY ?? config.OPENAI_API_KEY ?? 'none',
    model: config.TUTTI_EMBEDDINGS_MODEL,
    timeoutMs: EMBEDDING_TIMEOUT_MS,
  });
}
