/** The verbs of the tools service: `describe` and `execute`. */
import {
  type AgentManifest,
  contentHash,
  ENGINE_TOOL_NAMES,
  fitsAny,
  joinLabels,
  type Label,
  RESULT_LABEL,
  SYSTEM_LABEL,
  type ToolDefinition,
  TuttiError,
} from '@tutti/contracts';
import { ATTR, type BundleStore, createMetrics, type Handlers, METRIC, type Metrics } from '@tutti/runtime';
import type { Broker } from './broker/execute.ts';
import type { Result } from './broker/types.ts';
import { sourceHandlers } from './source-handlers.ts';
import type { Tool, ToolsNow } from './toolbox/toolbox.ts';
import type { Toolboxes } from './toolbox/toolboxes.ts';

export function createHandlers(deps: {
  bundles: BundleStore;
  toolboxes: Toolboxes;
  broker: Broker;
  metrics?: Metrics;
}): Handlers {
  const described = remembering(describe);
  const calls = (deps.metrics ?? createMetrics()).counter(METRIC.toolCalls);
  return {
    async describe(body, { signal, item }) {
      const bundle = await deps.bundles.get(body.bundle);
      const agent = Object.hasOwn(bundle.agents, body.agent) ? bundle.agents[body.agent] : undefined;
      if (!agent) throw new TuttiError('not_found', `there is no agent "${body.agent}" in this bundle`);
      const now = await deps.toolboxes.of(item.tenant, body.bundle, bundle).tools(signal);
      const { hash, definitions, problems, label } = described(now, agent);
      const known = body.have.includes(hash) ? {} : { tools: definitions };
      return { hash, problems, ...known, ...(label === SYSTEM_LABEL ? {} : { label }) };
    },
    ...sourceHandlers(deps),
    async execute(body, context) {
      const { tenant, callId, run, root, session } = context.item;
      const request = { ...body, tenant, callId, run, root, session, traceparent: context.traceparent };
      const result = await deps.broker.execute(request, context.signal).catch((error: unknown) => {
        calls.of('', 'failed').inc();
        throw error;
      });
      const effect = 'effect' in result ? result.effect : '';
      calls.of(effect, outcomeOf(result)).inc();
      context.attributes({
        [ATTR.toolName]: body.tool,
        [ATTR.toolCallId]: callId,
        [ATTR.toolStatus]: result.status,
        ...(effect ? { [ATTR.toolEffect]: effect } : {}),
        ...('policy' in result ? { [ATTR.policy]: result.policy } : {}),
        ...('replayed' in result && result.replayed ? { [ATTR.toolReplayed]: true } : {}),
      });
      return result;
    },
  };
}

function outcomeOf(result: Result): string {
  if (result.status !== 'done') return result.status;
  if (result.replayed) return 'replayed';
  return result.isError ? 'error' : 'done';
}

interface Described {
  hash: string;
  definitions: ToolDefinition[];
  problems: string[];
  /** Of all that the definitions say. */
  label: Label;
}

/** An agent's toolset. Every run asks for it, and hashing many schemas takes a while. */
function describe({ tools, problems }: ToolsNow, agent: AgentManifest): Described {
  const own = [...tools.values()]
    .filter((tool) => fitsAny(tool.name, agent.tools))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const definitions = own.map(definitionOf);
  const label = own.reduce((all, tool) => joinLabels(all, tool.described), SYSTEM_LABEL);
  const names = definitions.map((tool) => tool.name);
  const missing = agent.tools
    .filter((pattern) => !ENGINE_TOOL_NAMES.includes(pattern) && !names.some((name) => fitsAny(name, [pattern])))
    .map((pattern) => `the agent "${agent.name}" asks for "${pattern}", which no source offers right now`);
  return { hash: contentHash(definitions), definitions, problems: [...problems, ...missing], label };
}

function remembering(make: typeof describe): typeof describe {
  const made = new WeakMap<ToolsNow, WeakMap<AgentManifest, Described>>();
  return (now, agent) => {
    let ofAgents = made.get(now);
    if (!ofAgents) {
      ofAgents = new WeakMap();
      made.set(now, ofAgents);
    }
    let known = ofAgents.get(agent);
    if (!known) {
      known = make(now, agent);
      ofAgents.set(agent, known);
    }
    return known;
  };
}

function definitionOf({
  name,
  description,
  parameters,
  returns,
  effect,
  undo,
  undoWith,
  trust,
  sums,
}: Tool): ToolDefinition {
  const label = trust.label === RESULT_LABEL ? {} : { label: trust.label };
  const more = {
    ...(undo ? { undo } : {}),
    ...(undo && undoWith ? { undoWith } : {}),
    ...label,
    ...(sums ? { sums } : {}),
  };
  return { name, description, parameters, ...(returns ? { returns } : {}), effect, ...more };
}
