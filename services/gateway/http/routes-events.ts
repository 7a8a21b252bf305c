/**
 * A run's events as SSE. Durable events carry the root's version as their id, so that `Last-Event-ID` resumes exactly
 * there. Events of child runs and tokens have no id: children that were open at that point are sent again from their
 * start (`run` and `n` tell repeats), tokens are not. `superseded` takes back what tokens of that attempt said; `progress` is
 * how far a tool says that it is.
 */

import { toErrorInfo } from '@tutti/contracts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { FollowEvent } from '../adapters/follow-run.ts';
import { errorBody, RequestProblem } from '../core/errors.ts';
import { EntryViews } from '../core/public-entry.ts';
import { isOver } from '../core/views.ts';
import type { GatewayDeps } from './deps.ts';
import { knownRun } from './routes-runs.ts';
import { SseWriter } from './sse-writer.ts';

type EventsPath = { Params: { id: string }; Querystring: { after?: string } };
const NO_CONTENT = 204;

export function eventRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.get<EventsPath>('/v1/runs/:id/events', async (request, reply) => {
    const resumeAfter = readResumePoint(request);
    const view = await knownRun(deps, request);
    // EventSource comes back after every end; this is how it is told that there is nothing more.
    if (isOver(view.status) && resumeAfter >= view.version && resumeAfter > 0) return reply.code(NO_CONTENT).send();
    const watcher = deps.watchers.acquire();
    try {
      await stream(deps, reply, { tenant: view.tenant, root: view.id, resumeAfter });
    } finally {
      watcher.release();
    }
    return reply;
  });
}

function readResumePoint(request: FastifyRequest<EventsPath>): number {
  const given = request.headers['last-event-id'] ?? request.query.after ?? '0';
  if (typeof given === 'string' && /^\d{1,9}$/.test(given)) return Number(given);
  throw new RequestProblem('Last-Event-ID', 'must be the id of an event of this stream: a whole number');
}

async function stream(
  deps: GatewayDeps,
  reply: FastifyReply,
  run: { tenant: string; root: string; resumeAfter: number },
): Promise<void> {
  const { config, watchers } = deps;
  const gone = new AbortController();
  reply.raw.on('close', () => gone.abort());
  reply.hijack();
  const writer = new SseWriter(reply.raw, reply.getHeaders(), {
    heartbeatMs: config.sseHeartbeatMs,
    bufferBytesMax: config.sseBufferBytesMax,
  });
  writer.retry(config.sseRetryMs);
  const following = deps.followRun({
    ...run,
    children: true,
    signal: AbortSignal.any([gone.signal, watchers.draining]),
    onOverflow: () => {
      if (writer.backedUp) writer.cut();
    },
  });
  const send = eventSender(writer, run.root);
  try {
    for await (const events of following.events()) {
      for (const event of events) {
        send(event);
        // A replay waits for its reader; what comes live meanwhile is counted by the follower.
        await writer.drained();
      }
    }
    if (watchers.draining.aborted) writer.retry(config.sseRetryMs);
  } catch (error) {
    deps.log.error({ err: error, run: run.root }, 'an event stream failed');
    writer.send({ event: 'error', data: errorBody(toErrorInfo(error)) });
  } finally {
    following.stop();
    writer.end();
  }
}

function eventSender(writer: SseWriter, root: string): (event: FollowEvent) => void {
  const views = new EntryViews();
  return (event) => {
    if (event.type === 'token') {
      const { run, callId, attempt, text } = event;
      return writer.send({ event: 'token', data: { run, callId, attempt, text } });
    }
    if (event.type === 'superseded') {
      const { run, callId, attempt, reason } = event;
      return writer.send({ event: 'superseded', data: { run, callId, attempt, reason } });
    }
    if (event.type === 'progress') {
      const { run, callId, tool, text } = event;
      return writer.send({ event: 'progress', data: { run, callId, tool, text } });
    }
    const { entry, muted } = event;
    // A muted entry still tells when its step began.
    const data = views.view(entry);
    if (muted) return;
    writer.send({ ...(entry.run === root ? { id: String(entry.n) } : {}), event: entry.type, data });
  };
}
