/**
 * The six services over a real nats-server, a shop outside of them that counts what it did, and a model that makes the calls
 * which its goal names: `[["order", {"item": "tea"}], "fail"]`, then answers, fails or never answers.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Bundle } from '@tutti/contracts';
import { createLogger } from '@tutti/runtime';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { createServiceGroup } from '../../libs/cli/src/up/services.ts';
import { client } from './client.ts';
import { freePort, withoutModels } from './stack.ts';

export interface Desk {
  url: string;
  api: ReturnType<typeof client>;
  nats: TestNats;
  /** What the shop really did. */
  orders: { key: string | undefined; item: string; quantity: number }[];
  cancelled: { key: string | undefined; number: number }[];
  prices: Map<string, number>;
  stop(): Promise<void>;
}

export async function startDesk(): Promise<Desk> {
  const orders: Desk['orders'] = [];
  const cancelled: Desk['cancelled'] = [];
  const prices: Desk['prices'] = new Map();
  const shop = await serve((url, body, request) => {
    const key = request.headers['idempotency-key'] as string | undefined;
    if (url.pathname === '/price') return { price: prices.get(url.searchParams.get('item')!) ?? 1 };
    if (url.pathname === '/order') return { number: orders.push({ key, item: body.item, quantity: body.quantity }) };
    cancelled.push({ key, number: body.number });
    return { cancelled: body.number };
  });
  const model = await serve((_url, body, _request, response) => answer(body, response));
  const nats = await startTestNats();
  const port = await freePort();
  const env = {
    ...withoutModels(process.env),
    NATS_URL: nats.url,
    TUTTI_PROVISION: 'true',
    TUTTI_DATA: `${nats.dataDir}/state`,
    TUTTI_PORT: String(port),
    TUTTI_LEASE_MS: '2000',
    TUTTI_TOOLS_PRIVATE_NETWORKS: '127.0.0.1',
    OPENAI_BASE_URL: `${model.url}/v1`,
    OPENAI_API_KEY: 'none',
    TUTTI_MODEL: 'scripted',
    TUTTI_OFFLINE_FALLBACK: 'false',
  };
  const services = await createServiceGroup(env, createLogger({}, { level: process.env.TUTTI_TEST_LOG ?? 'silent' }));
  const url = `http://127.0.0.1:${port}`;
  const api = client(url);
  async function stop(): Promise<void> {
    await services.stop();
    model.close();
    shop.close();
    await nats.stop();
  }
  try {
    await services.startAll(() => {});
    await until('the gateway to be ready', () => fetch(`${url}/readyz`).then(({ ok }) => ok));
    await api.call('POST', '/v1/bundles', deskBundle(shop.url));
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, api, nats, orders, cancelled, prices, stop };
}

const post = (operationId: string, properties: object) => ({
  post: {
    operationId,
    requestBody: {
      required: true,
      content: {
        'application/json': {
          schema: { type: 'object', properties, required: Object.keys(properties), additionalProperties: false },
        },
      },
    },
    responses: { 200: { description: 'ok' } },
  },
});
const DOCUMENT = {
  openapi: '3.0.3',
  info: { title: 'shop', version: '1' },
  paths: {
    '/order': post('order', { item: { type: 'string' }, quantity: { type: 'integer', minimum: 1 } }),
    '/cancel': post('cancelOrder', { number: { type: 'integer' } }),
    '/price': {
      get: {
        operationId: 'price',
        parameters: [{ name: 'item', in: 'query', required: true, schema: { type: 'string' } }],
        responses: { 200: { description: 'ok' } },
      },
    },
  },
};

function deskBundle(shopUrl: string): object {
  const source = { type: 'openapi', document: DOCUMENT, url: shopUrl };
  const shows = { tool: 'price', arguments: { item: '$arguments.item' } };
  const undo = { tool: 'cancelOrder', arguments: { number: '$result.number' } };
  return Bundle.parse({
    v: 1,
    name: 'desk',
    agents: {
      buyer: {
        name: 'buyer',
        instructions: 'Buy.',
        strategy: 'react',
        tools: ['order', 'quick_*', 'work'],
      },
    },
    tools: {
      shop: { ...source, tools: { order: { shows, sums: { pieces: '$arguments.quantity' } } } },
      quick: {
        ...source,
        prefix: 'quick_',
        tools: { order: { effect: 'keyed', undo }, cancelOrder: { effect: 'keyed' } },
      },
      slow: { type: 'nats', worker: 'slow' },
    },
    collections: {},
    policies: {
      'pieces.cedar': `@id("ten-pieces") @reason("Ten pieces a run are enough.")
        forbid (principal, action == Action::"tool.call", resource == Tool::"order")
        when { context.run.sumsWithCall.pieces > 10 };`,
    },
  });
}

const SCRIPT = /\[\[.*\]/;
type Step = [tool: string, args: object] | 'fail' | 'hang';
interface Asked {
  messages: { role: string; content: string | null; tool_calls?: unknown[] }[];
  stream?: boolean;
}

/** Undefined: it has answered by itself, or never will. */
function answer({ messages, stream }: Asked, response: ServerResponse): object | undefined {
  // The goal; the router asks again in words of its own where it does not like an answer.
  const from = messages.findLastIndex(({ role, content }) => role === 'user' && SCRIPT.test(content ?? ''));
  const script = JSON.parse(SCRIPT.exec(messages[from]!.content!)![0]) as Step[];
  const made = messages.slice(from).filter(({ tool_calls }) => tool_calls?.length).length;
  const step = script[made];
  if (step === 'hang') return undefined;
  if (step === 'fail') {
    response.writeHead(400, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { message: 'no', type: 'invalid_request_error' } }));
    return undefined;
  }
  const said = messages.filter(({ role }) => role === 'tool').map(({ content }) => content);
  const message = step
    ? {
        role: 'assistant',
        content: null,
        tool_calls: [
          {
            index: 0,
            id: `c${messages.length}`,
            type: 'function',
            function: { name: step[0], arguments: JSON.stringify(step[1]) },
          },
        ],
      }
    : { role: 'assistant', content: `told: ${said.join(' | ')}` };
  const finish_reason = step ? 'tool_calls' : 'stop';
  const usage = { prompt_tokens: 10, completion_tokens: 10, total_tokens: 20 };
  const base = { id: 'chat-1', created: 1, model: 'scripted' };
  if (!stream) return { ...base, object: 'chat.completion', choices: [{ index: 0, message, finish_reason }], usage };
  response.setHeader('content-type', 'text/event-stream');
  const chunk = (choices: unknown[], more = {}) =>
    response.write(`data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices, ...more })}\n\n`);
  chunk([{ index: 0, delta: message, finish_reason: null }]);
  chunk([{ index: 0, delta: {}, finish_reason }]);
  chunk([], { usage });
  response.end('data: [DONE]\n\n');
  return undefined;
}

async function serve(
  // biome-ignore lint/suspicious/noExplicitAny: bodies of two protocols
  work: (url: URL, body: any, request: IncomingMessage, response: ServerResponse) => object | undefined,
): Promise<{ url: string; close(): void }> {
  const server: Server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://desk');
      const made = work(url, text ? JSON.parse(text) : {}, request, response);
      if (made) response.setHeader('content-type', 'application/json').end(JSON.stringify(made));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
