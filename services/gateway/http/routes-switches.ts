/**
 * The kill switch over HTTP: what is stopped, and stopping and releasing. A tenant's own tools, agents and whole are for
 * whoever may apply its current bundle; everything is for operators beside that: whoever asks without keys, or has the
 * role `operator`.
 */
import {
  nameOfTarget,
  type SwitchState,
  type SwitchTarget,
  SwitchTarget as Target,
  TuttiError,
} from '@tutti/contracts';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { type Identity, OPEN_IDENTITY } from '../core/api-keys.ts';
import { iso } from '../core/views.ts';
import type { GatewayDeps } from './deps.ts';
import { parse } from './validate.ts';

export const SetSwitch = z.strictObject({
  kind: z.enum(['tool', 'agent', 'tenant', 'all']),
  /** Of the tool or agent. */
  name: z.string().max(100).optional(),
  stopped: z.boolean(),
  reason: z.string().max(1_000).default(''),
});
const OPERATOR = 'operator';

export function switchRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.get('/v1/switches', async (request) => {
    const { tenant } = request.identity;
    const visible = ({ target }: SwitchState) => target.kind === 'all' || target.tenant === tenant;
    return { object: 'list', data: deps.switches.list().filter(visible).map(switchBody) };
  });

  app.put('/v1/switches', async (request) => {
    const { kind, name, stopped, reason } = parse(SetSwitch, request.body);
    const { identity } = request;
    const target = targetOf(identity, kind, name);
    await insist(deps, identity, target);
    const decision = { stopped, by: identity.principal.id, at: Date.now(), reason };
    const state = await deps.switches.set(target, decision);
    deps.log.warn(
      { target, ...decision },
      stopped ? `${nameOfTarget(target)} is stopped` : `${nameOfTarget(target)} is released`,
    );
    return switchBody(state);
  });
}

function targetOf({ tenant }: Identity, kind: SwitchTarget['kind'], name: string | undefined): SwitchTarget {
  const target = Target.safeParse({ kind, tenant, name });
  if (target.success) return target.data;
  throw new TuttiError('invalid_request', `name: a ${kind} has to be named as in the bundle`);
}

async function insist(deps: GatewayDeps, identity: Identity, target: SwitchTarget): Promise<void> {
  await deps.gate.bundleChange(identity);
  if (target.kind !== 'all') return;
  if (identity !== OPEN_IDENTITY && !identity.principal.roles.includes(OPERATOR))
    throw new TuttiError('forbidden', `stopping everything is for the role "${OPERATOR}"`);
}

function switchBody({ target, decisions }: SwitchState) {
  const bodies = decisions.map(({ at, ...decision }) => ({ ...decision, at: iso(at) }));
  const name = 'name' in target ? target.name : null;
  return { object: 'switch' as const, kind: target.kind, name, ...bodies[0]!, decisions: bodies };
}
