/** Several routers on a real bus, with bundles whose models are at one address, and a caller that asks them. */
import { BUCKETS, Bundle, ChatRequest, type CompleteResult, type Label, LiveMessage, subjects } from '@tutti/contracts';
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
import { startTestNats, type TestNats } from '@tutti/testkit';
import { routerService } from '../service.ts';

const log = createLogger({}, { level: process.env.TUTTI_TEST_LOG ?? 'silent' });

export type BundleChanges = Partial<Bundle> & { agent?: Partial<Bundle['agents'][string]> };

export class Routers {
  readonly nats: TestNats;
  readonly bus: Bus;
  readonly caller: Caller;
  readonly services: StartedService[] = [];
  #calls = 0;

  private constructor(nats: TestNats, bus: Bus) {
    this.nats = nats;
    this.bus = bus;
    this.caller = createCaller(bus, log);
  }

  static async start(count: number, modelUrl: string, env: Record<string, string> = {}): Promise<Routers> {
    const nats = await startTestNats();
    const routers = new Routers(nats, await connectNatsBus({ url: nats.url, name: 'test', log }));
    for (let i = 0; i < count; i++) await routers.add(modelUrl, env);
    return routers;
  }

  async add(modelUrl: string, env: Record<string, string> = {}): Promise<StartedService> {
    const own = { OPENAI_API_KEY: '', OPENAI_BASE_URL: '', TUTTI_MODEL: '', TUTTI_OFFLINE_FALLBACK: 'false' };
    const service = await startService(routerService, {
      env: { ...own, NATS_URL: this.nats.url, TUTTI_VAR_MODELS: modelUrl, TUTTI_BUNDLE_FRESH_MS: '50', ...env },
      log,
    });
    this.services.push(service);
    return service;
  }

  /** One agent `a`, and models `tiny` and `big` at the server. */
  async apply(tenant: string, { agent, ...changes }: BundleChanges = {}): Promise<string> {
    const model = (tier: 'small' | 'large', price: { input: number; output: number }) => ({
      providers: [{ provider: 'here' }],
      tier,
      price,
    });
    const bundle = Bundle.parse({
      v: 1,
      name: 'test',
      agents: { a: { name: 'a', instructions: 'Help.', model: 'tiny', ...agent } },
      tools: {},
      collections: {},
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of bundles
      providers: { here: { baseUrl: '${MODELS}' } },
      models: { tiny: model('small', { input: 1, output: 4 }), big: model('large', { input: 5, output: 20 }) },
      ...changes,
    });
    return createBundleStore(() => this.bus.bucket(BUCKETS.bundles)).apply(tenant, bundle);
  }

  complete(
    tenant: string,
    bundle: string,
    chat: Partial<ChatRequest> | string,
    more: {
      agent?: string;
      model?: string;
      label?: Label;
      principal?: string;
      run?: string;
      session?: string;
      live?: boolean;
      prompt?: unknown;
      callId?: string;
      signal?: AbortSignal;
    } = {},
  ): Promise<CompleteResult> {
    const { run = `run_${++this.#calls}`, session, callId, signal, ...body } = more;
    const asked = typeof chat === 'string' ? { messages: [{ role: 'user' as const, content: chat }] } : chat;
    return this.caller.call(
      'complete',
      {
        bundle,
        agent: 'a',
        model: 'tiny',
        chat: ChatRequest.parse({
          messages: [{ role: 'user', content: 'Hello' }],
          now: '2026-11-26T12:00:00Z',
          ...asked,
        }),
        ...body,
      } as Parameters<Caller['call']>[1] as never,
      { tenant, run, root: run, ...(session ? { session } : {}), callId, signal, timeoutMs: 30_000 },
    ) as Promise<CompleteResult>;
  }

  /** Text that is streamed for a run, as it comes. */
  watch(tenant: string, run: string): { pieces: string[]; stop(): void } {
    const pieces: string[] = [];
    const { stop } = this.bus.subscribe(subjects.live(tenant, run), ({ data }) => {
      for (const event of LiveMessage.parse(JSON.parse(new TextDecoder().decode(data))).events)
        if (event.type === 'token') pieces.push(event.text);
    });
    return { pieces, stop };
  }

  async stop(): Promise<void> {
    for (const service of this.services) await service.stop();
    this.caller.close();
    await this.bus.close();
    await this.nats.stop();
  }
}
