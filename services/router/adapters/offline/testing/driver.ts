/**
 * A miniature of the planner for tests: plan → sub-tasks in order of their dependencies → answer, with fake tools. Owns no
 * assertions beyond "a call must name a given tool".
 */
import {
  type ChatMessage,
  ChatRequest,
  type EffectKind,
  type JsonSchema,
  type Passage,
  Plan,
  planJsonSchema,
  type ToolCall,
  type ToolDefinition,
} from '@tutti/contracts';
import { completeOffline } from '../index.ts';

const TURNS_MAX = 15;

export interface FakeTool {
  readonly definition: ToolDefinition;
  readonly run: (args: Record<string, never>) => unknown;
}
export class Failure {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}
export interface Made {
  readonly name: string;
  readonly arguments: Record<string, unknown>;
  readonly result: unknown;
}
export interface Outcome {
  readonly plan: Plan;
  readonly calls: Made[];
  readonly answer: string;
  readonly children: { id: string; text: string; calls: Made[] }[];
}

export const object = (properties: Record<string, unknown>, required: string[] = []): JsonSchema => ({
  type: 'object',
  properties,
  required,
});
export function fake(
  name: string,
  description: string,
  parameters: JsonSchema,
  // biome-ignore lint/suspicious/noExplicitAny: a fake reads whatever its own schema declares
  run: (args: any) => unknown,
  options: { effect?: EffectKind; returns?: JsonSchema; undo?: string } = {},
): FakeTool {
  return {
    definition: {
      name,
      description,
      parameters,
      effect: options.effect ?? 'pure',
      ...(options.returns ? { returns: options.returns } : {}),
      ...(options.undo ? { undo: options.undo } : {}),
    },
    run,
  };
}

export interface SessionOptions {
  tools: FakeTool[];
  passages?: Partial<Passage>[];
  facts?: string[];
  now?: string;
  timeZone?: string;
  deny?: (call: ToolCall) => string | null;
  forgetCalls?: boolean;
}

export class Session {
  readonly options: SessionOptions;
  readonly history: ChatMessage[] = [];
  readonly made: Made[] = [];

  constructor(options: SessionOptions) {
    this.options = options;
  }

  private request(messages: ChatMessage[], extra: Partial<ChatRequest>): ChatRequest {
    return ChatRequest.parse({
      messages: [{ role: 'system', content: 'You are an agent of Tutti.' }, ...messages],
      facts: this.options.facts ?? [],
      passages: (this.options.passages ?? []).map((one, index) => ({
        id: `p${index}`,
        document: `d${index}`,
        title: 'Document',
        text: '',
        ...one,
      })),
      now: this.options.now ?? '2026-11-22T14:00:00Z',
      timeZone: this.options.timeZone ?? 'Europe/Berlin',
      ...extra,
    });
  }

  private execute(call: ToolCall, tools: readonly FakeTool[], calls: Made[]): ChatMessage {
    const tool = tools.find((one) => one.definition.name === call.name);
    if (!tool) throw new Error(`call of a tool that was not given: ${call.name}`);
    const denied = this.options.deny?.(call) ?? null;
    let result: unknown;
    try {
      result = denied ? new Failure(denied) : tool.run(call.arguments as never);
    } catch (error) {
      result = new Failure(String(error));
    }
    const made = { name: call.name, arguments: call.arguments, result };
    calls.push(made);
    this.made.push(made);
    return {
      role: 'tool',
      toolCallId: call.id,
      name: call.name,
      content: result instanceof Failure ? result.text : typeof result === 'string' ? result : JSON.stringify(result),
      ...(result instanceof Failure ? { isError: true } : {}),
    };
  }

  private loop(
    messages: ChatMessage[],
    tools: readonly FakeTool[],
    calls: Made[],
  ): { messages: ChatMessage[]; text: string } {
    const own: ChatMessage[] = [];
    for (let turn = 0; turn < TURNS_MAX; turn += 1) {
      const response = completeOffline(
        this.request([...messages, ...own], { tools: tools.map((one) => one.definition) }),
      );
      own.push(response.message);
      if (!response.message.toolCalls?.length) return { messages: own, text: response.message.content ?? '' };
      for (const call of response.message.toolCalls) own.push(this.execute(call, tools, calls));
    }
    throw new Error(`no end after ${TURNS_MAX} turns: ${JSON.stringify(own.slice(-4))}`);
  }

  say(text: string): Outcome {
    const user: ChatMessage = { role: 'user', content: text };
    const messages = [...this.history, user];
    const { tools } = this.options;
    const definitions = tools.map((one) => one.definition);
    const planned = completeOffline(
      this.request(messages, {
        tools: definitions,
        toolChoice: 'none',
        responseFormat: { type: 'json_schema', name: 'plan', schema: planJsonSchema },
      }),
    );
    const plan = Plan.parse(JSON.parse(planned.message.content ?? ''));
    const calls: Made[] = [];
    const remember = (own: ChatMessage[], answer: string): void => {
      this.history.push(user, ...(this.options.forgetCalls ? [] : own), { role: 'assistant', content: answer });
    };
    if (plan.question) {
      remember([], plan.question);
      return { plan, calls, answer: plan.question, children: [] };
    }
    if (plan.tasks.length === 0) {
      const { messages: own, text: answer } = this.loop(messages, tools, calls);
      remember(own.slice(0, -1), answer);
      return { plan, calls, answer, children: [] };
    }
    const traces = new Map<string, ChatMessage[]>();
    const children: Outcome['children'] = [];
    for (const task of plan.tasks) {
      const before = task.dependsOn.flatMap((id) => {
        const trace = traces.get(id);
        if (!trace) throw new Error(`task ${task.id} depends on ${id}, which does not come before it`);
        return trace;
      });
      const own: Made[] = [];
      const result = this.loop(
        [{ role: 'user', content: `Overall goal: ${text}\n\nYour task: ${task.goal}` }, ...before],
        tools.filter((one) => task.tools.includes(one.definition.name)),
        own,
      );
      traces.set(
        task.id,
        result.messages.filter((one) => one.role === 'tool' || (one.role === 'assistant' && one.toolCalls)),
      );
      children.push({ id: task.id, text: result.text, calls: own });
      calls.push(...own);
    }
    const all = [...traces.values()].flat();
    const reported = children.map((one) => `- ${one.id}\n${one.text.replace(/^/gm, '  ')}`).join('\n');
    const system: ChatMessage = { role: 'system', content: `Results of the sub-tasks:\n${reported}` };
    const final = completeOffline(this.request([system, ...messages, ...all], { tools: [], toolChoice: 'none' }));
    const answer = final.message.content ?? '';
    remember(all, answer);
    return { plan, calls, answer, children };
  }
}

export const names = (calls: readonly Made[]): string[] => calls.map((one) => one.name);
export const callOf = (calls: readonly Made[], name: string): Made => {
  const found = calls.find((one) => one.name === name);
  if (!found)
    throw new Error(`${name} was not called; calls: ${JSON.stringify(calls.map((one) => [one.name, one.arguments]))}`);
  return found;
};
