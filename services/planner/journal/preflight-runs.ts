/** Tries a bundle on runs: those that are named, or what waits now, or what has run lately. One run after the other, with a pause for everybody else in between. */
import {
  type Bundle,
  isEnd,
  type PreflightReport,
  type RunEntry,
  type ToolDefinition,
  TuttiError,
} from '@tutti/contracts';
import type { Handler, ServiceContext } from '@tutti/runtime';
import type { PlannerConfig } from '../config.ts';
import { type PreflightWorld, preflight } from '../core/preflight.ts';
import type { JournalReader } from './reader.ts';

const LIST_TIMEOUT_MS = 10_000;
const DESCRIBE_TIMEOUT_MS = 30_000;

type Context = Pick<ServiceContext<PlannerConfig>, 'caller' | 'bundles' | 'clock' | 'log'>;

export function preflightHandler(context: Context, reader: JournalReader): Handler<'preflight'> {
  return async ({ bundle: hash, runs, scope, limit }, { item, signal }) => {
    const { tenant } = item;
    const after = await context.bundles.get(hash);
    const ids = runs ?? (await chosen(context, tenant, scope, limit));
    const toolsets = new Toolsets(context, tenant);
    const reports: PreflightReport[] = [];
    for (const run of ids) {
      if (signal.aborted) throw new TuttiError('cancelled', 'the preflight was cancelled');
      reports.push(await one(context, reader, toolsets, { tenant, run, hash, after }));
      await new Promise<void>((resolve) => context.clock.soon(resolve));
    }
    return { reports };
  };
}

async function chosen(
  { caller }: Context,
  tenant: string,
  scope: 'waiting' | 'recent',
  limit: number,
): Promise<string[]> {
  const filter = scope === 'waiting' ? { status: 'waiting' as const } : {};
  const body = { op: 'runs' as const, children: true, limit, ...filter };
  const result = await caller.call('read', body, { tenant, timeoutMs: LIST_TIMEOUT_MS });
  return result.op === 'runs' ? result.runs.map((run) => run.id) : [];
}

interface Wanted {
  tenant: string;
  run: string;
  hash: string;
  after: Bundle;
}

async function one(
  context: Context,
  reader: JournalReader,
  toolsets: Toolsets,
  wanted: Wanted,
): Promise<PreflightReport> {
  const { tenant, run, hash, after } = wanted;
  let agent = '';
  let status = '';
  try {
    const entries = await reader.read(tenant, run);
    const [accepted] = entries;
    if (accepted?.type !== 'run.accepted') throw new Error('its journal has no beginning');
    agent = accepted.start.agent;
    status = statusOf(entries);
    if (accepted.start.fork) return { run, agent, status, verdict: 'unreadable', reason: 'a fork: try its original' };
    const before = await context.bundles.get(accepted.start.bundle);
    const known = await toolsets.of(entries, accepted.start.bundle, agent, hash);
    return { run, agent, status, ...preflight(entries, { before, after, afterHash: hash, toolsets: known }) };
  } catch (error) {
    if (error instanceof TuttiError && error.retryable) throw error;
    return { run, agent, status, verdict: 'unreadable', reason: (error as Error).message };
  }
}

function statusOf(entries: RunEntry[]): string {
  const last = entries.at(-1)!;
  return isEnd(last) ? last.type.replace('run.', '') : 'under way';
}

/** Tool definitions by hash: a journal names them, the tools service has them. Asked for once a bundle and agent. */
class Toolsets {
  readonly #context: Context;
  readonly #tenant: string;
  readonly #asked = new Map<string, Promise<ToolDefinition[]>>();
  constructor(context: Context, tenant: string) {
    this.#context = context;
    this.#tenant = tenant;
  }

  /** The tools that each bundle gives the agent today, for every toolset that the journal names. */
  async of(entries: RunEntry[], bundle: string, agent: string, hash: string): Promise<PreflightWorld['toolsets']> {
    const known: PreflightWorld['toolsets'] = new Map();
    const named = entries.flatMap((entry) =>
      entry.type === 'step.completed' && entry.result.kind === 'describe' ? [entry.result.toolset] : [],
    );
    if (named.length === 0) return known;
    const before = await this.#describe(bundle, agent);
    const after = await this.#describe(hash, agent);
    for (const toolset of named) known.set(toolset, { before, after });
    return known;
  }

  #describe(bundle: string, agent: string): Promise<ToolDefinition[]> {
    const key = `${bundle} ${agent}`;
    let asked = this.#asked.get(key);
    if (!asked) {
      const options = { tenant: this.#tenant, timeoutMs: DESCRIBE_TIMEOUT_MS };
      asked = this.#context.caller
        .call('describe', { bundle, agent, have: [] }, options)
        .then(({ tools }) => tools ?? []);
      this.#asked.set(key, asked);
    }
    return asked;
  }
}
