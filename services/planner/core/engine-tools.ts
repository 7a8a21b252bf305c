/** Tools that the planner carries out itself: what models see of them, and who has which. */
import { type AgentManifest, ENGINE_TOOL_NAMES, type ToolDefinition } from '@tutti/contracts';
import { REPORT_PROBLEM } from './evolve.ts';
import type { RunState } from './state.ts';

export const ASK_USER = 'ask_user';
export const SLEEP = 'sleep';
export const DELEGATE = 'delegate';
export const HAND_OVER = 'hand_over';

export const QUESTION_CHARS_MAX = 4_000;
export const TASK_CHARS_MAX = 20_000;

const text = (description: string, maxLength: number) => ({ type: 'string', minLength: 1, maxLength, description });
const object = (properties: Record<string, unknown>, required = Object.keys(properties)) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

const DEFINITIONS: Record<string, Omit<ToolDefinition, 'name'>> = {
  [ASK_USER]: {
    description: 'Asks the user something that only the user can know, and waits for the answer.',
    parameters: object({ question: text('The question, complete in itself.', QUESTION_CHARS_MAX) }),
    effect: 'pure',
    engine: true,
  },
  [SLEEP]: {
    description: 'Waits: for a number of seconds, or until a moment (ISO 8601 with a time zone). Give one of the two.',
    parameters: object(
      { seconds: { type: 'number', exclusiveMinimum: 0 }, until: { type: 'string', format: 'date-time' } },
      [],
    ),
    effect: 'pure',
    engine: true,
  },
  [REPORT_PROBLEM]: {
    description:
      'Says that what you found does not fit the plan that this task belongs to, so that it is planned anew.',
    parameters: object({ reason: text('What was found, and why the plan has to change.', QUESTION_CHARS_MAX) }),
    effect: 'pure',
    engine: true,
  },
};

function agentTools(agents: string[]): ToolDefinition[] {
  const agent = { type: 'string', enum: agents };
  return [
    {
      name: DELEGATE,
      description: `Has another agent do a task and gives its answer back. Several at once run at the same time. Agents: ${agents.join(', ')}.`,
      parameters: object({ agent, task: text('What to do, complete in itself.', TASK_CHARS_MAX) }),
      effect: 'pure',
      engine: true,
    },
    {
      name: HAND_OVER,
      description: `Hands the whole goal over to another agent, whose answer is the answer. Agents: ${agents.join(', ')}.`,
      parameters: object({ agent, reason: text('Why that agent is the right one.', QUESTION_CHARS_MAX) }),
      effect: 'pure',
      engine: true,
    },
  ];
}

/** Of the run's own agent. Tasks of a plan have no helpers of their own, but may say that the plan does not fit. */
export function engineTools(run: RunState, agent: AgentManifest): ToolDefinition[] {
  const names = ENGINE_TOOL_NAMES.filter(
    (name) => agent.tools.includes(name) && (name !== ASK_USER || run.start.onQuestion !== 'end'),
  );
  if (run.start.brief) names.push(REPORT_PROBLEM);
  const own = names.map((name): ToolDefinition => ({ name, ...DEFINITIONS[name]! }));
  const helpers = agent.agents ?? [];
  return helpers.length > 0 && !run.start.brief ? [...own, ...agentTools(helpers)] : own;
}

/** Whether the tools service has anything to tell about this agent. */
export function needsToolset(agent: AgentManifest): boolean {
  return agent.tools.some((name) => !ENGINE_TOOL_NAMES.includes(name));
}
