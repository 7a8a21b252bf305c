/**
 * Given, when, then over the state machine: what happened, what comes in, what is to come of it. One partition, whose
 * letters stay where they are until `mail` brings them. After every input the log is replayed as a new owner would, the
 * state is stored and read again, all that is derived is made anew, and the journals are held to their rules: whatever
 * passes has passed these as well.
 */
import {
  type AgentManifest,
  type Bundle,
  contentHash,
  InboundMessage,
  LogBatch,
  type RunEntry,
  type RunStart,
  type ToolDefinition,
} from '@tutti/contracts';
import { Decider, type Environment, type Input, NO_ADMISSION_LIMITS, neededRuns } from '../decide.ts';
import { startParking } from '../rebuild.ts';
import { applyBatch } from '../replay.ts';
import type { Admission } from '../round.ts';
import { loadState, saveParked, saveState } from '../save.ts';
import { type ActiveRun, emptyState, isActive, type Letter, type OpenStep, type PartitionState } from '../state.ts';
import { derivedTwice, same, sameState } from './compare.ts';
import {
  brief,
  bundleOf,
  completion,
  done,
  NOTHING_RECALLED,
  runId,
  sessionId,
  startMessage,
  TOOLS,
  tellingOf,
} from './parts.ts';
import { JournalRules } from './rules.ts';

export { TOOLS } from './parts.ts';

type Entry<T extends RunEntry['type']> = Extract<RunEntry, { type: T }>;
type StartOptions = Partial<RunStart> & { session?: string; tenant?: string; run?: string };
export interface SpecOptions extends Partial<Admission> {
  tools?: ToolDefinition[];
  nextTick?: Environment['nextTick'];
  parkAfterMs?: number;
  /** Off for thousands of runs: what is looked at after every input takes time with each of them. */
  checked?: boolean;
}

/** Every full minute. */
const minutely: Environment['nextTick'] = (timing, after) =>
  timing.type === 'once' ? null : (Math.floor(after / 60_000) + 1) * 60_000;

export class Spec {
  state: PartitionState;
  readonly bundle: Bundle;
  readonly env: Environment;
  now = 1_000_000;
  /** Every entry that was written, oldest first, and the messages that they came in. */
  readonly log: RunEntry[] = [];
  readonly batches: LogBatch[] = [];
  /** Of the last input. */
  last!: Decider;
  /** Letters that the last input led to. */
  sent: Letter[] = [];
  readonly #tools: ToolDefinition[];
  readonly #options: SpecOptions;
  readonly #rules = new JournalRules();
  readonly #shadow: PartitionState = emptyState();
  readonly #parkedStates = new Map<number, Record<string, unknown>>();
  #sequence = 0;
  #numbers = 0;

  constructor(agents: Record<string, Partial<AgentManifest>> = {}, options: SpecOptions = {}) {
    this.#options = options;
    this.#tools = options.tools ?? TOOLS;
    this.bundle = bundleOf({ helper: {}, ...agents });
    this.state = this.#owned(emptyState());
    const spec = this;
    this.env = {
      get now() {
        return spec.now;
      },
      bundle: () => this.bundle,
      admission: { ...NO_ADMISSION_LIMITS, ...options },
      nextTick: options.nextTick ?? minutely,
    };
  }

  #owned(state: PartitionState): PartitionState {
    if (this.#options.parkAfterMs !== undefined) startParking(state, this.#options.parkAfterMs, this.now);
    return state;
  }

  // given

  /** What the log of an earlier owner says. */
  given(...entries: RunEntry[]): this {
    this.#write({ v: 1, epoch: 1, owner: 'before', readUpTo: 0, at: 0, delivered: [], partition: [], entries });
    return this.takeOver();
  }

  /** Another owner comes: from the log alone, or from a checkpoint. */
  takeOver(from: 'log' | 'checkpoint' = 'log'): this {
    const state = emptyState();
    for (const batch of this.batches) applyBatch(state, structuredClone(batch));
    this.state = this.#owned(from === 'log' ? state : loadState(saveState(state)));
    return this;
  }

  // when

  /** One round. */
  take(...inputs: Input[]): Decider {
    this.state.fresh = [];
    this.last = new Decider(this.state, this.env);
    for (const input of inputs) this.last.take(input);
    const { entries, partitionEntries: partition, delivered } = this.last;
    const { epoch, readUpTo } = this.state;
    this.#write({ v: 1, epoch, owner: 'spec', readUpTo, at: this.now, delivered, partition, entries });
    this.sent = this.state.fresh;
    if (this.#options.checked !== false) this.check();
    return this.last;
  }

  #write(batch: unknown): void {
    const text = JSON.stringify(batch);
    // What readers with a schema see is what was written.
    const written = LogBatch.parse(JSON.parse(text));
    this.batches.push(written);
    this.log.push(...written.entries);
    for (const entry of written.entries) this.#rules.see(entry);
    applyBatch(this.#shadow, JSON.parse(text));
  }

  check(): void {
    same('what is derived follows from the runs', ...derivedTwice(this.state, this.now));
    sameState('the log gives the state back', this.#shadow, this.state);
    sameState('what is stored is read as it was', loadState(saveState(this.state)), this.state);
  }

  input(message: InboundMessage): Input {
    return { kind: 'inbound', sequence: ++this.#sequence, message: InboundMessage.parse(structuredClone(message)) };
  }

  /** With the states of parked runs that it needs in front, as the owner does. */
  inbound(message: InboundMessage): Decider {
    const input = this.input(message);
    const needed = neededRuns(this.state, input, this.env.bundle);
    return this.take(...needed.map((run) => this.unparked(run)), input);
  }

  start(agent: string, more: StartOptions = {}): string {
    const { session = sessionId(++this.#numbers), tenant = 'default', ...rest } = more;
    const { run = runId(session, ++this.#numbers), ...start } = rest;
    const bundle = contentHash(this.bundle);
    this.inbound(startMessage(run, session, this.now, { agent, bundle, ...start }, tenant));
    return run;
  }

  result(run: string, callId: string, body: unknown): Decider {
    return this.take({ kind: 'result', run, callId, outcome: { ok: true, body } });
  }

  /** The first open step, or that of the kind, comes to nothing. */
  fail(run: string, code: 'timeout' | 'internal' | 'unavailable', retryable: boolean, kind?: string): Decider {
    const step = this.open(run).find((open) => !kind || open.step.kind === kind)!;
    const error = { code, message: 'no good', retryable };
    return this.take({ kind: 'result', run, callId: step.callId, outcome: { ok: false, error } });
  }

  /** Answers what gathers: nothing recalled or found, these tools. */
  gather(run: string): this {
    for (const { callId, step } of this.open(run)) {
      if (step.kind === 'recall') this.result(run, callId, NOTHING_RECALLED);
      if (step.kind === 'search') this.result(run, callId, { passages: [] });
      if (step.kind === 'describe')
        this.result(run, callId, { hash: contentHash(this.#tools), tools: this.#tools, problems: [] });
    }
    return this;
  }

  /** The model's next word, or its next calls. */
  model(run: string, content: string | null, ...calls: [name: string, given: Record<string, unknown>][]): Decider {
    return this.completes(run, content, calls);
  }

  completes(run: string, content: string | null, calls: [string, Record<string, unknown>][] = [], more = {}): Decider {
    const step = this.open(run).find((open) => open.step.kind === 'complete');
    if (!step) throw new Error(`${run} asks no model: it has ${this.kinds(run).join(', ')} open`);
    const made = calls.map(([name, given]) => ({ name, arguments: given }));
    return this.result(run, step.callId, completion(content, made, more));
  }

  plan(
    run: string,
    tasks: { id: string; dependsOn?: string[]; agent?: string; tools?: string[] }[],
    question: string | null = null,
  ): Decider {
    const whole = tasks.map((task) => ({ goal: task.id, tools: ['look'], dependsOn: [], ...task }));
    return this.model(run, JSON.stringify({ reason: 'r', question, tasks: whole }));
  }

  done(run: string, callId: string, content = '{}'): Decider {
    return this.result(run, callId, done(content));
  }
  /** The open call of this tool comes back. */
  does(run: string, tool: string, body: unknown = done()): Decider {
    return this.result(run, this.call(run, tool).callId, body);
  }
  remember(run: string): Decider {
    const step = this.open(run).find((open) => open.step.kind === 'remember')!;
    return this.result(run, step.callId, { stored: true });
  }

  childEnds(run: string, child: string, more: object = {}): Decider {
    const { callId } = this.active(run).children[child]!;
    const usage = { modelCalls: 1, toolCalls: 1, inputTokens: 5, outputTokens: 5, costUsd: 0.01 };
    const said = { status: 'completed', output: `did ${child.slice(-4)}`, actions: [], passages: [], usage };
    return this.tell(run, { type: 'child_ended', outcome: { child, callId, ...said, ...more } });
  }

  tell(run: string, message: Record<string, unknown> & { type: string }): Decider {
    const known = this.state.runs.get(run) ?? this.state.parked.get(run)!;
    return this.inbound(tellingOf(known, this.now, message));
  }

  /** Time passes, and what is due comes: for runs that are written out, once their states are here. */
  pass(ms: number): Decider {
    this.now += ms;
    const { wanted } = this.take({ kind: 'tick' });
    return wanted.length === 0 ? this.last : this.take(...wanted.map((run) => this.unparked(run)), { kind: 'tick' });
  }

  /** Brings the letters of this partition's runs to each other, until none is left. */
  mail(): this {
    for (const letters = this.state.outbox; letters.size > 0; ) {
      const [key, letter] = letters.entries().next().value!;
      if (letter.kind === 'inbound') this.inbound(letter.message);
      this.take({ kind: 'delivered', key });
    }
    return this;
  }

  /** Stores the states of runs, as the owner does when `toPark` names them. */
  parked(...runs: string[]): Extract<Input, { kind: 'parked' }> {
    const sequence = this.#parkedStates.size + 1;
    const found = runs.map((run) => this.state.runs.get(run)!);
    const states = found.map((run) => [run.id, JSON.parse(JSON.stringify(saveParked(run)))]);
    this.#parkedStates.set(sequence, Object.fromEntries(states));
    return { kind: 'parked', runs: found.map(({ id, version }) => ({ run: id, version })), sequence };
  }
  park(...runs: string[]): Decider {
    return this.take(this.parked(...runs));
  }
  unparked(run: string): Input {
    const snapshot = this.#parkedStates.get(this.state.parked.get(run)!.sequence)?.[run];
    return { kind: 'unparked', run, snapshot: structuredClone(snapshot ?? null) };
  }
  /** What was written out is gone. */
  loseParked(): void {
    this.#parkedStates.clear();
  }

  // then

  active(run: string): ActiveRun {
    const found = this.state.runs.get(run);
    if (!found || !isActive(found)) throw new Error(`${run} is ${this.status(run) ?? 'unknown'}`);
    return found;
  }
  status(run: string): string | undefined {
    return this.state.runs.get(run)?.status ?? (this.state.parked.has(run) ? 'parked' : undefined);
  }
  open(run: string): OpenStep[] {
    return Object.values(this.active(run).open);
  }
  call(run: string, tool: string): OpenStep {
    const found = this.open(run).find(({ step }) => step.kind === 'execute' && step.call.name === tool);
    if (!found) throw new Error(`${run} has no open call of ${tool}: ${this.kinds(run).join(', ')}`);
    return found;
  }
  kinds(run: string): string[] {
    return this.open(run).map(({ step }) => (step.kind === 'execute' ? step.call.name : step.kind));
  }
  children(run: string): string[] {
    return Object.keys(this.active(run).children);
  }
  entries<T extends RunEntry['type']>(run: string, type: T): Entry<T>[] {
    return this.log.filter((entry): entry is Entry<T> => entry.run === run && entry.type === type);
  }
  /** What the last input led to, in short. */
  get story(): string[] {
    return this.last.entries.map(brief);
  }
  storyOf(run: string): string[] {
    return this.log.filter((entry) => entry.run === run).map(brief);
  }
  end(run: string) {
    const found = this.state.runs.get(run)!;
    if (found.status === 'queued' || isActive(found)) throw new Error(`${run} is ${found.status}`);
    return found;
  }
  letters(key: string): Letter[] {
    return [...this.state.outbox.values()].filter((letter) => letter.key.startsWith(key));
  }
}
