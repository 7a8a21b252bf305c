/** Those outside who want something: start runs, change their minds, decide approvals, answer questions, set schedules. */
import {
  type ApprovalRecord,
  BUCKETS,
  InboundMessage,
  newRunId,
  newSessionId,
  partitionOf,
  type QuestionRecord,
  type RunStart,
  Schedule,
  scheduleIdFor,
  subjects,
} from '@tutti/contracts';
import { type AppendOptions, type Bus, type Caller, createCaller, type Logger } from '@tutti/runtime';
import type { MemoryServer, Random, VirtualProcess } from '@tutti/testkit';
import { type AgentName, BUNDLE, BUNDLE_HASH, POISON, POISON_HASH } from './agents.ts';
import { RUBBISH, type SeenBatch } from './evidence.ts';

const TENANTS = ['acme', 'beta'] as const;
const AGENTS: readonly AgentName[] = [
  'answerer',
  'worker',
  'worker',
  'planner',
  'planner',
  'boss',
  'asker',
  'looper',
  'thinker',
];
const RETRY_MS = 250;
const SET_BY_THEN_MS = 15_000;
const FORK_TIMEOUT_MS = 20_000;
const SLEEPS_MAX_MS = 60_000;
const encoder = new TextEncoder();

export interface Plans {
  runs: number;
  /** Starts come until then, virtual ms. */
  untilMs: number;
  /** By then nobody wants anything new any more. */
  overMs: number;
  cancel: number;
  repeat: number;
  schedules: number;
  /** Messages that are none. */
  rubbish: number;
  /** Starts, instead of others, that the state machine cannot take. */
  poison: number;
  /** Forks that somebody makes of what has run so far. */
  forks: number;
}

export class People {
  readonly #server: MemoryServer;
  readonly #random: Random;
  readonly #partitions: number;
  readonly #process: VirtualProcess;
  readonly #bus: Bus;
  readonly #caller: Caller;
  #forks = 0;
  /** Things that somebody still means to do. */
  pending = 0;

  constructor(server: MemoryServer, partitions: number, log: Logger) {
    this.#server = server;
    this.#random = server.time.random;
    this.#partitions = partitions;
    this.#process = server.time.process('gateway');
    this.#bus = server.connect(this.#process);
    this.#caller = createCaller(this.#bus, log, this.#process.clock);
    const bundles = server.bucket(BUCKETS.bundles);
    for (const [hash, bundle] of Object.entries({ [BUNDLE_HASH]: BUNDLE, [POISON_HASH]: POISON }))
      bundles.put(`bundle.${hash}`, encoder.encode(JSON.stringify(bundle)));
    for (const tenant of TENANTS) bundles.put(`current.${tenant}`, encoder.encode(BUNDLE_HASH));
  }

  get #now(): number {
    return this.#process.clock.now();
  }

  #later(ms: number, action: () => void): void {
    this.pending++;
    this.#server.time.after(
      ms,
      () => {
        this.pending--;
        action();
      },
      this.#process,
    );
  }

  /** All that they will do of their own accord. */
  begin(plans: Plans): void {
    const random = this.#random;
    const sessions = Array.from({ length: 2 + random.below(3) }, () => ({
      tenant: random.pick(TENANTS),
      id: newSessionId(this.#now, random.bytes(16)),
    }));
    for (let i = 0; i < plans.runs; i++)
      this.#later(random.between(0, plans.untilMs), () => {
        const { tenant, id } = random.pick(sessions);
        if (i < plans.poison) this.#start(tenant, id, 'worker', plans, POISON_HASH);
        else this.#start(tenant, id, random.pick(AGENTS), plans);
      });
    for (let i = 0; i < plans.rubbish; i++) this.#later(random.between(0, plans.untilMs), () => this.#rubbish());
    for (let i = 0; i < plans.forks; i++)
      this.#later(random.between(plans.untilMs / 2, plans.overMs), () => this.#fork());
    if (random.chance(plans.schedules))
      this.#schedule(random.pick(TENANTS), random.between(0, plans.untilMs), plans.overMs);
  }

  #start(tenant: string, session: string, agent: AgentName, plans: Plans, bundle = BUNDLE_HASH): void {
    const random = this.#random;
    const run = newRunId(session, this.#now, random.bytes(16));
    const start: RunStart = {
      agent: random.chance(0.02) ? 'stranger' : agent,
      input: `goal of ${run}`,
      bundle: random.chance(0.02) ? 'no such bundle' : bundle,
      principal: { id: 'kim', roles: [] },
      limits: random.chance(0.1) ? { modelCallsMax: 1 + random.below(3) } : {},
      root: run,
      memorySession: session,
      depth: 0,
      parent: null,
      brief: null,
      live: random.chance(0.5),
      ...(random.chance(0.25) ? { whenBusy: random.pick(['reject', 'interrupt', 'parallel'] as const) } : {}),
      ...(random.chance(0.3) ? { onQuestion: 'end' as const } : {}),
    };
    const base = { v: 1 as const, tenant, session, run };
    const message: InboundMessage = { ...base, type: 'start', at: this.#now, start };
    this.#tell(message, run);
    // The same start once more, after its id may have been forgotten.
    if (random.chance(plans.repeat)) this.#later(random.between(0, 5_000), () => this.#tell(message));
    if (random.chance(plans.cancel))
      this.#later(random.chance(0.2) ? 0 : random.between(0, 6_000), () =>
        this.#tell({ ...base, type: 'cancel', at: this.#now, by: 'kim', reason: 'changed my mind' }),
      );
  }

  #schedule(tenant: string, atMs: number, overMs: number): void {
    const random = this.#random;
    const id = scheduleIdFor(tenant, 'often');
    const base = () => ({ v: 1 as const, tenant, session: id, run: id, at: this.#now });
    const schedule = Schedule.parse({
      id,
      name: 'often',
      timing: random.chance(0.3)
        ? { type: 'once', at: this.#now + random.between(1_000, 6_000) }
        : { type: 'cron', cron: `*/${2 + random.below(3)} * * * * *` },
      agent: 'answerer',
      input: 'as planned',
      session: random.chance(0.3) ? newSessionId(this.#now, random.bytes(16)) : null,
      principal: { id: 'kim' },
      missed: random.pick(['skip', 'catch_up']),
      graceMs: random.pick([0, 500, 60_000]),
      overlap: random.pick(['skip', 'parallel', 'cancel_previous']),
    });
    this.#later(atMs, () => this.#tell({ ...base(), type: 'schedule_set', schedule }));
    const remove = () => this.#tell({ ...base(), type: 'schedule_remove' }, undefined, 1);
    this.#later(atMs + random.between(2_000, 8_000), remove);
    // It may have been set only after that.
    this.#later(overMs + SET_BY_THEN_MS, remove);
  }

  #rubbish(): void {
    const random = this.#random;
    const large = '"'.repeat(this.#bus.payloadBytesMax);
    const text = random.pick(['{', 'null', '[]', '{"v":1,"type":"start"}', '{"v":1,"type":"nothing known"}', large]);
    const subject = subjects.inbound(random.below(this.#partitions), random.pick(TENANTS), 'ses_x', RUBBISH);
    this.#append(subject, encoder.encode(text), {}, () => this.#later(RETRY_MS, () => this.#rubbish()));
  }

  /** From some version of some run; whoever asks for one that cannot be is told so. */
  #fork(): void {
    const random = this.#random;
    const known = [...this.lengths];
    if (known.length === 0) return;
    const [run, length] = random.pick(known);
    const version = 1 + random.below(length);
    const name = `fork-${++this.#forks}`;
    this.pending++;
    const over = () => void this.pending--;
    this.#caller
      .call(
        'fork',
        {
          run,
          version,
          changes: random.chance(0.3) ? { input: 'otherwise' } : {},
          effects: random.pick(['approve', 'block']),
          principal: { id: 'kim' },
          key: name,
        },
        { callId: `call_${name}`, tenant: this.#tenantOf(run), timeoutMs: FORK_TIMEOUT_MS },
      )
      .then(over, over);
  }

  /** They see what the log says, and react to it in their own time. */
  saw({ batch }: SeenBatch): void {
    for (const entry of batch.entries) {
      this.lengths.set(entry.run, entry.n);
      if (entry.type === 'approval.requested') this.#decide(entry.approval);
      if (entry.type === 'question.asked') this.#answer(entry.question);
      if (entry.type === 'sleep.started') this.#sleeps.set(`${entry.run} ${entry.callId}`, entry.until);
      if (entry.type === 'sleep.ended') this.#sleeps.delete(`${entry.run} ${entry.callId}`);
      if (entry.type === 'run.forked') this.#forked(entry.run, entry.at);
    }
  }

  /** The sleeps of a run may end hours later by the clock of its fork, where that of its planner was set forward. Nobody waits for those. */
  #forked(run: string, at: number): void {
    const long = [...this.#sleeps].some(([key, until]) => key.startsWith(`${run} `) && until - at > SLEEPS_MAX_MS);
    if (!long) return;
    const tenant = this.#tenantOf(run);
    const session = this.sessions.get(run)!;
    const message = { v: 1 as const, tenant, session, run, at, type: 'cancel' as const };
    this.#later(RETRY_MS, () => this.#tell({ ...message, by: 'kim', reason: 'it sleeps for too long' }, undefined, 1));
  }

  #decide(approval: ApprovalRecord): void {
    const random = this.#random;
    // Nobody, one person, or two who do not know of each other.
    const people = random.chance(0.1) ? 0 : random.chance(approval.quorum === 2 ? 0.8 : 0.15) ? 2 : 1;
    for (let i = 0; i < people; i++)
      this.#later(this.#thinksMs(), () =>
        this.#tell({
          ...this.#addressed(approval),
          type: 'approve',
          approval: approval.id,
          decision: random.chance(0.8) ? 'approve' : 'deny',
          by: `person ${i}`,
        }),
      );
  }

  #answer(question: QuestionRecord): void {
    if (this.#random.chance(0.1)) return;
    const times = this.#random.chance(0.15) ? 2 : 1;
    for (let i = 0; i < times; i++)
      this.#later(this.#thinksMs(), () =>
        this.#tell({
          ...this.#addressed(question),
          type: 'input',
          question: question.id,
          text: `this ${i}`,
          by: 'kim',
        }),
      );
  }

  #addressed(record: ApprovalRecord | QuestionRecord) {
    const tenant = this.#tenantOf(record.waitingRun);
    return { v: 1 as const, tenant, session: record.session, run: record.waitingRun, at: this.#now };
  }
  #tenantOf(run: string): string {
    const known = this.tenants.get(run);
    if (!known) throw new Error(`nobody knows whose run ${run} is`);
    return known;
  }
  readonly tenants = new Map<string, string>();
  readonly sessions = new Map<string, string>();
  /** Sleeps under way, by run and call. */
  readonly #sleeps = new Map<string, number>();
  /** Entries that each run has, as far as they have seen. */
  readonly lengths = new Map<string, number>();

  /** Mostly soon; sometimes just about when it expires. */
  #thinksMs(): number {
    const random = this.#random;
    return random.chance(0.15) ? random.between(14_500, 15_500) : random.between(10, 4_000);
  }

  /** Until the bus has it; an impatient client does not ask a second time. */
  #tell(message: InboundMessage, messageId?: string, patience = 0.8): void {
    const subject = subjects.inbound(
      partitionOf(message.session, this.#partitions),
      message.tenant,
      message.session,
      message.run,
    );
    const data = encoder.encode(JSON.stringify(InboundMessage.parse(message)));
    this.#append(subject, data, messageId === undefined ? {} : { messageId }, () => {
      if (this.#random.chance(patience)) this.#later(RETRY_MS, () => this.#tell(message, messageId, patience));
    });
  }

  #append(subject: string, data: Uint8Array, options: AppendOptions, failed: () => void): void {
    this.pending++;
    const over = () => void this.pending--;
    this.#bus.append(subject, data, options).then(over, () => {
      over();
      failed();
    });
  }
}
