/** Bundles, and the agents in the current one: as agents, and as models for OpenAI's clients. */
import type { Bundle } from '@tutti/contracts';
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
