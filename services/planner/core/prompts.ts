/** The few words that the engine itself says to a model. What an agent is told otherwise stands in its bundle. */

export const PLAN_INSTRUCTIONS = `Split the user's goal into tasks, as JSON.
- Each task is complete in itself: carry over every value (dates as ISO 8601, names, places, limits) that it needs.
- Name in "tools" the tools that a task may use. Name in "dependsOn" the tasks whose results it needs. Tasks that do not need each other run at the same time.
- Tasks that look things up or check something come before tasks that change something in the world; what is changed depends on what was checked.
- When something needed is missing that only the user can say, put the question in "question" and give no tasks.
- When the goal needs no tools or only one, give no tasks and no question: it will be answered directly.`;

export const REPLAN_INSTRUCTIONS = `The plan did not work out as it was: see the results of the sub-tasks. Say what is still to be done for the goal, as JSON in the same form.
- Do not repeat what has been done, above all nothing that changed something in the world.
- Give no tasks when what has been done is enough, or when nothing can be done about what failed: the user is then told how far it went.`;

export function helpersText(helpers: { name: string; description: string }[]): string {
  return `Agents that you may give work to:\n${helpers.map(({ name, description }) => `- ${name}: ${description}`).join('\n')}`;
}

export const ANSWER_INSTRUCTIONS = `Answer the user's goal now, from the results above. Say what was done first (identifiers, names, dates, prices), then what was not done and why. Cite the passages that you rely on as [n].`;

export function taskInput(goal: string, task: string): string {
  return `Overall goal: ${goal}\n\nYour task: ${task}`;
}

export function taskNotes(notes: { task: string; output: string }[]): string {
  return `Results of the sub-tasks:\n${notes.map((note) => `- ${note.task}\n  ${note.output.replaceAll('\n', '\n  ')}`).join('\n')}`;
}
