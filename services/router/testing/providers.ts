/** Several scripted providers behind one bundle, and a router over them: the whole but for the bus. */
import {
  Bundle,
  type ChatRequest,
  type ChatResponse,
  CompleteBody,
  type LiveEvent,
  LiveMessage,
} from '@tutti/contracts';
import { createLogger, createTelemetry, type RequestContext } from '@tutti/runtime';
import { type OpenAiServer, startOpenAiServer } from '@tutti/testkit/openai-server';
import type { z } from 'zod';
import { createOfflineProvider } from '../adapters/offline-provider.ts';
import { createProviderPool } from '../adapters/provider-pool.ts';
import { catalogueOf, catalogueOfBundle } from '../catalogue.ts';
import { createCompleter } from '../complete.ts';
import { RouterConfig } from '../config.ts';
import { createHandlers } from '../handlers.ts';
import { createModelHealth } from '../health.ts';
import type { ModelGate } from '../policy.ts';
import { limitsOf } from '../service.ts';
import type { Stages } from '../stages.ts';

/** Of a bundle whose policies deny no model. */
export const allowingGate: ModelGate = {
  permitted: (_ask, candidates) => candidates,
  refusal: () => undefined,
};

export const OFFLINE_TEXT = 'I am the offline model.';
const offlineAnswer = (): ChatResponse => ({
  message: { role: 'assistant', content: OFFLINE_TEXT },
  finishReason: 'stop',
  usage: { inputTokens: 0, outputTokens: 0 },
});

export interface Ask {
  model?: string;
  live?: boolean;
  callId?: string;
  agent?: string;
  labels?: string[];
  signal?: AbortSignal;
  deadlineMs?: number;
  chat?: Partial<z.input<typeof ChatRequest>>;
}

export type Sections = Pick<z.input<typeof Bundle>, 'models' | 'routes' | 'routing'> & {
  agents?: Record<string, object>;
};

/** Providers by name, each a server with two keys (`A_KEY`, `A_KEY_2` for `a`), in whatever the sections say of them. */
export async function startProviders<Name extends string>(names: readonly Name[]) {
  const servers = Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await startOpenAiServer()] as const)),
  ) as Record<Name, OpenAiServer>;
  const variables: Record<string, string> = {};
  for (const name of names) {
    const upper = name.toUpperCase();
    variables[`${upper}_KEY`] = `secret-${name}-1`;
    variables[`${upper}_KEY_2`] = `secret-${name}-2`;
    variables[`${upper}_URL`] = servers[name].url;
  }
  return {
    servers,
    variables,
    /** Complains of scripts that were not followed. */
    async stop() {
      const all = Object.values<OpenAiServer>(servers);
      await Promise.all(all.map((server) => server.close()));
      for (const server of all) server.finish();
    },
  };
}

/** One replica. */
export function createReplica(
  variables: Record<string, string>,
  sections: Sections & { providers?: z.input<typeof Bundle>['providers'] },
  options: { env?: Record<string, string>; stages?: Stages; clock?: () => number } = {},
) {
  const names = Object.keys(variables).flatMap((name) => (name.endsWith('_URL') ? [name.slice(0, -4)] : []));
  const config = RouterConfig.parse({
    TUTTI_MODEL_BACKOFF_MS: '1',
    TUTTI_MODEL_RESERVE_MS: '50',
    ...Object.fromEntries(Object.entries(variables).map(([name, value]) => [`TUTTI_VAR_${name}`, value])),
    ...options.env,
  });
  const bundle = Bundle.parse({
    v: 1,
    name: 'b',
    tools: {},
    collections: {},
    ...sections,
    agents: sections.agents ?? {},
    providers:
      sections.providers ??
      Object.fromEntries(
        names.map((name) => [name.toLowerCase(), { baseUrl: `\${${name}_URL}`, keys: [`\${${name}_KEY}`] }]),
      ),
  });
  const own = catalogueOf(config);
  const catalogues = { own, of: () => ({ bundle, catalogue: catalogueOfBundle(bundle, own, config.variables) }) };
  const pool = createProviderPool(createOfflineProvider(offlineAnswer), 100_000);
  const complete = createCompleter({
    catalogues,
    stages: options.stages ?? {},
    providerOf: (target, { catalogue }) => pool.of(target, catalogue),
    health: createModelHealth(
      { failuresMax: config.TUTTI_BREAKER_FAILURES_MAX, openMs: config.TUTTI_BREAKER_OPEN_MS },
      options.clock,
    ),
    limits: limitsOf(config),
    fallback: config.TUTTI_OFFLINE_FALLBACK,
    gate: allowingGate,
    telemetry: createTelemetry('router'),
    log: createLogger({}, { level: 'silent' }),
  });
  const events: LiveEvent[] = [];
  const bus = {
    publish: (_subject: string, data: Uint8Array) =>
      void events.push(...LiveMessage.parse(JSON.parse(new TextDecoder().decode(data))).events),
  };
  const handlers = createHandlers({ complete, catalogues, bus, resultsMax: 8 });
  let calls = 0;
  function ask(more: Ask = {}) {
    calls += 1;
    const body = CompleteBody.parse({
      bundle: 'b',
      agent: more.agent ?? '(none)',
      model: more.model ?? 'm',
      live: more.live ?? false,
      ...(more.labels ? { labels: more.labels } : {}),
      chat: { messages: [{ role: 'user', content: 'Hello' }], now: '2026-11-24T09:00:00Z', ...more.chat },
    });
    const context: RequestContext = {
      item: {
        callId: more.callId ?? `call_${calls}`,
        nonce: 0,
        tenant: 'acme',
        run: 'run_1',
        deadlineAt: Date.now() + (more.deadlineMs ?? 30_000),
      },
      signal: more.signal ?? new AbortController().signal,
      traceparent: undefined,
      attributes() {},
    };
    return handlers.complete!(body, context);
  }
  return { ask, events, handlers };
}
