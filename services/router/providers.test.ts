/** Several providers, keys and models: every class of failure and what follows from it, over the real `openai` package. */
import { type LiveEvent, planJsonSchema } from '@tutti/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createReplica, OFFLINE_TEXT, startProviders } from './testing/providers.ts';

let world: Awaited<ReturnType<typeof startProviders<'a' | 'b' | 'c'>>>;
beforeEach(async () => {
  world = await startProviders(['a', 'b', 'c']);
});
afterEach(() => world.stop());

const variable = (name: string) => `\${${name}}`;
const price = { input: 1, output: 1 };
const first = { provider: 'a' };
const second = { provider: 'b', priority: 1 };
/** `m` at a, then at b; `other` at c. */
const sections = {
  models: {
    m: { tier: 'small' as const, price, providers: [first, second] },
    other: { tier: 'large' as const, price, providers: [{ provider: 'c' }] },
  },
  routes: { r: { models: ['m', 'other'], objective: 'order' as const } },
};
const replica = (more: Parameters<typeof createReplica>[2] = {}) => createReplica(world.variables, sections, more);
const fine = (text = 'Fine.') => ({ kind: 'answer' as const, text });
const tried = ({ attempts }: { attempts?: { provider: string; key?: string; next?: string }[] }) =>
  attempts!.map(({ provider, next }) => (next ? `${provider}:${next}` : provider));

describe('each failure leads where it should', () => {
  it.each([
    ['500', { kind: 'status', status: 500 }],
    ['429', { kind: 'status', status: 429 }],
    ['429 with a short Retry-After', { kind: 'status', status: 429, headers: { 'retry-after-ms': '5' } }],
    ['a reset', { kind: 'reset' }],
    ['garbage', { kind: 'garbage' }],
    ['half an answer', { kind: 'half', text: 'half of it', end: 'reset' }],
    ['an empty answer', { kind: 'answer', text: '' }],
  ] as const)('%s: the same again, then the other provider', async (_name, fault) => {
    world.servers.a.script(fault, fault);
    world.servers.b.script(fine());
    const result = await replica().ask({ model: 'r' });
    expect(tried(result)).toEqual(['a:same', 'a:other_provider', 'b']);
    expect(result).toMatchObject({ model: 'm', provider: 'b', degraded: false });
  });

  it.each([
    ['a 404', { kind: 'status', status: 404 }],
    ['an empty account', { kind: 'status', status: 429, code: 'insufficient_quota' }],
    ['a refused key', { kind: 'status', status: 401 }],
    ['a Retry-After that is too long', { kind: 'status', status: 429, headers: { 'retry-after': '60' } }],
  ] as const)('%s: the other provider at once', async (_name, fault) => {
    world.servers.a.script(fault);
    world.servers.b.script(fine());
    expect(tried(await replica().ask({ model: 'r' }))).toEqual(['a:other_provider', 'b']);
  });

  it.each([
    ['a content filter', { kind: 'filter' }],
    ['a request that it does not take', { kind: 'status', status: 422 }],
    ['a context overflow', { kind: 'overflow', window: 4_096 }],
  ] as const)('%s: another model, not another provider of the same one', async (_name, fault) => {
    world.servers.a.script(fault);
    world.servers.c.script(fine());
    const result = await replica().ask({ model: 'r' });
    expect(tried(result)).toEqual(['a:other_model', 'c']);
    expect(result.model).toBe('other');
  });

  it('a Retry-After given as a date is honoured, on this call and on the next ones', async () => {
    const date = new Date(Date.now() + 120_000).toUTCString();
    world.servers.a.script({ kind: 'status', status: 503, headers: { 'retry-after': date } });
    world.servers.b.script(fine(), fine());
    const router = replica();
    expect(tried(await router.ask({ model: 'r' }))).toEqual(['a:other_provider', 'b']);
    const next = await router.ask({ model: 'r' });
    expect(tried(next)).toEqual(['b']);
    expect(next.candidates?.find(({ provider }) => provider === 'a')).toMatchObject({
      kept: false,
      reason: 'left alone for as long as the provider asked',
    });
  });

  it('an answer that does not fit is asked for again once, then a model of a higher tier is asked', async () => {
    world.servers.a.script(fine('no'), fine('never'));
    world.servers.c.script(fine('{"reason":"x","question":null,"tasks":[]}'));
    const format = { type: 'json_schema' as const, name: 'plan', schema: planJsonSchema };
    const result = await replica().ask({ model: 'r', chat: { responseFormat: format } });
    expect(tried(result)).toEqual(['a:reask', 'a:escalate', 'c']);
  });
});

describe('keys', () => {
  const twoKeys = {
    ...sections,
    models: { m: { price, providers: [{ provider: 'a' }] } },
    routes: {},
    providers: {
      a: { baseUrl: variable('A_URL'), keys: [variable('A_KEY'), variable('A_KEY_2'), variable('A_KEY_NOT_SET')] },
    },
  };

  it('a limit of one key: the other at once, and the limited one rests', async () => {
    world.servers.a.script({ kind: 'status', status: 429, headers: { 'retry-after': '30' } }, fine(), fine(), fine());
    const router = createReplica(world.variables, twoKeys);
    const result = await router.ask();
    expect(tried(result)).toEqual(['a:other_key', 'a']);
    const [limited, other] = world.servers.a.requests.map(({ headers }) => headers.authorization);
    expect(other).not.toBe(limited);
    await router.ask();
    await router.ask();
    expect(world.servers.a.requests.slice(1).map(({ headers }) => headers.authorization)).toEqual([
      other,
      other,
      other,
    ]);
  });

  it('that are not set are named where none is left', async () => {
    const bare = { ...twoKeys, providers: { a: { baseUrl: variable('A_URL'), keys: [variable('NOBODY')] } } };
    const result = await createReplica(world.variables, bare).ask();
    expect(result).toMatchObject({ model: 'offline', degraded: true });
    expect(result.candidates?.[0]?.reason).toBe('its provider needs NOBODY: set TUTTI_VAR_NOBODY for the router');
  });

  it('are in no error, even when the provider repeats them', async () => {
    world.servers.a.script({ kind: 'status', status: 401, message: 'bad key secret-a-1' });
    const lonely = { ...twoKeys, providers: { a: { baseUrl: variable('A_URL'), keys: [variable('A_KEY')] } } };
    const result = await createReplica(world.variables, lonely).ask();
    expect(result.attempts?.[0]?.error).toBe('key_refused: 401 bad key [key]');
  });
});

describe('the whole call', () => {
  it('has one budget of tries, whoever is tried', async () => {
    const fault = { kind: 'status' as const, status: 500 };
    world.servers.a.script(fault, fault);
    world.servers.b.script(fault);
    const result = await replica({ env: { TUTTI_MODEL_ATTEMPTS_MAX: '3' } }).ask({ model: 'r' });
    expect(result.attempts?.map(({ provider }) => provider)).toEqual(['a', 'a', 'b', 'offline']);
  });

  it('all down: the offline model, marked, where agent, route and router allow it', async () => {
    const agents = { strict: { name: 'strict', instructions: '', offlineFallback: false } };
    const fault = { kind: 'status' as const, status: 400 };
    world.servers.a.script(fault, fault);
    world.servers.c.script(fault, fault);
    const router = createReplica(world.variables, { ...sections, agents });
    expect(await router.ask({ model: 'r' })).toMatchObject({ degraded: true, message: { content: OFFLINE_TEXT } });
    await expect(router.ask({ model: 'r', agent: 'strict' })).rejects.toMatchObject({
      code: 'model_failed',
      details: { attempts: [{ provider: 'a' }, { provider: 'c' }] },
    });
  });

  it('shares one deadline', async () => {
    world.servers.a.script({ kind: 'hang' });
    const startedAt = Date.now();
    const result = await replica().ask({ model: 'r', deadlineMs: 300 });
    expect(result.model).toBe('offline');
    expect(Date.now() - startedAt).toBeLessThan(2_000);
  });

  it('never goes to what is dearer than the ceiling, whatever fails', async () => {
    world.servers.a.script({ kind: 'status', status: 400 });
    world.servers.b.script({ kind: 'status', status: 400 });
    const thrift = {
      models: { ...sections.models, other: { ...sections.models.other, price: { input: 50, output: 50 } } },
      routes: { r: { models: ['m', 'other'], objective: 'order' as const, priceMax: { output: 2 } } },
    };
    const result = await createReplica(world.variables, thrift).ask({ model: 'r' });
    expect(result.model).toBe('offline');
    expect(world.servers.c.requests).toHaveLength(0);
  });

  it('labelled data reaches cleared providers alone', async () => {
    const providers = {
      a: { baseUrl: variable('A_URL') },
      b: { baseUrl: variable('B_URL'), labels: ['pii'] },
      c: { baseUrl: variable('C_URL'), labels: ['internal'] },
    };
    world.servers.b.script(fine());
    const result = await createReplica(world.variables, { ...sections, providers }).ask({
      model: 'r',
      labels: ['pii'],
    });
    expect(tried(result)).toEqual(['b']);
  });
});

describe('breakers', () => {
  it('skip the sick way alone, and let one probe through at a time', async () => {
    let now = 0;
    const fault = { kind: 'status' as const, status: 500 };
    world.servers.a.script(fault, fault);
    world.servers.b.script(fine(), fine(), fine(), fine());
    const router = replica({
      clock: () => now,
      env: { TUTTI_MODEL_RETRIES_MAX: '0', TUTTI_BREAKER_FAILURES_MAX: '2', TUTTI_BREAKER_OPEN_MS: '1000' },
    });
    await router.ask();
    await router.ask();
    expect(tried(await router.ask())).toEqual(['b']);
    now = 1_000;
    world.servers.a.script({ ...fine('Slowly.'), delayMs: 50 });
    const [probe, beside] = await Promise.all([router.ask(), router.ask()]);
    expect([tried(probe), tried(beside)]).toEqual([['a'], ['b']]);
  });
});

it('when every way rests and nobody may step in, the call waits for one rather than fail', async () => {
  const fault = { kind: 'status' as const, status: 500 };
  world.servers.c.script(fault, fine());
  const strict = { models: sections.models, routes: { r: { models: ['other'], offlineFallback: false } } };
  const router = createReplica(world.variables, strict, {
    env: { TUTTI_MODEL_RETRIES_MAX: '0', TUTTI_BREAKER_FAILURES_MAX: '1', TUTTI_BREAKER_OPEN_MS: '50' },
  });
  expect(tried(await router.ask({ model: 'r' }))).toEqual(['c:other_model', 'c']);
});

describe('streams', () => {
  const said = (events: LiveEvent[]) => events.map((event) => (event.type === 'token' ? event.text : event.type));

  it.each([
    ['falls silent', { kind: 'stall', text: 'Well, well' }, { TUTTI_MODEL_IDLE_TIMEOUT_MS: '60' }, 'silent for 60 ms'],
    [
      'says nothing at all',
      { kind: 'hang' },
      { TUTTI_MODEL_FIRST_TOKEN_TIMEOUT_MS: '60' },
      'no first token within 60 ms',
    ],
    [
      'drips',
      { kind: 'drip', everyMs: 20 },
      { TUTTI_MODEL_CHARS_PER_SECOND_MIN: '100000', TUTTI_MODEL_RATE_WINDOW_MS: '80' },
      'too slow',
    ],
  ] as const)('one that %s is given up, down to the socket', async (_name, fault, env, reason) => {
    world.servers.a.script(fault);
    world.servers.b.script(fine());
    const result = await replica({ env }).ask({ live: true });
    expect(result.attempts?.[0]?.error).toMatch(`timeout: ${reason}`);
    expect(result).toMatchObject({ provider: 'b', message: { content: 'Fine.' } });
    await world.servers.a.aborted();
  });

  it('an attempt that dies after its first words is called void before the next one speaks', async () => {
    world.servers.a.script({ kind: 'half', text: 'Half of what', end: 'reset' }, { kind: 'status', status: 500 });
    world.servers.b.script(fine('All of it.'));
    const router = replica();
    const result = await router.ask({ live: true });
    expect(result.message.content).toBe('All of it.');
    const told = said(router.events);
    expect(told.slice(0, 2)).toEqual(['Half o', 'superseded']);
    expect(told.slice(2).join('')).toBe('All of it.');
    expect(router.events[1]).toMatchObject({ attempt: 1, run: 'run_1', callId: 'call_1' });
    expect(told.filter((text) => text === 'superseded')).toHaveLength(1);
  });

  it('an attempt that dies before it has said anything was never there', async () => {
    world.servers.a.script({ kind: 'status', status: 500 }, { kind: 'reset' });
    world.servers.b.script(fine('Fine.'));
    const router = replica();
    await router.ask({ live: true });
    expect(said(router.events).join('')).toBe('Fine.');
  });
});

describe('several replicas', () => {
  it('send the same call the same way, and each minds its own breaker', async () => {
    const spread = {
      models: { m: { price, providers: [{ provider: 'a' }, { provider: 'b' }, { provider: 'c' }] } },
    };
    const replicas = [createReplica(world.variables, spread), createReplica(world.variables, spread)];
    for (let i = 0; i < 12; i++) for (const server of Object.values(world.servers)) server.script(fine(), fine());
    for (let i = 0; i < 12; i++) {
      const [one, two] = await Promise.all(replicas.map((router) => router.ask({ callId: `call_${i}` })));
      expect(one!.provider).toBe(two!.provider);
    }
    const counts = Object.values(world.servers).map(({ requests }) => requests.length);
    expect(counts.every((count) => count > 0)).toBe(true);
    // the rest of the script has served its purpose
    for (const [index, server] of Object.values(world.servers).entries())
      for (let i = counts[index]!; i < 24; i++)
        await fetch(`${server.url}/chat/completions`, { method: 'POST', body: '{}' });
  });
});
