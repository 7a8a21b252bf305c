/** What leaves over OTLP/HTTP, from the real exporter to a real HTTP server. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTelemetry, startTelemetry, stopTelemetry } from './telemetry.ts';

let server: Server;
let bodies: {
  resourceSpans: { resource: object; scopeSpans: { scope: object; spans: Record<string, unknown>[] }[] }[];
}[];
const variable = 'OTEL_EXPORTER_OTLP_ENDPOINT';

beforeEach(async () => {
  bodies = [];
  server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    bodies.push(JSON.parse(text));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  process.env[variable] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await startTelemetry();
});
afterEach(async () => {
  delete process.env[variable];
  await stopTelemetry();
  server.close();
});

test('spans of two services leave with their parents, under a resource each', async () => {
  const common = { shared: 'yes' };
  const root = createTelemetry('gateway').span('POST /v1/runs', { kind: 'server', startedAt: 1_700_000_000_123.25 });
  const child = createTelemetry('router').span('chat "x"\n', { kind: 'client', parent: root.traceparent, common });
  child.attributes({ text: 'quote " and 🦊', count: 3, share: 0.5, flag: false, list: ['a', 'b'] });
  child.event('tried', { 'error.type': 'x' });
  child.end({ error: 'it "broke"' });
  root.end({ endedAt: 1_700_000_000_124 });
  await stopTelemetry();

  const groups = bodies.flatMap((body) => body.resourceSpans);
  const service = (name: string) =>
    groups.find((group) => JSON.stringify(group.resource).includes(`"tutti-${name}"`))!.scopeSpans[0]!;
  const [traceId, spanId] = root.traceparent!.split('-').slice(1);
  expect(service('gateway').spans).toMatchObject([
    { traceId, spanId, name: 'POST /v1/runs', kind: 2, startTimeUnixNano: '1700000000123250000' },
  ]);
  expect(service('gateway').spans[0]!.parentSpanId).toBeUndefined();
  expect(service('router').scope).toMatchObject({ name: 'tutti.router' });
  expect(service('router').spans).toMatchObject([
    {
      traceId,
      parentSpanId: spanId,
      name: 'chat "x"\n',
      kind: 3,
      status: { code: 2, message: 'it "broke"' },
      events: [{ name: 'tried', attributes: [{ key: 'error.type', value: { stringValue: 'x' } }] }],
      attributes: [
        { key: 'shared', value: { stringValue: 'yes' } },
        { key: 'text', value: { stringValue: 'quote " and 🦊' } },
        { key: 'count', value: { intValue: 3 } },
        { key: 'share', value: { doubleValue: 0.5 } },
        { key: 'flag', value: { boolValue: false } },
        { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { stringValue: 'b' }] } } },
      ],
    },
  ]);
});
