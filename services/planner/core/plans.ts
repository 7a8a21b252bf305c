/**
 * Plans: a DAG of tasks as data. Tasks run as child runs, those that do not need each other at the same time. When a
 * task failed or found what the plan did not expect, there is a new plan, up to `plansMax`.
 */
import { derivedCallId, Plan, TuttiError } from '@tutti/contracts';
import { boundActions, boundText, TEXT_BYTES_MAX } from './bounds.ts';
import { ask } from './calls.ts';
import { childStart, startChild } from './children.ts';
import { end } from './ends.ts';
import { childShare } from './limits.ts';
import { checkPlan } from './plan-rules.ts';
import { toolsOf } from './requests.ts';
import type { Round } from './round.ts';
import type { ActiveRun } from './state.ts';

/** A model's answer becomes the plan, or why there is none. */
export function planned(round: Round, run: ActiveRun, content: string): void {
  const because = run.planCount > 0 ? replanReason(run) : undefined;
  const plan = readPlan(round, run, content);
  round.emit(run.id, { type: 'plan.made', plan, ...(because ? { because } : {}) });
  if (plan.question && run.start.onQuestion !== 'end') ask(round, run, plan.question, null);
}

function readPlan(round: Round, run: ActiveRun, content: string): Plan {
  const none = (reason: string): Plan => ({ reason, question: null, tasks: [] });
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch {
    return none('The plan was not JSON: going on without one.');
  }
  const plan = Plan.safeParse(parsed);
  if (!plan.success) return none('The plan could not be used (it does not fit its schema): going on without one.');
  const agent = round.agent(run);
  const checked = checkPlan(plan.data, toolsOf(round.state, run, agent), agent?.agents ?? []);
  if ('problem' in checked) return none(`The plan could not be used (${checked.problem}): going on without one.`);
  // Whoever asks a question has no plan yet.
  return checked.plan.question ? { ...checked.plan, tasks: [] } : checked.plan;
}

/** Starts every task whose needs are met, unless something was found that the plan did not expect. */
export function startTasks(round: Round, run: ActiveRun): void {
  if (surprise(run) !== null && mayReplan(run)) return;
  for (const task of run.plan?.tasks ?? []) {
    const own = run.tasks.find((candidate) => candidate.id === task.id)!;
    if (own.status !== 'pending') continue;
    const needs = task.dependsOn.map((id) => run.tasks.find((candidate) => candidate.id === id)!);
    if (!needs.every((need) => need.status === 'completed')) continue;
    startTask(round, run, task);
    if (round.run(run.id) !== run) return;
  }
}

function startTask(round: Round, run: ActiveRun, task: Plan['tasks'][number]): void {
  const pending = run.tasks.filter((candidate) => candidate.status === 'pending').length;
  const share = childShare(run, pending);
  if (typeof share === 'string') return end(round, run, new TuttiError('limit_exceeded', share).toInfo());
  const callId = derivedCallId(run.id, run.version + 1);
  const agent = task.agent ?? run.start.agent;
  startChild(round, run, {
    callId,
    kind: 'task',
    task: task.id,
    key: run.planCount > 1 ? `${run.planCount}.${task.id}` : task.id,
    start: childStart(run, { agent, input: task.goal, share, callId, brief: briefOf(run, task), now: round.now }),
  });
}

function briefOf(run: ActiveRun, task: Plan['tasks'][number]) {
  const needs = run.tasks.filter((candidate) => task.dependsOn.includes(candidate.id));
  const textMax = Math.floor(TEXT_BYTES_MAX / Math.max(1, needs.length));
  return {
    goal: run.start.brief?.goal ?? run.start.input,
    task: task.goal,
    // Another agent brings its own tools.
    tools: task.agent && task.agent !== run.start.agent ? [ALL_TOOLS] : task.tools,
    actions: boundActions(needs.flatMap((need) => need.outcome?.actions ?? [])),
    notes: needs.flatMap((need) => {
      const goal = run.plan!.tasks.find((candidate) => candidate.id === need.id)!.goal;
      return need.outcome
        ? [{ task: goal, output: boundText(need.outcome.output.replace(/\s*\[\d+\]/g, ''), textMax) }]
        : [];
    }),
  };
}
export const ALL_TOOLS = '*';

/** Nothing of the plan is under way, and nothing of it can be started. */
export function tasksSettled(run: ActiveRun): boolean {
  if (run.tasks.some((task) => task.status === 'running')) return false;
  if (surprise(run) !== null && mayReplan(run)) return true;
  return !run.tasks.some((task) => task.status === 'pending');
}

export function mayReplan(run: ActiveRun): boolean {
  return run.planCount < run.limits.plansMax;
}

/** Why the tasks as they are call for another plan; null: they do not. */
export function replanReason(run: ActiveRun): string | null {
  const found = surprise(run);
  if (found !== null) return found;
  const failed = run.tasks.find((task) => task.status === 'failed' && task.outcome?.status === 'failed');
  return failed ? `the task ${failed.id} failed: ${failed.outcome?.error?.message ?? 'no reason given'}` : null;
}

function surprise(run: ActiveRun): string | null {
  const task = run.tasks.find((candidate) => candidate.outcome?.surprise !== undefined);
  return task ? `the task ${task.id} found: ${task.outcome!.surprise}` : null;
}
