/** The tools that runs had, and those that they would have: by what their owners remember, or else as they are listed today. */
import { type Bundle, type RunEntry, type ToolDefinition, TuttiError } from '@tutti/contracts';
import type { Caller } from '@tutti/runtime';
import { needsToolset } from '../core/engine-tools.ts';
import { agentOf } from '../core/round.ts';
import type { JournalReader } from './reader.ts';

const DESCRIBE_TIMEOUT_MS = 30_000;

/** `exact`: they are those that the run had, not those that its agent has today. */
interface Named {
  known: Map<string, ToolDefinition[]>;
  exact: boolean;
}

/** For one request: what was asked for once is known. */
export class Toolsets {
  readonly #caller: Caller;
  readonly #reader: JournalReader;
  readonly #tenant: string;
  readonly #byHash = new Map<string, ToolDefinition[]>();
  readonly #described = new Map<string, ReturnType<Toolsets['describe']>>();

  constructor(caller: Caller, reader: JournalReader, tenant: string) {
    this.#caller = caller;
    this.#reader = reader;
    this.#tenant = tenant;
  }

  /** Those that a journal names. `bundle`, `agent`: the run's own. */
  async named(entries: RunEntry[], bundle: string, agent: string): Promise<Named> {
    const named: Named = { known: new Map(), exact: true };
    for (const hash of namedIn(entries)) {
      const tools = this.#byHash.get(hash) ?? (await this.#ofOwner(entries[0]!.run, hash));
      named.known.set(hash, tools ?? (await this.#ofToday(hash, bundle, agent, named)));
    }
    return named;
  }

  async #ofOwner(run: string, hash: string): Promise<ToolDefinition[] | undefined> {
    const reply = await this.#reader.ask(run, { op: 'toolset', hash });
    if (reply?.op !== 'toolset') return undefined;
    this.#byHash.set(hash, reply.tools);
    return reply.tools;
  }

  async #ofToday(hash: string, bundle: string, agent: string, named: Named): Promise<ToolDefinition[]> {
    const today = await this.describe(bundle, agent);
    this.#byHash.set(today.hash, today.tools);
    if (today.hash !== hash) named.exact = false;
    return today.tools;
  }

  /** Those of the agent under a bundle. */
  async under(hash: string, bundle: Bundle, name: string): Promise<ToolDefinition[]> {
    const agent = agentOf(bundle, name);
    if (!agent || !needsToolset(agent)) return [];
    const { tools, problems } = await this.describe(hash, name);
    if (problems.length > 0)
      throw new TuttiError(
        'unavailable',
        `not all tools of the bundle can be listed right now: ${problems.join('; ')}`,
      );
    return tools;
  }

  describe(bundle: string, agent: string): Promise<{ hash: string; tools: ToolDefinition[]; problems: string[] }> {
    const key = `${bundle} ${agent}`;
    let asked = this.#described.get(key);
    if (!asked) {
      const options = { tenant: this.#tenant, timeoutMs: DESCRIBE_TIMEOUT_MS };
      asked = this.#caller
        .call('describe', { bundle, agent, have: [] }, options)
        .then(({ hash, tools = [], problems }) => ({ hash, tools, problems }));
      this.#described.set(key, asked);
    }
    return asked;
  }
}

function namedIn(entries: RunEntry[]): Set<string> {
  const hashes = entries.flatMap((entry) => {
    if (entry.type === 'run.forked') return entry.toolset ?? [];
    return entry.type === 'step.completed' && entry.result.kind === 'describe' ? entry.result.toolset : [];
  });
  return new Set(hashes);
}
