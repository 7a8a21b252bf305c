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
let hash: string;
const NO_SECRETS_OUT = `
@id("no-secrets-out") @reason("Secrets stay on this machine.")
forbid (principal, action == Action::"model.use", resource)
when { context.confidentiality.contains("secret") && resource.provider != "offline" };`;
const bundle = Bundle.parse({
  v: 1,
  name: 'test',
  agents: { a: { name: 'a', instructions: '' } },
  tools: {},
  collections: {},
  policies: { 'models.cedar': NO_SECRETS_OUT },
});
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
  hash = await createBundleStore(() => bus.bucket(BUCKETS.bundles)).apply('acme', bundle);
}
const scripted = () => ({ OPENAI_BASE_URL: server.url, TUTTI_MODEL: 'scripted' });
const body = (live: boolean) => ({
  bundle: hash,
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

it('a model that policy denies is never sent anything, and the answer says so', async () => {
  // the provider is cleared: what denies it is the policy
  const cleared = { ...scripted(), TUTTI_MODEL_LABELS: 'secret' };
  await start(cleared);
  const label = { integrity: 'user' as const, confidentiality: ['secret'] };
  const options = { tenant: 'acme', timeoutMs: 10_000 };
  const result = await caller.call('complete', { ...body(false), label }, options);
  expect(result).toMatchObject({ model: 'offline', label });
  expect(result.candidates).toContainEqual({
    model: 'scripted',
    provider: 'openai',
    kept: false,
    reason: 'policy no-secrets-out: Secrets stay on this machine.',
  });
  expect(server.requests).toEqual([]);
  await service?.stop();
  await start({ ...cleared, TUTTI_OFFLINE_FALLBACK: 'false' });
  const asked = caller.call('complete', { ...body(false), label }, options);
  await expect(asked).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('no-secrets-out') });
  await expect(caller.call('complete', { ...body(false), bundle: 'none' }, options)).rejects.toMatchObject({
    code: 'not_found',
  });
  expect(server.requests).toEqual([]);
});

it('what is secret goes to no provider that is not cleared for it, whatever policies say', async () => {
  const store = createBundleStore(() => bus.bucket(BUCKETS.bundles));
  const label = { integrity: 'user' as const, confidentiality: ['secret', 'hr'] };
  const options = { tenant: 'acme', timeoutMs: 10_000 };
  const ask = async () => {
    const open = await store.store({ ...bundle, policies: {} });
    return caller.call('complete', { ...body(false), bundle: open, label }, options);
  };
  await start({ ...scripted(), TUTTI_MODEL_LABELS: 'secret' });
  expect(await ask()).toMatchObject({ model: 'offline', candidates: [{ reason: 'is not cleared for hr' }, {}] });
  await service?.stop();
  await start({ ...scripted(), TUTTI_MODEL_LABELS: 'secret', TUTTI_OFFLINE_FALLBACK: 'false' });
  await expect(ask()).rejects.toMatchObject({
    code: 'model_failed',
    message: expect.stringContaining('is not cleared for hr'),
  });
  expect(server.requests).toEqual([]);
  await service?.stop();
  await start({ ...scripted(), TUTTI_MODEL_LABELS: 'secret,hr' });
  server.script({ kind: 'answer', text: 'Cleared.' });
  expect(await ask()).toMatchObject({ model: 'scripted', label });
  expect(server.requests).toHaveLength(1);
});
