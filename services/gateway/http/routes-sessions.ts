/** Sessions: the turns that memory keeps. */
import { Turn } from '@tutti/contracts';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { turnBody } from '../core/views.ts';
import type { GatewayDeps } from './deps.ts';
import { SessionName, sessionFor } from './start-run.ts';
import { parse } from './validate.ts';

export const ReadSession = z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(50) });

export function sessionRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  /** A session that nobody used yet is empty, not unknown: its id is a function of its name. */
  app.get<{ Params: { id: string } }>('/v1/sessions/:id', async (request) => {
    const { limit } = parse(ReadSession, request.query, 'query');
    const { tenant } = request.identity;
    const session = sessionFor(tenant, parse(SessionName, request.params.id, 'session'));
    await deps.gate.memoryRead(request.identity, session);
    const { turns } = await deps.memory.read(tenant, { op: 'turns', session, limit });
    return { id: session, object: 'session', turns: z.array(Turn).parse(turns).map(turnBody) };
  });
}
