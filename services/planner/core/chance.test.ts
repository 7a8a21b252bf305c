/**
 * Everything that the core can do, mixed by chance: strategies, helpers, questions, sleeps, approvals, cancels, all ways
 * of a busy session, parking, admission, schedules, crashes before and after the append. A seed decides everything.
 */
import {
  contentHash,
  InboundMessage,
  isEnd,
  LogBatch,
  newRunId,
  newSessionId,
  partitionOf,
  RunEntry,
  type RunStart,
  type Schedule,
  scheduleIdFor,
  type WhenBusy,
} from '@tutti/contracts';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { testBundle, tool } from '../test-support.ts';
import { agentFor, Decider, type Environment, type Input, neededRuns } from './decide.ts';
import { isEnding } from './fork.ts';
import { preflight } from './preflight.ts';
import { startParking } from './rebuild.ts';
import { applyBatch } from './replay.ts';
import { requestOf } from './requests.ts';
import { loadState, saveParked, saveState } from './save.ts';
import { emptyState, isActive, isEnded, type PartitionState, type RunState } from './state.ts';

const PARTITIONS = 2;
const TURNS_MAX = 6_000;
const PARK_AFTER_MS = 2_000;
const TENANTS = ['acme', 'umbrella'];
const bundle = testBundle({ limits: { wallTimeMs: 3_600_000, modelCallsMax: 60, toolCallsMax: 60 } });
const helper = bundle.agents.helper!;
for (const strategy of ['direct', 'react', 'plan', 'auto'] as const)
  bundle.agents[strategy] = {
    ...helper,
    name: strategy,
    strategy,
    tools: ['*', 'ask_user', 'sleep'],
    agents: ['helper'],
  };
const otherWords = structuredClone(bundle);
for (const agent of Object.values(otherWords.agents)) agent.instructions = 'Say something else.';
const AGENTS = ['helper', 'direct', 'react', 'plan', 'auto'];
const bundleHash = contentHash(bundle);
const tools = [tool('look'), tool('act', 'irreversible')];

function random(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

class World {
  now = 1_000_000;
  readonly chance: () => number;
  readonly inbound: { sequence: number; message: InboundMessage }[][] = Array.from({ length: PARTITIONS }, () => []);
  readonly logs: LogBatch[][] = Array.from({ length: PARTITIONS }, () => []);
  readonly states: PartitionState[] = Array.from({ length: PARTITIONS }, () => this.#armed(emptyState()));
  readonly read: number[] = Array(PARTITIONS).fill(0);
  readonly entries: RunEntry[] = [];
  readonly effects = new Map<string, number>();
  readonly started = new Set<string>();
  /** Snapshots by partition and sequence. */
  readonly parkedAt: Map<number, Record<string, unknown>>[] = Array.from({ length: PARTITIONS }, () => new Map());
  #parkSequence = 0;
  parkings = 0;
  readonly prefixes = new Map<string, RunEntry[]>();
  results: { partition: number; input: Input }[] = [];
  readonly env: Environment;
  quiet = false;

  constructor(seed: number) {
    this.chance = random(seed);
    const world = this;
    this.env = {
      get now() {
        return world.now;
      },
      bundle: (hash) => (hash === bundleHash ? bundle : undefined),
      admission: { activeRunsMax: 4, tenantActiveRunsMax: 3, queuedRunsMax: 100 },
      nextTick: (timing, after) => (timing.type === 'once' ? null : (Math.floor(after / 20_000) + 1) * 20_000),
    };
  }

  #armed(state: PartitionState): PartitionState {
    startParking(state, PARK_AFTER_MS, 0);
    return state;
  }

  oneOf<T>(list: readonly T[]): T {
    return list[Math.floor(this.chance() * list.length)]!;
  }

  post(message: InboundMessage): void {
    const partition = partitionOf(message.session, PARTITIONS);
    const log = this.inbound[partition]!;
    log.push({ sequence: log.length + 1, message: InboundMessage.parse(JSON.parse(JSON.stringify(message))) });
  }

  bytes(): Uint8Array {
    return Uint8Array.from({ length: 16 }, () => Math.floor(this.chance() * 256));
  }

  start(session = newSessionId(this.now, this.bytes()), whenBusy?: WhenBusy): { id: string; session: string } {
    const id = newRunId(session, this.now, this.bytes());
    const start: RunStart = {
      agent: this.oneOf(AGENTS),
      input: this.oneOf(['go', 'what is it', 'find it and then book it']),
      bundle: bundleHash,
      principal: { id: 'x', roles: [] },
      limits: {},
      root: id,
      memorySession: session,
      depth: 0,
      parent: null,
      brief: null,
      live: false,
      ...(whenBusy ? { whenBusy } : {}),
      ...(this.chance() < 0.2 ? { onQuestion: 'end' as const } : {}),
    };
    // Some are given little: they have to end in order all the same.
    if (this.chance() < 0.3)
      start.limits = this.oneOf([
        { modelCallsMax: 2 },
        { toolCallsMax: 1 },
        { tokensMax: 3 },
        { costUsdMax: 0.0015 },
        { stepsMax: 6 },
        { childrenMax: 1 },
        { depthMax: 0 },
        { plansMax: 1 },
        { wallTimeMs: 1_500 },
        { journalEntriesMax: 24 },
        { questionTtlMs: 500, approvalTtlMs: 500, sleepMaxMs: 1_000 },
      ]);
    this.started.add(id);
    const message: InboundMessage = {
      v: 1,
      type: 'start',
      tenant: this.oneOf(TENANTS),
      session,
      run: id,
      at: this.now,
      start,
    };
    this.post(message);
    if (this.chance() < 0.2) this.post(message);
    return { id, session };
  }

  /** Forks a run that is, or was, under way, from any version before its end. */
  fork(): void {
    const byRun = Map.groupBy(this.entries, (entry) => entry.run);
    const entries = this.oneOf([...byRun.values()]);
    const [accepted] = entries;
    if (accepted?.type !== 'run.accepted') return;
    const ending = entries.findIndex(isEnding);
    const most = ending < 0 ? entries.length : ending;
    const version = 1 + Math.floor(this.chance() * most);
    if (version > most) return;
    const session = newSessionId(this.now, this.bytes());
    const run = newRunId(session, this.now, this.bytes());
    const forked = entries.slice(0, version).findLast((entry) => entry.type === 'run.forked');
    const before = forked?.type === 'run.forked' ? forked.start : accepted.start;
    const effects = this.oneOf(['approve', 'block'] as const);
    const start: RunStart = {
      ...before,
      ...(this.chance() < 0.3 ? { input: 'something else and then more' } : {}),
      effects,
      recallBefore: accepted.at,
      root: run,
      memorySession: session,
      depth: 0,
      parent: null,
      fork: { run: accepted.run, version, effects, blob: 'b', memorySession: before.memorySession },
    };
    this.prefixes.set(run, structuredClone(entries.slice(0, version)));
    this.started.add(run);
    this.post({ v: 1, type: 'start', tenant: accepted.tenant, session, run, at: this.now, start });
  }

  schedule(): void {
    const id = scheduleIdFor('acme', 'nightly');
    const schedule: Schedule = {
      id,
      name: 'nightly',
      timing: { type: 'cron', cron: '* * * * *', timeZone: 'UTC' },
      agent: 'react',
      input: 'tick',
      session: null,
      limits: {},
      principal: { id: 'x', roles: [] },
      missed: this.oneOf(['skip', 'catch_up'] as const),
      graceMs: 5_000,
      overlap: this.oneOf(['skip', 'parallel', 'cancel_previous'] as const),
      paused: false,
    };
    this.post({ v: 1, type: 'schedule_set', tenant: 'acme', session: id, run: id, at: this.now, schedule });
  }

  unschedule(): void {
    const id = scheduleIdFor('acme', 'nightly');
    this.post({ v: 1, type: 'schedule_remove', tenant: 'acme', session: id, run: id, at: this.now });
  }

  replay(partition: number): PartitionState {
    const state = emptyState();
    for (const batch of this.logs[partition]!) applyBatch(state, batch);
    return state;
  }

  crash(partition: number): void {
    const fresh = this.replay(partition);
    const state = this.#armed(this.chance() < 0.5 ? loadState(saveState(fresh)) : fresh);
    this.states[partition] = state;
    this.read[partition] = state.readUpTo;
    this.results = this.results.filter((result) => result.partition !== partition || this.chance() < 0.3);
    for (const run of state.runs.values())
      if (isActive(run)) for (const callId of Object.keys(run.open)) this.send(partition, run.id, callId);
    for (const letter of state.outbox.values()) this.deliver(partition, letter.key);
  }

  /** What the shell does before a round: states of parked runs in front, parkings at the end. */
  complete(partition: number, inputs: Input[], wanted: Set<string>): Input[] {
    const state = this.states[partition]!;
    const parked = inputs.filter((input) => input.kind === 'parked');
    const others = inputs.filter((input) => input.kind !== 'parked');
    for (const input of others) for (const run of neededRuns(state, input, this.env.bundle)) wanted.add(run);
    const states = [...wanted].flatMap((run): Input[] => {
      const known = state.parked.get(run);
      if (!known) return [];
      const snapshot = this.parkedAt[partition]!.get(known.sequence)?.[run];
      return [{ kind: 'unparked', run, snapshot: structuredClone(snapshot) }];
    });
    return [...states, ...others, ...parked];
  }

  step(partition: number, inputs: Input[], wanted = new Set<string>()): void {
    const state = this.states[partition]!;
    const decider = new Decider(state, this.env);
    for (const input of this.complete(partition, inputs, wanted)) decider.take(input);
    const batch = LogBatch.parse(
      JSON.parse(
        JSON.stringify({
          v: 1,
          epoch: 0,
          owner: 'test',
          readUpTo: state.readUpTo,
          at: this.now,
          delivered: decider.delivered,
          partition: decider.partitionEntries,
          entries: decider.entries,
        }),
      ),
    );
    if (!this.quiet && this.chance() < 0.03) return this.crash(partition);
    this.logs[partition]!.push(batch);
    this.entries.push(...batch.entries);
    if (!this.quiet && this.chance() < 0.03) return this.crash(partition);
    for (const { run, callId } of decider.toSend) this.send(partition, run, callId);
    for (const letter of [...state.outbox.values()]) this.deliver(partition, letter.key);
    this.park(partition, decider.toPark);
    for (const { id, dueAt } of decider.ticks)
      this.results.push({ partition, input: { kind: 'tick_of_schedule', id, dueAt, bundle: bundleHash } });
    if (decider.wanted.length > 0) this.step(partition, [{ kind: 'tick' }], new Set(decider.wanted));
  }

  park(partition: number, runs: string[]): void {
    const state = this.states[partition]!;
    const found = runs.flatMap((id) => state.runs.get(id) ?? []);
    if (found.length === 0) return;
    const sequence = ++this.#parkSequence;
    const snapshots = Object.fromEntries(found.map((run) => [run.id, JSON.parse(JSON.stringify(saveParked(run)))]));
    this.parkedAt[partition]!.set(sequence, snapshots);
    const versions = found.map((run) => ({ run: run.id, version: run.version }));
    this.results.push({ partition, input: { kind: 'parked', runs: versions, sequence } });
    this.parkings++;
  }

  deliver(partition: number, key: string): void {
    const letter = this.states[partition]!.outbox.get(key);
    if (letter && (this.quiet || this.chance() < 0.8)) {
      if (letter.kind === 'inbound') this.post(letter.message);
      if (this.quiet || this.chance() < 0.8) this.results.push({ partition, input: { kind: 'delivered', key } });
    }
  }

  send(partition: number, runId: string, callId: string): void {
    const state = this.states[partition]!;
    const run = state.runs.get(runId);
    if (!run || !isActive(run)) return;
    const open = run.open[callId];
    if (!open || open.notBefore > this.now) return;
    const agent = agentFor(bundle, run)!;
    const request = JSON.parse(JSON.stringify(requestOf(state, run, open, agent, bundle)));
    const come = (outcome: Extract<Input, { kind: 'result' }>['outcome']) => {
      const input: Input = { kind: 'result', run: runId, callId, outcome };
      this.results.push({ partition, input });
      if (this.chance() < 0.15) this.results.push({ partition, input });
    };
    if (!this.quiet && this.chance() < 0.08)
      return come({ ok: false, error: { code: 'timeout', message: 'slow', retryable: true } });
    come({ ok: true, body: this.answer(request, callId) });
  }

  answer(request: { verb: string; body: Record<string, unknown> & { chat: never } }, callId: string): unknown {
    switch (request.verb) {
      case 'recall':
        return { turns: [], summary: null, facts: [] };
      case 'search':
        return { passages: [] };
      case 'remember':
        return { stored: true };
      case 'describe':
        return { hash: contentHash(tools), tools, problems: [] };
      case 'execute': {
        const effect = request.body.tool === 'act';
        const approval = {
          status: 'approval_required',
          reason: 'r',
          policy: 'p',
          arguments: {},
          argumentsHash: 'h',
          effect: 'irreversible',
          expiresInMs: this.chance() < 0.5 ? 3_000 : 600_000,
        };
        if (effect && !request.body.approval) return approval;
        if (effect) this.effects.set(callId, (this.effects.get(callId) ?? 0) + 1);
        return {
          status: 'done',
          content: '{}',
          isError: false,
          effect: effect ? 'irreversible' : 'pure',
          replayed: false,
        };
      }
      default:
        return this.model(request.body.chat);
    }
  }

  model(chat: {
    tools: { name: string }[];
    messages: { role: string }[];
    toolChoice: string;
    responseFormat: { type: string };
  }) {
    const made = chat.messages.filter((message) => message.role === 'tool').length;
    const message = (content: string | null, calls: { name: string; arguments: object }[] = []) => ({
      message: {
        role: 'assistant',
        content,
        ...(calls.length > 0 ? { toolCalls: calls.map((call, index) => ({ id: `c${index}`, ...call })) } : {}),
      },
      finishReason: calls.length > 0 ? 'tool_calls' : 'stop',
      usage: { inputTokens: 1, outputTokens: 1 },
      model: 'm',
      provider: 'p',
      degraded: false,
      costUsd: 0.001,
      attempts: [],
      candidates: [],
    });
    if (chat.responseFormat.type === 'json_schema') return message(this.planText());
    if (chat.toolChoice === 'none' || chat.tools.length === 0 || made > 4 || this.chance() < 0.4)
      return message('done');
    const count = 1 + Math.floor(this.chance() * 3);
    return message(
      null,
      Array.from({ length: count }, () => this.call(this.oneOf(chat.tools).name)),
    );
  }

  planText(): string {
    const roll = this.chance();
    if (roll < 0.1) return 'not a plan';
    if (roll < 0.25) return JSON.stringify({ reason: 'r', question: 'Where to?', tasks: [] });
    if (roll < 0.35) return JSON.stringify({ reason: 'r', question: null, tasks: [] });
    const task = (id: string, dependsOn: string[]) => ({
      id,
      goal: id,
      tools: ['look', 'act'],
      dependsOn,
      agent: this.chance() < 0.2 ? 'helper' : null,
    });
    return JSON.stringify({
      reason: 'r',
      question: null,
      tasks: [task('a', []), task('b', []), task('c', ['a', 'b'])],
    });
  }

  call(name: string): { name: string; arguments: object } {
    const wrong = this.chance() < 0.1;
    const given: Record<string, object> = {
      ask_user: { question: 'Which one?' },
      sleep: { seconds: this.oneOf([0.5, 5, 60]) },
      delegate: { agent: 'helper', task: 'look' },
      hand_over: { agent: 'helper', reason: 'better' },
      report_problem: { reason: 'not as planned' },
    };
    return { name, arguments: wrong ? {} : (given[name] ?? { n: 1 }) };
  }

  /** People decide, answer and cancel. */
  people(): void {
    for (const [partition, state] of this.states.entries()) {
      const parked = [...state.parked.values()].flatMap((known) => {
        const snapshot = this.parkedAt[partition]!.get(known.sequence)?.[known.id] as { run: RunState } | undefined;
        return snapshot ? [snapshot.run] : [];
      });
      for (const run of [...state.runs.values(), ...parked]) {
        if (!isActive(run)) continue;
        const base = { v: 1 as const, tenant: run.tenant, session: run.session, run: run.id, at: this.now };
        for (const approval of run.approvals) {
          if (approval.status !== 'pending' || this.chance() > 0.2) continue;
          const decision = this.oneOf(['approve', 'deny'] as const);
          this.post({ ...base, type: 'approve', approval: approval.id, decision, by: 'kim' });
        }
        for (const question of Object.values(run.questions))
          if (this.chance() < 0.2)
            this.post({ ...base, type: 'input', question: question.id, text: 'Rome', by: 'kim' });
        if (!this.quiet && this.chance() < 0.005) this.post({ ...base, type: 'cancel', by: 'kim', reason: 'enough' });
      }
    }
  }

  turn(): boolean {
    this.now += Math.floor(this.chance() * (this.quiet ? 5_000 : 200));
    const partition = Math.floor(this.chance() * PARTITIONS);
    if (!this.quiet && this.chance() < 0.01) this.crash(partition);
    const inputs: Input[] = [];
    const waiting = this.inbound[partition]!;
    while (this.read[partition]! < waiting.length && this.chance() < 0.8) {
      const { sequence, message } = waiting[this.read[partition]!]!;
      this.read[partition]!++;
      const entries = structuredClone(this.prefixes.get(message.run));
      const prefix = entries && { v: 1, entries, toolset: { hash: contentHash(tools), tools } };
      inputs.push({ kind: 'inbound', sequence, message, prefix });
    }
    this.results = this.results.filter((result) => {
      if (result.partition !== partition || this.chance() < 0.3) return true;
      inputs.push(result.input);
      return false;
    });
    if (this.states[partition]!.due.peek(this.now)) inputs.push({ kind: 'tick' });
    if (inputs.length > 0) this.step(partition, inputs);
    // Letters that got lost on their way are posted again.
    for (const letter of this.states[partition]!.outbox.values())
      if (this.chance() < 0.1) this.deliver(partition, letter.key);
    return this.busy;
  }

  get busy(): boolean {
    return (
      this.results.length > 0 ||
      this.inbound.some((list, index) => this.read[index]! < list.length) ||
      this.states.some(
        (state) =>
          state.parked.size > 0 || state.outbox.size > 0 || [...state.runs.values()].some((run) => !isEnded(run)),
      )
    );
  }
}

/** What is derived, as plain data. */
function derived(state: PartitionState, now: number) {
  const due = state.due
    .all()
    // What has come due is out of the heap, while what it leads to may still be on its way.
    .filter(({ kind, at }) => kind !== 'park' && at > now)
    .map(({ owner, kind, id, at }) => `${owner} ${kind} ${id} ${at}`)
    .sort();
  const tenants = [...state.tenants]
    .filter(([, known]) => known.active + known.queued + known.ready.size > 0)
    .map(([name, known]) => [name, known.active, known.queued, [...known.ready].sort()])
    .sort();
  return {
    due,
    tenants,
    activeRoots: state.activeRoots,
    readyRuns: state.readyRuns,
    parkedIn: [...state.parkedIn].sort(),
  };
}

function judge(world: World): void {
  const byRun = new Map<string, RunEntry[]>();
  for (const entry of world.entries) byRun.set(entry.run, [...(byRun.get(entry.run) ?? []), RunEntry.parse(entry)]);
  for (const id of world.started) expect(byRun.has(id)).toBe(true);
  for (const entries of byRun.values()) {
    expect(entries.map((entry) => entry.n)).toEqual(entries.map((_, index) => index + 1));
    expect(entries.filter(isEnd)).toHaveLength(1);
    expect(isEnd(entries.at(-1)!)).toBe(true);
    const outcomes = entries.flatMap((entry) =>
      entry.type === 'step.completed' || entry.type === 'step.failed' ? [entry.callId] : [],
    );
    expect(new Set(outcomes).size).toBe(outcomes.length);
    expect(entries.filter((entry) => entry.type === 'plan.made').length).toBeLessThanOrEqual(3);
    judgeLimits(entries);
  }
  for (const state of world.states) {
    expect(state.sessions.size).toBe(0);
    expect(state.activeRoots).toBe(0);
    expect(state.readyRuns).toBe(0);
    expect(state.approvals.size).toBe(0);
  }
}

/** Entries that an end may take, with what one more turn asked for. */
const ENDING_MAX = 12;

/** A call that is under way is let finish: the run and each run below it may pass a limit by one call's worth (here two tokens, 0.001 dollars). */
function judgeLimits(entries: RunEntry[]): void {
  const [accepted] = entries;
  const end = entries.at(-1)!;
  if (accepted?.type !== 'run.accepted' || !('usage' in end)) return;
  const { limits } = accepted;
  expect(end.usage.modelCalls).toBeLessThanOrEqual(limits.modelCallsMax);
  expect(end.usage.toolCalls).toBeLessThanOrEqual(limits.toolCallsMax);
  const below = entries.filter((entry) => entry.type === 'child.started').length;
  expect(end.usage.inputTokens + end.usage.outputTokens).toBeLessThan(limits.tokensMax + 2 * (1 + below));
  expect(end.usage.costUsd).toBeLessThan(limits.costUsdMax + 0.001 * (1 + below) + 1e-9);
  expect(below).toBeLessThanOrEqual(limits.childrenMax);
  expect(entries.filter((entry) => entry.type === 'step.requested').length).toBeLessThanOrEqual(limits.stepsMax + 1);
  expect(entries.length).toBeLessThanOrEqual(limits.journalEntriesMax + ENDING_MAX);
}

/** Every run comes out the same when its journal is decided again under its own bundle; forks of it begin as it did. */
function judgeJournals(world: World): void {
  const byRun = Map.groupBy(world.entries, (entry) => entry.run);
  const under = { toolsets: new Map([[contentHash(tools), tools]]), tools };
  for (const entries of byRun.values()) {
    const prefix = world.prefixes.get(entries[0]!.run);
    if (prefix) {
      const plain = ({ n, at, type, ...rest }: RunEntry) => [n, at, type, 'callId' in rest ? rest.callId : ''];
      expect(entries.slice(0, prefix.length).map(plain)).toEqual(prefix.map(plain));
    }
    const same = preflight(entries, { ...under, before: bundle, after: bundle, afterHash: bundleHash });
    expect({ run: entries[0]!.run, ...same }).toEqual({ run: entries[0]!.run, verdict: 'same' });
    // With other instructions the first call of a model is where it parts.
    const steps = entries.flatMap((entry) => (entry.type === 'step.requested' ? [entry] : []));
    const other = preflight(entries, { ...under, before: bundle, after: otherWords, afterHash: 'other' });
    const begun = prefix?.length ?? 0;
    // one that a limit stops in the same breath is never sent
    const isStopped = (entry: RunEntry | undefined, at: number) =>
      entry?.type === 'run.cancelling' && entry.at === at && entry.reason.startsWith('the run reached');
    const isCall = ({ n, at, step }: (typeof steps)[number]) =>
      n > begun && step.kind === 'complete' && !isStopped(entries[n], at);
    const call = steps.findIndex(isCall) + 1;
    expect(other).toMatchObject(call > 0 ? { verdict: 'diverges', step: call } : { verdict: 'same' });
  }
}

function judgeStates(world: World): void {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const live = world.states[partition]!;
    expect(derived(live, world.now)).toEqual(derived(loadState(saveState(live)), world.now));
    for (const known of live.tenants.values()) expect(known.active).toBeGreaterThanOrEqual(0);
    const replayed = world.replay(partition);
    // A batch holds the partition's own entries before those of runs: letters may be in another order, which means nothing.
    const same = (state: PartitionState) => {
      const outbox = new Map([...state.outbox].sort(([a], [b]) => (a < b ? -1 : 1)));
      return JSON.parse(saveState({ ...state, outbox, readUpTo: 0 }));
    };
    expect(same(replayed)).toEqual(same(live));
  }
}

const SEEDS = Number(process.env.TUTTI_CHANCE_SEEDS ?? 80);
// Twenty times what it takes: the machine may have other work.
vi.setConfig({ testTimeout: Math.max(180_000, SEEDS * 3_000) });

describe('whatever happens', () => {
  test('every run ends once, places and times are given back, and the log gives the state back', () => {
    let [parkings, forks] = [0, 0];
    const property = fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (seed) => {
      const world = new World(seed);
      const modes = [undefined, 'queue', 'reject', 'interrupt', 'parallel'] as const;
      const sessions = Array.from({ length: 3 }, () => newSessionId(world.now, world.bytes()));
      if (world.chance() < 0.3) world.schedule();
      let turns = 0;
      while (turns++ < TURNS_MAX) {
        world.quiet = turns > 400;
        if (turns < 100 && world.chance() < 0.12) world.start(world.oneOf(sessions), world.oneOf(modes));
        if (turns === 300) world.unschedule();
        if (turns > 60 && turns < 250 && world.chance() < 0.03 && world.entries.length > 0) world.fork();
        if (world.chance() < 0.3) world.people();
        if (turns % 97 === 0) judgeStates(world);
        if (!world.turn() && turns > 400) break;
      }
      const open = world.states.flatMap((state) => [...state.runs.values()].filter((run) => !isEnded(run)));
      expect(open.map((run) => [run.id, run.status, isActive(run) ? run.phase : ''])).toEqual([]);
      judge(world);
      judgeStates(world);
      judgeJournals(world);
      parkings += world.parkings;
      forks += world.entries.filter((entry) => entry.type === 'run.forked').length;
    });
    fc.assert(property, { numRuns: SEEDS });
    expect([parkings > 0, forks > 0]).toEqual([true, true]);
  });
});
