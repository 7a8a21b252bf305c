/** Bundles, and the agents in the current one: as agents, and as models for OpenAI's clients. */
import { Bundle, describeZodError, TuttiError } from '@tutti/contracts';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { DIRECT_PREFIX } from '../core/direct-request.ts';
import type { GatewayDeps } from './deps.ts';
import { currentBundle } from './start-run.ts';
import { notFound, parse } from './validate.ts';

type NamePath = { Params: { name: string } };

export function catalogueRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.post('/v1/bundles', async (request) => {
    // The store checks the bundle and lists its mistakes; here it only has to be an object.
    const bundle = parse(z.looseObject({}), request.body) as unknown as Bundle;
    await deps.gate.bundleApply(request.identity, nameOf(bundle));
    deps.gate.check(checkedBundle(bundle));
    const hash = await deps.bundles.apply(request.identity.tenant, bundle);
    return { object: 'bundle', hash };
  });

  app.get('/v1/bundles/current', async (request) => {
    const { hash, bundle } = await currentBundle(deps, request.identity.tenant);
    return { object: 'bundle', hash, bundle };
  });

  app.get('/v1/agents', async (request) => {
    const { hash, bundle } = await currentBundle(deps, request.identity.tenant);
    return { object: 'list', bundle: hash, data: agents(bundle).map(agentBody) };
  });
  app.get<NamePath>('/v1/agents/:name', async (request) => {
    const { bundle } = await currentBundle(deps, request.identity.tenant);
    return agentBody(oneOf(bundle, request.params.name));
  });

  app.get('/v1/models', async (request) => {
    const { bundle } = await currentBundle(deps, request.identity.tenant);
    return { object: 'list', data: [...agents(bundle).map(modelBody), ...directModels(bundle)] };
  });
  app.get<NamePath>('/v1/models/:name', async (request) => {
    const { bundle } = await currentBundle(deps, request.identity.tenant);
    const { name } = request.params;
    return directModels(bundle).find(({ id }) => id === name) ?? modelBody(oneOf(bundle, name));
  });
}

/** A bundle that is none yet has no name to ask about. */
export function nameOf(bundle: { name?: unknown }): string {
  return typeof bundle.name === 'string' ? bundle.name : '';
}

/** Throws `bundle_invalid` with every mistake. */
export function checkedBundle(bundle: unknown): Bundle {
  const parsed = Bundle.safeParse(bundle);
  if (parsed.success) return parsed.data;
  throw new TuttiError('bundle_invalid', describeZodError(parsed.error));
}

type Agent = Bundle['agents'][string];

function agents(bundle: Bundle): Agent[] {
  return Object.entries(bundle.agents).map(([name, agent]) => ({ ...agent, name }));
}

function oneOf(bundle: Bundle, name: string): Agent {
  const agent = agents(bundle).find((one) => one.name === name);
  if (!agent) throw notFound('agent', name);
  return agent;
}

function agentBody({ name, description, strategy, model, tools, knowledge, limits, timeZone }: Agent) {
  return { id: name, object: 'agent', name, description, strategy, model, tools, knowledge, limits, timeZone };
}

/** What can be used without an agent. */
function directModels({ agents, models = {}, routes = {} }: Bundle): ReturnType<typeof modelBody>[] {
  const listed = Object.entries(models).map(([id, { description }]) => ({
    name: `${DIRECT_PREFIX}${id}`,
    description,
  }));
  const named = Object.entries(routes)
    .filter(([name]) => !Object.hasOwn(agents, name))
    .map(([name, { description }]) => ({ name, description }));
  return [...listed, ...named].map(modelBody);
}

/** A bundle is content and has no time of its own, so `created` says nothing. */
function modelBody({ name, description }: Pick<Agent, 'name' | 'description'>) {
  return { id: name, object: 'model', created: 0, owned_by: 'tutti', description };
}
