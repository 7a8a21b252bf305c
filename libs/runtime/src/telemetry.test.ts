/** Whether a trace is recorded is decided once, by whoever begins it. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSampler } from './sampler.ts';
import {
  createTelemetry,
  failureOf,
  formatTraceparent,
  parseTraceparent,
  startTelemetry,
  stopTelemetry,
} from './telemetry.ts';

const trace = (at: number) => at.toString(16).padStart(32, '0');

describe('a sampler', () => {
  test('takes the share that it was told, the same for everyone who asks', () => {
    const half = createSampler({ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' });
    const ids = Array.from({ length: 4_000 }, (_, at) => trace(Math.floor((at / 4_000) * 16 ** 12)));
    const taken = ids.filter(half);
    expect(taken.length).toBe(1_000);
    expect(ids.filter(half)).toEqual(taken);
  });

  test('is always on where nothing is said, and says what it does not know', () => {
    expect(createSampler({})(trace(7))).toBe(true);
    expect(createSampler({ OTEL_TRACES_SAMPLER: 'always_off' })(trace(7))).toBe(false);
    expect(() => createSampler({ OTEL_TRACES_SAMPLER: 'jaeger_remote' })).toThrow(/jaeger_remote/);
    expect(() => createSampler({ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' })).toThrow(
      /0 to 1/,
    );
  });
});

describe('spans', () => {
  let server: Server;
  let names: string[];
  beforeEach(async () => {
    names = [];
    server = createServer(async (request, response) => {
      let text = '';
      for await (const chunk of request) text += chunk;
      const spans = JSON.parse(text).resourceSpans.flatMap(
        (group: never) => (group as { scopeSpans: { spans: { name: string }[] }[] }).scopeSpans,
      );
      names.push(...spans.flatMap((scope: { spans: { name: string }[] }) => scope.spans.map(({ name }) => name)));
      response.writeHead(200).end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    process.env.OTEL_EXPORTER_OTLP_ENDPOINT = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
    await stopTelemetry();
    server.close();
  });

  test('below one that is not recorded are not either, and pass that on', async () => {
    await startTelemetry();
    const telemetry = createTelemetry('router');
    const parent = formatTraceparent(trace(5), 'b'.repeat(16), false);
    const span = telemetry.span('not recorded', { parent });
    expect(span.traceparent).toBe(parent);
    span.end();
    telemetry.span('recorded', { parent: formatTraceparent(trace(5), 'b'.repeat(16)) }).end();
    await stopTelemetry();
    expect(names).toEqual(['recorded']);
  });

  test('that begin a trace say whether it is recorded', async () => {
    await startTelemetry({ ...process.env, OTEL_TRACES_SAMPLER: 'always_off' });
    const root = createTelemetry('gateway').span('root', { kind: 'server' });
    root.end();
    expect(parseTraceparent(root.traceparent)).toMatchObject({
      sampled: false,
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    createTelemetry('planner').span('below', { parent: root.traceparent }).end();
    await stopTelemetry();
    expect(names).toEqual([]);
  });

  test('fail with a code and the catalogue’s words for it, never with the message', () => {
    const failure = failureOf({ code: 'model_failed', message: 'the model answered CANARY' });
    expect(failure).toEqual({
      attributes: { 'error.type': 'model_failed' },
      error: 'model_failed: No model gave a usable answer.',
    });
  });
});
