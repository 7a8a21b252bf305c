/** Dead letters: what could not be taken in or kept failing, for a person to read and to send again. */
import {
  type DeadLetter,
  deadLetterId,
  deadLetterSequence,
  derivedRunId,
  InboundMessage,
  TuttiError,
} from '@tutti/contracts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { appendSurely } from '../adapters/bus-inbound.ts';
import { OPEN_IDENTITY } from '../core/api-keys.ts';
import { bytesOf, type FoundLetter, letterBody } from '../core/dead-letters.ts';
import type { GatewayDeps } from './deps.ts';
import { FORK_TIMEOUT_MS } from './routes-journal.ts';
import { notFound, parse } from './validate.ts';

export const ListDeadLetters = z.strictObject({
  service: z
    .string()
    .regex(/^[a-z]+$/)
    .optional(),
  run: z.string().optional(),
  before: z
    .string()
    .refine((id) => deadLetterSequence(id) !== undefined, { message: 'must be the id of a dead letter' })
    .optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

type Path = { Params: { id: string } };
type Resent = { as: 'message'; subject: string } | { as: 'run'; run: string; session: string };

export function deadLetterRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  const { deadLetters } = deps;

  app.get('/v1/dead-letters', async (request) => {
    const { service, run, before, limit } = parse(ListDeadLetters, request.query, 'query');
    const wanted = ({ letter }: FoundLetter) =>
      mayRead(request, letter) &&
      (service === undefined || letter.service === service) &&
      (run === undefined || letter.run === run);
    const position = before === undefined ? undefined : deadLetterSequence(before);
    const { found, next } = await deadLetters.list({ wanted, before: position, limit });
    const data = await Promise.all(found.map(async (one) => letterBody(one, await deadLetters.resent(one.position))));
    return { object: 'list', data, has_more: next !== null, next: next === null ? null : deadLetterId(next) };
  });

  app.get<Path>('/v1/dead-letters/:id', async (request) => {
    const found = await known(deps, request);
    const { error, payload } = found.letter;
    return { ...letterBody(found, await deadLetters.resent(found.position)), error: error ?? null, payload };
  });

  app.post<Path>('/v1/dead-letters/:id/resend', async (request, reply) => {
    const found = await known(deps, request);
    const resent = await resend(deps, request, found);
    const { as } = resent;
    const run = as === 'run' ? { run: resent.run } : {};
    await deadLetters.note(found.position, { v: 1, at: Date.now(), by: request.identity.principal.id, as, ...run });
    reply.code(202).send({ id: deadLetterId(found.position), object: 'dead_letter', resent });
  });

  app.delete<Path>('/v1/dead-letters/:id', async (request, reply) => {
    const { position } = await known(deps, request);
    await deadLetters.remove(position);
    reply.code(200).send({ id: deadLetterId(position), object: 'dead_letter', deleted: true });
  });
}

/** A tenant sees its own; what belongs to nobody in particular is for those who run an open system. */
function mayRead({ identity }: FastifyRequest, letter: DeadLetter): boolean {
  if (letter.tenant !== undefined) return letter.tenant === identity.tenant;
  return identity === OPEN_IDENTITY;
}

async function known(deps: GatewayDeps, request: FastifyRequest<Path>): Promise<FoundLetter> {
  const { id } = request.params;
  const position = deadLetterSequence(id);
  const found = position === undefined ? null : await deps.deadLetters.at(position);
  if (!found || !mayRead(request, found.letter)) throw notFound('dead letter', id);
  return found;
}

async function resend(deps: GatewayDeps, request: FastifyRequest, found: FoundLetter): Promise<Resent> {
  const { letter, position } = found;
  const id = deadLetterId(position);
  switch (letter.kind) {
    case 'inbound':
      return (await startedAnew(deps, found)) ?? sentAgain(deps, found);
    case 'step': {
      if (!letter.run || !letter.version) throw new TuttiError('conflict', `${id} names no run to go on with`);
      const { tenant, principal } = request.identity;
      const view = await deps.reader.run(tenant, letter.run);
      if (view) await deps.gate.runStart(request.identity, view.agent);
      const { run, session } = await deps.caller.call(
        'fork',
        { run: letter.run, version: letter.version, effects: 'approve', principal, key: id },
        { tenant, timeoutMs: FORK_TIMEOUT_MS, traceparent: request.span?.traceparent },
      );
      return { as: 'run', run, session };
    }
    case 'record':
      throw new TuttiError(
        'conflict',
        `${id} is a record of ${letter.subject ?? 'a log'} that ${letter.service} cannot read; it still stands there, so there is nothing to send. Write it anew, or upgrade ${letter.service}.`,
      );
    default:
      return letter.kind satisfies never;
  }
}

/** A double click is one message: the stream knows the id for a while. */
async function sentAgain(deps: GatewayDeps, { letter, position }: FoundLetter): Promise<Resent> {
  const id = deadLetterId(position);
  const { subject, payload } = letter;
  if (!subject) throw new TuttiError('conflict', `${id} does not say where it came from; it cannot be sent again`);
  await appendSurely(deps.bus, subject, bytesOf(payload), `resend:${id}`, deps.config);
  return { as: 'message', subject };
}

/** A start whose run has ended with the letter would be taken for a repeat: it starts another run, the same one however often. */
async function startedAnew(deps: GatewayDeps, { letter, position }: FoundLetter): Promise<Resent | null> {
  const message = InboundMessage.safeParse(letter.payload);
  if (!message.success || message.data.type !== 'start') return null;
  const { tenant, session, start, run: first } = message.data;
  const view = await deps.reader.run(tenant, first);
  if (!view || view.version === 0) return null;
  if (start.parent)
    throw new TuttiError(
      'conflict',
      `run ${first} is part of ${start.parent.run}, which has gone on without it: fork that one instead`,
    );
  const id = deadLetterId(position);
  const run = derivedRunId(session, first, `resend\n${id}`);
  const again = { ...message.data, run, at: Date.now(), start: { ...start, root: run } };
  await deps.inbound.write(again, run);
  return { as: 'run', run, session };
}
