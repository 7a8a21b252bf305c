/**
 * The messages that a model sees for a step, and what they are. A function of the run alone, so that a new owner sends the
 * same ones.
 */
import type { Action, AgentManifest, ChatMessage, Segment } from '@tutti/contracts';
import {
  ANSWER_INSTRUCTIONS,
  helpersText,
  PLAN_INSTRUCTIONS,
  REPLAN_INSTRUCTIONS,
  taskInput,
  taskNotes,
} from './prompts.ts';
import type { ActiveRun } from './state.ts';

/** Turns of a run's own thread that a model sees; of a longer one the goal and the newest. Keeps a step's cost flat however long the run is. */
export const THREAD_TURNS_MAX = 160;

export function conversation(
  run: ActiveRun,
  agent: AgentManifest,
  purpose: 'plan' | 'act' | 'answer',
  threadLength: number,
  helpers: { name: string; description: string }[] = [],
): { messages: ChatMessage[]; segments: Segment[] } {
  const messages: ChatMessage[] = [];
  const segments: Segment[] = [];
  const add = (kind: Segment['kind'], part: ChatMessage[]) => {
    if (part.length === 0) return;
    segments.push({ kind, messages: part.length });
    for (const message of part) messages.push(message);
  };
  add('instructions', [{ role: 'system', content: systemText(run, agent, purpose, helpers) }]);
  if (run.recall?.summary)
    add('summary', [{ role: 'system', content: `Earlier in this conversation: ${run.recall.summary}` }]);
  add('history', history(run));
  add('history', interrupted(run));
  add('goal', [{ role: 'user', content: goalText(run) }]);
  add('earlier', pairs(earlierActions(run)));
  add('thread', thread(run, threadLength));
  return { messages, segments };
}

export function goalText(run: ActiveRun): string {
  const { brief } = run.start;
  return brief ? taskInput(brief.goal, brief.task) : run.start.input;
}

function systemText(
  run: ActiveRun,
  agent: AgentManifest,
  purpose: 'plan' | 'act' | 'answer',
  helpers: { name: string; description: string }[],
): string {
  const parts = [agent.instructions.trim()];
  if (purpose === 'plan') parts.push(isReplan(run) ? REPLAN_INSTRUCTIONS : PLAN_INSTRUCTIONS);
  if (purpose === 'answer') parts.push(ANSWER_INSTRUCTIONS);
  if (purpose !== 'answer' && helpers.length > 0) parts.push(helpersText(helpers));
  const notes = [...(run.start.brief?.notes ?? []), ...ownNotes(run)];
  if (notes.length > 0) parts.push(taskNotes(notes));
  return parts.join('\n\n');
}

/** A plan is asked for although there was one with tasks. */
export function isReplan(run: ActiveRun): boolean {
  return run.tasks.length > 0 || run.earlier.length > 0;
}

/** What the run's own tasks came to, those of earlier plans first. */
function ownNotes(run: ActiveRun): { task: string; output: string }[] {
  if (!run.plan) return [];
  const earlier = run.earlier.map(({ goal, outcome }) => ({
    task: goal,
    output: outcome ? outcomeText(outcome) : 'Not done: the plan was changed before.',
  }));
  const now = run.tasks.flatMap((task) => {
    const goal = run.plan!.tasks.find((planned) => planned.id === task.id)!.goal;
    if (task.status === 'skipped')
      return [{ task: goal, output: 'Not done: something that it needs was not achieved.' }];
    if (!task.outcome) return [];
    return [{ task: goal, output: outcomeText(task.outcome) }];
  });
  return [...earlier, ...now];
}

export function outcomeText(outcome: {
  status: string;
  output: string;
  error?: { message: string } | undefined;
  surprise?: string | undefined;
}): string {
  // A child numbers its own passages: its marks mean nothing here.
  const output = outcome.output.replace(/\s*\[\d+\]/g, '');
  if (outcome.surprise !== undefined) return `${output}\nNot as planned: ${outcome.surprise}`;
  if (outcome.status === 'completed') return output;
  return `Not done: ${outcome.error?.message ?? outcome.status}${output ? `\n${output}` : ''}`;
}

function history(run: ActiveRun): ChatMessage[] {
  return (run.recall?.turns ?? []).flatMap((turn): ChatMessage[] => [
    { role: 'user', content: turn.input },
    ...pairs(turn.actions),
    { role: 'assistant', content: turn.output },
  ]);
}

/** Runs of this session that this one cut short: what was asked and done in them is not in memory. */
function interrupted(run: ActiveRun): ChatMessage[] {
  return run.interrupted.flatMap((before): ChatMessage[] => [
    { role: 'user', content: before.input },
    ...pairs(before.actions),
    { role: 'assistant', content: 'I stopped here, because you sent another message.' },
  ]);
}

/** Those of the brief, and those of its plans' tasks: all other actions are of calls in the thread. */
function earlierActions(run: ActiveRun): Action[] {
  const given = run.start.brief?.actions ?? [];
  if (!isReplan(run)) return given;
  const own = new Set(
    run.thread.flatMap((message) =>
      message.role === 'assistant' ? (message.toolCalls ?? []).map((call) => call.id) : [],
    ),
  );
  return [...given, ...run.actions.filter((action) => !own.has(action.callId))];
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
function thread(run: ActiveRun, length: number): ChatMessage[] {
  const from = Math.max(0, length - THREAD_TURNS_MAX);
  const shown = run.thread.slice(from, length);
  const results = resultsOf(run, shown);
  const left: ChatMessage[] =
    from > 0 ? [{ role: 'assistant', content: `(${from} earlier turns of this work are left out here.)` }] : [];
  const turns = shown.flatMap((message): ChatMessage[] => {
    if (message.role !== 'assistant') return [message];
    const answered = (message.toolCalls ?? []).flatMap((call) => {
      const action = results.get(call.id);
      return action ? [toolMessage(action)] : [];
    });
    return [message, ...answered];
  });
  return [...left, ...turns];
}

/** What came of the calls of these turns, from the newest action back to the last one that is needed. */
function resultsOf(run: ActiveRun, turns: ChatMessage[]): Map<string, Action> {
  const wanted = new Set(
    turns.flatMap((turn) => (turn.role === 'assistant' ? (turn.toolCalls ?? []) : [])).map(({ id }) => id),
  );
  const results = new Map<string, Action>();
  for (let i = run.actions.length - 1; i >= 0 && wanted.size > 0; i--) {
    const action = run.actions[i]!;
    if (wanted.delete(action.callId)) results.set(action.callId, action);
  }
  return results;
}
