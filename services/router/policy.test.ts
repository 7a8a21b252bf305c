/** Policy in front of all that is sent to models, and of what is given again: Cedar's own, a router on a real bus. */
import type { Label } from '@tutti/contracts';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type ModelAnswer, type ModelRequest, startModelServer } from './testing/model-server.ts';
import { type BundleChanges, Routers } from './testing/routers.ts';

let server: Awaited<ReturnType<typeof startModelServer>>;
let routers: Routers;
let answer: (request: ModelRequest) => ModelAnswer;
beforeAll(async () => {
  server = await startModelServer((request) => answer(request));
  routers = await Routers.start(1, server.url, {
    TUTTI_EMBEDDINGS_MODEL: 'embed',
    TUTTI_EMBEDDINGS_BASE_URL: server.url,
    TUTTI_EMBEDDINGS_LABELS: 'hr',
  });
}, 60_000);
afterAll(async () => {
  await routers.stop();
  await server.close();
});
beforeEach(() => {
  server.requests.length = 0;
  answer = ({ input }) => (input === undefined ? { text: 'At nine.' } : { vector: [1, 0, 0] });
});

const label = (...confidentiality: string[]): Label => ({ integrity: 'user', confidentiality });
const cleared = (...labels: string[]): BundleChanges => ({
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of bundles
  providers: { here: { kind: 'openai', baseUrl: '${MODELS}', keys: [], labels } },
});
const forbid = (what: string): BundleChanges => ({
  policies: { 'models.cedar': `@id("not-so") @reason("Not this one.") forbid ${what};` },
});
const asked = () => server.requests.map(({ model }) => model);

it('a model that is used without an agent is asked about too', async () => {
  const bundle = await routers.apply(
    'direct',
    forbid('(principal == Agent::"(direct)", action == Action::"model.use", resource)'),
  );
  await expect(routers.complete('direct', bundle, 'Hello', { agent: '(direct)' })).rejects.toMatchObject({
    code: 'forbidden',
    message: expect.stringContaining('not-so'),
  });
  expect(asked()).toEqual([]);
  expect(await routers.complete('direct', bundle, 'Hello')).toMatchObject({ model: 'tiny' });
});

it('a denied model is no fallback either, and is among the candidates with its reason', async () => {
  const bundle = await routers.apply('fallback', {
    ...forbid('(principal, action == Action::"model.use", resource == Model::"big")'),
    routes: { any: { description: '', models: ['tiny', 'big'], objective: 'order' } },
  });
  answer = () => ({ status: 400 });
  const error = await routers.complete('fallback', bundle, 'Hello', { model: 'any' }).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'model_failed' });
  expect(error.details.candidates).toContainEqual({
    model: 'big',
    provider: 'here',
    kept: false,
    reason: 'policy not-so: Not this one.',
  });
  expect(new Set(asked())).toEqual(new Set(['tiny']));
});

it('an answer is given again under the same label alone, and not to whom policy denies the model', async () => {
  const bundle = await routers.apply('cache', {
    ...cleared('secret'),
    ...forbid(
      '(principal, action == Action::"model.use", resource) when { context.confidentiality.contains("secret") }',
    ),
    agent: { cache: { ttlMs: 60_000, nowWithinMs: 86_400_000 } },
  });
  const ask = (...names: string[]) => routers.complete('cache', bundle, 'When?', { label: label(...names) });
  expect(await ask()).toMatchObject({ message: { content: 'At nine.' }, label: label() });
  expect(await ask()).toMatchObject({ cached: 'exact' });
  await expect(ask('secret')).rejects.toMatchObject({ code: 'forbidden' });
  const internal = await ask('internal');
  expect(internal.cached).toBeUndefined();
  expect(internal.label).toEqual(label('internal'));
  expect(asked()).toEqual(['tiny', 'tiny']);
});

it('a judge is a model like any other', async () => {
  const bundle = await routers.apply('judge', {
    ...forbid('(principal, action == Action::"model.use", resource == Model::"big")'),
    agent: { grounding: { threshold: 0.9, otherwise: 'mark', judge: 'big' } },
  });
  answer = () => ({ text: 'The moon is made of cheese.' });
  const passages = [{ id: 'p1', document: 'd1', title: 'Hours', text: 'The shop opens at nine.' }];
  const result = await routers.complete('judge', bundle, { passages });
  expect(result.notes).toContain('not_verified');
  expect(result.grounding?.judge).toContain('could not be asked');
  expect(asked()).not.toContain('big');
});

it('a question goes to the embeddings only where policy, clearance and privacy let it out as it stands', async () => {
  const agent = { cache: { ttlMs: 60_000, nowWithinMs: 86_400_000, semantic: { similarity: 0.9 } } };
  const policy = forbid(
    '(principal, action == Action::"model.use", resource == Model::"embed") when { context.confidentiality.contains("hr") }',
  );
  const privacy = { privacy: { mask: ['email' as const], names: [], patterns: {}, cleared: [] } };
  const open = await routers.apply('embeddings', { ...cleared('hr', 'pay'), agent });
  const closed = await routers.apply('embeddings', { ...cleared('hr', 'pay'), ...policy, ...privacy, agent });
  const embedded = async (bundle: string, text: string, ...names: string[]) => {
    server.requests.length = 0;
    await routers.complete('embeddings', bundle, text, { label: label(...names) });
    expect(asked()).toContain('tiny');
    return asked().includes('embed');
  };
  expect(await embedded(open, 'One?')).toBe(true);
  expect(await embedded(open, 'Two?', 'hr')).toBe(true);
  expect(await embedded(open, 'Three?', 'pay')).toBe(false);
  expect(await embedded(open, 'My key is sk-proj-abcdefghijklmnopqrstuvwx')).toBe(false);
  expect(await embedded(closed, 'Four?')).toBe(true);
  expect(await embedded(closed, 'Five?', 'hr')).toBe(false);
  await expect.poll(() => embedded(closed, `Who is ann${Math.random()}@example.com?`), { timeout: 5_000 }).toBe(false);
});
