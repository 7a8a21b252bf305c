/**
 * Backward chaining over tool schemas (goal-regression as in STRIPS, Fikes & Nilsson 1971): from each tool that the goal
 * calls for, back through what its arguments need to calls that can be made now. Rebuilt from scratch at every turn, so
 * that the results so far are its only state. Owns the graph; picks nothing to run.
 */
import { blockersOf } from './blocked.ts';
import { Builder } from './builder.ts';
import { chainOf, checksFor } from './checks.ts';
import { conditionSteps, verdictOn } from './conditions.ts';
import type { Clause } from './goal.ts';
import type { Mention } from './mentions.ts';
import { sameArguments } from './same-call.ts';
import { selectTargets } from './select-tools.ts';
import type { Situation } from './situation.ts';
import { standingEffects } from './standing.ts';
import type { Purpose, Step } from './step.ts';
import type { Tool } from './toolbox.ts';

const SUBJECTS_MAX = 6;

export interface Graph {
  readonly steps: readonly Step[];
  /** Steps that the goal itself asks for. */
  readonly targets: readonly Step[];
  readonly unmatched: readonly Clause[];
}

export function buildGraph(situation: Situation): Graph {
  const builder = new Builder(situation);
  const { effects, reads, unmatched } = selectTargets(situation);
  const asked = reads.flatMap(({ tool, clause }) => fanOut(builder, tool, clause, 'read'));
  const acts = [
    ...amendment(builder),
    ...effects.flatMap(({ tool, clause }) => fanOut(builder, tool, clause, 'effect')),
  ];
  orderActs(builder, acts);
  const undos = situation.undo.map((undo) => {
    const step = builder.resolve(undo.tool, null, 'undo', { given: undo.arguments });
    step.after.push(...acts, ...acts.flatMap((one) => one.after));
    return step;
  });
  const targets = [...distinct(asked), ...undos, ...acts];
  const steps = orderedFrom(targets);
  for (const step of steps) step.blockers = blockersOf(step, situation, builder);
  for (const step of acts) judge(builder, step);
  return { steps, targets, unmatched };
}

/** Without lookups that another one makes anyway; two clauses about one thing make one call. */
function distinct(targets: readonly Step[]): Step[] {
  const restedOn = new Set(
    targets.flatMap((target) =>
      chainOf(target)
        .filter((one) => one !== target)
        .map((one) => one.tool.name),
    ),
  );
  const kept = targets.filter(
    (target) => !restedOn.has(target.tool.name) || targets.every((other) => other.tool.name === target.tool.name),
  );
  const same = (left: Step, right: Step): boolean =>
    left.tool === right.tool &&
    sameArguments(left.args, right.args) &&
    left.needs.length === right.needs.length &&
    left.missing.length === right.missing.length;
  return kept.filter((target, index) => !kept.slice(0, index).some((other) => same(other, target)));
}

function amendment(builder: Builder): Step[] {
  const { amend, goal } = builder.situation;
  return amend ? [builder.resolve(amend.tool, goal.clauses[0] ?? null, 'effect', { given: amend.arguments })] : [];
}

/** Acts come in the order of their clauses, after their checks; whatever prepares one (a hold, a draft) waits for the same. */
function orderActs(builder: Builder, acts: readonly Step[]): void {
  for (const [index, step] of acts.entries()) {
    step.after.push(...acts.slice(0, index).filter((one) => one.clause !== step.clause));
    step.after.push(...checksFor(builder, step, builder.situation));
    step.after.push(...conditionSteps(builder, step).filter((one) => !step.after.includes(one)));
  }
  for (const step of acts)
    for (const one of chainOf(step)) if (one !== step && one.tool.effectful) one.after.push(...step.after);
}

const REPETITION = 'I have done exactly this already in this conversation. Should I do it once more?';
const MAKES_ANEW: ReadonlySet<string> = new Set(['acquire', 'create', 'send', 'schedule', 'pay']);

/** The same order, payment or message a second time is rarely meant, unless the words say so. */
function isRepetition(situation: Situation, step: Step): boolean {
  if (step.done || step.missing.length > 0 || !MAKES_ANEW.has(step.tool.verbClass)) return false;
  if (/\b(?:again|another|once more|one more|second|repeat|additional|extra|more)\b/i.test(situation.said))
    return false;
  const plain = (text: string): string =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, ' ')
      .trim();
  const standing = standingEffects(situation).filter((one) => one.tool === step.tool.name);
  if (step.needs.length > 0)
    return situation.earlier.some(
      (turn) =>
        plain(turn.user) === plain(situation.said) &&
        turn.observations.some((one) => standing.some((each) => each.callId === one.callId)),
    );
  return standing.some((one) => sameArguments(one.arguments, step.args));
}

function judge(builder: Builder, step: Step): void {
  if (builder.situation.affirmed) return;
  if (isRepetition(builder.situation, step)) step.doubt = REPETITION;
  const verdict = verdictOn(builder, step);
  if (verdict?.kind === 'fails') step.blockers = [...step.blockers, verdict.blocker];
  if (verdict?.kind === 'unknown') step.doubt = verdict.question;
}

/** One call per name where the tool takes a single one and the clause lists several ("in Paris and Rome"). */
function fanOut(builder: Builder, tool: Tool, clause: Clause, purpose: Purpose): Step[] {
  const single = tool.parameters.find(
    (one) =>
      !one.many &&
      one.required &&
      (one.kind === 'place' || one.kind === 'person' || one.kind === 'email' || one.kind === 'zone') &&
      one.role !== 'from',
  );
  const rivals = tool.parameters.filter((one) => one.required && (one.kind === 'place' || one.kind === 'person'));
  if (!single || rivals.length > 1) return [builder.resolve(tool, clause, purpose)];
  const mentions = builder.situation.goal.mentions.filter(
    (one) =>
      (single.kind === 'email' ? one.kind === 'name' || one.kind === 'email' : one.kind === 'name') &&
      one.start >= clause.start &&
      one.start < clause.end,
  );
  const series: Mention[] = [];
  for (const mention of mentions) {
    const previous = series.at(-1);
    const gap = previous ? builder.situation.goal.text.slice(previous.end, mention.start) : '';
    if (!previous) series.push(mention);
    else if (/^\s*(?:,|and|&|or|vs\.?|versus|, and|and in|, in)\s*(?:in\s+)?(?:the\s+)?$/i.test(gap))
      series.push(mention);
    else if (series.length === 1) series.splice(0, 1, mention);
    else break;
  }
  if (series.length < 2) return [builder.resolve(tool, clause, purpose)];
  return series.slice(0, SUBJECTS_MAX).map((subject) => builder.resolve(tool, clause, purpose, { subject }));
}

/** Everything that the targets rest on, before what rests on it. */
function orderedFrom(targets: readonly Step[]): Step[] {
  const ordered: Step[] = [];
  const seen = new Set<Step>();
  const visit = (step: Step): void => {
    if (seen.has(step)) return;
    seen.add(step);
    for (const need of step.needs) visit(need.producer);
    for (const one of step.after) visit(one);
    ordered.push(step);
  };
  for (const target of targets) visit(target);
  return ordered;
}
