/** What a plan must hold to be carried out: known tools and agents, known and acyclic dependencies. Kahn's algorithm (1962) finds cycles. */
import type { Plan, ToolDefinition } from '@tutti/contracts';

/** The plan with what is unknown left out, or the reason why it cannot be used. */
export function checkPlan(
  plan: Plan,
  tools: ToolDefinition[],
  agents: string[] = [],
): { plan: Plan } | { problem: string } {
  const known = new Set(tools.filter((tool) => !tool.engine).map((tool) => tool.name));
  const ids = new Set(plan.tasks.map((task) => task.id));
  if (ids.size !== plan.tasks.length) return { problem: 'two tasks have the same id' };
  const stranger = plan.tasks.find((task) => task.agent && !agents.includes(task.agent));
  if (stranger) return { problem: `the task ${stranger.id} is for an agent "${stranger.agent}" that is not known` };
  const tasks = plan.tasks.map((task) => ({
    ...task,
    tools: task.tools.filter((name) => known.has(name)),
    dependsOn: [...new Set(task.dependsOn)].filter((id) => ids.has(id) && id !== task.id),
  }));
  const cycle = findCycle(tasks);
  if (cycle) return { problem: `the tasks ${cycle.join(', ')} wait for each other` };
  return { plan: { ...plan, tasks } };
}

function findCycle(tasks: { id: string; dependsOn: string[] }[]): string[] | null {
  const waiting = new Map(tasks.map((task) => [task.id, new Set(task.dependsOn)]));
  for (let progress = true; progress; ) {
    progress = false;
    for (const [id, needs] of waiting) {
      if (needs.size > 0) continue;
      waiting.delete(id);
      for (const others of waiting.values()) others.delete(id);
      progress = true;
    }
  }
  return waiting.size > 0 ? [...waiting.keys()] : null;
}
