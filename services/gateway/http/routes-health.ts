/** Whether the process lives, whether requests may come, and what this is. Open to all: nothing of a tenant is in here. */
import type { FastifyInstance } from 'fastify';
import type { GatewayDeps, ReadyCheck } from './deps.ts';
import { ENDPOINTS, openApi } from './openapi.ts';

export function healthRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.get('/healthz', async () => ({ status: 'ok' }));

  app.get('/readyz', async (_request, reply) => {
    const checks = await readyChecks(deps);
    const ok = Object.values(checks).every((check) => check.ok);
    reply.code(ok ? 200 : 503);
    return { status: ok ? 'ok' : 'not ready', checks };
  });

  app.get('/v1/load', async () => ({ object: 'list', data: deps.load.partitions }));

  app.get('/openapi.json', async () => openApi());

  app.get('/', async (request, reply) => {
    if (!request.headers.accept?.includes('text/html'))
      return {
        name: 'Tutti',
        description: DESCRIPTION,
        endpoints: ENDPOINTS.map(({ method, path }) => `${method} ${path}`),
      };
    reply.type('text/html; charset=utf-8');
    return page();
  });
}

async function readyChecks(deps: GatewayDeps): Promise<Record<string, ReadyCheck>> {
  const { bus, partitions, watchers, extraReady } = deps;
  const stopping = watchers.draining.aborted;
  return {
    gateway: stopping ? { ok: false, detail: 'stopping' } : { ok: true },
    bus: bus.connected ? { ok: true } : { ok: false, detail: 'not connected to NATS' },
    partitions:
      partitions.count === undefined
        ? { ok: false, detail: 'the bus is not set up yet: start a planner, or provision it' }
        : { ok: true, detail: `${partitions.count}` },
    ...(await extraReady?.()),
  };
}

const DESCRIPTION = 'An orchestration layer for AI agents on a NATS bus: nothing is lost and nothing is done twice.';

function page(): string {
  const rows = ENDPOINTS.map(
    ({ method, path, summary }) => `<tr><td><code>${method} ${path}</code></td><td>${summary}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Tutti</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}
td{padding:.2rem 1rem .2rem 0;vertical-align:top}table{border-collapse:collapse}</style></head>
<body><h1>Tutti</h1><p>${DESCRIPTION}</p><p>Any OpenAI client works with base URL <code>/v1</code>: an agent is a model.
The whole API: <a href="/openapi.json">openapi.json</a>. Readiness: <a href="/readyz">readyz</a>.</p>
<table>${rows.join('\n')}</table></body></html>
`;
}
