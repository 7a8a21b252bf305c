/**
 * The root span of every request that changes something: short, it ends with the answer, or when the run is accepted. And
 * how long every request took, by route.
 */
import { ATTR, METRIC, type Metrics, type OpenSpan, parseTraceparent, SPAN, type Telemetry } from '@tutti/runtime';
import type { FastifyInstance, FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyRequest {
    span: OpenSpan | undefined;
    endSpan(error?: string): void;
  }
}

const READS = new Set(['GET', 'HEAD', 'OPTIONS']);
const METHODS = new Set([...READS, 'POST', 'PUT', 'PATCH', 'DELETE']);

/** The route as OpenAPI writes it; none for what has no route. */
function templateOf(request: FastifyRequest): string {
  return request.routeOptions.url?.replaceAll(/:(\w+)/g, '{$1}') ?? '';
}

export function measureRequests(app: FastifyInstance, metrics: Metrics): void {
  const duration = metrics.histogram(METRIC.httpDuration);
  app.addHook('onResponse', async (request, reply) => {
    const known = METHODS.has(request.method) ? request.method : '_OTHER';
    duration.of(known, templateOf(request), reply.statusCode).observe(reply.elapsedTime / 1_000);
  });
}

export function traceRequests(app: FastifyInstance, telemetry: Telemetry): void {
  app.decorateRequest('span', undefined);
  app.decorateRequest('endSpan', function end(this: FastifyRequest, error?: string) {
    this.span?.end(error ? { error } : {});
    this.span = undefined;
  });
  app.addHook('onRequest', async (request, reply) => {
    const template = templateOf(request);
    if (READS.has(request.method) || !template.startsWith('/v1/')) return;
    const given = request.headers.traceparent;
    const parent = typeof given === 'string' && parseTraceparent(given) ? given : undefined;
    // Without its query: that may hold what somebody looks for.
    const path = request.url.split('?', 1)[0]!;
    request.span = telemetry.span(SPAN.http(request.method, template), {
      kind: 'server',
      parent,
      attributes: { [ATTR.httpMethod]: request.method, [ATTR.httpRoute]: template, [ATTR.urlPath]: path },
    });
    if (request.span.traceparent) reply.header('traceparent', request.span.traceparent);
  });
  app.addHook('onResponse', async (request, reply) => {
    const { statusCode: status } = reply;
    request.span?.attributes({
      [ATTR.httpStatus]: status,
      ...(status >= 500 ? { [ATTR.errorType]: String(status) } : {}),
    });
    request.endSpan(status >= 500 ? `HTTP ${status}` : undefined);
  });
}
