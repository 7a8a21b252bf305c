/**
 * The four services that steps are sent to, answered by the real receiver: scripted, sometimes slow, sometimes failing,
 * each with replicas that may die in the middle of what they do. What they keep (ledger, memory) is outside of them.
 */
import { contentHash, type ErrorCode, TuttiError } from '@tutti/contracts';
import { createReceiver, type Handlers, type Logger, type RequestContext, type Telemetry } from '@tutti/runtime';
import type { MemoryServer, Random, VirtualProcess } from '@tutti/testkit';
import { NEEDS_APPROVAL, TOOLS, TOOLSET } from './agents.ts';
import type { Evidence } from './evidence.ts';
import { answerOf } from './model.ts';
import type { Projection } from './projector.ts';
import type { World } from './world.ts';

export const WORKERS = ['memory', 'retriever', 'tools', 'router'] as const;
export type WorkerName = (typeof WORKERS)[number];

/** How workers behave, 0 to 1 each. */
export interface WorkerWeather {
  slow: number;
  failing: number;
  busy: number;
}

export interface WorkerDeps {
  server: MemoryServer;
  random: Random;
  evidence: Evidence;
  world: World;
  projection: Projection;
  weather: WorkerWeather;
  log: Logger;
}

const IN_FLIGHT_MAX = 64;
const IN_FLIGHT_BUSY = 2;
const TURNS_MAX = 6;
const silent: Telemetry = {
  enabled: false,
  span: () => ({ traceparent: undefined, attributes() {}, event() {}, end() {} }),
};

/** One replica; ends when its process does. */
export function startWorker(name: WorkerName, process: VirtualProcess, deps: WorkerDeps): void {
  const worker = new Worker(process, deps);
  createReceiver({
    bus: deps.server.connect(process),
    service: name,
    handlers: worker.handlers[name],
    inFlightMax: deps.random.chance(deps.weather.busy) ? IN_FLIGHT_BUSY : IN_FLIGHT_MAX,
    telemetry: silent,
    log: deps.log,
    clock: process.clock,
  });
}

class Worker {
  readonly handlers: Record<WorkerName, Handlers>;
  readonly #process: VirtualProcess;
  readonly #deps: WorkerDeps;

  constructor(process: VirtualProcess, deps: WorkerDeps) {
    this.#process = process;
    this.#deps = deps;
    this.handlers = {
      memory: {
        recall: (body, context) => this.#work('recall', body, context, () => this.#recall(body.session)),
        remember: (body, context) =>
          this.#work('remember', body, context, () => {
            deps.world.remember(`${context.item.tenant}/${body.turn.session}`, body.turn);
            return { stored: true as const };
          }),
        read: async (body, context) => {
          await this.#takeTime(context);
          if (body.op !== 'journal') throw new TuttiError('invalid_request', 'nobody here keeps that');
          return { op: 'journal', entries: (deps.projection.journals.get(body.run) ?? []).slice(body.after) };
        },
      },
      retriever: {
        search: (body, context) =>
          this.#work('search', body, context, () => ({
            passages: [{ id: 'p', document: 'd', title: 't', text: body.query.slice(0, 20) }],
          })),
      },
      tools: {
        describe: (body, context) =>
          this.#work('describe', body, context, () => ({
            hash: TOOLSET,
            ...(body.have.includes(TOOLSET) ? {} : { tools: TOOLS }),
          })),
        execute: (body, context) => this.#execute(body, context),
      },
      router: {
        complete: (body, context) =>
          this.#work('complete', body, context, () => answerOf(body, context.item, deps.random)),
      },
    };
  }

  async #work<T>(
    verb: 'recall' | 'remember' | 'search' | 'describe' | 'complete',
    body: unknown,
    context: RequestContext,
    answer: () => T,
  ): Promise<T> {
    this.#deps.evidence.request(verb, { ...context.item, body });
    await this.#takeTime(context);
    this.#mayFail();
    return answer();
  }

  async #takeTime({ signal }: RequestContext): Promise<void> {
    const { random, weather } = this.#deps;
    // Most answers come at once; a slow one takes longer than callers wait without a sign of life.
    const ms = random.chance(weather.slow) ? random.between(100, 8_000) : random.between(0.2, 20);
    await this.#process.clock.sleep(ms);
    if (signal.aborted) throw signal.reason;
  }

  #mayFail(): void {
    const { random, weather } = this.#deps;
    if (!random.chance(weather.failing)) return;
    const code = random.pick<ErrorCode>(['unavailable', 'timeout', 'overloaded', 'internal', 'model_failed']);
    throw new TuttiError(code, 'by chance', {
      ...(code === 'overloaded' ? { retryAfterMs: random.between(50, 500) } : {}),
    });
  }

  #recall(session: string) {
    const { world } = this.#deps;
    const turns = [...world.turns].find(([key]) => key.endsWith(`/${session}`))?.[1] ?? [];
    return {
      turns: turns
        .slice(-TURNS_MAX)
        .map(({ run, at, input, output }) => ({ run, session, agent: 'any', at, input, output, actions: [] })),
      summary: null,
      facts: [],
    };
  }

  readonly #execute: NonNullable<Handlers['execute']> = async (body, context) => {
    const { evidence, world, random } = this.#deps;
    const { callId, tenant } = context.item;
    evidence.request('execute', { ...context.item, body });
    await this.#takeTime(context);
    const definition = TOOLS.find((candidate) => candidate.name === body.tool);
    if (!definition) throw new TuttiError('tool_unknown', `there is no tool ${body.tool}`);
    if (definition.effect === 'pure') {
      this.#mayFail();
      return { status: 'done', content: 'seen', isError: random.chance(0.1), effect: 'pure' };
    }
    const effect = definition.effect === 'keyed' ? 'keyed' : 'irreversible';
    const known = world.ledger.get(`${tenant}/${callId}`);
    if (known?.state === 'outcome')
      return { status: 'done', content: known.content, isError: false, effect: known.effect, replayed: true };
    if (known?.state === 'intent' && (known.by as VirtualProcess).alive && known.by !== this.#process)
      throw new TuttiError('unavailable', 'another replica works on it', { retryAfterMs: 100 });
    const lost = known?.state === 'intent' && known.by !== this.#process && effect === 'irreversible';
    if (!known && body.effects === 'block') return { status: 'denied', reason: 'a fork', policy: 'simulation' };
    const asks = (!known && (body.tool === NEEDS_APPROVAL || body.effects === 'approve')) || lost;
    const hash = contentHash({ tool: body.tool, arguments: body.arguments, lost });
    if (asks && body.approval?.argumentsHash !== hash)
      return {
        status: 'approval_required',
        reason: lost ? 'it is not known whether it happened' : 'a person decides',
        policy: lost ? 'tutti.effect-unknown' : 'simulation',
        arguments: body.arguments,
        argumentsHash: hash,
        effect,
        // A third of what a person decides needs two of them.
        ...(!lost && Number.parseInt(hash.slice(0, 2), 16) % 3 === 0 ? { quorum: 2 } : {}),
      };
    if (!known) this.#mayFail();
    world.ledger.set(`${tenant}/${callId}`, { state: 'intent', by: this.#process });
    await this.#process.clock.sleep(random.between(0.2, 10));
    world.act(`${tenant}/${callId}`, {
      // A fork may be given the same answer as the run that it comes from: what it makes of it is its own, and approved.
      key: `${context.item.run} ${body.tool} ${body.arguments.key}`,
      tool: body.tool,
      run: context.item.run ?? '',
      at: this.#deps.server.time.now,
      approved: body.approval !== undefined,
    });
    await this.#process.clock.sleep(random.between(0.2, 10));
    world.ledger.set(`${tenant}/${callId}`, { state: 'outcome', content: 'done', effect });
    return { status: 'done', content: 'done', isError: false, effect };
  };
}
