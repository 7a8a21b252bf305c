/** The request that a step sends: a function of the run and the step. */
import {
  type AgentManifest,
  type Bundle,
  LIMITS,
  PLAN_FORMAT,
  planJsonSchema,
  REPLAN_FORMAT,
  type ToolDefinition,
  type VERBS,
  type VerbName,
} from '@tutti/contracts';
import type { z } from 'zod';
import { conversation, goalText, isReplan } from './conversation.ts';
import { engineTools } from './engine-tools.ts';
import { historyOf, sessionBefore } from './provenance.ts';
import { agentOf } from './round.ts';
import type { ActiveRun, OpenStep, PartitionState } from './state.ts';

export type StepRequest = { [V in VerbName]: { verb: V; body: z.input<(typeof VERBS)[V]['body']> } }[VerbName];

/** Toolset hashes that are named to the tools service, so that it need not send what is known. */
const HAVE_MAX = 32;

/** `bundle`: the one that the run has pinned. */
export function requestOf(
  state: PartitionState,
  run: ActiveRun,
  open: OpenStep,
  agent: AgentManifest,
  pinned: Bundle | undefined,
  now = state.at,
): StepRequest {
  const { step } = open;
  const { bundle } = run.start;
  const asker = { bundle, agent: agent.name };
  switch (step.kind) {
    case 'recall':
      return {
        verb: 'recall',
        body: {
          session: run.start.fork?.memorySession ?? run.start.memorySession,
          query: goalText(run).slice(0, QUERY_CHARS_MAX),
          ...asker,
          // The newest of them may not have been said yet, as far as this run knows.
          turnsMax: run.start.recallBefore === undefined ? LIMITS.turnsMax : FORK_TURNS_MAX,
        },
      };
    case 'search': {
      const query = (step.query ?? goalText(run)).slice(0, QUERY_CHARS_MAX);
      return { verb: 'search', body: { collections: agent.knowledge, query, limit: LIMITS.passagesMax, ...asker } };
    }
    case 'describe':
      return {
        verb: 'describe',
        body: { bundle, agent: agent.name, have: [...state.toolsets.keys()].slice(-HAVE_MAX) },
      };
    case 'complete':
      return { verb: 'complete', body: completeBody(state, run, open, agent, pinned) };
    case 'execute': {
      const history = historyOf(run, open);
      return {
        verb: 'execute',
        body: {
          bundle,
          agent: agent.name,
          tool: step.call.name,
          arguments: step.call.arguments,
          // What was approved and not made in time is asked for again.
          ...(open.grant && now < (open.grant.expiresAt ?? now + 1) ? { approval: open.grant } : {}),
          ...(run.start.effects ? { effects: run.start.effects } : {}),
          label: open.label ?? run.label,
          ...(history ? { history } : {}),
        },
      };
    }
    case 'remember':
      return {
        verb: 'remember',
        body: {
          bundle,
          turn: {
            run: run.id,
            session: run.start.memorySession,
            agent: agent.name,
            at: run.acceptedAt,
            input: run.start.input,
            output: run.answer ?? '',
            actions: run.actions.slice(-ACTIONS_REMEMBERED_MAX),
            label: run.label,
            did: run.did,
            didBefore: sessionBefore(run),
          },
        },
      };
    default:
      throw new Error(`unknown step ${(step satisfies never as { kind: string }).kind}`);
  }
}

const QUERY_CHARS_MAX = 4_000;
const FORK_TURNS_MAX = 4 * LIMITS.turnsMax;
const ACTIONS_REMEMBERED_MAX = 40;

function completeBody(
  state: PartitionState,
  run: ActiveRun,
  open: OpenStep,
  agent: AgentManifest,
  pinned: Bundle | undefined,
) {
  if (open.step.kind !== 'complete') throw new Error('not a complete step');
  const { purpose, messages } = open.step;
  const planning = purpose === 'plan';
  return {
    bundle: run.start.bundle,
    agent: agent.name,
    model: run.start.model ?? agent.models?.[purpose] ?? agent.model,
    // Only what the user waits to read is worth streaming: the answer, or an act that may turn out to be it.
    live: run.start.live && !planning && run.start.parent === null,
    label: open.label ?? run.label,
    principal: run.start.principal.id,
    ...(agent.prompt ? { prompt: agent.prompt } : {}),
    chat: {
      ...conversation(run, agent, purpose, messages, helpersOf(agent, pinned)),
      // Tasks get tools of the world; what the engine does itself is for whoever acts.
      tools: toolsOf(state, run, agent).filter((tool) => purpose === 'act' || !tool.engine),
      toolChoice: purpose === 'act' ? ('auto' as const) : ('none' as const),
      responseFormat: planning
        ? {
            type: 'json_schema' as const,
            name: isReplan(run) ? REPLAN_FORMAT : PLAN_FORMAT,
            schema: planJsonSchema,
          }
        : { type: 'text' as const },
      passages: run.passages,
      facts: [...agent.facts, ...(run.recall?.facts ?? [])],
      now: new Date(open.at).toISOString(),
      timeZone: agent.timeZone,
    },
  };
}

/** The tools that the run may use: the agent's, or those of them that its task names, and the engine's own. */
export function toolsOf(state: PartitionState, run: ActiveRun, agent: AgentManifest | undefined): ToolDefinition[] {
  const all = run.toolset ? (state.toolsets.get(run.toolset) ?? []) : [];
  const { brief } = run.start;
  const tools = brief && !brief.tools.includes('*') ? all.filter((tool) => brief.tools.includes(tool.name)) : all;
  const own = agent ? engineTools(run, agent) : [];
  return own.length > 0 ? [...tools, ...own] : tools;
}

function helpersOf(agent: AgentManifest, pinned: Bundle | undefined): { name: string; description: string }[] {
  return (agent.agents ?? []).flatMap((name) => {
    const helper = agentOf(pinned, name);
    return helper ? [{ name, description: helper.description || 'no description' }] : [];
  });
}
