/** What can be done with a journal: export it, look at the state at a version, fork the run, try a bundle on runs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Bundle, ForkChanges, isEnd, LIMITS, type RunEntry, RunId, type RunView, TuttiError } from '@tutti/contracts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { GatewayDeps } from './deps.ts';
import { knownRun } from './routes-runs.ts';
import { readIdempotencyKey, refuseStopped } from './start-run.ts';
import { parse } from './validate.ts';

export const ReadState = z.strictObject({
  version: z.coerce.number().int().positive().optional().describe('After which entry; the newest where left out.'),
});
const AnyBundle = z.union([z.string().min(1), Bundle]).describe('Hash of a stored bundle, or a bundle.');
export const ForkRun = z.strictObject({
  version: z.number().int().positive().describe('The fork begins behind this entry.'),
  ...ForkChanges.shape,
  input: z.string().min(1).max(LIMITS.inputCharsMax).optional().describe('Another goal.'),
  instructions: z.string().max(LIMITS.inputCharsMax).optional().describe('Other instructions for the agent.'),
  model: z.string().min(1).max(200).optional().describe('Another model or route.'),
  bundle: AnyBundle.optional(),
  effects: z
    .enum(['approve', 'block'])
    .default('approve')
    .describe('Calls with an effect that the fork makes itself: only with a human’s grant, or not at all.'),
});
export const Preflight = z.strictObject({
  bundle: AnyBundle,
  runs: z.array(RunId).min(1).max(200).optional(),
  scope: z.enum(['waiting', 'recent']).default('waiting'),
  limit: z.number().int().min(1).max(200).default(50),
  before: RunId.optional().describe('Of the scope, those that are older than this run: `next` of the answer before.'),
});

type RunPath = { Params: { id: string } };
/** Reading a long journal and writing a fork's beginning takes a while. */
export const FORK_TIMEOUT_MS = 20_000;

export function journalRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.get<RunPath>('/v1/runs/:id/state', async (request) => {
    const query = parse(ReadState, request.query, 'query');
    const { id } = await knownRun(deps, request);
    const options = { tenant: request.identity.tenant, timeoutMs: FORK_TIMEOUT_MS };
    return { object: 'run.state', ...(await deps.caller.call('state', { run: id, ...query }, options)) };
  });

  app.post<RunPath>('/v1/runs/:id/fork', async (request, reply) => {
    const { version, effects, bundle, ...rest } = parse(ForkRun, request.body);
    const { id, agent } = await knownRun(deps, request);
    const { tenant, principal } = request.identity;
    await deps.gate.runStart(request.identity, agent);
    refuseStopped(deps, request.identity.tenant, agent);
    const key = readIdempotencyKey(request.headers['idempotency-key']);
    const changes = bundle === undefined ? rest : { ...rest, bundle: await hashOf(deps, request, bundle) };
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
    const hash = await hashOf(deps, request, bundle);
    const options = { tenant, timeoutMs: deps.config.preflightTimeoutMs };
    const { reports, next } = await deps.caller.call('preflight', { bundle: hash, ...rest }, options);
    const diverging = reports.filter((report) => report.verdict !== 'same').length;
    return { object: 'preflight', bundle: hash, data: reports, same: reports.length - diverging, diverging, next };
  });
}

/**
 * Throws `not_found` for a hash that nothing is stored under, and `forbidden` for whoever may not apply it: a run under a
 * bundle of one's own choice is a run under policies of one's own choice.
 */
async function hashOf(
  { bundles, gate }: GatewayDeps,
  request: FastifyRequest,
  bundle: string | Bundle,
): Promise<string> {
  const given = typeof bundle === 'string' ? await bundles.get(bundle) : bundle;
  await gate.bundleApply(request.identity, given.name);
  if (typeof bundle === 'string') return bundle;
  gate.check(bundle);
  return bundles.store(bundle);
}

export const JSON_LINES = 'application/jsonl';
/** Memory may be a moment behind what an owner no longer holds. */
const BEHIND_TRIES_MAX = 20;
const BEHIND_WAIT_MS = 250;

/**
 * Every entry as it is stored, one a line, and behind them what came of calls after the run had given them up (those lines
 * have no `n`); with `children`, those of the runs below it too, each run in order. Throws `unavailable` where the rest
 * cannot be read: a reader must not take a part for the whole.
 */
export async function* journalLines(deps: GatewayDeps, view: RunView, children: boolean): AsyncGenerator<string> {
  const { tenant } = view;
  const runs = [{ run: view.id, reached: (last: RunEntry | undefined) => (last?.n ?? 0) >= view.version }];
  for (let next = runs.shift(); next; next = runs.shift()) {
    for await (const entry of wholeJournal(deps, tenant, next.run, next.reached)) {
      if (children && entry.type === 'child.started') runs.push({ run: entry.child, reached: () => true });
      // What its parent has heard the end of has an end.
      if (children && entry.type === 'child.ended')
        for (const child of runs)
          if (child.run === entry.outcome.child) child.reached = (last) => last !== undefined && isEnd(last);
      yield `${JSON.stringify(entry)}\n`;
    }
    const { results } = await deps.memory.read(tenant, { op: 'late', run: next.run });
    for (const result of results) yield `${JSON.stringify({ type: 'result.late', run: next.run, ...result })}\n`;
  }
}

async function* wholeJournal(
  { reader }: GatewayDeps,
  tenant: string,
  run: string,
  reached: (last: RunEntry | undefined) => boolean,
): AsyncGenerator<RunEntry> {
  let last: RunEntry | undefined;
  for (let tries = 0; ; ) {
    const entries = await reader.entries(tenant, run, last?.n ?? 0);
    yield* entries;
    last = entries.at(-1) ?? last;
    if (entries.length > 0) tries = 0;
    else if (reached(last)) return;
    else if (++tries > BEHIND_TRIES_MAX)
      throw new TuttiError(
        'unavailable',
        `the journal of ${run} cannot be read beyond entry ${last?.n ?? 0} right now`,
      );
    else await sleep(BEHIND_WAIT_MS);
  }
}
