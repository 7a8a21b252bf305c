/**
 * Nothing of what is said in a run, and no secret, is in anything that leaves a process: all log output at its most talkative,
 * all spans and all metrics of real runs that go well and badly, with canaries in what users, models and tools say and in keys.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SERVICES } from '@tutti/contracts';
import { until } from '@tutti/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Chat, crashBundle, say } from '../crash/outside.ts';
import { client } from '../e2e/client.ts';
import { collectSpans } from '../e2e/collector.ts';
import { type Stack, startStack } from '../e2e/stack.ts';

/** In what is said; in keys. None is part of another, none stands in the code of a service. */
const SAID = [
  'canaryprompt7f',
  'canaryanswer7f',
  'canaryargument7f',
  'canaryresult7f',
  'canaryprovider7f',
  'canaryquestion7f',
];
const KEYS = ['canarymodelkey7f', 'canarytoolkey7f', 'canaryclientkey7f'];

interface Outside {
  url: string;
  close(): void;
}

async function serve(
  answer: (request: IncomingMessage, body: string, response: ServerResponse) => void,
): Promise<Outside> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => answer(request, body, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const json = (response: ServerResponse, status: number, body: unknown) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

/** Repeats all that it was told, keys included, in its errors; then calls tools, well and badly, and answers. */
function startModel(): Promise<Outside> {
  let asked = 0;
  const what = 'canaryargument7f';
  const call = (name: string, args: unknown) => [{ name, arguments: JSON.stringify(args) }];
  return serve((request, body, response) => {
    asked++;
    const chat = JSON.parse(body) as Chat;
    const told = `canaryprovider7f ${request.headers.authorization} ${body}`;
    if (asked === 1) return json(response, 503, { error: { message: told } });
    if (asked === 2) return response.writeHead(200, { 'content-type': 'application/json' }).end(`{"broken": ${told}`);
    if (asked === 3) return say(chat, response, '', call('look', { what }));
    if (asked === 4) return say(chat, response, '', call('look', { [what]: { what } }));
    if (asked === 5) return say(chat, response, '', call('reserve', { what }));
    if (asked === 6) return say(chat, response, '', call('nothing', { what }));
    if (asked === 7) return say(chat, response, '', call('ask_user', { question: 'canaryquestion7f?' }));
    if (asked === 8) return say(chat, response, 'canaryanswer7f');
    return json(response, 400, { error: { message: told } });
  });
}

/** Fails once with all that it was sent, then does it. */
function startShop(): Promise<Outside> {
  const failed = new Set<string>();
  return serve((request, body, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://shop');
    if (failed.has(pathname)) return json(response, 200, { done: 'canaryresult7f' });
    failed.add(pathname);
    json(response, pathname === '/look' ? 500 : 503, {
      said: `canaryresult7f ${request.url} ${body} ${JSON.stringify(request.headers)}`,
    });
  });
}

/** Six processes: only a hang reaches this. */
const HANGS_MS = 300_000;
vi.setConfig({ testTimeout: HANGS_MS });
let outside: Outside[];
let collector: Awaited<ReturnType<typeof collectSpans>>;
let stack: Stack;
let api: ReturnType<typeof client>;

beforeAll(async () => {
  outside = [await startModel(), await startShop()];
  collector = await collectSpans();
  stack = await startStack({
    TUTTI_LOG_LEVEL: 'debug',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_METRICS_EXPORTER: 'otlp',
    OPENAI_BASE_URL: `${outside[0]!.url}/v1`,
    OPENAI_API_KEY: 'canarymodelkey7f',
    TUTTI_MODEL: 'scripted',
    TUTTI_OFFLINE_FALLBACK: 'false',
    TUTTI_MODEL_RETRIES_MAX: '3',
    TUTTI_VAR_SHOP_LOGIN: 'canarytoolkey7f',
    TUTTI_TOOLS_PRIVATE_NETWORKS: '127.0.0.1',
    TUTTI_API_KEYS: 'canaryclientkey7f:default',
    TUTTI_API_KEY: 'canaryclientkey7f',
  });
  api = client(stack.url, 'canaryclientkey7f');
  const bundle = crashBundle(outside[1]!.url);
  const shop = bundle.tools.shop as { headers: Record<string, string> };
  shop.headers = { authorization: `Bearer ${'$'}{SHOP_LOGIN}` };
  await api.call('POST', '/v1/bundles', bundle);
}, HANGS_MS);
afterAll(async () => {
  await stack?.stop();
  collector?.stop();
  for (const server of outside ?? []) server.close();
});

/** Says why, where a run that should wait has ended. */
async function endedEarly(id: string): Promise<never> {
  throw new Error(`it ended: ${JSON.stringify(await api.ended(id)).slice(0, 2_000)}`);
}

test('no canary is in any log line, span or metric, and what operators need is', async () => {
  const { id } = await api.start('please canaryprompt7f', undefined, 'react');
  await Promise.race([api.question(id), endedEarly(id)]);
  await api.answer(id, 'canaryprompt7f again');
  expect(await api.ended(id)).toMatchObject({ status: 'completed', output: 'canaryanswer7f' });
  const failing = await api.start('canaryprompt7f fails', undefined, 'react');
  expect(await api.ended(failing.id)).toMatchObject({ status: 'failed' });
  // Refused at the door.
  await expect(api.call('POST', '/v1/runs', { agent: 'canaryprompt7f' })).rejects.toThrow();
  await expect(client(stack.url, 'canarywrongkey7f').start('canaryprompt7f')).rejects.toThrow(/401/);
  for (const service of SERVICES) await stack.drain(service);
  await until('the last lines', () => SERVICES.every((service) => stack.logs(service).includes('"msg":"stopped"')));

  const logs = SERVICES.map((service) => stack.logs(service)).join('\n');
  const lines = logs.split('\n').filter(Boolean);
  expect(lines.length).toBeGreaterThan(20);
  const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const leaks = (text: string) => [...SAID, ...KEYS, 'canarywrongkey7f'].filter((canary) => text.includes(canary));
  expect(leaks(logs)).toEqual([]);
  expect(leaks(collector.text())).toEqual([]);
  // The canaries did pass through: the run has them.
  expect(collector.spans().filter((span) => span.attributes['tutti.run.id'] === id).length).toBeGreaterThan(10);
  expect(collector.metrics().length).toBeGreaterThan(0);

  const traceId = collector.spans().find((span) => span.attributes['tutti.run.id'] === id)!.traceId;
  const failed = records.filter(({ msg }) => msg === 'a model failed');
  expect(failed.length).toBeGreaterThanOrEqual(2);
  expect(failed[0]).toMatchObject({ service: 'router', run: id, trace_id: traceId, kind: expect.any(String) });
  expect(records.find(({ msg }) => msg === 'a run failed')).toMatchObject({
    service: 'planner',
    run: failing.id,
    code: 'model_failed',
  });
  expect(records.find(({ msg, run }) => msg === 'a run is accepted' && run === id)).toMatchObject({
    trace_id: traceId,
  });
});

test('of the same runs one can see what failed and what was tried next', async () => {
  await until('spans', () => collector.spans().length > 0);
  const chat = collector.spans().find((span) => span.name === 'chat scripted' && span.events.length > 0)!;
  expect(chat.events[0]).toMatchObject({ name: 'tutti.attempt', attributes: { 'tutti.route.next': 'same' } });
  const tried = collector.spans().find((span) => span.name === 'execute_tool reserve')!;
  expect(tried.events[0]).toMatchObject({
    name: 'tutti.tool.try_failed',
    attributes: { 'error.type': expect.any(String) },
  });
  const run = collector.spans().find((span) => span.name === 'invoke_workflow react' && span.error !== undefined)!;
  expect(run.attributes).toMatchObject({ 'error.type': 'model_failed', 'tutti.run.status': 'failed' });
  expect(run.error).toBe('model_failed: No model gave a usable answer.');
});
