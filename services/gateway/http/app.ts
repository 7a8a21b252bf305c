/** The HTTP server: parsing, who is asking, tracing, and one shape for every error. Routes are in files of their own. */
import { TuttiError, toErrorInfo } from '@tutti/contracts';
import { BusUnknown, logOf } from '@tutti/runtime';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify';
import { OPEN_IDENTITY } from '../core/api-keys.ts';
import { errorBody, RequestProblem, statusOf } from '../core/errors.ts';
import { createAuthenticate } from './auth.ts';
import type { GatewayDeps } from './deps.ts';
import { approvalRoutes } from './routes-approvals.ts';
import { callRoutes } from './routes-calls.ts';
import { catalogueRoutes } from './routes-catalogue.ts';
import { chatRoutes } from './routes-chat.ts';
import { deadLetterRoutes } from './routes-dead-letters.ts';
import { documentRoutes } from './routes-documents.ts';
import { eventRoutes } from './routes-events.ts';
import { healthRoutes } from './routes-health.ts';
import { inputRoutes } from './routes-input.ts';
import { journalRoutes } from './routes-journal.ts';
import { runRoutes } from './routes-runs.ts';
import { scheduleRoutes } from './routes-schedules.ts';
import { sessionRoutes } from './routes-sessions.ts';
import { switchRoutes } from './routes-switches.ts';
import { toolRoutes } from './routes-tools.ts';
import { undoRoutes } from './routes-undo.ts';
import { usageRoutes } from './routes-usage.ts';
import { measureRequests, traceRequests } from './tracing.ts';

/** A session's name may stand in a path, each of its characters as `%XX%XX…`. */
const PATH_PARAM_CHARS_MAX = 2_400;

export function createApp(deps: GatewayDeps): FastifyInstance {
  const app = Fastify({
    bodyLimit: deps.config.bodyBytesMax,
    routerOptions: { maxParamLength: PATH_PARAM_CHARS_MAX },
    // Ours is the answer while stopping, in the API's error shape.
    return503OnClosing: false,
  });
  acceptEmptyJson(app);
  traceRequests(app, deps.telemetry);
  measureRequests(app, deps.metrics);
  authenticateRequests(app, deps);
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = understand(error, deps.bus.connected);
    if (problem.status >= 500 && !problem.retryable) {
      const where = { method: request.method, path: request.routeOptions.url, code: problem.code };
      const whose = logOf({ traceparent: request.span?.traceparent });
      // what is not ours (no model answers, say) is told without a stack
      if (problem.code === 'internal') deps.log.error({ ...whose, ...where, err: error }, 'a request failed');
      else deps.log.warn({ ...whose, ...where }, 'a request failed');
    }
    return sendError(reply, problem);
  });
  app.setNotFoundHandler((request, reply) =>
    sendError(reply, new TuttiError('not_found', `there is no ${request.method} ${request.url}; see /openapi.json`)),
  );
  for (const routes of [
    healthRoutes,
    runRoutes,
    eventRoutes,
    approvalRoutes,
    chatRoutes,
    catalogueRoutes,
    toolRoutes,
    documentRoutes,
    sessionRoutes,
    inputRoutes,
    journalRoutes,
    callRoutes,
    scheduleRoutes,
    deadLetterRoutes,
    switchRoutes,
    undoRoutes,
    usageRoutes,
  ])
    routes(app, deps);
  return app;
}

function authenticateRequests(app: FastifyInstance, deps: GatewayDeps): void {
  const authenticate = createAuthenticate(deps.config);
  app.decorateRequest('identity', null as never);
  app.addHook('onRequest', async (request, reply) => {
    request.identity = OPEN_IDENTITY;
    if (!request.url.startsWith('/v1/')) return;
    request.identity = authenticate(request);
    if (!deps.watchers.draining.aborted) return;
    reply.header('connection', 'close');
    throw new TuttiError('unavailable', 'this gateway is stopping; ask again', {
      retryAfterMs: deps.config.sseRetryMs,
    });
  });
}

/** `POST …/cancel` with a JSON content type and no body is a common client habit. */
function acceptEmptyJson(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else parseJson(request, body as string, done);
  });
}

/** Fastify's own errors, and those of the bus's client, as ours. */
function understand(error: FastifyError | Error, connected: boolean): TuttiError {
  if (error instanceof TuttiError) return error;
  const code = 'code' in error ? error.code : undefined;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new TuttiError('payload_too_large', 'the body is over the limit (TUTTI_HTTP_BODY_BYTES_MAX)');
  const status = 'statusCode' in error ? (error.statusCode ?? 500) : 500;
  if (status < 500) return new TuttiError('invalid_request', error.message);
  if (!connected || error.name === 'TimeoutError' || error instanceof BusUnknown)
    return new TuttiError('unavailable', `the bus does not answer: ${error.message}`, { cause: error });
  return TuttiError.from(toErrorInfo(error));
}

function sendError(reply: FastifyReply, error: TuttiError): FastifyReply {
  if (error.retryAfterMs !== undefined) reply.header('retry-after', String(Math.ceil(error.retryAfterMs / 1_000)));
  if (error.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer');
  const param = error instanceof RequestProblem ? error.param : null;
  const info = error.toInfo();
  // What went wrong inside is for the log; whoever asked can do nothing with it.
  const message = error.code === 'internal' ? 'a fault of Tutti itself; the log of the gateway has more' : info.message;
  return reply.code(statusOf(error.code)).send(errorBody({ ...info, message }, param));
}
