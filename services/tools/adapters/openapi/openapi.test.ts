// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are placeholders of tool sources.
import { Bundle, type ToolSource as Manifest } from '@tutti/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPlaceholders } from '../../core/placeholders.ts';
import { SHOP_DOCUMENT, type Shop, startShop } from '../../test-support/shop-server.ts';
import { createGrants, parseGrants } from '../outbound/grants.ts';
import { createOutbound } from '../outbound/outbound.ts';
import { readOperations } from './operations.ts';
import { writeOut } from './references.ts';
import { createOpenApiSource } from './source.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await startShop();
});
afterAll(() => shop.close());

const signal = () => AbortSignal.timeout(5_000);
function source(more: Partial<Extract<Manifest, { type: 'openapi' }>> = {}, variables: Record<string, string> = {}) {
  const manifest = Bundle.shape.tools.parse({
    shop: { type: 'openapi', document: SHOP_DOCUMENT, url: '${SHOP_URL}/v1', ...more },
  }).shop as Extract<Manifest, { type: 'openapi' }>;
  const placeholders = createPlaceholders('shop', { SHOP_URL: shop.url, ...variables });
  const outbound = createOutbound(createGrants(parseGrants('127.0.0.1')));
  return createOpenApiSource({ manifest, placeholders, outbound, responseBytesMax: 10_000 });
}
const call = (name: string, args: Record<string, unknown>, options: { key?: string; timeoutMs?: number } = {}) =>
  source().call(name, args, { signal: signal(), timeoutMs: options.timeoutMs ?? 2_000, idempotencyKey: options.key });

describe('the document as tools', () => {
  it('every operation becomes a tool, and what cannot is said', async () => {
    const { tools, problems } = await source().list(signal());
    expect(tools.map((tool) => [tool.name, tool.effect])).toEqual([
      ['getItem', 'pure'],
      ['findOrder', 'pure'],
      ['order', 'irreversible'],
      ['redirected', 'pure'],
      ['big', 'pure'],
      ['get_flaky', 'pure'],
      ['echo', 'pure'],
    ]);
    expect(problems).toEqual(['POST /upload is left out: its body is image/png; only JSON and forms are supported']);
  });
  it('parameters and body are one schema; clashing names are kept apart; reserved headers are left out', async () => {
    const { tools } = await source().list(signal());
    const getItem = tools.find((tool) => tool.name === 'getItem')!;
    expect(getItem.description).toBe('Get an item. Tells what the shop knows of an item.');
    expect(getItem.parameters).toMatchObject({
      additionalProperties: false,
      required: ['id'],
      properties: { id: { type: 'string', description: 'Id of the item.' }, query_id: { type: 'integer' } },
    });
    expect(Object.keys(getItem.parameters.properties as object)).not.toContain('Authorization');
    expect(tools.find((tool) => tool.name === 'order')!.parameters).toMatchObject({ required: ['item', 'quantity'] });
  });
  it('a schema that contains itself is cut', async () => {
    const { tools } = await source().list(signal());
    const returns = tools.find((tool) => tool.name === 'getItem')!.returns as never as {
      properties: { parts: { items: { properties: { parts: { items: object } } } } };
    };
    expect(returns.properties.parts.items.properties.parts.items).toEqual({});
  });
  it('OpenAPI 3.0 words are translated', () => {
    const document = { openapi: '3.0.3', paths: {} };
    expect(
      writeOut(document, { type: 'number', nullable: true, minimum: 0, exclusiveMinimum: true, example: 3 }),
    ).toEqual({ type: ['number', 'null'], exclusiveMinimum: 0, examples: [3] });
  });
  it('a body that is more than a flat object is one argument', () => {
    const document = {
      openapi: '3.1.0',
      paths: {
        '/x': {
          post: { requestBody: { required: true, content: { 'application/json': { schema: { type: 'array' } } } } },
        },
      },
    };
    expect(readOperations(document, []).operations.get('post_x')!.tool.parameters).toMatchObject({
      required: ['body'],
      properties: { body: { type: 'array' } },
    });
  });
  it.each(['file:///etc/passwd', 'http://127.0.0.1/x.json', 'other.yaml#/a', '#/components/schemas/Gone'])(
    'the reference %s is refused and not read',
    ($ref) => {
      const document = {
        openapi: '3.1.0',
        paths: { '/x': { get: { operationId: 'x', parameters: [{ name: 'a', in: 'query', schema: { $ref } }] } } },
      };
      const { operations, problems } = readOperations(document, []);
      expect(operations.size).toBe(0);
      expect(problems[0]).toContain($ref);
    },
  );
});

describe('a call over HTTP', () => {
  it('puts every argument in its place', async () => {
    const result = await call('getItem', {
      id: 'a/b c?',
      fields: ['x', 'y'],
      tags: ['p', 'q'],
      filter: { min: 3 },
      'X-Trace': 't1',
      query_id: 7,
    });
    expect(result.data).toEqual({
      id: 'a/b c?',
      query: [
        ['fields', 'x'],
        ['fields', 'y'],
        ['tags', 'p,q'],
        ['filter[min]', '3'],
        ['id', '7'],
      ],
      trace: 't1',
    });
  });
  it.each(['.', '..', ''])('the path parameter "%s" is not sent', async (id) => {
    const before = shop.requests.length;
    expect(await call('getItem', { id })).toMatchObject({ isError: true });
    expect(shop.requests.length).toBe(before);
  });
  it('sends the body as JSON, with the idempotency key', async () => {
    const result = await call('order', { item: 'tea', quantity: 2 }, { key: 'call_1' });
    expect(result).toMatchObject({ isError: false, data: { item: 'tea', quantity: 2 } });
    expect(shop.orders.at(-1)).toEqual({ key: 'call_1', item: 'tea', quantity: 2 });
  });
  it('never sends an effect on a kept connection, which may be closing at that moment', async () => {
    await call('order', { item: 'tea', quantity: 1 }, { key: 'call_2' });
    expect(shop.requests.at(-1)!.headers.connection).toBe('close');
    await call('getItem', { id: 'tea' });
    expect(shop.requests.at(-1)!.headers.connection).toBe('keep-alive');
  });
  it('hands a refusal on in the server’s words', async () => {
    expect(await call('getItem', { id: 'none' })).toMatchObject({
      isError: true,
      notFound: true,
      content: 'HTTP 404: {"message":"there is no such item"}',
    });
  });
  it('never follows a redirect', async () => {
    const before = shop.requests.length;
    expect(await call('redirected', {})).toMatchObject({
      isError: true,
      content: expect.stringContaining('not followed'),
    });
    expect(shop.requests.length).toBe(before + 1);
  });
  it('reads no more than the limit', async () => {
    const { content } = await call('big', {});
    expect(content.length).toBeLessThan(10_100);
    expect(content).toContain('[Cut: the answer is longer');
  });
  it('tells what never left from what may have', async () => {
    const failure = (promise: Promise<unknown>) =>
      promise.then(
        () => 'no failure',
        (error) => [error.name, error.sent, error.code],
      );
    const closed = await startShop();
    await closed.close();
    for (const url of [closed.url, 'http://127.0.0.1:9/', 'http://nowhere.invalid/'])
      expect(
        await failure(
          source({ url }).call('order', { item: 'a', quantity: 1 }, { signal: signal(), timeoutMs: 2_000 }),
        ),
      ).toEqual(['ToolCallError', 'no', 'unavailable']);
    const modes = [
      ['reset-before', 'maybe', 'unavailable'],
      [500, 'maybe', 'unavailable'],
      [302, 'maybe', 'unavailable'],
      [429, 'no', 'overloaded'],
      ['hang-before', 'maybe', 'timeout'],
    ] as const;
    for (const [mode, sent, code] of modes) {
      shop.mode = mode;
      const timeoutMs = mode === 'hang-before' ? 100 : 2_000;
      expect(await failure(call('order', { item: 'a', quantity: 1 }, { timeoutMs }))).toEqual([
        'ToolCallError',
        sent,
        code,
      ]);
    }
    shop.mode = 'ok';
  });
});

describe('what a document asks for', () => {
  const document = {
    ...SHOP_DOCUMENT,
    servers: [
      { url: '{scheme}://{host}/v1', variables: { scheme: { default: 'http' }, host: { default: 'x.invalid' } } },
    ],
    security: [{ bearer: [] }],
    paths: {
      '/items/{id}': {
        get: {
          operationId: 'both',
          parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
          security: [{ missing: [] }, { key: [], session: [], query: [] }],
        },
        head: { operationId: 'open', parameters: [{ $ref: '#/components/parameters/id' }], security: [] },
      },
      '/echo': { get: { operationId: 'echo' } },
      '/orders?fixed=1': { get: { operationId: 'fixed', servers: [{ url: 'http://elsewhere.invalid' }] } },
    },
    components: {
      parameters: { id: { name: 'id', in: 'path', required: true, schema: { type: 'string' } } },
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        basic: { type: 'http', scheme: 'Basic' },
        key: { type: 'apiKey', in: 'header', name: 'X-Key' },
        session: { type: 'apiKey', in: 'cookie', name: 'sid' },
        query: { type: 'apiKey', in: 'query', name: 'k' },
        odd: { type: 'mutualTLS' },
      },
    },
  };
  const at = (more: object = {}) =>
    source(
      {
        document,
        url: undefined,
        serverVariables: { host: new URL(shop.url).host },
        auth: { bearer: '${TOKEN}', key: 'k-1', session: 's 1', query: 'q-1', basic: 'kim:pass' },
        ...more,
      } as never,
      { TOKEN: 'very-secret-token' },
    );
  const ask = (name: string, args: object = {}, more: object = {}) =>
    at(more).call(name, args as Record<string, unknown>, { signal: signal(), timeoutMs: 2_000 });

  it('credentials go where the scheme says, to operations that ask for them', async () => {
    await ask('both', { id: 'tea' });
    const { headers, url } = shop.requests.at(-1)!;
    expect([headers['x-key'], headers.cookie, headers.authorization]).toEqual(['k-1', 'sid=s%201', undefined]);
    expect(url).toBe('/v1/items/tea?k=q-1');
    expect((await ask('echo')).content).toBe('{"authorization":"Bearer [TOKEN]"}');
    expect(shop.requests.at(-1)!.headers.authorization).toBe('Bearer very-secret-token');
    await ask('open', { id: 'tea' });
    expect(shop.requests.at(-1)!.headers).not.toHaveProperty('authorization');
    await ask('echo', {}, { document: { ...document, security: [{ basic: [] }] } });
    expect(shop.requests.at(-1)!.headers.authorization).toBe(`Basic ${Buffer.from('kim:pass').toString('base64')}`);
  });
  it('an operation has a server of its own, and a path a fixed query', async () => {
    await expect(ask('fixed')).rejects.toMatchObject({ sent: 'no' });
    const before = shop.requests.length;
    await ask('fixed', {}, { url: `${shop.url}/v1` });
    expect(shop.requests.slice(before).map((request) => request.url)).toEqual(['/v1/orders?fixed=1']);
  });
  it('a relative server is one beside the document', async () => {
    const origin = { url: `${shop.url}/api/openapi.json`, hash: 'h' };
    await ask('echo', {}, { origin, document: { ...document, servers: [{ url: '../v1' }] } });
    expect(shop.requests.at(-1)!.url).toBe('/v1/echo');
  });
  it('a scheme that nobody knows is said, and one that cannot be filled fails the call', async () => {
    const { problems } = await at({ auth: { other: 'x' } }).list(signal());
    expect(problems).toEqual(['`auth` speaks of "other", and the document has no such security scheme']);
    const odd = { document: { ...document, security: [{ odd: [] }] }, auth: { odd: 'x' } };
    await expect(ask('echo', {}, odd)).rejects.toThrow(/"odd" \(mutualTLS\) cannot be filled/);
  });
});

describe('variables', () => {
  it('fill headers and appear nowhere else', async () => {
    const secret = 'Bearer "s3cret-value';
    const withToken = source({ headers: { authorization: '${SHOP_TOKEN}' } }, { SHOP_TOKEN: secret });
    const result = await withToken.call('echo', {}, { signal: signal(), timeoutMs: 2_000 });
    expect(shop.requests.at(-1)!.headers.authorization).toBe(secret);
    expect(result.content).toBe('{"authorization":"[SHOP_TOKEN]"}');
    expect(JSON.stringify(result)).not.toContain('s3cret');
  });
  it('that are missing are named', async () => {
    await expect(source({ url: '${OTHER_URL}' }).list(signal())).rejects.toThrow(/set TUTTI_VAR_OTHER_URL/);
    await expect(source({ headers: { a: '${NO_TOKEN}' } }).list(signal())).rejects.toThrow(/TUTTI_VAR_NO_TOKEN/);
  });
  it('that HTTP does not allow are not shown', async () => {
    const bad = source({ headers: { authorization: '${SHOP_TOKEN}' } }, { SHOP_TOKEN: 'line\nbreak-secret' });
    await expect(bad.call('echo', {}, { signal: signal(), timeoutMs: 2_000 })).rejects.toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('secret') }),
    );
  });
});
