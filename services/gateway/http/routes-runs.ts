/** Runs: start, read, list, cancel, journal. */
import { Readable } from 'node:stream';
import {
  LIMITS,
  type RunEntry,
  RunId,
  RunStatus,
  type RunView,
  SomeRunLimits,
  TuttiError,
  WhenBusy,
} from '@tutti/contracts';
import { ATTR, logOf } from '@tutti/runtime';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { EntryViews } from '../core/public-entry.ts';
import { isOver, iso, runBody } from '../core/views.ts';
import type { GatewayDeps } from './deps.ts';
import { JSON_LINES, journalLines } from './routes-journal.ts';
import { prepareRun, readIdempotencyKey, SessionName, sessionFor } from './start-run.ts';
import { notFound, parse, parseId } from './validate.ts';

export const CreateRun = z.strictObject({
  agent: z.string().min(1).describe('Name of an agent of the current bundle.'),
  input: z.string().min(1).max(LIMITS.inputCharsMax).describe('What the user says.'),
  session: SessionName.optional().describe('A session id, or your own name for the conversation; new where left out.'),
  limits: SomeRunLimits.strict().optional().describe('Lower limits than the agent’s.'),
  whenBusy: WhenBusy.optional().describe('What this message does when a run of its session is under way.'),
  model: z.string().min(1).max(200).optional().describe('A model or route instead of the agent’s.'),
  onQuestion: z
    .enum(['wait', 'end'])
    .default('wait')
    .describe('`wait`: a question to the user parks the run until POST …/input; `end`: the question is the answer.'),
});
export const CancelRun = z.strictObject({ reason: z.string().max(1_000).default('') });
export const ListRuns = z.strictObject({
  session: SessionName.optional(),
  agent: z.string().optional(),
  status: RunStatus.optional(),
  children: z.enum(['true', 'false']).default('false'),
  before: RunId.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});
export const ReadJournal = z.strictObject({
  after: z.coerce.number().int().nonnegative().default(0),
  limit: z.coerce.number().int().min(1).max(1_000).default(500),
  view: z.enum(['public', 'full']).default('public').describe('`full`: the entries as they are stored.'),
  format: z
    .enum(['json', 'jsonl'])
    .default('json')
    .describe('`jsonl`: the whole journal as stored, one entry a line, late results behind.'),
  children: z.enum(['true', 'false']).default('false').describe('With `jsonl`: those of the runs below it too.'),
});

type RunPath = { Params: { id: string } };

export function runRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.post('/v1/runs', async (request, reply) => {
    const body = parse(CreateRun, request.body);
    const prepared = await prepareRun(deps, request.identity, {
      ...body,
      session: body.session,
      live: true,
      idempotencyKey: readIdempotencyKey(request.headers['idempotency-key']),
      traceparent: request.span?.traceparent,
    });
    const { run, session, existing } = prepared;
    request.span?.attributes({ [ATTR.agent]: body.agent, [ATTR.conversation]: session, [ATTR.run]: run });
    if (!existing) await prepared.commit();
    deps.log.debug(
      { ...logOf({ run, traceparent: request.span?.traceparent }), agent: body.agent },
      'a run is accepted',
    );
    const links = { self: `/v1/runs/${run}`, events: `/v1/runs/${run}/events` };
    // A repeated request gets the same answer, whatever has become of the run meanwhile.
    reply.code(202).send({ id: run, object: 'run', session, agent: body.agent, status: 'queued', links });
  });

  app.get('/v1/runs', async (request) => {
    const { session, children, ...rest } = parse(ListRuns, request.query, 'query');
    const { tenant } = request.identity;
    const filter = session === undefined ? {} : { session: sessionFor(tenant, session) };
    const { runs } = await deps.memory.read(tenant, { op: 'runs', ...rest, ...filter, children: children === 'true' });
    const readable = await deps.gate.readable(request.identity, runs);
    return { object: 'list', data: readable.map(runBody), has_more: runs.length === rest.limit };
  });

  app.get<RunPath>('/v1/runs/:id', async (request) => runBody(await knownRun(deps, request)));

  app.post<RunPath>('/v1/runs/:id/cancel', async (request, reply) => {
    const { reason } = parse(CancelRun, request.body ?? {});
    const view = await knownRun(deps, request);
    await deps.gate.runStart(request.identity, view.agent);
    if (isOver(view.status)) throw new TuttiError('conflict', `run ${view.id} has ended already: ${view.status}`);
    await cancelRun(deps, view, request.identity.principal.id, reason);
    reply.code(202).send({ ...runBody(view), cancelling: true });
  });

  app.get<RunPath>('/v1/runs/:id/journal', async (request, reply) => {
    const query = parse(ReadJournal, request.query, 'query');
    const view = await knownRun(deps, request);
    const { id } = view;
    if (query.format === 'jsonl')
      return reply.type(JSON_LINES).send(Readable.from(journalLines(deps, view, query.children === 'true')));
    const entries = await journal(deps, request.identity.tenant, id, query.after, query.limit);
    const views = new EntryViews();
    const data = query.view === 'full' ? entries : entries.map((entry) => views.view(entry));
    if (entries.length === query.limit) return { object: 'list', data, has_more: true };
    return { object: 'list', data, has_more: false, late: await lateResults(deps, view) };
  });
}

/** Throws `not_found`, for another tenant's run too, and `forbidden` where policy keeps it from who asks. */
export async function knownRun(deps: GatewayDeps, request: FastifyRequest<RunPath>) {
  const id = parseId(RunId, request.params.id, 'run');
  const view = await deps.reader.run(request.identity.tenant, id);
  if (!view) throw notFound('run', id);
  await deps.gate.journalRead(request.identity, view);
  return view;
}

export async function cancelRun(
  deps: Pick<GatewayDeps, 'inbound'>,
  run: { id: string; tenant: string; session: string },
  by: string,
  reason: string,
): Promise<void> {
  const { id, tenant, session } = run;
  await deps.inbound.write(
    { v: 1, type: 'cancel', tenant, session, run: id, at: Date.now(), by, reason },
    `cancel:${id}`,
  );
}

/** What came of the run's calls after it had given them up: no entries, for it changes nothing. Null: memory is away. */
async function lateResults(deps: GatewayDeps, { tenant, id }: RunView) {
  try {
    const { results } = await deps.memory.read(tenant, { op: 'late', run: id });
    return results.map(({ at, ...result }) => ({ ...result, at: iso(at) }));
  } catch (error) {
    if (error instanceof TuttiError && error.retryable) return null;
    throw error;
  }
}

async function journal(deps: GatewayDeps, tenant: string, run: string, after: number, limit: number) {
  const entries: RunEntry[] = [];
  while (entries.length < limit) {
    const more = await deps.reader.entries(tenant, run, after + entries.length);
    if (more.length === 0) break;
    entries.push(...more);
  }
  return entries.slice(0, limit);
}
