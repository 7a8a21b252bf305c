/** Three routers on a real bus: budgets of every kind, rate limits, what is asked about them, and a router that is killed. */

import { until } from '@tutti/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ModelAnswer, type ModelRequest, startModelServer } from './testing/model-server.ts';
import { Routers } from './testing/routers.ts';

let routers: Routers;
let server: Awaited<ReturnType<typeof startModelServer>>;
let answer: (request: ModelRequest, n: number) => ModelAnswer;
beforeAll(async () => {
  server = await startModelServer((request, n) => answer(request, n));
  routers = await Routers.start(3, server.url, { TUTTI_BUDGET_WAIT_MS: '20000', TUTTI_MODEL_RETRIES_MAX: '0' });
});
afterAll(async () => {
  await routers?.stop();
  await server?.close();
});
const usage = (tenant: string, more: object = {}) => routers.caller.call('usage', more, { tenant, timeoutMs: 10_000 });

it('1,000 calls at once over three routers: not a cent over, and nothing left behind', async () => {
  let cost = 0;
  answer = ({ max_completion_tokens: max = 400 }, n) => {
    const used: [number, number] = [100 + (n % 50), Math.min(max, 200 + (n % 60))];
    cost += used[0] * 1_000 + used[1] * 4_000;
    return { text: 'Fine.', usage: used, delayMs: n % 20 };
  };
  const before = server.requests.length;
  const bundle = await routers.apply('burst', {
    budgets: {
      day: { scope: 'tenant', window: 'day', usd: 0.4 },
      mine: { scope: 'key', window: 'hour', requests: 2_000 },
    },
  });
  const results = await Promise.allSettled(
    Array.from({ length: 1_000 }, () =>
      routers.complete('burst', bundle, { outputTokensMax: 400 }, { principal: 'ann' }),
    ),
  );
  const done = results.filter(({ status }) => status === 'fulfilled').length;
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  expect(errors.filter(({ code }) => code !== 'budget_exceeded').map(String)).toEqual([]);
  // on a busy machine a call may be sent to another router too, which pays for it too
  const sent = server.requests.length - before;
  expect(sent).toBeGreaterThanOrEqual(done);
  const { budgets } = await until('all is settled', async () => {
    const now = await usage('burst');
    return now.budgets.every(({ held }) => held.requests === 0) ? now : undefined;
  });
  const day = budgets.find(({ budget }) => budget === 'day')!;
  expect(Math.round(day.spent.costUsd * 1e9)).toBe(cost);
  expect(cost).toBeLessThanOrEqual(0.4e9);
  expect(0.4e9 - cost).toBeLessThan(4_000_000);
  expect(day).toMatchObject({ held: { costUsd: 0, tokens: 0 }, expired: { costUsd: 0 }, spent: { requests: sent } });
  expect(budgets.find(({ budget }) => budget === 'mine')).toMatchObject({ of: 'ann', spent: { requests: sent } });
  const rows = await until('three routers have written what was used', async () => {
    const { rows: now } = await usage('burst');
    return now.reduce((sum, { requests }) => sum + requests, 0) === sent ? now : undefined;
  });
  expect(rows[0]).toMatchObject({ agent: 'a', model: 'tiny', provider: 'here' });
}, 120_000);

it('a session, a run and a key each have their own', async () => {
  answer = () => ({ text: 'Fine.', usage: [10, 10] });
  const bundle = await routers.apply('scopes', {
    budgets: {
      talk: { scope: 'session', window: 'total', requests: 2 },
      goal: { scope: 'run', window: 'total', tokens: 100_000 },
      key: { scope: 'key', window: 'day', requests: 3 },
    },
  });
  const ask = (session: string, run: string, principal: string) =>
    routers.complete('scopes', bundle, 'Hello', { session, run, principal });
  await ask('ses_1', 'run_a', 'ann');
  await ask('ses_1', 'run_a', 'ann');
  await expect(ask('ses_1', 'run_a', 'bob')).rejects.toThrow(
    'the budget "talk" of session ses_1 (2 requests in total)',
  );
  await ask('ses_2', 'run_b', 'ann');
  await expect(ask('ses_2', 'run_b', 'ann')).rejects.toThrow('the budget "key" of key ann (3 requests a day)');
  await ask('ses_2', 'run_b', 'bob');
  // the last one's settlement may lie with another router than the one that is asked
  const { budgets } = await until('all is settled', async () => {
    const now = await usage('scopes', { session: 'ses_1', run: 'run_a' });
    return now.budgets.every(({ held }) => held.requests === 0) ? now : undefined;
  });
  const spent = Object.fromEntries(budgets.map(({ budget, of, spent: { requests } }) => [`${budget} ${of}`, requests]));
  expect(spent).toEqual({ 'talk ses_1': 2, 'goal run_a': 2, 'key ann': 3, 'key bob': 1 });
});

it('a budget of money shortens the answer before it refuses, and a free model is not let through in its place', async () => {
  answer = (request) => ({ text: 'Fine.', usage: [10, Math.min(50, request.max_completion_tokens ?? 50)] });
  const bundle = await routers.apply('short', { budgets: { b: { scope: 'tenant', window: 'total', usd: 0.002 } } });
  await routers.complete('short', bundle, 'Hello', { model: 'tiny' });
  const { max_completion_tokens: allowed } = server.requests.at(-1)!;
  expect(allowed).toBeGreaterThanOrEqual(64);
  expect(allowed).toBeLessThan(500);
  await until('it is used up', async () => {
    const outcome = await routers.complete('short', bundle, 'Hello').then(
      () => 'done',
      (error) => error.code,
    );
    return outcome === 'budget_exceeded';
  });
});

it('a lowered budget holds at once, for runs that have pinned the bundle before', async () => {
  answer = () => ({ text: 'Fine.' });
  const old = await routers.apply('lowered', { budgets: { b: { scope: 'tenant', window: 'day', requests: 1_000 } } });
  await routers.complete('lowered', old, 'Hello');
  await routers.apply('lowered', { budgets: { b: { scope: 'tenant', window: 'day', requests: 1 } } });
  await until('it is refused', () =>
    routers.complete('lowered', old, 'Hello').then(
      () => false,
      (error) => error.code === 'budget_exceeded',
    ),
  );
});

it('a provider that lies about what was used is charged what can be, and the answer says so', async () => {
  answer = () => ({ text: 'Fine.', usage: [900_000_000, 900_000_000] });
  const bundle = await routers.apply('liar', { budgets: { b: { scope: 'tenant', window: 'day', usd: 5 } } });
  const { notes } = await routers.complete('liar', bundle, { outputTokensMax: 100 });
  expect(notes).toEqual(['usage_suspect']);
  const { budgets } = await usage('liar');
  expect(budgets[0]!.spent.costUsd).toBeLessThan(0.01);
});

it('failed tries are not paid for, and leave nothing held', async () => {
  answer = () => ({ status: 500 });
  const bundle = await routers.apply('failing', { budgets: { b: { scope: 'tenant', window: 'day', usd: 1 } } });
  await expect(routers.complete('failing', bundle, 'Hello')).rejects.toMatchObject({ code: 'model_failed' });
  await until('it is released', async () => {
    const { budgets } = await usage('failing');
    return budgets[0]!.held.costUsd === 0 && budgets[0]!.spent.costUsd === 0;
  });
});

it('a rate limit is shared by all routers; what does not fit goes to another provider', async () => {
  const seen: string[] = [];
  answer = (request) => {
    seen.push(request.model);
    return { text: 'Fine.' };
  };
  const bundle = await routers.apply('rates', {
    providers: {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of bundles
      narrow: { kind: 'openai', baseUrl: '${MODELS}', keys: [], labels: [], requestsPerMinute: 5 },
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of bundles
      wide: { kind: 'openai', baseUrl: '${MODELS}', keys: [], labels: [] },
    },
    models: {
      tiny: {
        description: '',
        tier: 'small',
        abilities: ['tools'],
        price: { input: 0, output: 0 },
        providers: [
          { provider: 'narrow', model: 'at-narrow', weight: 1, priority: 0 },
          { provider: 'wide', model: 'at-wide', weight: 1, priority: 1 },
        ],
      },
    },
  });
  const asked = await Promise.all(Array.from({ length: 30 }, () => routers.complete('rates', bundle, 'Hello')));
  expect(asked).toHaveLength(30);
  const narrow = seen.filter((model) => model === 'at-narrow').length;
  expect(narrow).toBeGreaterThanOrEqual(5);
  expect(narrow).toBeLessThanOrEqual(7);
});
