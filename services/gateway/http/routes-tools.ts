/** Tool sources for people to look at: what they offer, what is withheld, and the approval of what was shown. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { GatewayDeps } from './deps.ts';
import { currentBundle } from './start-run.ts';
import { parse } from './validate.ts';

const SOURCES_TIMEOUT_MS = 30_000;

export const ListTools = z.strictObject({
  /** Ask the servers now. */
  fresh: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),
});
export const ApproveTools = z.strictObject({
  source: z.string(),
  /** The hash of what was shown, by the server's own name of the tool. */
  tools: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)).refine((tools) => Object.keys(tools).length > 0, {
    message: 'must name at least one tool',
  }),
});

export function toolRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.get('/v1/tools', async (request) => {
    const { fresh } = parse(ListTools, request.query, 'query');
    const { tenant } = request.identity;
    const { hash } = await currentBundle(deps, tenant);
    const result = await deps.caller.call(
      'sources',
      { bundle: hash, fresh },
      { tenant, timeoutMs: SOURCES_TIMEOUT_MS },
    );
    return { object: 'list', bundle: hash, data: result.sources };
  });

  app.post('/v1/tools/approve', async (request) => {
    const { source, tools } = parse(ApproveTools, request.body);
    const { tenant, principal } = request.identity;
    // Whoever could pin a changed description could do what only another bundle may.
    await deps.gate.bundleChange(request.identity);
    const { hash } = await currentBundle(deps, tenant);
    const body = { bundle: hash, source, tools, by: principal.id, at: Date.now() };
    const { approved } = await deps.caller.call('approveTools', body, { tenant, timeoutMs: SOURCES_TIMEOUT_MS });
    return { object: 'tools.approved', source, approved, by: principal.id };
  });
}
