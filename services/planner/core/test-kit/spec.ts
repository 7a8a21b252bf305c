/**
 * Given, when, then over the state machine: what happened, what comes in, what is to come of it. One partition, whose
 * letters to itself are not delivered: what a run tells another is looked at, not carried out.
 */
import {
  type AgentManifest,
  type Bundle,
  contentHash,
  type InboundMessage,
  newRunId,
  newSessionId,
  type RunEntry,
  type RunStart,
  type ToolDefinition,
} from '@tutti/contracts';
import { testBundle, tool } from '../../test-support.ts';
import { Decider, type Environment, type Input, NO_ADMISSION_LIMITS } from '../decide.ts';
import type { Admission } from '../round.ts';
import { type ActiveRun, emptyState, isActive, type Letter, type PartitionState } from '../state.ts';

type Entry<T extends RunEntry['type']> = Extract<RunEntry, { type: T }>;
export const TOOLS: ToolDefinition[] = [tool('look'), tool('act', 'irreversible')];

export class Spec {
  readonly state: PartitionState = emptyState();
  readonly bundle: Bundle;
  readonly env: Environment;
  now = 1_000_000;
  /** Everything that was written, oldest first. */
  readonly log: RunEntry[] = [];
  /** Of the last input. */
  last!: Decider;
  #sequence = 0;

  constructor(agents: Record<string, Partial<AgentManifest>> = {}, admission: Partial<Admission> = {}) {
    this.bundle = testBundle({ knowledge: [] });
    const { helper } = this.bundle.agents;
    for (const [name, agent] of Object.entries(agents)) this.bundle.agents[name] = { ...helper!, name, ...agent };
    const spec = this;
    this.env = {
      get now() {
        return spec.now;
      },
      bundle: () => this.bundle,
      admission: { ...NO_ADMISSION_LIMITS, ...admission },
      nextTick: (timing, after) => (timing.type === 'once' ? null : (Math.floor(after / 60_000) + 1) * 60_000),
    };
  }

  take(input: Input): Decider {
    this.last = new Decider(this.state, this.env);
    this.last.take(input);
    this.log.push(...this.last.entries);
    return this.last;
  }

  inbound(message: InboundMessage): Decider {
    return this.take({ kind: 'inbound', sequence: ++this.#sequence, message });
  }

  start(agent: string, more: Partial<RunStart> & { session?: string; tenant?: string } = {}): string {
    const { session = newSessionId(), tenant = 'default', ...rest } = more;
    const run = newRunId(session);
    const start: RunStart = {
      agent,
      input: 'go',
      bundle: contentHash(this.bundle),
      principal: { id: 'ann', roles: [] },
      limits: {},
      root: run,
      memorySession: session,
      depth: 0,
      parent: null,
      brief: null,
      live: false,
      ...rest,
    };
    this.inbound({ v: 1, type: 'start', tenant, session, run, at: this.now, start });
    return run;
  }

  active(run: string): ActiveRun {
    const found = this.state.runs.get(run);
    if (!found || !isActive(found)) throw new Error(`${run} is ${found?.status ?? 'unknown'}`);
    return found;
  }

  open(run: string): ActiveRun['open'][string][] {
    return Object.values(this.active(run).open);
  }

  result(run: string, callId: string, body: unknown): Decider {
    return this.take({ kind: 'result', run, callId, outcome: { ok: true, body } });
  }

  fail(run: string, code: 'timeout' | 'internal', retryable: boolean): Decider {
    const error = { code, message: 'no good', retryable };
    return this.take({ kind: 'result', run, callId: this.open(run)[0]!.callId, outcome: { ok: false, error } });
  }

  /** Answers what gathers: nothing recalled, these tools. */
  gather(run: string): this {
    for (const { callId, step } of this.open(run)) {
      if (step.kind === 'recall') this.result(run, callId, { turns: [], summary: null, facts: [] });
      if (step.kind === 'describe') this.result(run, callId, { hash: 'tools', tools: TOOLS, problems: [] });
    }
    return this;
  }

  /** The model's next word, or its next calls. */
  model(run: string, content: string | null, ...calls: [name: string, given: Record<string, unknown>][]): Decider {
    const step = this.open(run).find((open) => open.step.kind === 'complete');
    if (!step) throw new Error(`${run} asks no model: it has ${this.kinds(run).join(', ')} open`);
    return this.result(run, step.callId, {
      message: {
        role: 'assistant',
        content,
        ...(calls.length > 0
          ? { toolCalls: calls.map(([name, given], i) => ({ id: `m${i}`, name, arguments: given })) }
          : {}),
      },
      finishReason: calls.length > 0 ? 'tool_calls' : 'stop',
      usage: { inputTokens: 10, outputTokens: 10 },
      model: 'm',
      provider: 'p',
      degraded: false,
      costUsd: 0.01,
      attempts: [],
      candidates: [],
    });
  }

  plan(run: string, tasks: { id: string; dependsOn?: string[]; agent?: string }[]): Decider {
    const whole = tasks.map((task) => ({ goal: task.id, tools: ['look'], dependsOn: [], ...task }));
    return this.model(run, JSON.stringify({ reason: 'r', question: null, tasks: whole }));
  }

  done(run: string, callId: string, content = '{}'): Decider {
    return this.result(run, callId, { status: 'done', content, isError: false, effect: 'pure', replayed: false });
  }

  remember(run: string): Decider {
    return this.result(run, this.open(run)[0]!.callId, { stored: true });
  }

  childEnds(run: string, child: string, more: object = {}): Decider {
    const { session, callId } = this.active(run).children[child]!;
    void session;
    const usage = { modelCalls: 1, toolCalls: 1, inputTokens: 5, outputTokens: 5, costUsd: 0.01 };
    return this.inbound({
      v: 1,
      type: 'child_ended',
      tenant: 'default',
      session: this.active(run).session,
      run,
      at: this.now,
      outcome: {
        child,
        callId,
        status: 'completed',
        output: `did ${child.slice(-4)}`,
        actions: [],
        passages: [],
        usage,
        ...more,
      },
    });
  }

  tell(run: string, message: Record<string, unknown> & { type: string }): Decider {
    const known = this.state.runs.get(run)!;
    return this.inbound({ v: 1, tenant: known.tenant, session: known.session, run, at: this.now, ...message } as never);
  }

  /** Time passes, and what is due comes. */
  pass(ms: number): Decider {
    this.now += ms;
    return this.take({ kind: 'tick' });
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
  end(run: string) {
    const found = this.state.runs.get(run)!;
    if (found.status === 'queued' || isActive(found)) throw new Error(`${run} is ${found.status}`);
    return found;
  }
  letters(key: string): Letter[] {
    return [...this.state.outbox.values()].filter((letter) => letter.key.startsWith(key));
  }
}
