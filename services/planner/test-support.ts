/** Scripted workers on the real bus, to drive a real planner in tests. */
import type {
  Bundle,
  ChatMessage,
  InboundMessage,
  ReadBody,
  ReadResult,
  RunStart,
  ToolDefinition,
  Turn,
  VERBS,
} from '@tutti/contracts';
import {
  contentHash,
  InboundMessage as Inbound,
  newRunId,
  newSessionId,
  partitionOf,
  RunLimits,
  subjects,
  TuttiError,
} from '@tutti/contracts';
import { type Bus, defineService, type Handlers, type StartedService, startService } from '@tutti/runtime';
import { z } from 'zod';

export const tool = (name: string, effect: ToolDefinition['effect'] = 'pure'): ToolDefinition => ({
  name,
  description: name,
  parameters: { type: 'object', properties: {} },
  effect,
});

export function testBundle(overrides: Partial<Bundle['agents'][string]> = {}): Bundle {
  return {
    v: 1,
    name: 'test',
    agents: {
      helper: {
        name: 'helper',
        description: '',
        strategy: 'react',
        instructions: 'Help.',
        model: 'auto',
        tools: ['*'],
        knowledge: ['notes'],
        facts: [],
        limits: {},
        timeZone: 'UTC',
        ...overrides,
      },
    },
    tools: {},
    collections: {},
    policies: {},
  };
}

type Complete = z.input<typeof VERBS.complete.body>;
export interface Script {
  complete(body: Complete): { content?: string; calls?: { name: string; arguments: Record<string, unknown> }[] };
  execute?(body: { tool: string; arguments: Record<string, unknown>; approved: boolean; callId: string }): unknown;
  tools?: ToolDefinition[];
  search?(query: string): string;
  /** What the agent has under this bundle, instead of `tools`. */
  toolsOf?(bundle: string): ToolDefinition[];
  /** Memory's projection. */
  read?(body: ReadBody): ReadResult | Promise<ReadResult>;
}

/** The four workers with their answers scripted; counts what they were asked. */
export async function startWorkers(env: Record<string, string>, script: Script) {
  const asked: { verb: string; callId: string; body: unknown }[] = [];
  const remembered: unknown[] = [];
  const turns: Turn[] = [];
  const tools = script.tools ?? [tool('look'), tool('act', 'irreversible')];
  const handlers: Record<'memory' | 'retriever' | 'tools' | 'router', Handlers> = {
    memory: {
      recall: async (body, { item }) => {
        asked.push({ verb: 'recall', callId: item.callId, body });
        return { turns, summary: null, facts: [] };
      },
      remember: async (body, { item }) => {
        asked.push({ verb: 'remember', callId: item.callId, body });
        remembered.push(body.turn);
        return { stored: true };
      },
      read: async (body) => {
        if (!script.read) throw new TuttiError('unavailable', 'nothing is projected here');
        return script.read(body);
      },
    },
    retriever: {
      search: async (body, { item }) => {
        asked.push({ verb: 'search', callId: item.callId, body });
        const text = script.search?.(body.query);
        return { passages: text ? [{ id: text, document: 'd', title: 't', text }] : [] };
      },
    },
    tools: {
      describe: async (body) => {
        const listed = script.toolsOf?.(body.bundle) ?? tools;
        const hash = contentHash(listed);
        return { hash, ...(body.have.includes(hash) ? {} : { tools: listed }), problems: [] };
      },
      execute: async (body, { item }) => {
        asked.push({ verb: 'execute', callId: item.callId, body });
        const effect = tools.find((candidate) => candidate.name === body.tool)?.effect ?? 'pure';
        const result = await script.execute?.({
          tool: body.tool,
          arguments: body.arguments,
          approved: body.approval !== undefined,
          callId: item.callId,
        });
        if (result !== undefined) return result as never;
        if (effect === 'irreversible' && !body.approval) {
          return {
            status: 'approval_required',
            reason: 'a human decides',
            policy: 'test',
            arguments: body.arguments,
            argumentsHash: contentHash(body.arguments),
            effect,
          };
        }
        return { status: 'done', content: JSON.stringify({ ok: body.tool }), isError: false, effect };
      },
    },
    router: {
      complete: async (body, { item }) => {
        asked.push({ verb: 'complete', callId: item.callId, body });
        const { content, calls } = script.complete(body as Complete);
        return {
          message: {
            role: 'assistant',
            content: content ?? null,
            ...(calls ? { toolCalls: calls.map((call, index) => ({ id: `m${index}`, ...call })) } : {}),
          },
          finishReason: calls ? 'tool_calls' : 'stop',
          usage: { inputTokens: 10, outputTokens: 5 },
          model: 'scripted',
          provider: 'scripted',
        };
      },
    },
  };
  const services: StartedService[] = [];
  for (const name of ['memory', 'retriever', 'tools', 'router'] as const) {
    services.push(
      await startService(
        defineService({ name, config: z.object({}), start: async () => ({ handlers: handlers[name] }) }),
        { env },
      ),
    );
  }
  return { asked, remembered, turns, stop: () => Promise.all(services.map((service) => service.stop())) };
}

export interface StartedRun {
  id: string;
  session: string;
  tenant: string;
}

export async function startRun(
  bus: Bus,
  partitions: number,
  bundle: string,
  input: string,
  session = newSessionId(),
  agent = 'helper',
  more: Partial<RunStart> = {},
): Promise<StartedRun> {
  const id = newRunId(session);
  await tell(bus, partitions, {
    v: 1,
    type: 'start',
    tenant: 'default',
    session,
    run: id,
    at: Date.now(),
    start: {
      agent,
      input,
      bundle,
      principal: { id: 'tester', roles: [] },
      limits: {},
      root: id,
      memorySession: session,
      depth: 0,
      parent: null,
      brief: null,
      live: false,
      ...more,
    },
  });
  return { id, session, tenant: 'default' };
}

export async function tell(bus: Bus, partitions: number, message: InboundMessage): Promise<void> {
  const checked = Inbound.parse(message);
  await bus.append(
    subjects.inbound(partitionOf(checked.session, partitions), checked.tenant, checked.session, checked.run),
    new TextEncoder().encode(JSON.stringify(checked)),
  );
}

export const defaultLimits = RunLimits.parse({});

export function lastUser(messages: ChatMessage[]): string {
  return [...messages].reverse().find((message) => message.role === 'user')?.content ?? '';
}
