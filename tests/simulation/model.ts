/**
 * What models answer here: any of the things that a model may answer, by chance. Every call that they make carries a
 * `key` that is theirs alone, so that the world can tell whether something was done twice, whatever its call id.
 */
import type { CompleteResult, RequestItem, VERBS } from '@tutti/contracts';
import type { Random } from '@tutti/testkit';
import type { z } from 'zod';

type Body = z.output<typeof VERBS.complete.body>;
type Answer = z.input<typeof CompleteResult>;

const CALLS_PER_TURN_MAX = 3;
const TASKS_MAX = 4;

export function answerOf(body: Body, item: Omit<RequestItem, 'body'>, random: Random): Answer {
  if (body.chat.responseFormat.type === 'json_schema') return said(plan(body, random), random);
  const made = callsMade(body, item.run ?? '');
  const tools = body.chat.toolChoice === 'none' ? [] : body.chat.tools;
  const loops = body.agent === 'looper';
  if (tools.length === 0 || (!loops && random.chance(made === 0 ? 0.1 : 0.3 + made * 0.15)))
    return said(`answer ${item.run} after ${made} [1]`, random);
  const count = 1 + random.below(CALLS_PER_TURN_MAX);
  const calls = Array.from({ length: count }, (_, index) => {
    const name = random.pick(tools).name;
    const key = `${item.run}/${made}/${index}`;
    return { id: `m${index}`, name, arguments: argumentsOf(name, key, random) };
  });
  return { ...said(null, random), message: { role: 'assistant', content: null, toolCalls: calls } };
}

/** Calls of this run that the conversation shows: those of earlier turns and of its parents have other keys. */
function callsMade(body: Body, run: string): number {
  let count = 0;
  for (const message of body.chat.messages)
    if (message.role === 'assistant')
      for (const call of message.toolCalls ?? []) if (String(call.arguments.key).startsWith(`${run}/`)) count++;
  return count;
}

function argumentsOf(name: string, key: string, random: Random): Record<string, unknown> {
  switch (name) {
    case 'ask_user':
      return { key, question: `which one? ${key}` };
    case 'sleep':
      return { key, seconds: random.chance(0.1) ? -1 : random.between(0.1, 6) };
    case 'delegate':
      return { key, agent: random.pick(['worker', 'answerer', 'nobody']), task: `part ${key}` };
    case 'hand_over':
      return { key, agent: random.pick(['worker', 'answerer']), reason: 'it knows better' };
    case 'report_problem':
      return { key, reason: `unexpected ${key}` };
    default:
      return { key };
  }
}

function plan(body: Body, random: Random): string {
  if (random.chance(0.05)) return 'this is no plan';
  const asks = random.chance(0.1);
  const count = asks ? 0 : random.below(TASKS_MAX + 1);
  const tools = body.chat.tools.filter((tool) => !tool.engine).map((tool) => tool.name);
  const tasks = Array.from({ length: count }, (_, index) => ({
    id: `t${index}`,
    goal: `task ${index}`,
    tools: tools.filter(() => random.chance(0.6)),
    ...(random.chance(0.2) ? { agent: 'worker' } : {}),
    dependsOn: Array.from({ length: index }, (_, before) => `t${before}`).filter(() => random.chance(0.4)),
  }));
  return JSON.stringify({ reason: 'by chance', question: asks ? 'What for?' : null, tasks });
}

function said(content: string | null, random: Random): Answer {
  return {
    message: { role: 'assistant', content },
    finishReason: content === null ? 'tool_calls' : 'stop',
    usage: { inputTokens: 10 + random.below(50), outputTokens: 5 },
    model: 'scripted',
    provider: 'scripted',
    costUsd: 0.001,
  };
}
