/** The router: chooses and calls models. */
import { defineService } from '@tutti/runtime';
import { completeOffline } from './adapters/offline/index.ts';
import { createOfflineProvider } from './adapters/offline-provider.ts';
import { createOpenAiProvider } from './adapters/openai/provider.ts';
import { catalogueOf } from './catalogue.ts';
import { createCompleter } from './complete.ts';
import { RouterConfig } from './config.ts';
import { createGuards } from './guards.ts';
import { createHandlers } from './handlers.ts';
import { createModelHealth } from './health.ts';
import type { ModelProvider } from './ports/provider.ts';

export { catalogueOf } from './catalogue.ts';
export { RouterConfig } from './config.ts';

export const routerService = defineService({
  name: 'router',
  config: RouterConfig,
  async start({ config, bus, bundles, instance, log, telemetry }) {
    const catalogue = catalogueOf(config);
    const guards = createGuards({ config, bus, bundles, instance, log });
    const complete = createCompleter({
      catalogue,
      providers: providersOf(config),
      health: createModelHealth({
        failuresMax: config.TUTTI_BREAKER_FAILURES_MAX,
        openMs: config.TUTTI_BREAKER_OPEN_MS,
      }),
      limits: {
        attemptTimeoutMs: config.TUTTI_MODEL_TIMEOUT_MS,
        idleTimeoutMs: config.TUTTI_MODEL_IDLE_TIMEOUT_MS,
        reserveMs: config.TUTTI_MODEL_RESERVE_MS,
        retriesMax: config.TUTTI_MODEL_RETRIES_MAX,
        reasksMax: 1,
        backoffMs: config.TUTTI_MODEL_BACKOFF_MS,
        retryAfterMaxMs: config.TUTTI_MODEL_RETRY_AFTER_MAX_MS,
        rateWaitMaxMs: config.TUTTI_RATE_WAIT_MS,
      },
      guards: guards.attempt,
      usage: guards.usage,
      fallback: config.TUTTI_OFFLINE_FALLBACK,
      telemetry,
      log,
    });
    return {
      handlers: createHandlers({
        guards: { ...guards, complete, mayEscalate: () => false, log },
        bundles: guards.bundles,
        ledgers: { ...guards.ledgers, usage: guards.usage },
        catalogue,
        bus,
        resultsMax: config.TUTTI_ROUTER_RESULTS_MAX,
      }),
      stop: guards.stop,
    };
  },
});

function providersOf(config: RouterConfig): ReadonlyMap<string, ModelProvider> {
  const openai = createOpenAiProvider({
    baseUrl: config.OPENAI_BASE_URL,
    apiKey: config.OPENAI_API_KEY ?? 'none',
    outputCharsMax: config.TUTTI_MODEL_OUTPUT_CHARS_MAX,
  });
  return new Map([createOfflineProvider(completeOffline), openai].map((provider) => [provider.name, provider]));
}
