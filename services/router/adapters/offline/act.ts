/**
 * The react loop's decision: the calls that can be made now, or that it is over. Pure calls that do not wait for each
 * other go out together; an effect goes alone, after its checks, and never where something stands in its way. Owns
 * these gates and the ids of calls.
 */
import type { ToolCall } from '@tutti/contracts';
import { answer, isDenial } from './answer.ts';
import { buildGraph, type Graph } from './chain.ts';
import { renewal } from './expired.ts';
import { mendedArguments } from './mend.ts';
import type { Parameter } from './parameters.ts';
import { joinWords, sayRecord, sentence } from './prose.ts';
import { questionFor } from './questions.ts';
import { sorted } from './same-call.ts';
import { accepts } from './schema.ts';
import type { Situation } from './situation.ts';
import { isOver, type Step } from './step.ts';
import { hashText } from './words.ts';

export type Decision =
  | { readonly kind: 'calls'; readonly calls: readonly ToolCall[] }
  | { readonly kind: 'text'; readonly text: string };

const PARALLEL_CALLS_MAX = 8;
const CALLS_PER_RUN_MAX = 60;
const CONDITION = /\bonly (?:after|if|once)\s+([A-Za-z][\w-]*)\s+(?:has\s+)?succeeded/i;

export function decide(situation: Situation): Decision {
  if (situation.refusal) return { kind: 'text', text: situation.refusal };
  const unmet = unmetCondition(situation);
  if (unmet) return { kind: 'text', text: unmet };
  const graph = buildGraph(situation);
  const question = questionOf(situation, graph);
  const ready =
    situation.observations.length >= CALLS_PER_RUN_MAX ? [] : nextCalls(situation, graph, question !== null);
  if (ready.length > 0) return { kind: 'calls', calls: ready };
  if (question)
    return {
      kind: 'text',
      text:
        situation.observations.length > 0 && !situation.background
          ? [findingsBefore(situation), question].filter(Boolean).join('\n\n')
          : question,
    };
  const said = answer(situation);
  const closing = [
    said,
    obstaclesLine(graph, said),
    graph.unmatched.length > 0 && graph.targets.length > 0 ? unmatchedLine(graph) : '',
  ]
    .filter(Boolean)
    .join('\n\n');
  return { kind: 'text', text: closing };
}

const findingsBefore = (situation: Situation): string =>
  situation.observations.some((one) => one.isError) ? '' : answer({ ...situation, readOnly: true, amend: null });

/** What stopped an act, where the answer does not say it. */
function obstaclesLine(graph: Graph, said: string): string {
  const why = graph.targets
    .filter((step) => step.tool.effectful && !step.done)
    .flatMap((step) => step.blockers.map((one) => one.text))
    .filter((text, index, all) => all.indexOf(text) === index && !said.toLowerCase().includes(text.toLowerCase()));
  const unsaid = why.filter((text) => !said.includes(text.split(': ').at(-1)!));
  return unsaid.length > 0 ? sentence(`What stands in the way: ${joinWords(unsaid)}`) : '';
}

const unmatchedLine = (graph: Graph): string =>
  sentence(
    `I did not ${joinWords(
      graph.unmatched.map((clause) => clause.text.replace(/[.?!]+$/, '').toLowerCase()),
      'or',
    )}: I have no tool here that does this`,
  );

/** A task that only makes sense after another one's effect says so in its text. */
function unmetCondition(situation: Situation): string | null {
  const match = situation.goal.text.match(CONDITION);
  if (!match || !situation.background) return null;
  const done = situation.observations.some((one) => one.tool === match[1] && !one.isError);
  return done
    ? null
    : `I have left this undone: it should only happen after ${match[1]} succeeded, and I see no result that says so.`;
}

/** Values that only the user can give, or a choice that only the user can make. */
export function questionOf(situation: Situation, graph: Graph): string | null {
  const acting = graph.targets.filter((step) => step.tool.effectful);
  const relevant = acting.length > 0 ? acting : graph.targets;
  const lacking = missingIn(relevant);
  const ambiguous = graph.steps.map((step) => step.obstacle).find((one) => one?.kind === 'ambiguous');
  if (ambiguous?.kind === 'ambiguous')
    return `Which ${ambiguous.subject || 'one'} do you mean: ${joinWords(
      ambiguous.rows.slice(0, 6).map((row) => sayRecord(row, { fieldsMax: 3 })),
      'or',
    )}?`;
  if (lacking.length === 0) return acting.find((step) => step.doubt !== null && !isOver(step))?.doubt ?? null;
  // Where part of a question can be answered, the answer comes first and the rest is left.
  if (acting.length === 0 && graph.targets.some((step) => missingIn([step]).length === 0)) return null;
  if (acting.length === 0 && situation.passages.length > 0 && graph.targets.every((step) => step.clause?.question))
    return null;
  return questionFor(lacking);
}

/** Open values of the steps and of everything that they rest on, each once. */
export function missingIn(steps: readonly Step[]): { step: Step; parameter: Parameter }[] {
  const found: { step: Step; parameter: Parameter }[] = [];
  const seen = new Set<Step>();
  const visit = (step: Step): void => {
    if (seen.has(step) || isOver(step)) return;
    seen.add(step);
    for (const parameter of step.missing)
      if (!found.some((one) => one.parameter.name === parameter.name && one.parameter.kind === parameter.kind))
        found.push({ step, parameter });
    for (const need of step.needs) visit(need.producer);
  };
  for (const step of steps) visit(step);
  return found;
}

function nextCalls(situation: Situation, graph: Graph, asking: boolean): ToolCall[] {
  const open = graph.steps.filter((step) => !isOver(step) && isComplete(step));
  const pure = open.filter((step) => !step.tool.effectful && !(asking && feedsEffect(graph, step)));
  const calls = new Map<string, ToolCall>();
  for (const step of pure) push(situation, calls, step.tool.name, step.args);
  for (const step of graph.steps)
    if (step.failed && !step.done && !(asking && feedsEffect(graph, step))) retry(situation, calls, step);
  if (calls.size > 0) return [...calls.values()].slice(0, PARALLEL_CALLS_MAX);
  if (asking) return [];
  for (const step of open) {
    if (!step.tool.effectful || !mayAct(graph, step)) continue;
    push(situation, calls, step.tool.name, step.args);
    if (calls.size > 0) return [...calls.values()];
  }
  return [];
}

const isComplete = (step: Step): boolean =>
  step.needs.length === 0 &&
  step.missing.length === 0 &&
  step.obstacle === null &&
  accepts(step.args, step.tool.definition.parameters, step.tool.definition.parameters);

/** While a question to the user is open, nothing is gathered for the effect that waits for it. */
const feedsEffect = (graph: Graph, step: Step): boolean =>
  graph.targets.every((target) => target !== step) || step.tool.effectful;

function mayAct(graph: Graph, step: Step): boolean {
  if (step.blockers.length > 0) return false;
  // A preparing effect (a hold) must not start where the act that it prepares cannot follow.
  const targets = graph.targets.filter((target) => target === step || reaches(target, step));
  if (
    targets.some(
      (target) =>
        target.blockers.length > 0 ||
        target.obstacle !== null ||
        missingIn([target]).length > 0 ||
        (target.failed !== null && target !== step),
    )
  )
    return false;
  return step.after.every((one) => (one.tool.effectful ? one.done !== null : one.done !== null && one.failed === null));
}

function reaches(from: Step, to: Step, depth = 0): boolean {
  return depth < 8 && from.needs.some((need) => need.producer === to || reaches(need.producer, to, depth + 1));
}

function retry(situation: Situation, calls: Map<string, ToolCall>, step: Step): void {
  const failed = step.failed!;
  const attempts = situation.observations.filter((one) => one.tool === step.tool.name && one.isError);
  if (isDenial(failed)) return;
  const renew = step.blockers.length === 0 ? renewal(situation, step) : null;
  if (renew && 'call' in renew) return push(situation, calls, renew.call.tool, renew.call.arguments, true);
  if (renew && isComplete(step)) return push(situation, calls, step.tool.name, step.args);
  if (attempts.length > 1 || (step.tool.effectful && step.blockers.length > 0)) return;
  const args = mendedArguments(step.tool, failed);
  if (args && accepts(args, step.tool.definition.parameters, step.tool.definition.parameters))
    push(situation, calls, step.tool.name, args);
}

/** Adds a call unless the run has one with the same arguments. */
function push(
  situation: Situation,
  calls: Map<string, ToolCall>,
  name: string,
  args: Readonly<Record<string, unknown>>,
  again = false,
): void {
  const content = JSON.stringify([name, sorted(args)]);
  if (
    !again &&
    situation.observations.some(
      (one) => one.tool === name && JSON.stringify([one.tool, sorted(one.arguments)]) === content,
    )
  )
    return;
  if (calls.has(content)) return;
  const position = situation.past.length + situation.observations.length + calls.size;
  calls.set(content, {
    id: `call_${hashText(content)}_${position}`,
    name,
    arguments: JSON.parse(JSON.stringify(args)) as Record<string, unknown>,
  });
}
