/**
 * Checkpoints that are written while the state goes on changing, by owners that die in the middle and by two at once: what
 * is read back is what the log says. In memory and in virtual time; a seed decides everything.
 */
import { readFileSync } from 'node:fs';
import { BLOBS, contentHash, logStreamOf, newRunId, newSessionId, subjects } from '@tutti/contracts';
import { BusConflict, createLogger } from '@tutti/runtime';
import { MemoryServer, noFaults, type Random, type VirtualProcess, VirtualTime } from '@tutti/testkit';
import { describe, expect, test } from 'vitest';
import { Decider, type Input, NO_ADMISSION_LIMITS } from '../core/decide.ts';
import { applyBatch } from '../core/replay.ts';
import { loadState, saveParked, saveState } from '../core/save.ts';
import { emptyState, isActive, type PartitionState } from '../core/state.ts';
import { testBundle, tool } from '../test-support.ts';
import { LogStore } from './log-store.ts';

const bundle = testBundle({ tools: ['*'], knowledge: [] });
const hash = contentHash(bundle);
const tools = [tool('look'), tool('act', 'irreversible')];
const log = createLogger({}, { level: 'silent' });
const STREAM = logStreamOf(0, 1);
const text = new TextDecoder();
const padding = 'x'.repeat(200);

/** Undefined: they are the same. Otherwise where they part: whole states are too much to read. */
function difference(actual: string, expected: string): string | undefined {
  if (actual === expected) return;
  let at = 0;
  while (actual[at] === expected[at]) at++;
  return `…${actual.slice(Math.max(0, at - 80), at + 60)}… instead of …${expected.slice(Math.max(0, at - 80), at + 60)}…`;
}

class Lab {
  readonly time: VirtualTime;
  readonly server: MemoryServer;
  readonly random: Random;
  inbound = 0;

  constructor(seed: number) {
    this.time = new VirtualTime(seed);
    this.random = this.time.random;
    this.server = new MemoryServer({
      time: this.time,
      faults: { ...noFaults, latencyMs: () => this.random.between(0.1, 3) },
    });
  }

  async settled<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    promise.then(
      () => (over = true),
      () => (over = true),
    );
    const outcome = await this.time.run(() => over, { eventsMax: 100_000 });
    if (outcome !== 'done') throw new Error(`nothing came of it: ${outcome}`);
    return promise;
  }

  store(name: string): { store: LogStore; process: VirtualProcess } {
    const process = this.time.process(name);
    const bus = this.server.connect(process);
    return { process, store: new LogStore({ bus, partition: 0, log, clock: process.clock, partChars: 3_000 }) };
  }

  /** As whoever takes over finds it. */
  async opened(): Promise<{ state: PartitionState; lastSequence: number }> {
    return this.settled(this.store('reader').store.open());
  }

  /** What the log says, from its first message on. */
  replayed(): string {
    const state = emptyState();
    for (const { data } of this.server.stream(STREAM).messages) applyBatch(state, JSON.parse(text.decode(data)));
    return saveState(state);
  }

  /** The latest one: its parts, and the names of all that it consists of. */
  checkpoint(): { segments: string[]; names: string[] } {
    const { head, segments } = JSON.parse(
      text.decode(this.server.stream('TUTTI_CHECKPOINTS').last(subjects.checkpoint(0))!.data),
    );
    return { segments, names: [head, ...segments].sort() };
  }
}

/** An owner, reduced to what it does to its state and its log. */
class Owner {
  readonly process: VirtualProcess;
  readonly store: LogStore;
  readonly #lab: Lab;
  state = emptyState();
  #last = 0;
  #parkedAt = 0;
  checkpoints = 0;
  #writing: Promise<void> | undefined;

  constructor(lab: Lab, name: string) {
    this.#lab = lab;
    ({ process: this.process, store: this.store } = lab.store(name));
  }

  async open(): Promise<void> {
    const opened = await this.store.open();
    this.state = opened.state;
    this.#last = opened.lastSequence;
    this.state.epoch++;
    await this.#append(new Decider(this.state, this.#environment()));
  }

  #environment() {
    const now = Math.max(this.process.clock.now(), this.state.at);
    return { now, bundle: () => bundle, admission: NO_ADMISSION_LIMITS, nextTick: () => null };
  }

  async #append(decider: Decider): Promise<void> {
    const { epoch, readUpTo } = this.state;
    const { entries, partitionEntries: partition, delivered } = decider;
    const batch = {
      v: 1 as const,
      epoch,
      owner: this.process.name,
      at: decider.now,
      readUpTo,
      delivered,
      partition,
      entries,
    };
    this.#last = await this.store.append(batch, this.#last);
  }

  /** A few things happen; perhaps a checkpoint begins, beside which the rest goes on. */
  async round(): Promise<void> {
    const decider = new Decider(this.state, this.#environment());
    // In the order of a real round: what is brought back first, what is parked last.
    const order = (input: Input) => (input.kind === 'unparked' ? 0 : input.kind === 'parked' ? 2 : 1);
    const inputs = Array.from({ length: 1 + this.#lab.random.below(4) }, () => this.#anything());
    for (const input of inputs.sort((a, b) => order(a) - order(b))) decider.take(input);
    await this.#append(decider);
    if (this.#writing || !this.#lab.random.chance(0.3)) return;
    this.#writing = this.store.checkpoint(this.state, this.#last).finally(() => {
      this.checkpoints++;
      this.#writing = undefined;
    });
    this.#writing.catch(() => {});
  }

  async written(): Promise<void> {
    await this.#writing;
  }

  #anything(): Input {
    const { random } = this.#lab;
    // Asked for by id, as an owner does it: most runs stay as they were stored.
    const ids = [...this.state.runs.briefs()].map(({ brief, run }) => (brief ?? run).id);
    if (ids.length < 4 || (ids.length < 60 && random.chance(0.3))) return this.#start();
    const parked = [...this.state.parked.keys()];
    if (parked.length > 0 && random.chance(0.2)) return this.#unpark(random.pick(parked));
    const run = this.state.runs.get(random.pick(ids))!;
    if (!isActive(run)) return { kind: 'tick' };
    const [open] = Object.values(run.open);
    if (!open) {
      if (random.chance(0.5))
        return { kind: 'parked', runs: [{ run: run.id, version: run.version }], sequence: this.#park(run.id) };
      return this.#tell(run.id, run.session, { type: 'cancel', by: 'kim', reason: 'enough' });
    }
    return {
      kind: 'result',
      run: run.id,
      callId: open.callId,
      outcome: { ok: true, body: this.#answer(open.step.kind) },
    };
  }

  #start(): Input {
    const session = this.#lab.random.chance(0.2) && this.#session ? this.#session : newSessionId();
    this.#session = session;
    const run = newRunId(session);
    const start = {
      agent: 'helper',
      input: padding,
      bundle: hash,
      principal: { id: 'ann', roles: [] },
      limits: {},
      root: run,
      memorySession: session,
      depth: 0,
      parent: null,
      brief: null,
      live: false,
    };
    return this.#tell(run, session, { type: 'start', start });
  }
  #session: string | undefined;

  #tell(run: string, session: string, what: object): Input {
    const message = { v: 1, tenant: 'acme', session, run, at: 1, ...what } as never;
    return { kind: 'inbound', sequence: ++this.#lab.inbound, message };
  }

  readonly #snapshots = new Map<string, unknown>();
  #park(id: string): number {
    this.#snapshots.set(id, JSON.parse(JSON.stringify(saveParked(this.state.runs.get(id)!))));
    return ++this.#parkedAt;
  }
  #unpark(id: string): Input {
    return { kind: 'unparked', run: id, snapshot: this.#snapshots.get(id) ?? null };
  }

  #answer(kind: string): unknown {
    if (kind === 'recall') return { turns: [], summary: padding, facts: [] };
    if (kind === 'describe') return { hash: contentHash(tools), tools, problems: [] };
    if (kind === 'remember') return { stored: true };
    if (kind === 'execute')
      return {
        status: 'approval_required',
        reason: 'r',
        policy: 'p',
        arguments: {},
        argumentsHash: 'h',
        effect: 'irreversible',
      };
    const calls = this.#lab.random.chance(0.6) ? { toolCalls: [{ id: 'c', name: 'act', arguments: {} }] } : {};
    return {
      message: { role: 'assistant', content: padding, ...calls },
      finishReason: 'stop',
      usage: { inputTokens: 1, outputTokens: 1 },
      model: 'm',
      provider: 'p',
      degraded: false,
      costUsd: 0,
      attempts: [],
      candidates: [],
    };
  }
}

const seeds = Array.from({ length: 6 }, (_, i) => i + 1);

describe('a checkpoint', () => {
  test('taken under load is the state as of its position: with the rest of the log it gives what all of it gives', async () => {
    let read = 0;
    let kept = 0;
    for (const seed of seeds) {
      const lab = new Lab(seed);
      const owner = new Owner(lab, 'owner');
      await lab.settled(owner.open());
      for (let round = 0; round < 60; round++) {
        await lab.settled(owner.round());
        if (round % 10 !== 9) continue;
        const { state } = await lab.opened();
        kept += [...state.runs.briefs()].filter(({ brief }) => brief).length;
        expect(difference(saveState(state), lab.replayed())).toBeUndefined();
        expect(difference(saveState(owner.state), lab.replayed())).toBeUndefined();
        read++;
      }
      await lab.settled(owner.written());
      expect(owner.checkpoints).toBeGreaterThan(3);
      // Nothing is left behind but what the last one is made of.
      expect([...lab.server.objects('tutti_blobs').keys()].sort()).toEqual(lab.checkpoint().names);
      expect(lab.checkpoint().segments.length).toBeGreaterThan(1);
    }
    expect({ read, lazily: kept > 0 }).toEqual({ read: seeds.length * 6, lazily: true });
  });

  test('whose owner dies in the middle leaves the one before it, and nothing for ever', async () => {
    let deaths = 0;
    for (const seed of seeds) {
      const lab = new Lab(seed);
      for (let life = 0; life < 5; life++) {
        const owner = new Owner(lab, `owner-${life}`);
        await lab.settled(owner.open());
        expect(difference(saveState(owner.state), lab.replayed())).toBeUndefined();
        lab.server.faults = {
          ...lab.server.faults,
          touch(process, what) {
            if (process !== owner.process || !/blob|checkpoint|purge/.test(what) || !lab.random.chance(0.02)) return;
            deaths++;
            process.kill();
            lab.server.gone(process);
          },
        };
        for (let round = 0; round < 40 && owner.process.alive; round++) {
          const done = owner.round();
          await lab.time.run(() => !owner.process.alive, { until: lab.time.now + 30 });
          if (owner.process.alive) await lab.settled(done);
        }
        lab.server.faults = { ...noFaults, latencyMs: lab.server.faults.latencyMs };
        if (owner.process.alive) await lab.settled(owner.written());
        owner.process.kill();
        expect(difference(saveState((await lab.opened()).state), lab.replayed())).toBeUndefined();
      }
      // The last word: a life in which nothing happens to it.
      const last = new Owner(lab, 'last');
      await lab.settled(last.open());
      while (last.checkpoints < 2) await lab.settled(last.round());
      await lab.settled(last.written());
      expect([...lab.server.objects('tutti_blobs').keys()].sort()).toEqual(lab.checkpoint().names);
    }
    expect(deaths).toBeGreaterThan(5);
  });

  test('of an owner that was stalled before it tidied up leaves alone what its successor has written', async () => {
    const lab = new Lab(1);
    const stalled = new Owner(lab, 'stalled');
    await lab.settled(stalled.open());
    let frozen = false;
    lab.server.faults = {
      ...lab.server.faults,
      touch(process, what) {
        if (frozen || process !== stalled.process || !what.startsWith('list blobs')) return;
        frozen = true;
        process.freeze(10_000);
      },
    };
    while (!frozen) {
      void stalled.round().catch(() => {});
      await lab.time.run(() => frozen, { until: lab.time.now + 200 });
    }
    const next = new Owner(lab, 'next');
    await lab.settled(next.open());
    while (next.checkpoints < 3) await lab.settled(next.round());
    await lab.settled(next.written());
    await lab.settled(stalled.written());
    await lab.time.run(() => false, { until: lab.time.now + 1_000 });
    expect(difference(saveState((await lab.opened()).state), lab.replayed())).toBeUndefined();
    expect(lab.checkpoint().segments.filter((name) => !lab.server.objects('tutti_blobs').has(name))).toEqual([]);
  });

  test.each([1, 2])('that version %i of the pointer gives is read', async (v) => {
    const stored = readFileSync(new URL(`../fixtures/checkpoint.v${v}.json`, import.meta.url), 'utf8');
    const { head, runs } = JSON.parse(stored);
    const lab = new Lab(1);
    const { process } = lab.store('earlier');
    const bus = lab.server.connect(process);
    const write = async () => {
      const blobs = await bus.blobs(BLOBS);
      const put = (name: string, what: unknown) => blobs.put(name, new TextEncoder().encode(JSON.stringify(what)));
      if (v === 1) await put('checkpoint.0.0', JSON.parse(stored));
      else {
        await put('checkpoint.0.0.head', head);
        await put('checkpoint.0.0.0', runs.slice(0, 2));
        await put('checkpoint.0.0.1', runs.slice(2));
      }
      const pointer =
        v === 1 ? { v, sequence: 0, blob: 'checkpoint.0.0' } : { v, sequence: 0, name: 'checkpoint.0.0', parts: 2 };
      await bus.append(subjects.checkpoint(0), new TextEncoder().encode(JSON.stringify(pointer)));
    };
    await lab.settled(write());
    const { state } = await lab.opened();
    expect(state.runs.size).toBeGreaterThan(2);
    expect(difference(saveState(state), saveState(loadState(stored)))).toBeUndefined();
    // The next one is of today's version, and nothing of the old one is left.
    const store = lab.store('today').store;
    const opened = await lab.settled(store.open());
    opened.state.epoch++;
    await lab.settled(store.checkpoint(opened.state, 0));
    expect([...lab.server.objects('tutti_blobs').keys()].sort()).toEqual(lab.checkpoint().names);
    expect(difference(saveState((await lab.opened()).state), saveState(opened.state))).toBeUndefined();
  });

  test('of an owner that was stalled and goes on beside its successor does no harm', async () => {
    let refused = 0;
    const few = seeds.slice(0, 3);
    for (const seed of few) {
      const lab = new Lab(seed);
      let owner = new Owner(lab, 'owner-0');
      await lab.settled(owner.open());
      for (let turn = 1; turn < 6; turn++) {
        for (let round = 0; round < 12; round++) await lab.settled(owner.round());
        // Perhaps in the middle of a checkpoint.
        const stalled = owner;
        stalled.process.freeze(lab.random.between(5, 200));
        owner = new Owner(lab, `owner-${turn}`);
        await lab.settled(owner.open());
        for (let round = 0; round < 12; round++) {
          const late = stalled.round().then(
            () => 'written',
            (error) => error,
          );
          await lab.settled(owner.round());
          const came = await lab.settled(late);
          expect(came).toBeInstanceOf(BusConflict);
          refused++;
          if (round % 4 === 3)
            expect(difference(saveState((await lab.opened()).state), lab.replayed())).toBeUndefined();
        }
        await lab.settled(stalled.written().catch(() => {}));
        expect(difference(saveState((await lab.opened()).state), lab.replayed())).toBeUndefined();
        expect(difference(saveState(owner.state), lab.replayed())).toBeUndefined();
      }
    }
    expect(refused).toBe(few.length * 60);
  });
});
