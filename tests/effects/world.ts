/** What a kill matrix runs on: Tutti as real processes, a target of its tools, and a model that calls the tool that it is told to. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Bundle, EffectKind } from '@tutti/contracts';
import { until } from '@tutti/testkit';
import { Fleet } from '../crash/fleet.ts';
import { type Chat, say, serve } from '../crash/outside.ts';
import { HeldLink, type Watch } from './held-link.ts';
import { type Effect, type Hold, type Order, type Report, readEffects } from './target.ts';

/** One attempt at a call: long enough for the matrix to get hold of it, short enough to be waited for when it is lost. */
const TOOL_TIMEOUT_MS = 4_000;

export class Target {
  readonly #file: string;
  #child: ChildProcess | undefined;
  #port = 0;
  #stopped: Effect[] = [];

  constructor(folder: string) {
    this.#file = join(folder, 'effects.jsonl');
  }
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }
  async up(): Promise<void> {
    const child = fork(join(import.meta.dirname, 'target.ts'), [this.#file, String(this.#port)]);
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the target ended with ${code}`)));
      child.on('message', (report: Report) => {
        if ('stopped' in report) return void this.#stopped.push(report.stopped);
        this.#port = report.up;
        resolve();
      });
    });
  }
  hold(hold: Hold): void {
    this.#stopped = [];
    const order: Order = { hold };
    if (this.#child?.connected) this.#child.send(order);
  }
  /** Stopped by `hold` since then. */
  get stopped(): readonly Effect[] {
    return this.#stopped;
  }
  get effects(): Effect[] {
    return readEffects(this.#file);
  }
  async down(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }
}

/** `call KIND WHAT`. */
const GOAL = /call (\S+) (\S+)\s*$/;

function answer(chat: Chat, response: Parameters<typeof say>[1]): void {
  const at = chat.messages.findLastIndex((message) => message.role === 'user');
  const [, kind = '', what = ''] = GOAL.exec(chat.messages[at]?.content ?? '') ?? [];
  const result = chat.messages.slice(at).find((message) => message.role === 'tool');
  if (!result) return say(chat, response, '', [{ name: kind, arguments: JSON.stringify({ what }) }]);
  say(chat, response, `done ${what}`);
}

const body = {
  required: true,
  content: {
    'application/json': { schema: { type: 'object', required: ['what'], properties: { what: { type: 'string' } } } },
  },
};
const responses = { '200': { description: 'ok', content: { 'application/json': { schema: { type: 'object' } } } } };
const post = (operationId: EffectKind) => ({ post: { operationId, requestBody: body, responses } });

function bundleFor(url: string): Bundle {
  const paths = {
    '/pure': post('pure'),
    '/keyed': post('keyed'),
    '/probeable': post('probeable'),
    '/irreversible': post('irreversible'),
    '/done': {
      get: {
        operationId: 'done',
        parameters: [{ name: 'key', in: 'query', required: true, schema: { type: 'string' } }],
        responses,
      },
    },
  };
  const tool = (effect: EffectKind) => ({ effect, tags: [], timeoutMs: TOOL_TIMEOUT_MS });
  return {
    v: 1,
    name: 'effects',
    agents: {
      clerk: {
        name: 'clerk',
        description: '',
        strategy: 'react',
        instructions: 'Do what is asked.',
        model: 'auto',
        tools: ['*'],
        knowledge: [],
        facts: [],
        limits: {},
        timeZone: 'UTC',
      },
    },
    tools: {
      target: {
        type: 'openapi',
        url,
        headers: {},
        idempotencyHeader: 'Idempotency-Key',
        prefix: '',
        document: { openapi: '3.1.0', info: { title: 'Target', version: '1' }, servers: [{ url }], paths },
        tools: {
          pure: tool('pure'),
          keyed: tool('keyed'),
          probeable: {
            ...tool('probeable'),
            probe: { tool: 'done', arguments: { key: '$idempotencyKey' }, foundAt: 'effect' },
          },
          irreversible: tool('irreversible'),
        },
      },
    },
    collections: {},
    policies: {},
  };
}

export interface World {
  fleet: Fleet;
  target: Target;
  /** Every message that was held up goes on. */
  letGo(): void;
  call<T>(method: string, path: string, body?: object): Promise<T>;
  stop(keep: boolean): Promise<void>;
}

export async function startWorld(watch: Watch): Promise<World> {
  const model = await serve('127.0.0.1', async (_request, text, response) => answer(JSON.parse(text), response));
  const links: HeldLink[] = [];
  const fleet = new Fleet({
    env: {
      OPENAI_BASE_URL: `${model.url}/v1`,
      OPENAI_API_KEY: 'none',
      TUTTI_MODEL: 'effects',
      // What is waited for when something is lost, short so that the matrix is not mostly waiting.
      TUTTI_TOOLS_PRIVATE_NETWORKS: '127.0.0.1',
      TUTTI_TOOLS_PEER_GONE_MS: '300',
      TUTTI_TOOLS_PROBE_SETTLE_MS: '500',
      TUTTI_TOOLS_PAUSE_MAX_MS: '500',
    },
    cluster: false,
    fsync: false,
    replicas: { planner: 1, retriever: 0 },
    async link(name, port) {
      const link = await new HeldLink(name, port, watch).start();
      links.push(link);
      return link;
    },
  });
  const target = new Target(fleet.folder);
  const world: World = {
    fleet,
    target,
    letGo: () => {
      for (const link of links) link.letGo();
    },
    async call<T>(method: string, path: string, json?: object): Promise<T> {
      const response = await fetch(`${fleet.url}${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(json ? { body: JSON.stringify(json) } : {}),
        signal: AbortSignal.timeout(8_000),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 300)}`);
      return JSON.parse(text) as T;
    },
    async stop(keep) {
      await fleet.stop(keep);
      await target.down();
      model.close();
    },
  };
  try {
    await target.up();
    await fleet.start();
    await until('the bundle to be applied', () =>
      world.call('POST', '/v1/bundles', bundleFor(target.url)).then(() => true),
    );
    return world;
  } catch (error) {
    await world.stop(false);
    throw error;
  }
}
