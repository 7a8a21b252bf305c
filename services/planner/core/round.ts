/**
 * One round of the state machine: the state, what it may know of the world, and what came of it so far. Every entry is
 * applied at once (evolve), so that the next decision sees it. Outputs leave only after the entries are stored.
 */
import type { AgentManifest, Bundle, PartitionEntry, RunEntry, ScheduleTiming } from '@tutti/contracts';
import { evolve } from './evolve.ts';
import { evolvePartition } from './evolve-partition.ts';
import type { PartitionState, RunState } from './state.ts';

/** Bounds of a partition. The owner's configuration, not in the log: what they let in is. */
export interface Admission {
  /** Root runs under way in the partition, waiting ones not counted. */
  activeRunsMax: number;
  /** The same for one tenant. */
  tenantActiveRunsMax: number;
  /** Root runs of one tenant that wait for their turn; more are refused. */
  queuedRunsMax: number;
}

export const NO_ADMISSION_LIMITS: Admission = {
  activeRunsMax: Number.POSITIVE_INFINITY,
  tenantActiveRunsMax: Number.POSITIVE_INFINITY,
  queuedRunsMax: Number.POSITIVE_INFINITY,
};

export interface Environment {
  /** Unix milliseconds. */
  now: number;
  bundle(hash: string): Bundle | undefined;
  admission: Admission;
  /** The first tick after `after` (Unix ms); null: there is none. Pure. */
  nextTick(timing: ScheduleTiming, after: number): number | null;
}

export type Unnumbered = RunEntry extends infer E ? (E extends RunEntry ? Omit<E, 'run' | 'n' | 'at'> : never) : never;

export class Round {
  readonly state: PartitionState;
  readonly env: Environment;
  readonly entries: RunEntry[] = [];
  readonly partitionEntries: PartitionEntry[] = [];
  readonly delivered: string[] = [];
  /** Calls that nobody waits for any more. */
  readonly forgotten: { run: string; callId: string; bar?: string }[] = [];
  /** Calls to send (again), with the run that they belong to. */
  readonly toSend: { run: string; callId: string }[] = [];
  /** Idle runs that may be written out. */
  readonly toPark: string[] = [];
  /** Parked runs for which something came due: their state is needed. */
  readonly wanted: string[] = [];
  /** Runs that were given up because deciding about them threw, and what (see `guarded`). */
  readonly faults: { run: string; error: unknown }[] = [];
  /** The run that this input is about, if it is about one. */
  about: string | undefined;
  #applying = false;
  /** Runs that may begin were left for another input: one has to come (a tick). */
  more = false;
  /** Ticks that are due: they need the tenant's bundle. */
  readonly ticks: { tenant: string; id: string; dueAt: number }[] = [];

  constructor(state: PartitionState, env: Environment) {
    this.state = state;
    this.env = env;
  }

  get now(): number {
    return this.env.now;
  }

  emit(run: string, entry: Unnumbered): void {
    const n = (this.state.runs.get(run)?.version ?? 0) + 1;
    this.append({ ...entry, run, n, at: this.env.now } as RunEntry);
  }

  /** An entry with its number and time: those of a fork's prefix. */
  append(entry: RunEntry): void {
    this.entries.push(entry);
    this.#applying = true;
    evolve(this.state, entry);
    this.#applying = false;
  }

  emitPartition(entry: PartitionEntry): void {
    this.partitionEntries.push(entry);
    this.#applying = true;
    evolvePartition(this.state, entry);
    this.#applying = false;
  }

  /** False once an entry could not be applied: then nothing can be built on the state any more. */
  get whole(): boolean {
    return !this.#applying;
  }

  /** The run as it is now: evolve puts another object in its place when its status changes its shape. */
  run(id: string): RunState | undefined {
    return this.state.runs.get(id);
  }

  /** The agent as this run sees it: with its own instructions or model, where it was started with some. */
  agent(run: RunState): AgentManifest | undefined {
    return agentFor(this.env.bundle(run.start.bundle), run);
  }
}

/** An agent's name comes from outside: `constructor` is not one. */
export function agentOf(bundle: Bundle | undefined, name: string): AgentManifest | undefined {
  return bundle && Object.hasOwn(bundle.agents, name) ? bundle.agents[name] : undefined;
}

export function agentFor(bundle: Bundle | undefined, run: Pick<RunState, 'start'>): AgentManifest | undefined {
  const agent = agentOf(bundle, run.start.agent);
  const { instructions, model } = run.start;
  if (!agent || (instructions === undefined && model === undefined)) return agent;
  return { ...agent, instructions: instructions ?? agent.instructions, model: model ?? agent.model };
}
