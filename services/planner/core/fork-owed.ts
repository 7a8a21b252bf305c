/**
 * How a fork goes on. A prefix may end anywhere, also between two entries that one input led to: what would have followed
 * is made up for here, whatever it is, so that a fork from any version ends as a run does.
 */
import type { AgentManifest, RunEntry, StepSpec, ToolCall } from '@tutti/contracts';
import { TuttiError } from '@tutti/contracts';
import { advance } from './advance.ts';
import { ask, callsOf } from './calls.ts';
import { end } from './ends.ts';
import { HAND_OVER } from './engine-tools.ts';
import { planned } from './plans.ts';
import type { Round } from './round.ts';
import type { ActiveRun } from './state.ts';
import { contextualQuery, request } from './steps.ts';

type Entry<T extends RunEntry['type']> = Extract<RunEntry, { type: T }>;

/** `prefix`: all that the run has done so far, in whatever run it was. */
export function goOn(round: Round, run: ActiveRun, prefix: RunEntry[]): void {
  const agent = round.agent(run);
  if (!agent) {
    const { bundle, agent: name } = run.start;
    return end(round, run, new TuttiError('not_found', `the bundle ${bundle} has no agent "${name}"`).toInfo());
  }
  if (agent.knowledge.length === 0) settleSearches(round, run);
  for (const callId of Object.keys(run.open)) round.toSend.push({ run: run.id, callId });
  const made = [gatherOwed, askedOwed, failedOwed, planOwed, callsOwed];
  for (const make of made) if (round.run(run.id) === run) make(round, run, prefix, agent);
  advance(round, run);
}

/** What was searched for in collections that it has no more. */
function settleSearches(round: Round, run: ActiveRun): void {
  for (const { callId, step } of Object.values(run.open))
    if (step.kind === 'search')
      round.emit(run.id, { type: 'step.completed', callId, result: { kind: 'search', passages: [] } });
}

function requested(prefix: RunEntry[]): Entry<'step.requested'>[] {
  return prefix.filter((entry) => entry.type === 'step.requested');
}

/** What an agent begins with. Its tools came with the prefix. */
function gatherOwed(round: Round, run: ActiveRun, prefix: RunEntry[], agent: AgentManifest): void {
  if (run.phase !== 'gather') return;
  const steps = requested(prefix).map(({ step }) => step);
  if (!steps.some((step) => step.kind === 'recall')) request(round, run, { kind: 'recall' });
  const searches = steps.filter((step) => step.kind === 'search');
  if (searches.length === 0 && agent.knowledge.length > 0) request(round, run, { kind: 'search' });
  const query = run.recall && contextualQuery(run, agent, run.recall);
  if (query && !searches.some((step) => step.query !== undefined)) request(round, run, { kind: 'search', query });
}

/** The model that was being asked: by now it may be another one, or told something else. */
function askedOwed(round: Round, run: ActiveRun, prefix: RunEntry[]): void {
  const last = requested(prefix).findLast(({ step }) => step.kind === 'complete');
  const isOver = (entry: RunEntry) =>
    (entry.type === 'step.completed' || entry.type === 'step.failed') && entry.callId === last?.callId;
  if (last?.step.kind !== 'complete' || prefix.some(isOver)) return;
  request(round, run, { ...last.step, messages: run.thread.length });
}

/** The step whose failure was about to end the run is tried again. */
function failedOwed(round: Round, run: ActiveRun, prefix: RunEntry[]): void {
  const at = prefix.findLastIndex((entry) => entry.type === 'step.failed');
  if (at < 0) return;
  const { callId } = prefix[at] as Entry<'step.failed'>;
  const failed = requested(prefix).find((entry) => entry.callId === callId)?.step;
  // These end no run.
  if (!failed || failed.kind === 'execute' || failed.kind === 'remember') return;
  if (requested(prefix.slice(at)).some(({ step }) => isSameKind(step, failed))) return;
  request(round, run, failed.kind === 'complete' ? { ...failed, messages: run.thread.length } : failed);
}

function isSameKind(a: StepSpec, b: StepSpec): boolean {
  if (a.kind === 'complete' && b.kind === 'complete') return a.purpose === b.purpose;
  if (a.kind === 'search' && b.kind === 'search') return a.query === b.query;
  return a.kind === b.kind;
}

/** A plan that a model gave and that is not in the journal yet, or the question that it asked instead. */
function planOwed(round: Round, run: ActiveRun, prefix: RunEntry[]): void {
  const made = prefix.findLastIndex((entry) => entry.type === 'plan.made');
  const given = prefix.findLastIndex((entry) => entry.type === 'step.completed' && planIn(entry) !== null);
  if (given > made) return planned(round, run, planIn(prefix[given] as Entry<'step.completed'>)!);
  if (made < 0) return;
  const { question } = (prefix[made] as Entry<'plan.made'>).plan;
  if (!question || run.start.onQuestion === 'end' || isAnswered(prefix.slice(made))) return;
  ask(round, run, question, null);
}

function planIn({ result }: Entry<'step.completed'>): string | null {
  return result.kind === 'complete' && result.purpose === 'plan' ? (result.completion.message.content ?? '') : null;
}

function isAnswered(entries: RunEntry[]): boolean {
  const asked = entries.flatMap((entry) =>
    entry.type === 'question.asked' && entry.question.callId === null ? [entry.question.id] : [],
  );
  return entries.some(
    (entry) => entry.type === 'question.answered' && entry.outcome === 'answered' && asked.includes(entry.question),
  );
}

/** Calls of the model's last turn that nothing came of and that are not under way: not made yet, or by a child or a question of the original. */
function callsOwed(round: Round, run: ActiveRun): void {
  const settled = new Set(run.actions.map((action) => action.callId));
  const isOwed = ({ id, name }: ToolCall) =>
    !settled.has(id) && !run.open[id] && run.sleeping[id] === undefined && !(name === HAND_OVER && run.answer !== null);
  const made = run.thread.flatMap((turn) => (turn.role === 'assistant' ? (turn.toolCalls ?? []) : []));
  const owed = made.filter(isOwed);
  if (owed.length > 0) callsOf(round, run, owed);
}
