import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { subjects, TuttiError } from '@tutti/contracts';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Caller } from './caller-port.ts';
import { parseConfig, type StartedService, startService } from './service.ts';
import { defineService, type Handlers, type ServiceContext } from './service-types.ts';
import { createTelemetry, startTelemetry, stopTelemetry } from './telemetry.ts';

let nats: TestNats;
let env: Record<string, string>;
const started: StartedService[] = [];

beforeAll(async () => {
  nats = await startTestNats();
  env = { NATS_URL: nats.url, TUTTI_DATA: nats.dataDir, TUTTI_LOG_LEVEL: 'silent' };
});
afterAll(async () => {
  await Promise.all(started.map((service) => service.stop()));
  await nats.stop();
});

async function start(
  name: 'memory' | 'gateway' | 'router',
  handlers: Handlers,
  extra: Record<string, string> = {},
): Promise<{ service: StartedService; context: ServiceContext<object> }> {
  let context!: ServiceContext<object>;
  const definition = defineService({
    name,
    config: z.object({}),
    start: async (given) => {
      context = given;
      return { handlers };
    },
  });
  const service = await startService(definition, { env: { ...env, ...extra } });
  started.push(service);
  return { service, context };
}

const recallOf = (
  caller: Caller,
  query: string,
  options: { callId?: string; timeoutMs?: number; signal?: AbortSignal } = {},
) => caller.call('recall', { session: 's', query, turnsMax: 1 }, { tenant: 'default', timeoutMs: 20_000, ...options });
const empty = { turns: [], summary: null, facts: [] };

describe('requests', () => {
  test('of one tick travel together, and each gets its own answer or error', async () => {
    const { context } = await start('gateway', {});
    const memory = await start('memory', {
      recall: async (body) => {
        if (body.query === '13') throw new TuttiError('forbidden', 'not this one');
        return { ...empty, facts: [body.query] };
      },
    });
    let messages = 0;
    const spy = context.bus.subscribe(subjects.request('memory', 'recall'), () => messages++);
    await recallOf(context.caller, 'warm up');
    messages = 0;
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) => recallOf(context.caller, String(index))),
    );
    expect(messages).toBeLessThan(5);
    expect(
      results.map((result) => (result.status === 'fulfilled' ? result.value.facts[0] : result.reason.message)),
    ).toEqual(Array.from({ length: 50 }, (_, index) => (index === 13 ? 'not this one' : String(index))));
    spy.stop();
    await memory.service.stop();
  });

  test('wait for a service that comes up later, and say who is missing when none does', async () => {
    const { context } = await start('gateway', {});
    const early = recallOf(context.caller, 'early');
    const none = context.caller.call('models', {}, { tenant: 'default', timeoutMs: 600 });
    await expect(none).rejects.toThrow('no router service answers models');
    const memory = await start('memory', { recall: async () => empty });
    expect(await early).toEqual(empty);
    await memory.service.stop();
  });

  test('with the same callId are one piece of work', async () => {
    const { context: one } = await start('gateway', {});
    const { context: two } = await start('gateway', {});
    let worked = 0;
    let release = () => {};
    const memory = await start('memory', {
      recall: async () => {
        worked++;
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        return empty;
      },
    });
    const both = [
      recallOf(one.caller, 'q', { callId: 'call_same' }),
      recallOf(two.caller, 'q', { callId: 'call_same' }),
    ];
    await until('the work to begin', () => worked === 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    release();
    expect(await Promise.all(both)).toEqual([empty, empty]);
    expect(worked).toBe(1);
    await memory.service.stop();
  });

  test('that are cancelled reach the handler', async () => {
    const { context } = await start('gateway', {});
    let aborted = false;
    const memory = await start('memory', {
      recall: (_body, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted = true;
            reject(signal.reason);
          });
        }),
    });
    const abort = new AbortController();
    const call = recallOf(context.caller, 'q', { signal: abort.signal });
    setTimeout(() => abort.abort(), 100);
    await expect(call).rejects.toMatchObject({ code: 'cancelled' });
    await until('the handler to know', () => aborted);
    await memory.service.stop();
  });

  test('over the limit are refused at once, with a hint', async () => {
    const { context } = await start('gateway', {});
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const memory = await start('memory', { recall: () => gate.then(() => empty) }, { TUTTI_IN_FLIGHT_MAX: '2' });
    const calls = Array.from({ length: 5 }, (_, index) => recallOf(context.caller, String(index)));
    const refused = await Promise.allSettled(calls.slice(2));
    release();
    expect(refused.map((result) => result.status === 'rejected' && result.reason)).toEqual(
      Array(3).fill(expect.objectContaining({ code: 'overloaded', retryable: true, retryAfterMs: expect.any(Number) })),
    );
    await Promise.all(calls.slice(0, 2));
    await memory.service.stop();
  });

  test('whose answer does not fit its schema fail loudly', async () => {
    const { context } = await start('gateway', {});
    const memory = await start('memory', { recall: async () => ({ turns: 'none' }) as never });
    await expect(recallOf(context.caller, 'q')).rejects.toThrow(/turns/);
    await memory.service.stop();
  });

  test('under way are finished before a service stops', async () => {
    const { context } = await start('gateway', {});
    let began = false;
    const memory = await start('memory', {
      recall: async () => {
        began = true;
        await new Promise((resolve) => setTimeout(resolve, 200));
        return empty;
      },
    });
    const call = recallOf(context.caller, 'q');
    await until('the work to begin', () => began);
    await memory.service.stop();
    expect(await call).toEqual(empty);
  });
});

test('a wrong configuration is told in full, by name', () => {
  const schema = z.object({ A: z.coerce.number(), B: z.enum(['x', 'y']), C: z.string().default('c') });
  expect(parseConfig(schema, { A: '1', B: 'x', C: '' }, 'test')).toEqual({ A: 1, B: 'x', C: 'c' });
  expect(() => parseConfig(schema, { A: 'one', B: 'z' }, 'test')).toThrow(/test has mistakes:\n {2}A: .*\n {2}B: /);
});

test('an unreachable bus is a clear error', async () => {
  const definition = defineService({ name: 'memory', config: z.object({}), start: async () => ({ handlers: {} }) });
  await expect(startService(definition, { env: { ...env, NATS_URL: 'nats://127.0.0.1:1' } })).rejects.toThrow(
    /cannot reach NATS at nats:\/\/127.0.0.1:1.*NATS_URL/,
  );
});

test('spans leave under the resource of their own service, with the parents that messages named', async () => {
  const bodies: string[] = [];
  const collector = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      bodies.push(body);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  await startTelemetry();
  const root = createTelemetry('gateway').span('root', { kind: 'server' });
  const chosen = createTelemetry('planner').span('chosen', { parent: root.traceparent, spanId: '1234567890abcdef' });
  createTelemetry('router').span('leaf', { parent: chosen.traceparent }).end({ error: 'broke' });
  chosen.end();
  root.end();
  await stopTelemetry();
  delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  collector.close();
  const spans = bodies
    .flatMap((body) => JSON.parse(body).resourceSpans)
    .flatMap((resource) =>
      resource.scopeSpans.flatMap((scope: { spans: object[] }) =>
        scope.spans.map((span) => ({
          ...span,
          service: resource.resource.attributes.find((a: { key: string }) => a.key === 'service.name').value
            .stringValue,
        })),
      ),
    );
  const byName = Object.fromEntries(spans.map((span) => [span.name, span]));
  expect(byName.root.service).toBe('tutti-gateway');
  expect(byName.chosen).toMatchObject({
    service: 'tutti-planner',
    spanId: '1234567890abcdef',
    parentSpanId: byName.root.spanId,
  });
  expect(byName.leaf).toMatchObject({
    service: 'tutti-router',
    parentSpanId: '1234567890abcdef',
    traceId: byName.root.traceId,
  });
});
