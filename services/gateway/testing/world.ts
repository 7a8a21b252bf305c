/**
 * A gateway over a real nats-server, with an owner, a memory and a retriever that do what a test scripts: answer, be
 * silent, forget. They are the only stand-ins; bus, HTTP and clients are real.
 */
import {
  type ApprovalRecord,
  type Bundle,
  derivedRunId,
  derivedSessionId,
  type ForkBody,
  type InboundMessage,
  isEnd,
  type LateResult,
  type LiveMessage,
  newSessionId,
  type OwnerReply,
  OwnerRequest,
  type PreflightBody,
  partitionOf,
  type RunEntry,
  type ScheduleView,
  STREAMS,
  subjects,
  type Turn,
  TuttiError,
} from '@tutti/contracts';
import {
  type Bus,
  connectNatsBus,
  createBundleStore,
  createLogger,
  defineService,
  type StartedService,
  startService,
} from '@tutti/runtime';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { z } from 'zod';
import { createGatewayService, type GatewayOptions } from '../service.ts';
import type { Journal } from './entries.ts';

export const PARTITIONS = 4;
const bytes = new TextEncoder();
const text = new TextDecoder();
const log = createLogger({}, { level: process.env.TUTTI_TEST_LOG ?? 'silent' });

export const BUNDLE: Bundle = {
  v: 1,
  name: 'test',
  agents: {
    guide: {
      name: 'guide',
      description: 'Answers questions.',
      strategy: 'auto',
      instructions: 'SECRET INSTRUCTIONS',
      model: 'auto',
      tools: [],
      knowledge: [],
      facts: [],
      limits: {},
      timeZone: 'UTC',
    },
  },
  tools: {},
  collections: {},
  policies: {},
};

export class World {
  readonly nats: TestNats;
  readonly bus: Bus;
  /** Both know a journal; who is asked for what is up to the switches. */
  readonly journals = new Map<string, Journal>();
  readonly approvals = new Map<string, { record: ApprovalRecord; tenant: string }>();
  readonly turns: Turn[] = [];
  readonly late = new Map<string, LateResult[]>();
  readonly inbound: InboundMessage[] = [];
  readonly documents: { subject: string; body: Record<string, unknown> }[] = [];
  readonly asked: OwnerRequest[] = [];
  readonly forks: (z.output<typeof ForkBody> & { tenant: string })[] = [];
  readonly preflights: z.output<typeof PreflightBody>[] = [];
  schedules: { partition: number; view: ScheduleView }[] = [];
  /** `silent`: no answer. `firstKept`: versions below are gone from the owner. `knows`: runs that the owner holds; undefined: all. */
  owner: { silent: boolean; knows?: Set<string> | undefined; firstKept?: number } = { silent: false };
  memory: { silent: boolean; knows?: Set<string> | undefined } = { silent: false };
  onInbound: (message: InboundMessage) => void = () => {};
  #stops: (() => Promise<void> | void)[] = [];

  private constructor(nats: TestNats, bus: Bus) {
    this.nats = nats;
    this.bus = bus;
  }

  static async start(): Promise<World> {
    const nats = await startTestNats();
    const bus = await connectNatsBus({ url: nats.url, name: 'world', log });
    const world = new World(nats, bus);
    await world.#startServices();
    return world;
  }

  /** Forgets everything but the bundle. */
  reset(): void {
    for (const known of [this.journals, this.approvals, this.late]) known.clear();
    for (const list of [this.turns, this.inbound, this.documents, this.asked, this.forks, this.preflights])
      list.length = 0;
    this.schedules = [];
    this.owner = { silent: false };
    this.memory = { silent: false };
    this.onInbound = () => {};
  }

  async gateway(
    env: Record<string, string> = {},
    options: GatewayOptions = {},
  ): Promise<{ url: string; service: StartedService }> {
    let url = '';
    const onListening = (at: string) => {
      url = at;
      options.onListening?.(at);
    };
    const definition = createGatewayService({ ...options, onListening });
    const service = await startService(definition, {
      log,
      env: {
        ...this.#env(),
        TUTTI_PORT: '0',
        TUTTI_FOLLOW_POLL_MS: '200',
        TUTTI_READ_TIMEOUT_MS: '800',
        TUTTI_OWNER_TIMEOUT_MS: '400',
        ...env,
      },
    });
    this.#stops.push(() => service.stop());
    await until('the gateway to be ready', () => service.ready());
    return { url, service };
  }

  async apply(bundle: Bundle, tenant = 'default'): Promise<string> {
    return createBundleStore(() => this.bus.bucket('tutti_bundles')).apply(tenant, bundle);
  }

  add(journal: Journal): Journal {
    this.journals.set(journal.run, journal);
    return journal;
  }

  /** What the owner would publish. */
  live(journal: Journal, ...entries: RunEntry[]): void {
    this.#publish(journal, { v: 1, events: entries.map((entry) => ({ type: 'entry', entry })) });
  }
  token(journal: Journal, step: string, said: string, attempt = 1): void {
    const token = { type: 'token' as const, run: journal.run, callId: journal.callId(step), attempt, text: said };
    this.#publish(journal, { v: 1, events: [token] });
  }

  progress(journal: Journal, step: string, text: string): void {
    const event = { type: 'progress' as const, run: journal.run, callId: journal.callId(step), tool: 'slow', text };
    this.#publish(journal, { v: 1, events: [event] });
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.reverse()) await stop();
    await this.bus.close();
    await this.nats.stop();
  }

  #env(): Record<string, string> {
    return {
      NATS_URL: this.nats.url,
      TUTTI_DATA: this.nats.dataDir,
      TUTTI_PARTITIONS: String(PARTITIONS),
      TUTTI_DRAIN_TIMEOUT_MS: '500',
    };
  }

  #publish(journal: Journal, message: LiveMessage): void {
    this.bus.publish(subjects.live(journal.tenant, journal.start.root), bytes.encode(JSON.stringify(message)));
  }

  async #startServices(): Promise<void> {
    const memory = await startService(this.#memory(), { log, env: this.#env() });
    const retriever = await startService(this.#retriever(), { log, env: this.#env() });
    const planner = await startService(this.#planner(), { log, env: this.#env() });
    this.#stops.push(
      () => planner.stop(),
      () => memory.stop(),
      () => retriever.stop(),
    );
    for (let partition = 0; partition < PARTITIONS; partition++)
      this.bus.subscribe(subjects.owner(partition), ({ data, reply }) => {
        const answer = this.#ownerSays(OwnerRequest.parse(JSON.parse(text.decode(data))), partition);
        if (reply && answer) this.bus.publish(reply, bytes.encode(JSON.stringify(answer)));
      });
    const inbound = await this.bus.follow(STREAMS.inbound.name, ['tutti.in.>'], 1, ({ data }) => {
      const message = JSON.parse(text.decode(data)) as InboundMessage;
      this.inbound.push(message);
      this.onInbound(message);
    });
    const documents = await this.bus.follow(STREAMS.knowledge.name, ['tutti.kb.>'], 1, ({ data, subject }) => {
      this.documents.push({ subject, body: JSON.parse(text.decode(data)) });
    });
    this.#stops.push(
      () => inbound.stop(),
      () => documents.stop(),
    );
  }

  #ownerSays(request: OwnerRequest, at: number): OwnerReply | null {
    this.asked.push(request);
    if (this.owner.silent) return null;
    if (request.op === 'approval') {
      const found = this.approvals.get(request.approval);
      return found ? { op: 'approval', approval: found.record, tenant: found.tenant } : { op: 'unknown' };
    }
    if (request.op === 'session') return this.#session(request);
    if (request.op === 'schedules')
      return {
        op: 'schedules',
        schedules: this.schedules.filter(({ partition }) => partition === at).map(({ view }) => view),
      };
    if (request.op === 'load' || request.op === 'toolset') return { op: 'unknown' };
    const journal = this.journals.get(request.run);
    const holds = journal && (this.owner.knows === undefined || this.owner.knows.has(request.run));
    if (!holds) return { op: 'unknown' };
    switch (request.op) {
      case 'run':
        return { op: 'run', run: journal.view() };
      case 'entries': {
        const first = Math.max(request.after + 1, this.owner.firstKept ?? 1);
        const entries = journal.entries.slice(first - 1);
        return { op: 'entries', entries, complete: first === request.after + 1, status: journal.status };
      }
      case 'approvals': {
        const open = [...this.approvals.values()].map(({ record }) => record);
        return {
          op: 'approvals',
          approvals: open.filter((one) => one.run === request.run && one.status === 'pending'),
        };
      }
    }
  }

  #session({ tenant, session }: { tenant: string; session: string }): OwnerReply {
    const known = [...this.journals.values()].filter(
      (journal) => journal.tenant === tenant && journal.session === session && !isEnd(journal.entries.at(-1)!),
    );
    const [question = null] = known.flatMap((journal) => journal.openQuestions());
    return { op: 'session', active: known.map(({ run }) => run), queued: [], question };
  }

  /** Sets and removes schedules as an owner does; the next tick is a minute from now. */
  keepsSchedules(): void {
    this.onInbound = (message) => {
      const others = this.schedules.filter(({ view }) => view.id !== message.run);
      if (message.type === 'schedule_remove') this.schedules = others;
      if (message.type !== 'schedule_set') return;
      const nextAt = Date.now() + 60_000;
      const view = { ...message.schedule, nextAt, lastAt: null, lastRun: null, lastReason: null };
      this.schedules = [...others, { partition: partitionOf(message.run, PARTITIONS), view }];
    };
  }

  #planner() {
    return defineService({
      name: 'planner',
      config: z.object({}),
      start: async () => ({
        handlers: {
          state: async ({ run, version }) => {
            const journal = this.journals.get(run)!;
            if (version !== undefined && version > journal.entries.length)
              throw new TuttiError('invalid_request', `there is no version ${version}`);
            return { run, version: version ?? journal.entries.length, state: { phase: 'gather' } };
          },
          fork: async (body, { item }) => {
            this.forks.push({ tenant: item.tenant, ...body });
            const session = body.key === undefined ? newSessionId() : derivedSessionId(body.run, body.key);
            return { session, run: derivedRunId(session, body.run, body.key ?? session) };
          },
          preflight: async (body) => {
            this.preflights.push(body);
            const agent = 'guide';
            const reports = (body.runs ?? []).map((run, i) =>
              i === 0
                ? { run, agent, status: 'completed', verdict: 'same' as const }
                : {
                    run,
                    agent,
                    status: 'waiting',
                    verdict: 'diverges' as const,
                    step: 3,
                    reason: 'other instructions',
                  },
            );
            return { reports };
          },
        },
      }),
    });
  }

  #memory() {
    const known = (run: string, tenant: string) => {
      const journal = this.journals.get(run);
      const holds = this.memory.knows === undefined || this.memory.knows.has(run);
      return journal?.tenant === tenant && holds ? journal : undefined;
    };
    return defineService({
      name: 'memory',
      config: z.object({}),
      start: async () => ({
        handlers: {
          remember: async ({ turn }) => {
            this.turns.push(turn);
            return { stored: true as const };
          },
          read: async (body, { item }) => {
            if (this.memory.silent) return new Promise<never>(() => {});
            switch (body.op) {
              case 'run':
                return { op: 'run', run: known(body.run, item.tenant)?.view() ?? null };
              case 'journal': {
                const entries = known(body.run, item.tenant)?.entries ?? [];
                return { op: 'journal', entries: entries.filter(({ n }) => n > body.after).slice(0, body.limit) };
              }
              case 'runs': {
                const all = [...this.journals.values()].filter(({ tenant }) => tenant === item.tenant);
                const views = all.map((journal) => journal.view());
                const wanted = views.filter(
                  (view) =>
                    (!body.session || view.session === body.session) && (!body.status || view.status === body.status),
                );
                return { op: 'runs', runs: wanted.slice(0, body.limit) };
              }
              case 'approvals': {
                const all = [...this.approvals.values()].filter(({ tenant }) => tenant === item.tenant);
                const records = all.map(({ record }) => record);
                return {
                  op: 'approvals',
                  approvals: records.filter(
                    (one) => (!body.run || one.run === body.run) && (!body.status || one.status === body.status),
                  ),
                };
              }
              case 'approval': {
                const found = this.approvals.get(body.approval);
                return { op: 'approval', approval: found?.tenant === item.tenant ? found.record : null };
              }
              case 'late':
                return { op: 'late', results: known(body.run, item.tenant) ? (this.late.get(body.run) ?? []) : [] };
              case 'turns':
                return { op: 'turns', turns: this.turns.filter(({ session }) => session === body.session) };
            }
          },
        },
      }),
    });
  }

  #retriever() {
    return defineService({
      name: 'retriever',
      config: z.object({}),
      start: async () => ({
        handlers: {
          documents: async ({ collection, document }) => ({
            documents: this.documents
              .filter(({ body }) => body.collection === collection && (!document || body.id === document))
              .map(({ body }) => ({
                collection: body.collection as string,
                id: body.id as string,
                title: body.title as string,
                chunks: 1,
                revision: 1,
              })),
          }),
        },
      }),
    });
  }
}
