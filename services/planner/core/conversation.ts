/** The messages that a model sees for a step. A function of the run alone, so that a new owner sends the same ones. */
import type { Action, AgentManifest, ChatMessage } from '@tutti/contracts';
import { ANSWER_INSTRUCTIONS, PLAN_INSTRUCTIONS, taskInput, taskNotes } from './prompts.ts';
import type { RunState } from './state.ts';

export function conversation(
  run: RunState,
  agent: AgentManifest,
  purpose: 'plan' | 'act' | 'answer',
  threadLength: number,
): ChatMessage[] {
  return [
    { role: 'system', content: systemText(run, agent, purpose) },
    ...history(run),
    { role: 'user', content: goalText(run) },
    ...pairs(earlierActions(run)),
    ...thread(run, threadLength),
  ];
}

export function goalText(run: RunState): string {
  const { brief } = run.start;
  return brief ? taskInput(brief.goal, brief.task) : run.start.input;
}

function systemText(run: RunState, agent: AgentManifest, purpose: 'plan' | 'act' | 'answer'): string {
  const parts = [agent.instructions.trim()];
  if (purpose === 'plan') parts.push(PLAN_INSTRUCTIONS);
  if (purpose === 'answer') parts.push(ANSWER_INSTRUCTIONS);
  const notes = [...(run.start.brief?.notes ?? []), ...ownNotes(run)];
  if (notes.length > 0) parts.push(taskNotes(notes));
  if (run.recall?.summary) parts.push(`Earlier in this conversation: ${run.recall.summary}`);
  return parts.join('\n\n');
}

/** What the run's own tasks came to. */
function ownNotes(run: RunState): { task: string; output: string }[] {
  if (!run.plan) return [];
  return run.tasks.flatMap((task) => {
    const goal = run.plan!.tasks.find((planned) => planned.id === task.id)!.goal;
    if (task.status === 'skipped')
      return [{ task: goal, output: 'Not done: something that it needs was not achieved.' }];
    if (!task.outcome) return [];
    return [{ task: goal, output: outcomeText(task.outcome) }];
  });
}

export function outcomeText(outcome: {
  status: string;
  output: string;
  error?: { message: string } | undefined;
}): string {
  // A child numbers its own passages: its marks mean nothing here.
  const output = outcome.output.replace(/\s*\[\d+\]/g, '');
  if (outcome.status === 'completed') return output;
  return `Not done: ${outcome.error?.message ?? outcome.status}${output ? `\n${output}` : ''}`;
}

function history(run: RunState): ChatMessage[] {
  return (run.recall?.turns ?? []).flatMap((turn): ChatMessage[] => [
    { role: 'user', content: turn.input },
    ...pairs(turn.actions),
    { role: 'assistant', content: turn.output },
  ]);
}

function earlierActions(run: RunState): Action[] {
  const own = new Set(
    run.thread.flatMap((message) =>
      message.role === 'assistant' ? (message.toolCalls ?? []).map((call) => call.id) : [],
    ),
  );
  return [...(run.start.brief?.actions ?? []), ...run.actions.filter((action) => !own.has(action.callId))];
}

function pairs(actions: Action[]): ChatMessage[] {
  return actions.flatMap((action): ChatMessage[] => [
    {
      role: 'assistant',
      content: null,
      toolCalls: [{ id: action.callId, name: action.tool, arguments: action.arguments }],
    },
    toolMessage(action),
  ]);
}

function toolMessage(action: Action): ChatMessage {
  return {
    role: 'tool',
    toolCallId: action.callId,
    name: action.tool,
    content: action.content,
    ...(action.isError ? { isError: true } : {}),
  };
}

/** The run's own calls with their results behind them: a call is never parted from its result. */
function thread(run: RunState, length: number): ChatMessage[] {
  const results = new Map(run.actions.map((action) => [action.callId, action]));
  return run.thread.slice(0, length).flatMap((message): ChatMessage[] => {
    if (message.role !== 'assistant') return [message];
    const answered = (message.toolCalls ?? []).flatMap((call) => {
      const action = results.get(call.id);
      return action ? [toolMessage(action)] : [];
    });
    return [message, ...answered];
  });
}
