/** The root span of every request that changes something. Short: it ends with the answer, or when the run is accepted. */
import { type OpenSpan, parseTraceparent, type Telemetry } from '@tutti/runtime';
import type { FastifyInstance, FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyRequest {
    span: OpenSpan | undefined;
    endSpan(error?: string): void;
  }
}

const READS = new Set(['GET', 'HEAD', 'OPTIONS']);

export function traceRequests(app: FastifyInstance, telemetry: Telemetry): void {
  app.decorateRequest('span', undefined);
  app.decorateRequest('endSpan', function end(this: FastifyRequest, error?: string) {
    this.span?.end(error ? { error } : {});
    this.span = undefined;
  });
  app.addHook('onRequest', async (request, reply) => {
    const route = request.routeOptions.url;
    if (READS.has(request.method) || !route?.startsWith('/v1/')) return;
    const given = request.headers.traceparent;
    const parent = typeof given === 'string' && parseTraceparent(given) ? given : undefined;
    const template = route.replaceAll(/:(\w+)/g, '{$1}');
    request.span = telemetry.span(`${request.method} ${template}`, {
      kind: 'server',
      parent,
      attributes: { 'http.request.method': request.method, 'http.route': template, 'url.path': request.url },
    });
    if (request.span.traceparent) reply.header('traceparent', request.span.traceparent);
  });
  app.addHook('onResponse', async (request, reply) => {
    request.span?.attributes({ 'http.response.status_code': reply.statusCode });
    request.endSpan(reply.statusCode >= 500 ? `HTTP ${reply.statusCode}` : undefined);
  });
}
