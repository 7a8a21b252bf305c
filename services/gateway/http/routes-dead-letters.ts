/** Dead letters: what could not be taken in or kept failing, for a person to read and to send again. */
import { DeadLetter, deadLetterId, deadLetterSequence, STREAMS, TuttiError } from '@tutti/contracts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { appendSurely } from '../adapters/bus-inbound.ts';
import { OPEN_IDENTITY } from '../core/api-keys.ts';
import { iso } from '../core/views.ts';
import type { GatewayDeps } from './deps.ts';
import { notFound, parse } from './validate.ts';

export const ListDeadLetters = z.strictObject({
  service: z.enum(['planner', 'memory', 'retriever']).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

type Path = { Params: { id: string } };
type Found = DeadLetter & { sequence_: number };
const STREAM = STREAMS.deadLetters.name;
const SERVICES = ['planner', 'memory', 'retriever'] as const;
const FORK_TIMEOUT_MS = 20_000;
const text = new TextDecoder();
const bytes = new TextEncoder();

export function deadLetterRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.get('/v1/dead-letters', async (request) => {
    const { service, limit } = parse(ListDeadLetters, request.query, 'query');
    const found: Found[] = [];
    for (const one of service ? [service] : SERVICES) {
      for await (const stored of deps.bus.read(STREAM, `tutti.dead.${one}`, 1)) {
        const letter = read(stored, one);
        if (mayRead(request, letter)) found.push(letter);
      }
    }
    found.sort((a, b) => b.sequence_ - a.sequence_);
    return { object: 'list', data: found.slice(0, limit).map(summary), has_more: found.length > limit };
  });

  app.get<Path>('/v1/dead-letters/:id', async (request) => {
    const letter = await known(deps, request);
    return { ...summary(letter), error: letter.error ?? null, payload: letter.payload };
  });

  app.post<Path>('/v1/dead-letters/:id/resend', async (request, reply) => {
    const letter = await known(deps, request);
    const id = deadLetterId(letter.sequence_);
    reply.code(202).send({ id, object: 'dead_letter', resent: await resend(deps, request, letter, id) });
  });

  app.delete<Path>('/v1/dead-letters/:id', async (request, reply) => {
    const { sequence_ } = await known(deps, request);
    await deps.bus.remove(STREAM, sequence_);
    reply.code(200).send({ id: deadLetterId(sequence_), object: 'dead_letter', deleted: true });
  });
}

async function resend(deps: GatewayDeps, request: FastifyRequest, letter: Found, id: string) {
  switch (letter.kind) {
    case 'inbound': {
      if (!letter.subject)
        throw new TuttiError('conflict', `${id} does not say where it came from; it cannot be sent again`);
      // A double click is one message: the stream knows the id for a while, and runs know their own starts for long.
      await appendSurely(
        deps.bus,
        letter.subject,
        bytes.encode(JSON.stringify(letter.payload)),
        `resend:${id}`,
        deps.config,
      );
      return { as: 'message', subject: letter.subject };
    }
    case 'step': {
      if (!letter.run || !letter.version) throw new TuttiError('conflict', `${id} names no run to go on with`);
      const { tenant, principal } = request.identity;
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

function read(
  stored: { data: Uint8Array; sequence: number; storedAt: number; subject: string },
  service: string,
): Found {
  const raw = text.decode(stored.data);
  const parsed = DeadLetter.safeParse(parseJson(raw));
  if (parsed.success) return { ...parsed.data, sequence_: stored.sequence };
  // As services wrote them before letters had a form.
  const reason = 'written by an earlier version, which kept the reason elsewhere';
  return { v: 1, service, kind: 'record', reason, at: stored.storedAt, payload: raw, sequence_: stored.sequence };
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** A tenant sees its own; what belongs to nobody in particular is for those who run an open system. */
function mayRead({ identity }: FastifyRequest, letter: DeadLetter): boolean {
  if (letter.tenant !== undefined) return letter.tenant === identity.tenant;
  return identity === OPEN_IDENTITY;
}

async function known(deps: GatewayDeps, request: FastifyRequest<Path>): Promise<Found> {
  const { id } = request.params;
  const sequence = deadLetterSequence(id);
  const stored = sequence === undefined ? null : await deps.bus.message(STREAM, sequence);
  if (!stored) throw notFound('dead letter', id);
  const letter = read(stored, stored.subject.split('.').at(-1)!);
  if (!mayRead(request, letter)) throw notFound('dead letter', id);
  return letter;
}

function summary(letter: Found) {
  const { service, kind, reason, at, run, session, version, callId, subject, sequence } = letter;
  return {
    id: deadLetterId(letter.sequence_),
    object: 'dead_letter' as const,
    service,
    kind,
    reason,
    at: iso(at),
    run: run ?? null,
    session: session ?? null,
    version: version ?? null,
    callId: callId ?? null,
    subject: subject ?? null,
    sequence: sequence ?? null,
  };
}
