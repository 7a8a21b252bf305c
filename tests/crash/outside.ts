/**
 * The world outside of Tutti, which is never killed: a shop that counts what was really done, and a model that knows from
 * the conversation alone what comes next. Both answer over real HTTP, from the harness's own process.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bundle } from '@tutti/contracts';

/** So long an effect takes before it happens, and its answer after, so that kills come between asking and answering. */
const EFFECT_MS_MAX = 200;

export interface Outside {
  shopUrl: string;
  modelUrl: string;
  /** Times that something was really done, by what was to be done. */
  effects: Map<string, number>;
  /** What would have been done twice without keys and probes: if that stays 0, the kills came at harmless moments. */
  saved: { repeatsByKey: number; foundByProbe: number; notFoundByProbe: number };
  /** Resolves when something is being done for Tutti right now, or after `limitMs`. */
  effectUnderWay(limitMs: number): Promise<void>;
  close(): void;
}

/** `host`: this machine's address for whoever asks, where that is not this machine alone. */
export async function startOutside(chance: () => number, host = '127.0.0.1'): Promise<Outside> {
  const effects = new Map<string, number>();
  const saved = { repeatsByKey: 0, foundByProbe: 0, notFoundByProbe: 0 };
  let underWay = 0;
  const byKey = new Set<string>();
  const orders = new Map<string, { number: number; done: string }>();
  const shop = await serve(host, async (request, body, response) => {
    const url = new URL(request.url ?? '/', 'http://shop');
    const key = String(request.headers['idempotency-key'] ?? '');
    if (url.pathname === '/look') return json(response, { found: url.searchParams.get('what') });
    if (url.pathname === '/orders') {
      const order = orders.get(url.searchParams.get('key') ?? '') ?? null;
      saved[order ? 'foundByProbe' : 'notFoundByProbe']++;
      return json(response, { order });
    }
    const { what } = JSON.parse(body) as { what: string };
    underWay++;
    await sleep(chance() * EFFECT_MS_MAX);
    const count = () => effects.set(what, (effects.get(what) ?? 0) + 1);
    if (url.pathname === '/reserve') {
      // A remote that honours its idempotency key: the same key again is the same reservation.
      if (byKey.has(key)) saved.repeatsByKey++;
      else count();
      byKey.add(key);
    } else {
      count();
      orders.set(key, { number: orders.size + 1, done: what });
    }
    await sleep(chance() * EFFECT_MS_MAX);
    underWay--;
    json(response, { done: what });
  });
  const model = await serve(host, async (_request, body, response) => answer(JSON.parse(body), response));
  return {
    shopUrl: shop.url,
    modelUrl: `${model.url}/v1`,
    effects,
    saved,
    async effectUnderWay(limitMs) {
      const end = Date.now() + limitMs;
      while (underWay === 0 && Date.now() < end) await sleep(5);
    },
    close() {
      shop.close();
      model.close();
    },
  };
}

export async function serve(
  host: string,
  handle: (request: IncomingMessage, body: string, response: ServerResponse) => Promise<void>,
) {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      handle(request, body, response).catch((error) => response.destroy(error as Error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function json(response: ServerResponse, data: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(data));
}

export interface Chat {
  stream?: boolean;
  messages: { role: string; content: string | null }[];
  tools?: { function: { name: string } }[];
  response_format?: unknown;
}

/** `KIND NAME`: what a run is about. A task of a plan says it in its last line. */
const GOAL = /(react|approve|plan|task|ask|sleep) (\S+)\s*$/;

function answer(chat: Chat, response: ServerResponse): void {
  const at = chat.messages.findLastIndex((message) => message.role === 'user');
  const [, kind = '', what = ''] = GOAL.exec(chat.messages[at]?.content ?? '') ?? [];
  // What a task depends on was done before it, and stands in its conversation too.
  const tools = chat.messages.slice(at).filter((message) => message.role === 'tool');
  const done = tools.filter((message) => message.content?.includes(`"${what}"`)).length;
  const call = (name: string, args: object) => ({ name, arguments: JSON.stringify(args) });
  if (kind === 'plan' && chat.response_format) return say(chat, response, planFor(what));
  if (kind === 'react' && done === 0)
    return say(chat, response, '', [call('look', { what }), call('reserve', { what })]);
  if (kind === 'approve' && done === 0) return say(chat, response, '', [call('order', { what })]);
  if (kind === 'ask' && tools.length === 0)
    return say(chat, response, '', [call('ask_user', { question: `Which ${what}?` })]);
  if (kind === 'ask') return say(chat, response, `done ${what}: ${tools[0]!.content}`);
  if (kind === 'sleep' && tools.length === 0) return say(chat, response, '', [call('sleep', { seconds: 1.5 })]);
  if (kind === 'task' && done === 0) return say(chat, response, '', [call('reserve', { what })]);
  say(chat, response, `done ${what}`);
}

function planFor(what: string): string {
  const task = (id: string, dependsOn: string[]) => ({
    id,
    goal: `task ${what}-${id}`,
    tools: ['reserve'],
    agent: null,
    dependsOn,
  });
  return JSON.stringify({
    reason: 'three',
    question: null,
    tasks: [task('a', []), task('b', []), task('c', ['a', 'b'])],
  });
}

export function say(
  chat: Chat,
  response: ServerResponse,
  content: string,
  calls: { name: string; arguments: string }[] = [],
): void {
  const toolCalls = calls.map((call, index) => ({ index, id: `m${index}`, type: 'function', function: call }));
  const reason = calls.length > 0 ? 'tool_calls' : 'stop';
  const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
  const head = { id: 'chat', created: 1, model: 'crash' };
  if (!chat.stream) {
    const message = {
      role: 'assistant',
      content: content || null,
      ...(calls.length > 0 ? { tool_calls: toolCalls } : {}),
    };
    return json(response, {
      ...head,
      object: 'chat.completion',
      choices: [{ index: 0, message, finish_reason: reason }],
      usage,
    });
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const chunk = (data: object) =>
    response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...data })}\n\n`);
  const delta = { role: 'assistant', content, ...(calls.length > 0 ? { tool_calls: toolCalls } : {}) };
  chunk({ choices: [{ index: 0, delta, finish_reason: null }] });
  chunk({ choices: [{ index: 0, delta: {}, finish_reason: reason }] });
  chunk({ choices: [], usage });
  response.end('data: [DONE]\n\n');
}

const body = {
  required: true,
  content: {
    'application/json': { schema: { type: 'object', required: ['what'], properties: { what: { type: 'string' } } } },
  },
};
const query = (name: string) => [{ name, in: 'query', required: true, schema: { type: 'string' } }];
const responses = { '200': { description: 'ok', content: { 'application/json': { schema: { type: 'object' } } } } };

export function crashBundle(shopUrl: string): Bundle {
  const agent = (name: string, strategy: 'react' | 'plan') => ({
    name,
    description: '',
    strategy,
    instructions: 'Do what is asked.',
    model: 'auto',
    tools: ['*', 'ask_user', 'sleep'],
    knowledge: [],
    facts: [],
    limits: {},
    timeZone: 'UTC',
  });
  return {
    v: 1,
    name: 'crash',
    agents: { react: agent('react', 'react'), plan: agent('plan', 'plan') },
    tools: {
      shop: {
        type: 'openapi',
        url: shopUrl,
        headers: {},
        idempotencyHeader: 'Idempotency-Key',
        prefix: '',
        document: {
          openapi: '3.1.0',
          info: { title: 'Shop', version: '1' },
          servers: [{ url: shopUrl }],
          paths: {
            '/look': { get: { operationId: 'look', parameters: query('what'), responses } },
            '/orders': { get: { operationId: 'findOrder', parameters: query('key'), responses } },
            '/reserve': { post: { operationId: 'reserve', requestBody: body, responses } },
            '/order': { post: { operationId: 'order', requestBody: body, responses } },
          },
        },
        tools: {
          reserve: { effect: 'keyed', tags: [], timeoutMs: 2_000 },
          // Not repeated on a guess: whether it happened is asked.
          order: {
            effect: 'irreversible',
            tags: [],
            timeoutMs: 2_000,
            probe: { tool: 'findOrder', arguments: { key: '$idempotencyKey' }, foundAt: 'order' },
          },
        },
      },
    },
    collections: {},
    policies: {},
  };
}
