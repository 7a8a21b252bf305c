/**
 * Preflight: what would a run have done under another bundle? Its journal is decided again: inputs are made from its
 * entries, reads are answered from it, nothing is sent. As long as every entry and every request come out the same, the
 * run goes the same way; the first difference is where it would diverge. Under its own bundle a run must come out as it
 * stands in the journal, which makes this the check of an upgraded planner, too.
 */
import { type Bundle, isEnd, type RunEntry, type ToolDefinition } from '@tutti/contracts';
import { agentFor, agentOf, Decider, type Environment, type Input, NO_ADMISSION_LIMITS } from './decide.ts';
import { needsToolset } from './engine-tools.ts';
import { journalFull } from './limits.ts';
import { type Accepted, inputOf, ownLength, type PastInput, startOf } from './preflight-inputs.ts';
import { type Asked, entryDifference, nameOf, requestDifference } from './preflight-reasons.ts';
import { requestOf } from './requests.ts';
import { type ActiveRun, emptyState, isActive, type PartitionState } from './state.ts';

export type Verdict =
  | { verdict: 'same' }
  /** `by`: what decides otherwise, the bundle or the planner. */
  | { verdict: 'diverges'; step: number; reason: string; by: 'bundle' | 'planner' };

export interface PreflightWorld {
  /** The bundle that the run has pinned. */
  before: Bundle;
  /** The one to try, and its hash. */
  after: Bundle;
  afterHash: string;
  /** The tools behind each hash that the journal names, as they were. */
  toolsets: Map<string, ToolDefinition[]>;
  /** The tools that the agent has under the bundle to try. */
  tools: ToolDefinition[];
}

export function preflight(entries: RunEntry[], world: PreflightWorld): Verdict {
  const steps = preflightSteps(entries, world);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The same in pieces, one for each input: others may go on in between. Throws when the journal has no beginning. */
export function preflightSteps(entries: RunEntry[], world: PreflightWorld): Generator<void, Verdict> {
  const [accepted] = entries;
  if (accepted?.type !== 'run.accepted') throw new Error('its journal has no beginning');
  return new Preflight(accepted, entries, world).run();
}

/** The run under one bundle. */
interface Side {
  state: PartitionState;
  bundle: Bundle;
  hash: string;
  toolsets: Map<string, ToolDefinition[]>;
}

class Preflight {
  /** What the run itself led to; what ended it from outside is left out. */
  readonly #entries: RunEntry[];
  /** The journal goes on behind `#entries`, or will: not every consequence of the last input need be in it. */
  readonly #cut: boolean;
  readonly #accepted: Accepted;
  readonly #before: Side;
  readonly #after: Side;
  /** Steps so far, those of a fork's prefix among them. */
  #steps = 0;

  constructor(accepted: Accepted, entries: RunEntry[], world: PreflightWorld) {
    this.#accepted = accepted;
    this.#entries = entries.slice(0, ownLength(entries));
    this.#cut = this.#entries.length < entries.length || !isEnd(entries.at(-1)!);
    const now = new Map([...world.toolsets.keys(), NOW].map((hash) => [hash, world.tools]));
    this.#before = side(world.before, accepted.start.bundle, world.toolsets);
    this.#after = side(world.after, world.afterHash, now);
  }

  *run(): Generator<void, Verdict> {
    const { agent } = this.#accepted.start;
    if (!agentOf(this.#after.bundle, agent) && agentOf(this.#before.bundle, agent))
      return this.#diverges(`the bundle has no agent "${agent}" any more`);
    const entries = this.#entries;
    for (let at = 0; at < entries.length; ) {
      const input =
        at === 0 ? startOf(this.#accepted, entries) : inputOf(entries[at]!, this.#accepted, this.#before.toolsets);
      if (!input && this.#isFull()) return { verdict: 'same' };
      if (!input) return this.#otherwise(`nothing instead of ${nameOf(entries[at]!)}`);
      const decidedAt = at === 0 ? this.#begunAt() : entries[at]!.at;
      const made = this.#decide(this.#before, input, decidedAt);
      const now = this.#decide(this.#after, input, decidedAt);
      if (at === 0) for (const side of [this.#before, this.#after]) this.#begun(side);
      const verdict = this.#compare(made, now, at);
      if (verdict) return verdict;
      at += made.length;
      yield;
    }
    return { verdict: 'same' };
  }

  #diverges(reason: string, step = this.#steps + 1): Verdict {
    return { verdict: 'diverges', step, reason, by: 'bundle' };
  }
  #otherwise(what: string): Verdict {
    return {
      verdict: 'diverges',
      step: this.#steps + 1,
      reason: `this planner decides otherwise: ${what}`,
      by: 'planner',
    };
  }

  /** Its journal is: whatever it is told next ends it, also what leaves no entry of its own (a child that waits as it did). */
  #isFull(): boolean {
    const run = this.#after.state.runs.get(this.#accepted.run);
    return run !== undefined && isActive(run) && journalFull(run);
  }

  /** A fork keeps the times of what it was made from: its own begin, and those of what it waits for, where it parts. */
  #begunAt(): number {
    const { fork } = this.#accepted.start;
    return (this.#entries[fork?.version ?? 0] ?? this.#accepted).at;
  }

  #decide(side: Side, input: PastInput, at: number): RunEntry[] {
    const { state, bundle } = side;
    const env: Environment = { now: at, bundle: () => bundle, admission: NO_ADMISSION_LIMITS, nextTick: () => null };
    const decider = new Decider(state, env);
    decider.take(this.#asInput(side, structuredClone(input), at));
    return decider.entries.filter((entry) => entry.run === this.#accepted.run);
  }

  #asInput(side: Side, input: PastInput, at: number): Input {
    if (input.kind === 'result') return input;
    if (input.kind === 'tick') {
      const { due } = side.state;
      for (const { owner, kind, id } of due.all()) due.remove(owner, kind, id);
      due.set(this.#accepted.run, input.due.kind, input.due.id, at);
      return { kind: 'tick' };
    }
    const { message, prefix } = input;
    const sequence = side.state.readUpTo + 1;
    if (message.type !== 'start') return { kind: 'inbound', sequence, message };
    message.start.bundle = side.hash;
    if (!prefix) return { kind: 'inbound', sequence, message };
    return { kind: 'inbound', sequence, message, prefix: { ...prefix, toolset: this.#toolsetOfFork(side) } };
  }

  /** As whoever made the fork found it. */
  #toolsetOfFork({ bundle, toolsets }: Side): { hash: string; tools: ToolDefinition[] } | null {
    const agent = agentOf(bundle, this.#accepted.start.agent);
    if (!agent || !needsToolset(agent)) return null;
    const forked = this.#entries[this.#accepted.start.fork!.version];
    const hash = (forked?.type === 'run.forked' ? forked.toolset : null) ?? NOW;
    return { hash, tools: toolsets.get(hash) ?? [] };
  }

  /**
   * When a run began and how long it may take depended on its neighbours: running out of time is no decision of its
   * bundle. What it interrupted is known from its journal alone.
   */
  #begun({ state }: Side): void {
    const run = state.runs.get(this.#accepted.run);
    if (!run || !isActive(run)) return;
    run.limits = { ...run.limits, wallTimeMs: Number.MAX_SAFE_INTEGER };
    run.interrupted = this.#accepted.interrupted ?? [];
    state.due.remove(run.id, 'wall');
  }

  /** Entry by entry, and for each step the request that it sends. Null: the same. */
  #compare(made: RunEntry[], now: RunEntry[], at: number): Verdict | null {
    if (made.length === 0) return this.#otherwise(`nothing follows from what led to ${nameOf(this.#entries[at]!)}`);
    const prefix = at === 0 ? (this.#accepted.start.fork?.version ?? 0) : 0;
    for (let i = 0; i < made.length; i++) {
      const [a, b, then] = [made[i]!, now[i], this.#entries[at + i]];
      if (!then) return this.#cut ? null : this.#otherwise(`${nameOf(a)} is added`);
      const isStep = a.type === 'step.requested';
      if (i >= prefix) {
        const otherwise = entryDifference(then, a);
        if (otherwise) return this.#otherwise(otherwise);
        if (!b) return this.#diverges(`${nameOf(a)} does not follow any more`);
        const difference = entryDifference(a, b) ?? (isStep ? this.#requestDifference(a.callId) : null);
        if (difference) return this.#diverges(difference);
      }
      if (isStep) this.#steps++;
    }
    const more = now[made.length];
    return more ? this.#diverges(`${nameOf(more)} is added`) : null;
  }

  #requestDifference(callId: string): string | null {
    const [before, after] = [this.#asked(this.#before, callId), this.#asked(this.#after, callId)];
    if (!before || !after) return before === after ? null : 'a step is not asked for any more';
    return requestDifference(before, after);
  }

  #asked({ state, bundle }: Side, callId: string): Asked | undefined {
    const run = state.runs.get(this.#accepted.run);
    const open = run && isActive(run) ? run.open[callId] : undefined;
    const agent = run && agentFor(bundle, run);
    return open && agent ? { request: requestOf(state, run as ActiveRun, open, agent, bundle), agent } : undefined;
  }
}

/** Stands for the tools of a fork whose original had none. */
const NOW = 'now';

function side(bundle: Bundle, hash: string, toolsets: Map<string, ToolDefinition[]>): Side {
  const state = emptyState();
  for (const [name, tools] of toolsets) state.toolsets.set(name, tools);
  return { state, bundle, hash, toolsets };
}
