/** Metrics as they leave over OTLP/HTTP, from the real exporter to a real HTTP server. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { METRIC } from './metric-names.ts';
import { createMetrics } from './metrics.ts';
import { exportMetrics } from './metrics-sdk.ts';

afterEach(() => {
  delete process.env.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT;
});

test('counters, gauges and histograms leave under their own names, labels and resource; what is not counted does not', async () => {
  const bodies: { path: string; body: Record<string, never> }[] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    bodies.push({ path: request.url ?? '', body: JSON.parse(text) });
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  process.env.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/metrics`;
  const metrics = createMetrics();
  metrics.counter(METRIC.requests).of('search', 'ok').inc(3);
  const lag = metrics.gauge(METRIC.lag);
  metrics.collect(() => lag.of(2).set(17));
  const duration = metrics.histogram(METRIC.operationDuration);
  duration.of('chat', 'openai', 'm', 'm', '').observe(0.05);
  duration.of('chat', 'openai', 'm', 'm', '').observe(1_000);
  metrics.counter(METRIC.deadLetters);
  await exportMetrics('retriever', metrics, process.env).stop();
  server.close();

  expect(bodies).toHaveLength(1);
  expect(bodies[0]!.path).toBe('/v1/metrics');
  const [resource] = bodies[0]!.body.resourceMetrics as unknown as {
    resource: object;
    scopeMetrics: { metrics: Named[] }[];
  }[];
  expect(JSON.stringify(resource!.resource)).toContain('"tutti-retriever"');
  const byName = new Map(
    resource!.scopeMetrics.flatMap((scope) => scope.metrics).map((metric) => [metric.name, metric]),
  );
  expect([...byName.keys()].filter((name) => !name.startsWith('otel.')).sort()).toEqual([
    'gen_ai.client.operation.duration',
    'tutti.planner.lag',
    'tutti.requests',
  ]);
  expect(byName.get('tutti.requests')).toMatchObject({
    unit: '{request}',
    sum: {
      isMonotonic: true,
      aggregationTemporality: 2,
      dataPoints: [
        {
          asDouble: 3,
          attributes: [
            { key: 'verb', value: { stringValue: 'search' } },
            { key: 'outcome', value: { stringValue: 'ok' } },
          ],
        },
      ],
    },
  });
  expect(byName.get('tutti.planner.lag')).toMatchObject({ gauge: { dataPoints: [{ asDouble: 17 }] } });
  const [point] = byName.get('gen_ai.client.operation.duration')!.histogram!.dataPoints;
  expect(point).toMatchObject({ count: 2, sum: 1_000.05, explicitBounds: METRIC.operationDuration.bounds });
  expect(point!.bucketCounts.at(3)).toBe(1);
  expect(point!.bucketCounts.at(-1)).toBe(1);
  expect(point!.attributes.map(({ key }) => key)).not.toContain('error.type');
});

interface Named {
  name: string;
  histogram?: { dataPoints: { bucketCounts: number[]; attributes: { key: string }[] }[] };
}
