/**
 * Preflight: what would a run have done under another bundle? Its journal is re-decided: inputs are made from its entries,
 * reads are answered from it, nothing is sent. As long as every entry and every request come out the same, the run goes
 * the same way; the first difference is where it would diverge. Under its own bundle a run must come out the same, which
 * makes this the check of an upgraded planner, too.
 */
import type { Bundle, InboundMessage, RunEntry, ToolDefinition } from '@tutti/contracts';
import { canonicalJson } from '@tutti/contracts';
import { agentFor, Decider, type Environment, type Input, NO_ADMISSION_LIMITS } from './decide.ts';
import { requestOf, type StepRequest } from './requests.ts';
import { type ActiveRun, emptyState, isActive, type PartitionState } from './state.ts';

export type Verdict = { verdict: 'same' } | { verdict: 'diverges'; step: number; reason: string };

export interface PreflightWorld {
  /** The bundle that the run has pinned. */
  before: Bundle;
  /** The one to try, and its hash. */
  after: Bundle;
  afterHash: string;
  /** What stands for each toolset that the journal names: the tools under the bundle of then, and under the new one. */
  toolsets: Map<string, { before: ToolDefinition[]; after: ToolDefinition[] }>;
}

/** Entries that others' decisions lead to (an admission, a neighbour in the session): the time of an entry is its input's. */
export function preflight(entries: RunEntry[], world: PreflightWorld): Verdict {
  const [accepted] = entries;
  if (accepted?.type !== 'run.accepted') throw new Error('a journal has no beginning');
  return new Preflight(accepted, entries, world).run();
}

type Accepted = Extract<RunEntry, { type: 'run.accepted' }>;

class Preflight {
  readonly #entries: RunEntry[];
  readonly #world: PreflightWorld;
  readonly #accepted: Accepted;
  /** The state under the bundle of then, and under the new one. */
  readonly #before: PartitionState = emptyState();
  readonly #after: PartitionState = emptyState();
  #sequence = 0;
  #step = 0;

  constructor(accepted: Accepted, entries: RunEntry[], world: PreflightWorld) {
    this.#accepted = accepted;
    this.#entries = entries;
    this.#world = world;
    for (const [hash, { before, after }] of world.toolsets) {
      this.#before.toolsets.set(hash, before);
      this.#after.toolsets.set(hash, after);
    }
  }

  run(): Verdict {
    for (let at = 0; at < this.#entries.length; ) {
      const input = this.#inputFor(this.#entries[at]!);
      // What ends a run from outside is no decision of its bundle.
      if (!input) return { verdict: 'same' };
      const made = this.#decide(this.#before, this.#world.before, this.#accepted.start.bundle, input, at);
      const now = this.#decide(this.#after, this.#world.after, this.#world.afterHash, input, at);
      const recorded = this.#entries.slice(at, at + made.length);
      if (made.length === 0 || recorded.some((entry, i) => isOutsideEnd(entry, made[i]!))) return { verdict: 'same' };
      const difference = this.#compare(made, now, recorded);
      if (difference) return { verdict: 'diverges', step: this.#step, reason: difference };
      at += made.length;
    }
    return { verdict: 'same' };
  }

  #decide(state: PartitionState, bundle: Bundle, hash: string, input: Input, at: number): RunEntry[] {
    const env: Environment = {
      now: this.#entries[at]!.at,
      bundle: () => bundle,
      admission: NO_ADMISSION_LIMITS,
      nextTick: () => null,
    };
    const decider = new Decider(state, env);
    const pinned = input.kind === 'inbound' && input.message.type === 'start' ? repinned(input, hash) : input;
    if (input.kind === 'tick') this.#onlyDue(state, this.#entries[at]!);
    decider.take(structuredClone(pinned));
    if (at === 0) this.#withoutWall(state);
    return decider.entries.filter((entry) => entry.run === this.#accepted.run);
  }

  /** Of what was due at that moment, what the entry says came of it. */
  #onlyDue(state: PartitionState, entry: RunEntry): void {
    for (const { owner, kind, id } of state.due.all()) state.due.remove(owner, kind, id);
    if (entry.type === 'sleep.ended') state.due.set(entry.run, 'sleep', entry.callId, entry.at);
    else if (entry.type === 'question.answered') state.due.set(entry.run, 'question', entry.question, entry.at);
  }

  /** When a run began and how long it may take depended on its neighbours; running out of time is no decision of its bundle. */
  #withoutWall(state: PartitionState): void {
    const run = state.runs.get(this.#accepted.run);
    if (!run || !isActive(run)) return;
    run.limits = { ...run.limits, wallTimeMs: Number.MAX_SAFE_INTEGER };
    state.due.remove(run.id, 'wall');
  }

  /** Entry by entry, and for each step the request that it sends. */
  #compare(made: RunEntry[], now: RunEntry[], recorded: RunEntry[]): string | null {
    for (let i = 0; i < made.length; i++) {
      const [a, b, then] = [made[i]!, now[i], recorded[i]];
      // A run that is under way may not have come as far.
      if (!then) return null;
      if (then.type !== a.type || entryDifference(then, a))
        return `this planner decides otherwise: ${nameOf(a)} instead of ${nameOf(then)}`;
      if (a.type === 'step.requested') this.#step++;
      if (!b) return `${nameOf(a)} does not follow any more`;
      if (a.type !== b.type) return `${nameOf(b)} comes instead of ${nameOf(a)}`;
      const difference = entryDifference(a, b);
      if (difference) return difference;
      if (a.type !== 'step.requested') continue;
      const asked = this.#requestDifference(a.callId);
      if (asked) return asked;
    }
    const more = now[made.length];
    if (!more) return null;
    this.#step++;
    return `${nameOf(more)} is added`;
  }

  #requestDifference(callId: string): string | null {
    const before = this.#request(this.#before, this.#world.before, callId);
    const after = this.#request(this.#after, this.#world.after, callId);
    if (!before || !after) return before === after ? null : 'a step is not asked for any more';
    return requestDifference(before, after);
  }

  #request(state: PartitionState, bundle: Bundle, callId: string): StepRequest | undefined {
    const run = state.runs.get(this.#accepted.run);
    const open = run && isActive(run) ? run.open[callId] : undefined;
    const agent = run && agentFor(bundle, run);
    return open && agent ? requestOf(state, run as ActiveRun, open, agent, bundle) : undefined;
  }

  /** What came in that the entry was the first consequence of; undefined: nothing that can be made again. */
  #inputFor(entry: RunEntry): Input | undefined {
    const { tenant, session, run } = this.#accepted;
    const base = { v: 1 as const, tenant, session, run, at: entry.at };
    const inbound = (message: InboundMessage): Input => ({ kind: 'inbound', sequence: ++this.#sequence, message });
    switch (entry.type) {
      case 'run.accepted':
        return inbound({ ...base, type: 'start', start: entry.start });
      case 'step.completed':
        return { kind: 'result', run, callId: entry.callId, outcome: { ok: true, body: this.#bodyOf(entry.result) } };
      case 'step.failed':
      case 'step.retried':
        return { kind: 'result', run, callId: entry.callId, outcome: { ok: false, error: entry.error } };
      case 'approval.requested': {
        const { arguments: given, argumentsHash, effect, reason, policy, expiresAt, callId } = entry.approval;
        const expiresInMs = expiresAt - entry.at;
        const body = {
          status: 'approval_required',
          arguments: given,
          argumentsHash,
          effect,
          reason,
          policy,
          expiresInMs,
        };
        return { kind: 'result', run, callId, outcome: { ok: true, body } };
      }
      case 'approval.decided': {
        const { approval, by, reason } = entry;
        if (entry.decision === 'expired' || entry.decision === 'cancelled')
          return inbound({ ...base, type: 'timer', timer: { kind: 'approval_expiry', approval } });
        const decision = entry.decision === 'approved' ? 'approve' : 'deny';
        return inbound({
          ...base,
          type: 'approve',
          approval,
          decision,
          by,
          ...(reason === undefined ? {} : { reason }),
        });
      }
      case 'question.answered':
        if (entry.outcome !== 'answered') return entry.outcome === 'expired' ? { kind: 'tick' } : undefined;
        return inbound({
          ...base,
          type: 'input',
          question: entry.question,
          text: entry.text,
          by: entry.by,
          ...(entry.key === undefined ? {} : { key: entry.key }),
        });
      case 'sleep.ended':
        return { kind: 'tick' };
      case 'child.waiting': {
        const { child, version, approvals, questions, sleepsUntil } = entry;
        return inbound({ ...base, type: 'child_waiting', child, version, approvals, questions, sleepsUntil });
      }
      case 'child.ended':
        return inbound({ ...base, type: 'child_ended', outcome: entry.outcome });
      // Consequences of another input, or of an end that came from outside.
      default:
        return undefined;
    }
  }

  #bodyOf(result: Extract<RunEntry, { type: 'step.completed' }>['result']): unknown {
    switch (result.kind) {
      case 'recall':
        return result.recall;
      case 'search':
        return { passages: result.passages };
      case 'describe': {
        const tools = this.#world.toolsets.get(result.toolset)?.before ?? [];
        return { hash: result.toolset, tools, problems: result.problems };
      }
      case 'complete':
        return result.completion;
      case 'execute': {
        const { content, isError, effect } = result.action;
        return { status: 'done', content, isError, effect, replayed: result.replayed };
      }
      case 'remember':
        return { stored: true };
      default:
        return result satisfies never;
    }
  }
}

/** The run was ended from outside (cancelled, interrupted, out of time): that is no decision of its bundle. */
function isOutsideEnd(recorded: RunEntry, made: RunEntry): boolean {
  if (recorded.type === made.type) return false;
  return recorded.type === 'run.cancelling' || recorded.type === 'run.failed' || recorded.type === 'run.cancelled';
}

function repinned(input: Extract<Input, { kind: 'inbound' }>, bundle: string): Input {
  const { message } = input;
  return message.type === 'start' ? { ...input, message: { ...message, start: { ...message.start, bundle } } } : input;
}

function nameOf(entry: RunEntry): string {
  if (entry.type === 'step.requested')
    return entry.step.kind === 'execute' ? `a call of ${entry.step.call.name}` : `the step "${entry.step.kind}"`;
  return entry.type;
}

/** Differences that are no consequence of an earlier one. What is pinned differs, of course. */
function entryDifference(a: RunEntry, b: RunEntry): string | null {
  if (a.type === 'run.started' && b.type === 'run.started' && a.strategy !== b.strategy)
    return `another strategy: ${b.strategy} instead of ${a.strategy}`;
  if (a.type === 'run.failed' && b.type === 'run.failed' && a.error.message !== b.error.message)
    return `it ends otherwise: ${b.error.message}`;
  if (a.type === 'step.requested' && b.type === 'step.requested' && canonicalJson(a.step) !== canonicalJson(b.step))
    return `${nameOf(b)} comes instead of ${nameOf(a)}`;
  if (a.type === 'plan.made' && b.type === 'plan.made' && canonicalJson(a.plan) !== canonicalJson(b.plan))
    return `another plan is carried out: ${b.plan.reason}`;
  if (a.type === 'child.started' && b.type === 'child.started' && a.child !== b.child)
    return 'another child run starts';
  return null;
}

function requestDifference(a: StepRequest, b: StepRequest): string | null {
  if (a.verb !== b.verb) return `${b.verb} is asked instead of ${a.verb}`;
  const [before, after] = [withoutPin(a.body), withoutPin(b.body)];
  if (canonicalJson(before) === canonicalJson(after)) return null;
  if (a.verb === 'complete' && b.verb === 'complete') return modelDifference(a.body, b.body);
  if (a.verb === 'search') return 'other collections are searched';
  return `${a.verb} is asked otherwise`;
}

function withoutPin(body: object): object {
  const { bundle: _pinned, have: _known, ...rest } = body as { bundle?: string; have?: string[] };
  return rest;
}

type CompleteBody = Extract<StepRequest, { verb: 'complete' }>['body'];

function modelDifference(a: CompleteBody, b: CompleteBody): string {
  if (a.model !== b.model) return `another model is asked: ${b.model} instead of ${a.model}`;
  const names = (body: CompleteBody) => (body.chat.tools ?? []).map((tool) => tool.name);
  const gone = names(a).filter((name) => !names(b).includes(name));
  const added = names(b).filter((name) => !names(a).includes(name));
  if (gone.length > 0) return `the model has no tool ${gone.join(', ')} any more`;
  if (added.length > 0) return `the model has another tool: ${added.join(', ')}`;
  if (a.chat.messages[0]?.content !== b.chat.messages[0]?.content)
    return 'the model is told something else: the instructions differ';
  if (canonicalJson(a.chat.facts ?? []) !== canonicalJson(b.chat.facts ?? [])) return 'the model is given other facts';
  return 'the model is asked otherwise';
}
