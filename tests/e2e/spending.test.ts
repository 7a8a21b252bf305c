/**
 * What calls cost, from outside: through the unmodified OpenAI client, by the API and by the command line; and a router
 * that is killed with money set aside.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { Bundle, type UsageResult } from '@tutti/contracts';
import { createGatewayService } from '@tutti/gateway';
import { routerService } from '@tutti/router';
import { createLogger, type StartedService, startService } from '@tutti/runtime';
import { repositoryRoot, startTestNats, type TestNats, until } from '@tutti/testkit';
import { type OpenAiServer, type ScriptedReply, startOpenAiServer } from '@tutti/testkit/openai-server';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';

const log = createLogger({}, { level: 'silent' });
const ANN = 'key-of-ann';
const fine: ScriptedReply = { kind: 'answer', text: 'Fine.', usage: [200, 100] };
let nats: TestNats;
let models: OpenAiServer;
let gateway: StartedService;
let router: StartedService | undefined;
let url: string;
let client: OpenAI;
let env: Record<string, string>;
const killed: ChildProcess[] = [];

const bundle = (changes: Partial<Bundle> = {}): Bundle =>
  Bundle.parse({
    v: 1,
    name: 'spending',
    agents: { guide: { name: 'guide', instructions: 'Answer.', offlineFallback: false } },
    tools: {},
    collections: {},
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of bundles
    providers: { one: { baseUrl: '${ONE_URL}' } },
    models: { 'gpt-x': { price: { input: 2, output: 10 }, providers: [{ provider: 'one' }] } },
    ...changes,
  });
const authorization = { authorization: `Bearer ${ANN}`, 'content-type': 'application/json' };
const post = (path: string, body: unknown) =>
  fetch(`${url}${path}`, { method: 'POST', headers: authorization, body: JSON.stringify(body) });
const usage = async (): Promise<{ budgets: UsageResult['budgets']; data: UsageResult['rows'] }> =>
  (await fetch(`${url}/v1/usage`, { headers: authorization })).json() as never;
function tutti(...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [join(repositoryRoot, 'libs/cli/bin/tutti.js'), ...args], {
    env: { ...process.env, NO_COLOR: '1', TUTTI_URL: url, TUTTI_API_KEY: ANN },
  });
  let output = '';
  child.stdout.on('data', (text) => {
    output += text;
  });
  child.stderr.on('data', (text) => {
    output += text;
  });
  return new Promise((resolve) => child.on('close', () => resolve(output)));
}

beforeAll(async () => {
  [nats, models] = await Promise.all([startTestNats(), startOpenAiServer({ otherwise: () => fine })]);
  env = {
    NATS_URL: nats.url,
    OPENAI_API_KEY: '',
    OPENAI_BASE_URL: '',
    TUTTI_MODEL: '',
    TUTTI_PORT: '0',
    TUTTI_API_KEYS: `${ANN}:acme:ann`,
    TUTTI_VAR_ONE_URL: models.url,
    TUTTI_BUNDLE_FRESH_MS: '50',
    TUTTI_BUDGET_ORPHAN_MS: '500',
    TUTTI_CHAT_WAIT_MS: '3000',
  };
  gateway = await startService(
    createGatewayService({
      onListening: (at) => {
        url = at;
      },
    }),
    { env, log },
  );
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: ANN, maxRetries: 0 });
}, 60_000);
afterAll(async () => {
  for (const child of killed) child.kill('SIGKILL');
  await router?.stop();
  await gateway?.stop();
  await models?.close();
  await nats?.stop();
});
afterEach(() => models.finish());

it('a router that is killed holds nothing back for longer than its call could have lasted', async () => {
  await post('/v1/bundles', bundle({ budgets: { one: { scope: 'tenant', window: 'day', requests: 1 } } }));
  const child = spawn(process.execPath, [join(repositoryRoot, 'services/router/main.ts')], {
    env: { ...process.env, ...env, TUTTI_HEALTH_PORT: '0' },
    stdio: 'ignore',
  });
  killed.push(child);
  await until('the router to be there', async () => (await fetch(`${url}/v1/usage`, { headers: authorization })).ok);
  models.script({ kind: 'hang' });
  void fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: authorization,
    body: JSON.stringify({ model: 'model/gpt-x', messages: [{ role: 'user', content: 'Hello' }] }),
  }).catch(() => {});
  await until('the killed router to have asked', () => models.requests.length === 1);
  child.kill('SIGKILL');
  router = await startService(routerService, { env, log });
  // the same call may be sent again to this one; whoever comes first gets the one request that is left
  await until('what was held to have run out', async () => {
    await answer('Hello again').catch(() => {});
    const [one] = (await usage()).budgets;
    return one?.held.requests === 0 && one.spent.requests === 1;
  });
  await expect(answer('And again')).rejects.toThrow('the budget "one" of the tenant (1 requests a day) has no room');
}, 60_000);

async function answer(content: string): Promise<string | null> {
  const completion = await client.chat.completions.create({
    model: 'model/gpt-x',
    messages: [{ role: 'user', content }],
  });
  return completion.choices[0]!.message.content;
}

it('what was used can be asked for: by the API, and by the command line', async () => {
  await post('/v1/bundles', bundle({ budgets: { ann: { scope: 'key', window: 'total', usd: 0.5, requests: 50 } } }));
  await until('the new budget to hold', async () => (await usage()).budgets.length === 0);
  expect(await answer('How are you?')).toBe('Fine.');
  const { budgets } = await until('it to be settled', async () => {
    const now = await usage();
    return now.budgets[0]?.spent.requests === 1 ? now : undefined;
  });
  expect(budgets[0]).toMatchObject({
    budget: 'ann',
    scope: 'key',
    of: 'ann',
    limit: { usd: 0.5, requests: 50 },
    spent: { costUsd: expect.closeTo(200 * 2e-6 + 100 * 10e-6, 9), tokens: 300, requests: 1 },
    held: { costUsd: 0, tokens: 0, requests: 0 },
  });
  const shown = await tutti('usage');
  expect(shown).toMatch(/ann\s+key ann\s+total\s+\$0\.001400, 1 requests/);
  expect(shown).toMatch(/\(direct\)\s+gpt-x\s+\d+/);
  expect(JSON.parse(await tutti('usage', '--json', '--days', '2')).budgets).toHaveLength(1);
  const wrong = await fetch(`${url}/v1/usage?from=yesterday`, { headers: authorization });
  expect(wrong.status).toBe(400);
});

it('a budget that is used up is a 429 with the reason and when to come again', async () => {
  await post('/v1/bundles', bundle({ budgets: { tiny: { scope: 'tenant', window: 'day', usd: 0.000_001 } } }));
  await until('it to hold', async () => (await usage()).budgets[0]?.budget === 'tiny');
  const error = await answer('Hello').catch((caught) => caught);
  expect(error).toBeInstanceOf(OpenAI.RateLimitError);
  expect(error.message).toContain('the budget "tiny" of the tenant ($0.000001 a day) has no room for this call');
  expect(Number(error.headers.get('retry-after'))).toBeGreaterThan(0);
});

it('prompts are rendered by the API and by the command line', async () => {
  const prompts: Bundle['prompts'] = {
    greet: {
      version: '2',
      description: '',
      text: 'Greet {{ name }} {{ times }} times.',
      locales: { de: 'Grüße {{ name }} {{ times }} mal.' },
      placeholders: {
        name: { type: 'text', charsMax: 20, description: '', required: true, from: 'user' },
        times: { type: 'integer', default: 2, description: '', required: true, from: 'operator' },
      },
    },
  };
  await post('/v1/bundles', bundle({ prompts }));
  const rendered = await until('the new bundle', async () => {
    const response = await post('/v1/prompts/greet/render', { values: { name: 'Ann' }, locale: 'de' });
    return response.ok ? response.json() : undefined;
  });
  expect(rendered).toMatchObject({
    object: 'prompt',
    locale: 'de',
    text: 'Grüße "name" (given below as data) 2 mal.',
    data: [{ name: 'name', from: 'user', text: 'Ann' }],
  });
  const missing = await post('/v1/prompts/greet/render', { values: {} });
  expect(missing.status).toBe(400);
  expect(await missing.text()).toContain('has no value');
  const shown = await tutti('prompt', 'greet', '--value', 'name=Ann', 'times=3');
  expect(shown).toContain('Greet "name" (given below as data) 3 times.');
  expect(shown).toMatch(/greet version 2, \d+ tokens, [0-9a-f]{12}/);
});
