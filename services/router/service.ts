/** The router: chooses and calls models. */
import { createPolicyEngines } from '@tutti/policy';
import { defineService } from '@tutti/runtime';
import { completeOffline } from './adapters/offline/index.ts';
import { createOfflineProvider } from './adapters/offline-provider.ts';
import { createProviderPool } from './adapters/provider-pool.ts';
import { createCatalogues } from './catalogue.ts';
import { createCompleter } from './complete.ts';
import { RouterConfig } from './config.ts';
import { createStages } from './create-stages.ts';
import { createHandlers } from './handlers.ts';
import { createModelHealth } from './health.ts';
import { createModelGate } from './policy.ts';
import { createQuestions } from './questions.ts';
import type { WorkParts } from './work-down.ts';

export { catalogueOf } from './catalogue.ts';
export { RouterConfig } from './config.ts';

export const routerService = defineService({
  name: 'router',
  config: RouterConfig,
  async start({ config, bundles, bus, instance, log, telemetry, metrics }) {
    const gate = createModelGate(createPolicyEngines());
    const created = createStages({ config, bus, bundles, instance, gate, log });
    const catalogues = createCatalogues(config, bundles);
    const pool = createProviderPool(createOfflineProvider(completeOffline), config.TUTTI_MODEL_OUTPUT_CHARS_MAX);
    const health = createModelHealth({
      failuresMax: config.TUTTI_BREAKER_FAILURES_MAX,
      openMs: config.TUTTI_BREAKER_OPEN_MS,
    });
    const complete = createCompleter({
      catalogues,
      stages: created.stages,
      providerOf: (target, { catalogue }) => pool.of(target, catalogue),
      health: {
        ...health,
        coolDown(target, durationMs) {
          health.coolDown(target, durationMs);
          created.coolDown(target, durationMs);
        },
      },
      limits: limitsOf(config),
      fallback: config.TUTTI_OFFLINE_FALLBACK,
      gate,
      telemetry,
      metrics,
      log,
    });
    created.connect(complete);
    const resultsMax = config.TUTTI_ROUTER_RESULTS_MAX;
    return {
      handlers: { ...createHandlers({ complete, catalogues, bus, resultsMax }), ...createQuestions(created) },
      stop: created.stop,
    };
  },
});

export function limitsOf(config: RouterConfig): WorkParts['limits'] {
  return {
    attemptTimeoutMs: config.TUTTI_MODEL_TIMEOUT_MS,
    attemptsMax: config.TUTTI_MODEL_ATTEMPTS_MAX,
    firstTokenTimeoutMs: config.TUTTI_MODEL_FIRST_TOKEN_TIMEOUT_MS,
    idleTimeoutMs: config.TUTTI_MODEL_IDLE_TIMEOUT_MS,
    charsPerSecondMin: config.TUTTI_MODEL_CHARS_PER_SECOND_MIN,
    rateWindowMs: config.TUTTI_MODEL_RATE_WINDOW_MS,
    restWaitMaxMs: config.TUTTI_MODEL_REST_WAIT_MS,
    reserveMs: config.TUTTI_MODEL_RESERVE_MS,
    retriesMax: config.TUTTI_MODEL_RETRIES_MAX,
    reasksMax: config.TUTTI_MODEL_REASKS_MAX,
    refitsMax: config.TUTTI_MODEL_REFITS_MAX,
    backoffMs: config.TUTTI_MODEL_BACKOFF_MS,
    retryAfterMaxMs: config.TUTTI_MODEL_RETRY_AFTER_MAX_MS,
  };
}
