/**
 * What a run that ended early leaves behind: its effects with the calls that undo them stand in the run (`undo`), and a
 * yes to them starts a run that undoes them, one after the other, through policies, approvals and the ledger. Asking for
 * the same again is the same run. Beside that: results in full of which a model has seen an excerpt.
 */
import {
  derivedRunId,
  RESULTS,
  type RunView,
  resultBlob,
  sessionIdFor,
  TuttiError,
  type UndoOffer,
} from '@tutti/contracts';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { isOver } from '../core/views.ts';
import type { GatewayDeps } from './deps.ts';
import { knownRun } from './routes-runs.ts';
import { refuseStopped } from './start-run.ts';
import { notFound, parse } from './validate.ts';

export const UndoRun = z.strictObject({
  calls: z
    .array(z.string().max(100))
    .min(1)
    .max(50)
    .optional()
    .describe('Ids of the calls to undo; those that are known to have happened where left out.'),
});
type RunPath = { Params: { id: string } };

export function undoRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.post<RunPath>('/v1/runs/:id/undo', async (request, reply) => {
    const { calls } = parse(UndoRun, request.body ?? {});
    const view = await knownRun(deps, request);
    const { tenant, principal } = request.identity;
    await deps.gate.runStart(request.identity, view.agent);
    refuseStopped(deps, tenant, view.agent);
    const offers = chosen(view, calls);
    const session = sessionIdFor(tenant, `undo\n${view.id}`);
    const run = derivedRunId(session, view.id, `undo\n${offers.map(({ callId }) => callId).join()}`);
    const start = {
      agent: view.agent,
      input: `Undo what ${view.id} did: ${offers.map(({ tool, undo }) => `${tool} by ${undo}`).join(', ')}`,
      bundle: view.bundle,
      principal,
      limits: {},
      root: run,
      memorySession: session,
      depth: 0,
      parent: null,
      brief: null,
      live: false,
      undo: { run: view.id, offers },
    };
    await deps.inbound.write({ v: 1, type: 'start', tenant, session, run, at: Date.now(), start }, run);
    const links = { self: `/v1/runs/${run}`, events: `/v1/runs/${run}/events` };
    reply
      .code(202)
      .send({ id: run, object: 'run', session, agent: view.agent, status: 'queued', undoes: view.id, links });
  });

  app.get<{ Params: { id: string; call: string } }>('/v1/runs/:id/results/:call', async (request, reply) => {
    const { id, tenant } = await knownRun(deps, request);
    const { call } = request.params;
    const whole = /^call_[a-z0-9]+$/.test(call)
      ? await (await deps.bus.blobs(RESULTS.name)).get(resultBlob(tenant, id, call))
      : null;
    if (!whole) throw notFound('result', call);
    // Whatever a tool answered: nothing that a browser should run.
    reply.type('text/plain; charset=utf-8').header('x-content-type-options', 'nosniff').send(Buffer.from(whole));
  });
}

function chosen(view: RunView, calls: string[] | undefined): UndoOffer[] {
  if (!isOver(view.status)) throw new TuttiError('conflict', `run ${view.id} is ${view.status}: cancel it first`);
  const offered = view.undo ?? [];
  const unknown = calls?.filter((call) => !offered.some(({ callId }) => callId === call)) ?? [];
  if (unknown.length > 0)
    throw new TuttiError('invalid_request', `calls: ${view.id} offers nothing to undo for ${unknown.join(', ')}`);
  const wanted = offered.filter(({ callId, uncertain }) => (calls ? calls.includes(callId) : !uncertain));
  const byHand = wanted.filter((offer) => offer.arguments === null);
  if (calls && byHand.length > 0)
    throw new TuttiError(
      'conflict',
      `${byHand.map(({ tool }) => tool).join(', ')} has to be undone by hand: the bundle does not say with what arguments`,
    );
  const possible = wanted.filter((offer) => offer.arguments !== null);
  if (possible.length === 0) throw new TuttiError('conflict', `run ${view.id} has left nothing that can be undone`);
  return possible;
}
