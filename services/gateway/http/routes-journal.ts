/** What can be done with a journal: export it, look at the state at a version, fork the run, try a bundle on runs. */
import { Bundle, ForkChanges, type RunEntry, type RunView } from '@tutti/contracts';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { GatewayDeps } from './deps.ts';
import { knownRun } from './routes-runs.ts';
import { readIdempotencyKey } from './start-run.ts';
import { parse } from './validate.ts';

export const ReadState = z.strictObject({
  version: z.coerce.number().int().positive().optional().describe('After which entry; the newest where left out.'),
});
export const ForkRun = z.strictObject({
  version: z.number().int().positive().describe('The fork begins behind this entry.'),
  ...ForkChanges.shape,
  effects: z
    .enum(['approve', 'block'])
    .default('approve')
    .describe('Calls with an effect that the fork makes itself: only with a human’s grant, or not at all.'),
});
export const Preflight = z.strictObject({
  bundle: z.union([z.string().min(1), Bundle]).describe('Hash of a stored bundle, or a bundle.'),
  runs: z.array(z.string()).min(1).max(200).optional(),
  scope: z.enum(['waiting', 'recent']).default('waiting'),
  limit: z.number().int().min(1).max(200).default(50),
});

type RunPath = { Params: { id: string } };
const FORK_TIMEOUT_MS = 20_000;

export function journalRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.get<RunPath>('/v1/runs/:id/state', async (request) => {
    const query = parse(ReadState, request.query, 'query');
    const { id } = await knownRun(deps, request);
    const options = { tenant: request.identity.tenant, timeoutMs: FORK_TIMEOUT_MS };
    return { object: 'run.state', ...(await deps.caller.call('state', { run: id, ...query }, options)) };
  });

  app.post<RunPath>('/v1/runs/:id/fork', async (request, reply) => {
    const { version, effects, ...changes } = parse(ForkRun, request.body);
    const { id, agent } = await knownRun(deps, request);
    const { tenant, principal } = request.identity;
    const key = readIdempotencyKey(request.headers['idempotency-key']);
    const { run, session } = await deps.caller.call(
      'fork',
      { run: id, version, changes, effects, principal, ...(key === undefined ? {} : { key }) },
      { tenant, timeoutMs: FORK_TIMEOUT_MS, traceparent: request.span?.traceparent },
    );
    const links = { self: `/v1/runs/${run}`, events: `/v1/runs/${run}/events` };
    reply.code(202).send({ id: run, object: 'run', session, agent, status: 'queued', fork_of: id, version, links });
  });

  app.post('/v1/preflight', async (request) => {
    const { bundle, ...rest } = parse(Preflight, request.body);
    const { tenant } = request.identity;
    const hash = typeof bundle === 'string' ? bundle : await deps.bundles.store(bundle);
    const options = { tenant, timeoutMs: deps.config.preflightTimeoutMs };
    const { reports } = await deps.caller.call('preflight', { bundle: hash, ...rest }, options);
    const diverging = reports.filter((report) => report.verdict !== 'same').length;
    return { object: 'preflight', bundle: hash, data: reports, same: reports.length - diverging, diverging };
  });
}

export const JSON_LINES = 'application/jsonl';

/** Every entry as it is stored, one a line; with `children`, those of the runs below it too, each run in order. */
export async function* journalLines(deps: GatewayDeps, view: RunView, children: boolean): AsyncGenerator<string> {
  const runs = [view.id];
  for (let run = runs.shift(); run !== undefined; run = runs.shift()) {
    for (let after = 0; ; ) {
      const entries: RunEntry[] = await deps.reader.entries(view.tenant, run, after);
      if (entries.length === 0) break;
      for (const entry of entries) {
        if (children && entry.type === 'child.started') runs.push(entry.child);
        yield `${JSON.stringify(entry)}\n`;
      }
      after = entries.at(-1)!.n;
    }
  }
}
