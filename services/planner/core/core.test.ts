/**
 * The pure core under chance: partitions whose owners are dropped and replayed at any moment, inputs that come twice,
 * late or never. A seed decides everything, so that a failure can be run again.
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
  type RunView,
  type ToolDefinition,
} from '@tutti/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { testBundle, tool } from '../test-support.ts';
import { Decider, type Environment, type Input, NO_ADMISSION_LIMITS } from './decide.ts';
import { checkPlan } from './plan-rules.ts';
import { applyBatch } from './replay.ts';
import { requestOf } from './requests.ts';
import { loadState, saveState } from './save.ts';
import { emptyState, isActive, isEnded, type PartitionState } from './state.ts';
import { viewOf } from './view.ts';

const PARTITIONS = 3;
const bundle = testBundle({ strategy: 'plan', limits: { wallTimeMs: 3_600_000 } });
const bundleHash = contentHash(bundle);
const tools: ToolDefinition[] = [tool('look'), tool('act', 'irreversible')];

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
  readonly states: PartitionState[] = Array.from({ length: PARTITIONS }, emptyState);
  readonly read: number[] = Array(PARTITIONS).fill(0);
  readonly entries: RunEntry[] = [];
  /** Results on their way: may come late, twice, or to an owner that is gone. */
  results: { partition: number; input: Input }[] = [];
  readonly effects = new Map<string, number>();
  readonly env: Environment;
  readonly faults: boolean;

  constructor(seed: number, faults: boolean) {
    this.chance = random(seed);
    this.faults = faults;
    const world = this;
    this.env = {
      get now() {
        return world.now;
      },
      bundle: (hash) => (hash === bundleHash ? bundle : undefined),
      admission: NO_ADMISSION_LIMITS,
      nextTick: () => null,
    };
  }

  post(message: InboundMessage): void {
    const log = this.inbound[partitionOf(message.session, PARTITIONS)]!;
    log.push({ sequence: log.length + 1, message: InboundMessage.parse(JSON.parse(JSON.stringify(message))) });
  }

  start(session = newSessionId(this.now, this.bytes())): { id: string; session: string } {
    const id = newRunId(session, this.now, this.bytes());
    const message: InboundMessage = {
      v: 1,
      type: 'start',
      tenant: 'default',
      session,
      run: id,
      at: this.now,
      start: {
        agent: 'helper',
        input: 'go',
        bundle: bundleHash,
        principal: { id: 'x', roles: [] },
        limits: {},
        root: id,
        memorySession: session,
        depth: 0,
        parent: null,
        brief: null,
        live: false,
      },
    };
    this.post(message);
    if (this.faults && this.chance() < 0.3) this.post(message);
    return { id, session };
  }

  bytes(): Uint8Array {
    return Uint8Array.from({ length: 16 }, () => Math.floor(this.chance() * 256));
  }

  /** A new owner: from a checkpoint or from nothing, and the log. */
  replay(partition: number): PartitionState {
    const state = emptyState();
    for (const batch of this.logs[partition]!) applyBatch(state, batch);
    return state;
  }

  crash(partition: number): void {
    const fresh = this.replay(partition);
    this.states[partition] = this.chance() < 0.5 ? loadState(saveState(fresh)) : fresh;
    this.read[partition] = fresh.readUpTo;
    // What the old owner waited for is lost; the new one asks again for all that is open.
    this.results = this.results.filter((result) => result.partition !== partition || this.chance() < 0.3);
    for (const run of fresh.runs.values())
      if (isActive(run)) for (const callId of Object.keys(run.open)) this.send(partition, run.id, callId);
    for (const letter of fresh.outbox.values()) this.deliver(partition, letter.key);
  }

  step(partition: number, inputs: Input[]): void {
    const state = this.states[partition]!;
    const decider = new Decider(state, this.env);
    for (const input of inputs) decider.take(input);
    const batch = LogBatch.parse(
      JSON.parse(
        JSON.stringify({
          v: 1,
          epoch: 1,
          owner: 'test',
          readUpTo: state.readUpTo,
          at: this.now,
          delivered: decider.delivered,
          partition: decider.partitionEntries,
          entries: decider.entries,
        }),
      ),
    );
    // A crash before the append: nothing of this has happened.
    if (this.faults && this.chance() < 0.05) return this.crash(partition);
    this.logs[partition]!.push(batch);
    this.entries.push(...batch.entries);
    // A crash after the append, before anything left.
    if (this.faults && this.chance() < 0.05) return this.crash(partition);
    for (const { run, callId } of decider.toSend) this.send(partition, run, callId);
    for (const letter of [...state.outbox.values()]) this.deliver(partition, letter.key);
  }

  deliver(partition: number, key: string): void {
    const letter = this.states[partition]!.outbox.get(key);
    if (letter?.kind !== 'inbound') return;
    // Delayed: others overtake it.
    if (this.faults && this.chance() < 0.3) return;
    // Stored, but the acknowledgement may be lost: it will be sent again.
    this.post(letter.message);
    if (!this.faults || this.chance() < 0.8) this.results.push({ partition, input: { kind: 'delivered', key } });
  }

  send(partition: number, runId: string, callId: string): void {
    const state = this.states[partition]!;
    const run = state.runs.get(runId)!;
    const open = isActive(run) && run.open[callId];
    if (!open) return;
    const request = JSON.parse(JSON.stringify(requestOf(state, run, open, bundle.agents.helper!, bundle)));
    const answer = (body: unknown) => {
      const input: Input = { kind: 'result', run: runId, callId, outcome: { ok: true, body } };
      this.results.push({ partition, input });
      if (this.faults && this.chance() < 0.2) this.results.push({ partition, input });
    };
    if (this.faults && open.attempt < 3 && this.chance() < 0.1) {
      return void this.results.push({
        partition,
        input: {
          kind: 'result',
          run: runId,
          callId,
          outcome: {
            ok: false,
            error: { code: 'unavailable', message: 'on purpose', retryable: true, retryAfterMs: 1 },
          },
        },
      });
    }
    switch (request.verb) {
      case 'recall':
        return answer({ turns: [], summary: null, facts: [] });
      case 'search':
        return answer({ passages: [] });
      case 'remember':
        return answer({ stored: true });
      case 'describe':
        return answer({ hash: contentHash(tools), tools, problems: [] });
      case 'execute': {
        if (request.body.tool === 'act' && !request.body.approval) {
          return answer({
            status: 'approval_required',
            reason: 'r',
            policy: 'p',
            arguments: request.body.arguments,
            argumentsHash: 'h',
            effect: 'irreversible',
          });
        }
        if (request.body.tool === 'act') this.effects.set(callId, (this.effects.get(callId) ?? 0) + 1);
        return answer({ status: 'done', content: '{}', isError: false, effect: 'pure', replayed: false });
      }
      case 'complete':
        return answer(this.complete(request.body));
    }
  }

  complete(body: {
    chat: {
      messages: { role: string; name?: string; isError?: boolean }[];
      tools: ToolDefinition[];
      toolChoice: string;
      responseFormat: { type: string };
    };
  }) {
    const done = body.chat.messages.filter((message) => message.role === 'tool').map((message) => message.name);
    const reply = (content: string | null, calls?: string[]) => ({
      message: {
        role: 'assistant',
        content,
        ...(calls
          ? { toolCalls: calls.map((name, index) => ({ id: `c${index}`, name, arguments: { n: done.length } })) }
          : {}),
      },
      finishReason: calls ? 'tool_calls' : 'stop',
      usage: { inputTokens: 1, outputTokens: 1 },
      model: 'm',
      provider: 'p',
      degraded: false,
      costUsd: 0,
      attempts: [],
      candidates: [],
    });
    if (body.chat.responseFormat.type === 'json_schema') {
      const tasks = [
        { id: 'a', goal: 'a', tools: ['look'], dependsOn: [] },
        { id: 'b', goal: 'b', tools: ['look', 'look'], dependsOn: [] },
        { id: 'c', goal: 'c', tools: ['act'], dependsOn: ['a', 'b'] },
      ];
      return reply(JSON.stringify({ reason: 'r', question: null, tasks }));
    }
    if (body.chat.toolChoice === 'none') return reply('answer');
    const wanted = body.chat.tools.map((item) => item.name).find((name) => !done.includes(name));
    return wanted ? reply(null, [wanted]) : reply('task done');
  }

  /** One thing happens. False when nothing can. */
  turn(): boolean {
    this.now += Math.floor(this.chance() * 50);
    const partition = Math.floor(this.chance() * PARTITIONS);
    if (this.faults && this.chance() < 0.02) this.crash(partition);
    const inputs: Input[] = [];
    const waiting = this.inbound[partition]!;
    while (this.read[partition]! < waiting.length && this.chance() < 0.8) {
      const { sequence, message } = waiting[this.read[partition]!]!;
      this.read[partition]!++;
      inputs.push({ kind: 'inbound', sequence, message });
    }
    this.results = this.results.filter((result) => {
      if (result.partition !== partition || this.chance() < 0.4) return true;
      inputs.push(result.input);
      return false;
    });
    if (this.chance() < 0.2) inputs.push({ kind: 'tick' });
    if (inputs.length > 0) this.step(partition, inputs);
    return (
      this.results.length > 0 ||
      this.inbound.some((list, index) => this.read[index]! < list.length) ||
      this.states.some((state) => [...state.runs.values()].some((run) => !isEnded(run)))
    );
  }

  decide(approve: boolean): void {
    for (const state of this.states) {
      for (const run of state.runs.values()) {
        if (!isActive(run)) continue;
        for (const approval of run.approvals) {
          if (approval.status !== 'pending' || this.chance() > 0.3) continue;
          const message: InboundMessage = {
            v: 1,
            type: 'approve',
            tenant: 'default',
            session: run.session,
            run: run.id,
            at: this.now,
            approval: approval.id,
            decision: approve ? 'approve' : 'deny',
            by: 'kim',
          };
          this.post(message);
          if (this.faults && this.chance() < 0.3) this.post(message);
        }
      }
    }
  }

  view(run: string): RunView | undefined {
    for (const state of this.states) {
      const found = state.runs.get(run);
      if (found) return viewOf(found);
    }
  }
}

const TURNS_MAX = 5_000;

describe('whatever is lost, late, repeated or dropped', () => {
  test('every run ends once, every approved call is made under one id, and the log gives the state back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 31 }),
        fc.integer({ min: 1, max: 4 }),
        fc.boolean(),
        (seed, runs, approve) => {
          const world = new World(seed, true);
          const started = Array.from({ length: runs }, () => world.start());
          if (world.chance() < 0.5) started.push(world.start(started[0]!.session));
          let turns = 0;
          while (world.turn() && turns++ < TURNS_MAX) if (world.chance() < 0.3) world.decide(approve);
          for (const run of started)
            expect(world.view(run.id)).toMatchObject({ status: 'completed', output: 'answer' });
          judge(world);
          const acts = [...world.effects.keys()];
          expect(acts).toHaveLength(approve ? started.length : 0);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('a cancelled run stays cancelled, and so do its children', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 }), fc.integer({ min: 0, max: 60 }), (seed, when) => {
        const world = new World(seed, true);
        const run = world.start();
        let turns = 0;
        const cancel = () =>
          world.post({
            v: 1,
            type: 'cancel',
            tenant: 'default',
            session: run.session,
            run: run.id,
            at: world.now,
            by: 'kim',
            reason: 'enough',
          });
        while (turns++ < TURNS_MAX) {
          if (turns === when + 1) cancel();
          if (!world.turn() && turns > when + 1) break;
        }
        judge(world);
        const all = world.states.flatMap((state) => [...state.runs.values()]);
        expect(all.filter((item) => !isEnded(item))).toEqual([]);
        expect(['cancelled', 'completed']).toContain(world.view(run.id)?.status);
      }),
      { numRuns: 200 },
    );
  });
});

function judge(world: World): void {
  const byRun = new Map<string, RunEntry[]>();
  for (const entry of world.entries) byRun.set(entry.run, [...(byRun.get(entry.run) ?? []), RunEntry.parse(entry)]);
  for (const entries of byRun.values()) {
    expect(entries.map((entry) => entry.n)).toEqual(entries.map((_, index) => index + 1));
    expect(entries.filter(isEnd)).toHaveLength(1);
    expect(isEnd(entries.at(-1)!)).toBe(true);
    const outcomes = entries.flatMap((entry) =>
      entry.type === 'step.completed' || entry.type === 'step.failed' ? [entry.callId] : [],
    );
    expect(new Set(outcomes).size).toBe(outcomes.length);
  }
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const replayed = world.replay(partition);
    const live = world.states[partition]!;
    // How far the inbound was read goes into the log with the next entry: it may lag, never lead.
    expect(replayed.readUpTo).toBeLessThanOrEqual(live.readUpTo);
    expect(JSON.parse(saveState({ ...replayed, epoch: 0, readUpTo: 0 }))).toEqual(
      JSON.parse(saveState({ ...live, epoch: 0, readUpTo: 0 })),
    );
    expect(JSON.parse(saveState(loadState(saveState(live))))).toEqual(JSON.parse(saveState(live)));
  }
}

describe('checkPlan', () => {
  const task = (id: string, dependsOn: string[], names = ['look']) => ({ id, goal: id, tools: names, dependsOn });
  test('leaves out what is unknown', () => {
    expect(checkPlan({ reason: '', question: null, tasks: [task('a', ['zz', 'a'], ['look', 'fly'])] }, tools)).toEqual({
      plan: { reason: '', question: null, tasks: [task('a', [])] },
    });
  });
  test('refuses circles and repeated ids', () => {
    expect(
      checkPlan({ reason: '', question: null, tasks: [task('a', ['c']), task('b', ['a']), task('c', ['b'])] }, tools),
    ).toEqual({ problem: 'the tasks a, b, c wait for each other' });
    expect(checkPlan({ reason: '', question: null, tasks: [task('a', []), task('a', [])] }, tools)).toEqual({
      problem: 'two tasks have the same id',
    });
  });
});
