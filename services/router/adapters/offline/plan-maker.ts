/**
 * From the graph of intended calls to a plan of tasks: each gathering chain is a task, checks are tasks of their own, each
 * effect with what prepares it is a task that depends on what it takes values from and on its checks. Owns the wording
 * of tasks: an imperative and the concrete values, so that any model (this one too) can carry them out alone.
 */
import { type Plan, type PlanTask, TASKS_MAX } from '@tutti/contracts';
import { questionOf } from './act.ts';
import { limitsFor, rulesFor } from './applicable-rules.ts';
import { buildGraph } from './chain.ts';
import { chainOf } from './checks.ts';
import { preferenceIn } from './choose.ts';
import { joinWords } from './prose.ts';
import type { Situation } from './situation.ts';
import type { Step } from './step.ts';
import { capitalize, humanize } from './words.ts';

const GOAL_LENGTH_MAX = 1_900;
const ID_LENGTH_MAX = 32;

const direct = (reason: string, question: string | null = null): Plan => ({ reason, question, tasks: [] });

export function makePlan(situation: Situation): Plan {
  if (situation.refusal) return direct('Nothing may be done about this as things stand.');
  const graph = buildGraph(situation);
  if (graph.targets.length === 0) return direct('No tool is called for: this can be answered directly.');
  const question = questionOf(situation, graph);
  if (question) return direct('Something that only the user can say is missing.', question.slice(0, GOAL_LENGTH_MAX));
  const effects = graph.steps.filter(
    (step) => step.tool.effectful && (step.purpose === 'effect' || step.purpose === 'undo'),
  );
  const groups = groupSteps(graph.steps, effects);
  if (
    groups.length <= 1 ||
    (effects.length === 0 && new Set(groups.map((group) => group.at(-1)!.tool.name)).size <= 1 && groups.length <= 1)
  )
    return direct('One chain of calls does it: there is nothing to split.');
  if (groups.length > TASKS_MAX) return direct('There are too many parts for a plan: working through them one by one.');
  const ids = new Map<Step, string>();
  const names = new Set<string>();
  for (const group of groups) {
    const id = uniqueId(group.at(-1)!, names);
    for (const step of group) ids.set(step, id);
  }
  const tasks = groups.map((group): PlanTask => {
    const id = ids.get(group[0]!)!;
    const dependsOn = new Set<string>();
    for (const step of group)
      for (const other of [...step.needs.map((need) => need.producer), ...step.after]) {
        const task = ids.get(other);
        if (task && task !== id) dependsOn.add(task);
      }
    // Values handed on through a chain must be at hand for the last link as well.
    if (group.some((step) => step.tool.effectful))
      for (const step of group)
        for (const other of chainOf(step)) {
          const task = ids.get(other);
          if (task && task !== id) dependsOn.add(task);
        }
    return {
      id,
      goal: taskGoal(situation, group).slice(0, GOAL_LENGTH_MAX),
      tools: [...new Set(group.map((step) => step.tool.name))],
      agent: null,
      dependsOn: [...dependsOn],
    };
  });
  return { reason: reasonFor(tasks, effects), question: null, tasks };
}

function reasonFor(tasks: readonly PlanTask[], effects: readonly Step[]): string {
  const free = tasks.filter((task) => task.dependsOn.length === 0).map((task) => task.id);
  if (effects.length === 0)
    return `${capitalize(joinWords(free))} ${free.length === 1 ? 'comes first' : 'do not depend on each other and run side by side'}${free.length < tasks.length ? '; the rest uses their results' : ''}.`;
  return `${capitalize(joinWords(free))} ${free.length === 1 ? 'comes' : 'come'} first; what changes something waits until their results are known.`;
}

/** Effects take along the effects that prepare them; a pure chain whose links serve nobody else is one task. */
function groupSteps(steps: readonly Step[], effects: readonly Step[]): Step[][] {
  const consumers = new Map<Step, Set<Step>>();
  for (const step of steps)
    for (const need of step.needs) consumers.set(need.producer, (consumers.get(need.producer) ?? new Set()).add(step));
  const placed = new Set<Step>();
  const groups: Step[][] = [];
  const ownerOf = new Map<Step, Step>();
  for (const effect of effects)
    for (const step of chainOf(effect))
      if (step.tool.effectful && !ownerOf.has(step) && !effects.includes(step)) ownerOf.set(step, effect);
  for (const step of steps) {
    if (placed.has(step) || ownerOf.has(step)) continue;
    if (step.tool.effectful) {
      const group = [...steps.filter((one) => ownerOf.get(one) === step), step];
      for (const one of group) placed.add(one);
      groups.push(group);
      continue;
    }
    const users = [...(consumers.get(step) ?? [])];
    const only =
      users.length === 1 &&
      !users[0]!.tool.effectful &&
      !steps.some((other) => other.after.includes(step)) &&
      step.purpose === 'prerequisite'
        ? users[0]!
        : null;
    if (only) continue;
    const chain = chainOf(step)
      .filter(
        (one) =>
          one !== step &&
          !one.tool.effectful &&
          !placed.has(one) &&
          (consumers.get(one)?.size ?? 0) === 1 &&
          one.purpose === 'prerequisite' &&
          ![...groups.flat()].includes(one),
      )
      .reverse();
    const group = [...chain, step];
    for (const one of group) placed.add(one);
    groups.push(group);
  }
  return groups;
}

function uniqueId(step: Step, names: Set<string>): string {
  const base =
    (
      humanize(step.tool.name)
        .replace(/\s+/g, '-')
        .replace(/[^a-z0-9_-]/g, '')
        .slice(0, ID_LENGTH_MAX - 3) || 'task'
    ).replace(/^-+|-+$/g, '') || 'task';
  let id = base;
  for (let count = 2; names.has(id); count += 1) id = `${base}-${count}`;
  names.add(id);
  return id;
}

const sayArgument = (value: unknown): string => {
  const text = Array.isArray(value)
    ? value
        .filter((one) => typeof one !== 'object')
        .map(String)
        .join(', ')
    : String(value);
  return /[;\n"]/.test(text) || /\.(?:\s|$)/.test(text) ? JSON.stringify(text) : text;
};

/** "Search orders (searchOrders). customer: Ann; since: 2027-05-12. Prefer the cheapest." */
export function taskGoal(situation: Situation, group: readonly Step[]): string {
  const last = group.at(-1)!;
  const verb = last.tool.verb || 'use';
  const act = capitalize(`${verb} ${last.tool.nouns.join(' ')}`.trim());
  const values = group.flatMap((step) => labelsOf(step)).filter((label, index, all) => all.indexOf(label) === index);
  const parts = [
    `${act} (${group.map((step) => step.tool.name).join(', then ')})${values.length > 0 ? `: ${values.join('; ')}` : ''}.`,
  ];
  const clause = last.clause;
  const limits = limitsFor(situation, last.tool, clause);
  const chosen = last.tool.effectful
    ? last.purpose !== 'undo' && last.needs.length > 0
    : ['find', 'list'].includes(last.tool.verbClass) &&
      !last.tool.parameters.every((one) => one.required && ['email', 'id', 'person'].includes(one.kind));
  const wishes: string[] = [];
  const preference = preferenceIn(situation.goal);
  if (preference) wishes.push(`prefer the ${preference.say}`);
  if (/\b(?:direct|non-?stop)\b/i.test(situation.goal.text)) wishes.push('direct only');
  for (const limit of limits)
    wishes.push(
      `${limit.field} ${limit.comparator === '<=' ? 'at most' : 'at least'} ${limit.value}${limit.currency ? ` ${limit.currency}` : ''}${perUnit(limit.sentence)}`,
    );
  const classes = rulesFor(situation, last.tool, clause).filter((rule) => rule.limits.length === 0).length;
  if (chosen && wishes.length > 0)
    parts.push(
      `Keep to this: ${wishes.join(', ')}${classes > 0 || limits.some((limit) => limit.passage >= 0) ? ', as the documents demand' : ''}.`,
    );
  if (last.purpose === 'effect' && last.after.some((one) => !one.tool.effectful))
    parts.push('The checks before it must not say no.');
  const before = last.after.filter((one) => one.tool.effectful && one.purpose === 'effect').at(-1);
  if (last.purpose === 'undo' && before) parts.push(`Only after ${before.tool.name} succeeded.`);
  const under = last.purpose === 'effect' ? last.clause?.under : null;
  if (under) parts.push(`Only ${under.inverted ? 'unless' : 'if'} ${under.text.replace(/[.,;!?\s]+$/, '')}.`);
  // A follow-up's own words ("move it") do not say what the task is part of; limits and choices depend on that.
  if (situation.said !== situation.goal.text) parts.push(`Part of: ${situation.goal.text.replace(/\s+/g, ' ')}`);
  return parts.join(' ');
}

/** "EUR 220 a night" must stay a price per night when it is handed on. */
const perUnit = (sentence: string): string => {
  const unit = sentence.match(
    /\b(?:per|a|an|each|one|\p{Ll}+)\s+(night|day|hour|month|person|unit|seat|piece|item)\b/iu,
  )?.[1];
  return unit ? ` per ${unit.toLowerCase()}` : '';
};

function labelsOf(step: Step): string[] {
  const labels: string[] = [];
  const visit = (value: unknown, name: string): void => {
    if (Array.isArray(value) && value.some((one) => typeof one === 'object' && one !== null))
      value.forEach((one) => {
        visit(one, name);
      });
    else if (typeof value === 'object' && value !== null && !Array.isArray(value))
      for (const [key, child] of Object.entries(value)) visit(child, key);
    else if (value !== undefined) labels.push(`${humanize(name)}: ${sayArgument(value)}`);
  };
  visit(step.args, '');
  return labels;
}
