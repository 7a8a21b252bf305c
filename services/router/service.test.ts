/** The service on a real bus: verbs, live tokens in order, a cancel that reaches the endpoint's socket, the offline model. */
import { BUCKETS, Bundle, ChatRequest, LiveMessage, subjects } from '@tutti/contracts';
import {
  type Bus,
  type Caller,
  connectNatsBus,
  createBundleStore,
  createCaller,
  createLogger,
  type StartedService,
  startService,
} from '@tutti/runtime';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { type OpenAiServer, startOpenAiServer } from '@tutti/testkit/openai-server';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { routerService } from './service.ts';

const log = createLogger({}, { level: 'silent' });
let nats: TestNats;
let server: OpenAiServer;
let bus: Bus;
let caller: Caller;
let service: StartedService | undefined;
let pinned: string;
beforeAll(async () => {
  nats = await startTestNats();
  bus = await connectNatsBus({ url: nats.url, name: 'test', log });
  caller = createCaller(bus, log);
});
afterAll(async () => {
  caller.close();
  await bus.close();
  await nats.stop();
});
beforeEach(async () => {
  server = await startOpenAiServer();
});
afterEach(async () => {
  await service?.stop();
  await server.close();
  server.finish();
});

async function start(env: Record<string, string>) {
  const unset = { OPENAI_API_KEY: '', OPENAI_BASE_URL: '', TUTTI_MODEL: '' };
  service = await startService(routerService, { env: { ...unset, NATS_URL: nats.url, ...env }, log });
  const store = createBundleStore(() => bus.bucket(BUCKETS.bundles));
  pinned = await store.store(Bundle.parse({ v: 1, name: 'b', agents: {}, tools: {}, collections: {} }));
}
const scripted = () => ({ OPENAI_BASE_URL: server.url, TUTTI_MODEL: 'scripted' });
const body = (live: boolean) => ({
  bundle: pinned,
  agent: 'a',
  model: 'auto',
  live,
  chat: ChatRequest.parse({ messages: [{ role: 'user', content: 'Hello' }], now: '2026-11-24T09:00:00Z' }),
});

it('answers and streams over the bus', async () => {
  await start(scripted());
  server.script({ kind: 'answer', text: 'One two three four five six.', pauseMs: 2 });
  let text = '';
  const live = bus.subscribe(subjects.live('acme', 'run_root'), ({ data }) => {
    for (const event of LiveMessage.parse(JSON.parse(new TextDecoder().decode(data))).events)
      if (event.type === 'token') text += event.text;
  });
  const result = await caller.call('complete', body(true), {
    tenant: 'acme',
    run: 'run_1',
    root: 'run_root',
    timeoutMs: 10_000,
  });
  expect(result.message.content).toBe('One two three four five six.');
  await until('the whole text', () => text === 'One two three four five six.');
  live.stop();
  const { models } = await caller.call('models', {}, { tenant: 'acme', timeoutMs: 5_000 });
  expect(models.map(({ id }) => id)).toEqual(['scripted', 'offline']);
});

it('a call that is given up is given up at the endpoint too', async () => {
  await start(scripted());
  server.script({ kind: 'hang' });
  const controller = new AbortController();
  const asked = caller.call('complete', body(false), { tenant: 'acme', timeoutMs: 30_000, signal: controller.signal });
  const settled = expect(asked).rejects.toMatchObject({ code: 'cancelled' });
  await until('the request', () => server.requests.length === 1);
  controller.abort();
  await settled;
  await server.aborted();
});

it('without any configuration the offline model answers, and that is not a degraded answer', async () => {
  await start({});
  const result = await caller.call('complete', body(false), { tenant: 'acme', timeoutMs: 10_000 });
  expect(result).toMatchObject({ model: 'offline', provider: 'offline', degraded: false });
  expect(result.message.content?.length).toBeGreaterThan(0);
});
