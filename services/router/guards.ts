/** Everything that guards calls and their tries, made once a process. */
import { randomUUID } from 'node:crypto';
import type { BundleStore, Bus, Logger } from '@tutti/runtime';
import { createOpenAiEmbedder } from './adapters/openai/embedder.ts';
import { type AnswerCache, createAnswerCache } from './answer-cache.ts';
import type { RouterConfig } from './config.ts';
import { type CurrentBundles, createCurrentBundles } from './current-bundles.ts';
import type { GuardParts } from './guard-attempt.ts';
import { createLedgers, type Ledgers } from './ledgers.ts';
import type { Embedder } from './ports/embedder.ts';
import { createRateGate } from './rate-limits.ts';
import { createSpending } from './spending.ts';
import { createUsageLog, type UsageLog } from './usage-log.ts';

export interface Guards {
  attempt: GuardParts;
  usage: UsageLog;
  ledgers: Ledgers;
  bundles: CurrentBundles;
  cache: AnswerCache;
  embedder: Embedder | undefined;
  /** Everything is settled and written. */
  stop(): Promise<void>;
}

export function createGuards(parts: {
  config: RouterConfig;
  bus: Pick<Bus, 'bucket'>;
  bundles: BundleStore;
  instance: string;
  log: Logger;
}): Guards {
  const { config, log } = parts;
  const ledgers = createLedgers(parts.bus, parts.instance);
  const spending = createSpending({
    lasting: ledgers.lasting,
    ageing: ledgers.ageing,
    limits: { waitMaxMs: config.TUTTI_BUDGET_WAIT_MS, orphanMs: config.TUTTI_BUDGET_ORPHAN_MS },
    newId: randomUUID,
    log,
  });
  const usage = createUsageLog({ ledgers: ledgers.days, flushMs: config.TUTTI_USAGE_FLUSH_MS, log });
  return {
    attempt: { spending, rates: createRateGate({ ledgers: ledgers.rates, log }) },
    usage,
    ledgers,
    bundles: createCurrentBundles({ bundles: parts.bundles, freshMs: config.TUTTI_BUNDLE_FRESH_MS, log }),
    cache: createAnswerCache({ entriesMax: config.TUTTI_CACHE_ENTRIES_MAX, charsMax: config.TUTTI_CACHE_CHARS_MAX }),
    embedder: embedderOf(config),
    async stop() {
      await Promise.all([spending.idle(), usage.stop(), ledgers.rates.idle()]);
    },
  };
}

const EMBEDDING_TIMEOUT_MS = 10_000;

function embedderOf(config: RouterConfig): Embedder | undefined {
  if (!config.TUTTI_EMBEDDINGS_MODEL) return undefined;
  return createOpenAiEmbedder({
    baseUrl: config.TUTTI_EMBEDDINGS_BASE_URL ?? config.OPENAI_BASE_URL,
    apiKey: config.TUTTI_EMBEDDINGS_API_KEY ?? config.OPENAI_API_KEY ?? 'none',
    model: config.TUTTI_EMBEDDINGS_MODEL,
    timeoutMs: EMBEDDING_TIMEOUT_MS,
  });
}
