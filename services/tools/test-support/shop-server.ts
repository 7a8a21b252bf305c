/**
 * A shop over real HTTP with an OpenAPI document: for tests. Counts what it did, outside of the processes under test,
 * and misbehaves on demand: `mode` says what happens to the next orders.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Shop {
  url: string;
  /** Orders that were really made, oldest first. */
  orders: { key: string | undefined; item: string; quantity: number; note?: string }[];
  /** Every request as it came. */
  requests: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[];
  /**
   * `ok`; `hang` before or after the effect; `reset` the connection before or after it; or a status without effect.
   */
  mode: 'ok' | 'hang-before' | 'hang-after' | 'reset-before' | 'reset-after' | number;
  /** The same key again is the same order. */
  honoursKeys: boolean;
  /** Resolves when that many orders requests have come in. */
  sawOrders(count: number): Promise<void>;
  close(): Promise<void>;
}

export async function startShop(): Promise<Shop> {
  const waiting: { count: number; resolve: () => void }[] = [];
  let seen = 0;
  const shop: Shop = {
    url: '',
    orders: [],
    requests: [],
    mode: 'ok',
    honoursKeys: false,
    sawOrders: (count) =>
      new Promise((resolve) => {
        if (seen >= count) resolve();
        else waiting.push({ count, resolve });
      }),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      shop.requests.push({ method, url, headers, body });
      const isOrder = method === 'POST' && url === '/v1/orders';
      if (isOrder) order(shop, body, headers, response);
      else answer(shop, new URL(url, shop.url), headers, response);
      if (!isOrder) return;
      seen += 1;
      for (const waiter of waiting) if (seen >= waiter.count) waiter.resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  shop.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return shop;
}

function json(response: ServerResponse, status: number, data: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(data));
}

function order(shop: Shop, body: string, headers: IncomingMessage['headers'], response: ServerResponse): void {
  const { mode } = shop;
  if (mode === 'hang-before') return;
  if (mode === 'reset-before') return void response.socket?.destroy();
  if (typeof mode === 'number')
    return json(
      response,
      mode,
      { message: `no orders now (${mode})` },
      { location: '/v1/elsewhere', 'retry-after': '0' },
    );
  const key = headers['idempotency-key'] as string | undefined;
  const { item, quantity, note } = JSON.parse(body);
  let number = shop.honoursKeys ? shop.orders.findIndex((made) => made.key === key) + 1 : 0;
  if (number === 0) number = shop.orders.push({ key, item, quantity, ...(note ? { note } : {}) });
  if (mode === 'hang-after') return;
  if (mode === 'reset-after') return void response.socket?.destroy();
  json(response, 201, { number, item, quantity });
}

function answer(shop: Shop, url: URL, headers: IncomingMessage['headers'], response: ServerResponse): void {
  const path = url.pathname;
  if (path === '/v1/orders') {
    const key = url.searchParams.get('key');
    const index = shop.orders.findIndex((made) => made.key === key);
    return json(response, 200, index < 0 ? { order: null } : { order: { number: index + 1, ...shop.orders[index] } });
  }
  if (path === '/v1/redirect') return void response.writeHead(302, { location: `${shop.url}/v1/items/secret` }).end();
  if (path === '/v1/big')
    return void response.writeHead(200, { 'content-type': 'text/plain' }).end('x'.repeat(3_000_000));
  if (path === '/v1/flaky')
    return shop.requests.filter((request) => request.url.startsWith('/v1/flaky')).length % 3 === 0
      ? json(response, 200, { fine: true })
      : json(response, 503, { message: 'try later' });
  if (path === '/v1/echo') return json(response, 200, { authorization: headers.authorization ?? null });
  const item = /^\/v1\/items\/([^/]+)$/.exec(path)?.[1];
  if (item === 'none') return json(response, 404, { message: 'there is no such item' });
  if (item)
    return json(response, 200, {
      id: decodeURIComponent(item),
      query: [...url.searchParams],
      trace: headers['x-trace'] ?? null,
    });
  json(response, 404, { message: 'no such path' });
}

const itemSchema = { $ref: '#/components/schemas/Item' };
export const SHOP_DOCUMENT = {
  openapi: '3.1.0',
  info: { title: 'Shop', version: '1' },
  servers: [{ url: 'http://127.0.0.1:1/v1' }],
  paths: {
    '/items/{id}': {
      parameters: [
        { name: 'id', in: 'path', required: true, schema: { type: 'string' }, description: 'Id of the item.' },
      ],
      get: {
        operationId: 'getItem',
        summary: 'Get an item',
        description: 'Tells what the shop knows of an item.',
        parameters: [
          { name: 'fields', in: 'query', schema: { type: 'array', items: { type: 'string' } } },
          { name: 'tags', in: 'query', explode: false, schema: { type: 'array', items: { type: 'string' } } },
          { name: 'filter', in: 'query', style: 'deepObject', schema: { type: 'object' } },
          { name: 'X-Trace', in: 'header', schema: { type: 'string' } },
          { name: 'Authorization', in: 'header', schema: { type: 'string' } },
          { name: 'id', in: 'query', schema: { type: 'integer' }, description: 'Another id.' },
        ],
        responses: { '200': { description: 'ok', content: { 'application/json': { schema: itemSchema } } } },
      },
    },
    '/orders': {
      get: {
        operationId: 'findOrder',
        parameters: [{ name: 'key', in: 'query', required: true, schema: { type: 'string' } }],
        responses: { '200': { description: 'ok', content: { 'application/json': { schema: { type: 'object' } } } } },
      },
      post: {
        operationId: 'order',
        summary: 'Order an item',
        requestBody: {
          required: true,
          content: {
            'application/json': {
              schema: {
                type: 'object',
                required: ['item', 'quantity'],
                properties: {
                  item: { type: 'string' },
                  quantity: { type: 'integer', minimum: 1 },
                  note: { type: 'string' },
                },
              },
            },
          },
        },
        responses: {
          '201': {
            description: 'made',
            content: {
              'application/json': { schema: { type: 'object', properties: { number: { type: 'integer' } } } },
            },
          },
        },
      },
    },
    '/redirect': { get: { operationId: 'redirected', responses: {} } },
    '/big': { get: { operationId: 'big', responses: {} } },
    '/flaky': { get: { responses: {} } },
    '/echo': { get: { operationId: 'echo', responses: {} } },
    '/upload': {
      post: { operationId: 'upload', requestBody: { required: true, content: { 'image/png': {} } }, responses: {} },
    },
  },
  components: {
    schemas: {
      Item: {
        type: 'object',
        properties: { id: { type: 'string' }, parts: { type: 'array', items: { $ref: '#/components/schemas/Item' } } },
      },
    },
  },
} satisfies Record<string, unknown>;
