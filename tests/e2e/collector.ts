/** A collector that keeps what it is sent: OTLP over HTTP, JSON; spans, and metrics as they come. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type OtlpTraces, type Span, spansOfOtlp } from '../trace/spans.ts';

export type CollectedSpan = Span;

export async function collectSpans() {
  const spans: Span[] = [];
  const metrics: unknown[] = [];
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      bodies.push(text);
      const body = JSON.parse(text) as OtlpTraces & { resourceMetrics?: unknown[] };
      spans.push(...spansOfOtlp(body));
      metrics.push(...(body.resourceMetrics ?? []));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: () => spans,
    metrics: () => metrics,
    /** Everything that came, as it came. */
    text: () => bodies.join('\n'),
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
