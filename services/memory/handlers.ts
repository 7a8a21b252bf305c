/**
 * The verbs of memory. The tenant is always the request's. Reads may be repeated; `remember` replaces by run id. What an
 * agent recalls and remembers, policy has allowed; who reads over the API, the gateway asks about.
 */
import {
  type Bundle,
  type Label,
  type ReadBody,
  type ReadResult,
  type RunView,
  type Turn,
  TuttiError,
  UNLABELLED,
} from '@tutti/contracts';
import type { PolicyDecision, PolicyEngines } from '@tutti/policy';
import type { Handlers } from '@tutti/runtime';
import type { MemoryConfig } from './config.ts';
import { boundTurn, cut, type TurnLimits } from './core/bound-turn.ts';
import { chooseOlder, withinChars } from './core/recall.ts';
import type { GroupCommit } from './group-commit.ts';
import type { MemoryStore, TenantTurn } from './ports/store.ts';
import type { TracedStore } from './tracing.ts';

/** Room for the envelope around an answer within the bus's limit of a message. */
const ENVELOPE_BYTES = 16_384;

export interface HandlerParts {
  store: MemoryStore;
  turns: GroupCommit<TenantTurn>;
  config: MemoryConfig;
  /** The largest message that the bus takes. */
  payloadBytesMax(): number;
  traced: TracedStore;
  /** Throws TuttiError `not_found`. */
  bundle(hash: string): Promise<Bundle>;
  policies: PolicyEngines;
}

export function createHandlers(parts: HandlerParts): Handlers {
  const limits = turnLimits(parts.config);
  return {
    async recall(body, { item, traceparent }) {
      const verdict = await ask(parts, 'memory.read', { ...body, tenant: item.tenant });
      if (verdict.decision !== 'allow') {
        const { reason, policy } = verdict;
        return { turns: [], summary: null, facts: [], withheld: [{ what: body.session, reason, policy }] };
      }
      const find = { operation: 'find', traceparent, rows: (turns: Turn[]) => turns.length } as const;
      const turns = await parts.traced(find, () => recallTurns(parts, item.tenant, body));
      return { turns, summary: null, facts: [] };
    },
    async remember({ turn, bundle }, { item, traceparent }) {
      const { session, agent, label = UNLABELLED } = turn;
      const verdict = await ask(parts, 'memory.write', { tenant: item.tenant, session, bundle, agent, label });
      if (verdict.decision !== 'allow')
        throw new TuttiError('forbidden', `policy ${verdict.policy} keeps this turn from memory: ${verdict.reason}`);
      const bound = { tenant: item.tenant, turn: boundTurn(turn, limits) };
      await parts.traced({ operation: 'upsert', traceparent }, () => parts.turns.add(bound));
      return { stored: true };
    },
    read: (body, { item }) => read(parts, item.tenant, body),
  };
}

interface Asked {
  tenant: string;
  session: string;
  bundle?: string | undefined;
  agent?: string | undefined;
  label?: Label | undefined;
}

/** Without a bundle (a conversation that the gateway takes over, an older planner) the built-in policies are asked. */
async function ask(
  { bundle: find, policies }: HandlerParts,
  action: 'memory.read' | 'memory.write',
  { tenant, session, bundle: hash, agent = '', label }: Asked,
): Promise<PolicyDecision> {
  const bundle = hash === undefined ? undefined : await find(hash);
  const engine = hash !== undefined && bundle ? policies.of(hash, bundle) : policies.builtin;
  const manifest = bundle && Object.hasOwn(bundle.agents, agent) ? bundle.agents[agent] : undefined;
  return engine.authorize({
    principal: { type: 'Agent', id: agent, attrs: { tenant }, attributes: manifest?.attributes },
    action,
    resource: { type: 'Session', id: session, attrs: { tenant } },
    context: { tenant, label },
  });
}

async function recallTurns(
  { store, config }: HandlerParts,
  tenant: string,
  body: { session: string; query: string; turnsMax: number },
): Promise<Turn[]> {
  const recent = await store.turns(tenant, body.session, body.turnsMax);
  const room = config.TUTTI_MEMORY_RECALL_CHARS_MAX;
  const olderMax = config.TUTTI_MEMORY_OLDER_TURNS_MAX;
  if (recent.length < body.turnsMax || olderMax === 0) return withinChars([], recent, room);
  const far = body.turnsMax + config.TUTTI_MEMORY_SEARCH_TURNS_MAX;
  const texts = await store.turnTexts(tenant, body.session, far, config.TUTTI_MEMORY_SEARCH_CHARS_MAX);
  const latest = new Set(recent.map(({ run }) => run));
  const older = texts.filter(({ run }) => !latest.has(run));
  const chosen = chooseOlder(
    older.map(({ input, output }) => `${input}\n${output}`),
    body.query.slice(0, config.TUTTI_MEMORY_SEARCH_CHARS_MAX),
    olderMax,
  );
  const runs = chosen.map((index) => older[index]!.run);
  return withinChars(runs.length > 0 ? await store.turnsOf(tenant, body.session, runs) : [], recent, room);
}

async function read(parts: HandlerParts, tenant: string, body: ReadBody): Promise<ReadResult> {
  const { store, config } = parts;
  const room = parts.payloadBytesMax() - ENVELOPE_BYTES;
  switch (body.op) {
    case 'run':
      return { op: 'run', run: await store.run(tenant, body.run) };
    case 'runs': {
      const runs = await store.runs(tenant, body);
      const charsMax = config.TUTTI_MEMORY_LIST_TEXT_CHARS_MAX;
      return {
        op: 'runs',
        runs: withinBytes(
          runs.map((run) => listed(run, charsMax)),
          room,
        ),
      };
    }
    case 'journal':
      return {
        op: 'journal',
        entries: withinBytes(await store.journal(tenant, body.run, body.after, body.limit), room),
      };
    case 'approvals':
      return { op: 'approvals', approvals: withinBytes(await store.approvals(tenant, body), room) };
    case 'approval':
      return { op: 'approval', approval: await store.approval(tenant, body.approval) };
    case 'late':
      return { op: 'late', results: withinBytes(await store.late(tenant, body.run), room) };
    case 'turns':
      return { op: 'turns', turns: newestWithinBytes(await store.turns(tenant, body.session, body.limit), room) };
    default:
      return body satisfies never;
  }
}

/** In a list texts are cut and citations left out: the run itself has them whole. */
function listed(run: RunView, charsMax: number): RunView {
  return {
    ...run,
    input: cut(run.input, charsMax),
    output: run.output === null ? null : cut(run.output, charsMax),
    citations: [],
  };
}

/** A page may end before its limit, never before its first item: the reader goes on behind what it has. */
function withinBytes<Item>(items: Item[], bytesMax: number): Item[] {
  let used = 0;
  const over = items.findIndex((item, index) => {
    used += Buffer.byteLength(JSON.stringify(item)) + 1;
    return used > bytesMax && index > 0;
  });
  return over === -1 ? items : items.slice(0, over);
}

function newestWithinBytes<Item>(items: Item[], bytesMax: number): Item[] {
  return withinBytes(items.toReversed(), bytesMax).reverse();
}

function turnLimits(config: MemoryConfig): TurnLimits {
  return {
    inputCharsMax: config.TUTTI_MEMORY_INPUT_CHARS_MAX,
    outputCharsMax: config.TUTTI_MEMORY_OUTPUT_CHARS_MAX,
    actionsMax: config.TUTTI_MEMORY_ACTIONS_MAX,
    actionContentCharsMax: config.TUTTI_MEMORY_ACTION_CONTENT_CHARS_MAX,
    actionArgumentsCharsMax: config.TUTTI_MEMORY_ACTION_ARGUMENTS_CHARS_MAX,
  };
}
