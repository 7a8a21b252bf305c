/** A plan is data: a DAG of tasks, as a model returns it under `responseFormat {name: "plan"}`. */
import { z } from 'zod';
import type { JsonSchema } from './chat.ts';

export const TASKS_MAX = 12;

export const PlanTask = z.object({
  id: z
    .string()
    .regex(/^[a-z0-9_-]{1,32}$/)
    .describe('Short unique id of the task, e.g. "flights".'),
  goal: z.string().min(1).max(2_000).describe('What this task must find out or do, complete in itself.'),
  tools: z.array(z.string()).max(32).describe('Names of the tools that this task may use.'),
  agent: z.string().max(63).nullish().describe('Name of another agent that should do this task, else null.'),
  dependsOn: z.array(z.string()).max(TASKS_MAX).describe('Ids of the tasks whose results this task needs.'),
});
export type PlanTask = z.infer<typeof PlanTask>;

/**
 * `tasks` empty and `question` null: nothing to split, answer the goal directly.
 * `question` not null: something that only the user can say is missing; the run asks it instead of acting.
 */
export const Plan = z.object({
  reason: z.string().max(2_000).describe('One sentence: why the goal is split this way.'),
  question: z
    .string()
    .max(2_000)
    .nullable()
    .describe('What to ask the user when something needed is missing, else null.'),
  tasks: z.array(PlanTask).max(TASKS_MAX),
});
export type Plan = z.infer<typeof Plan>;

export const PLAN_FORMAT = 'plan';
/** The same shape, asked for when tasks failed or found something that the plan did not expect. */
export const REPLAN_FORMAT = 'replan';
/** Strict structured output knows no optional property, so a model is asked for `agent` always; a plan without it is read as null. */
export const planJsonSchema = z.toJSONSchema(
  Plan.extend({ tasks: z.array(PlanTask.required({ agent: true })).max(TASKS_MAX) }),
) as JsonSchema;
