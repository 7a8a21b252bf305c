/** Goes on from where a run stands, when nothing of its own is under way: every branch asks for a step, starts children, waits, or ends the run. */
import { type ErrorInfo, TuttiError } from '@tutti/contracts';
import { end } from './ends.ts';
import { journalFull } from './limits.ts';
import { mayReplan, replanReason, startTasks, tasksSettled } from './plans.ts';
import type { Round } from './round.ts';
import { type ActiveRun, isActive, isEmpty, type RunState } from './state.ts';
import { request } from './steps.ts';
import { undoNext } from './undo.ts';

export function advance(round: Round, run: RunState): void {
  if (round.run(run.id) !== run || !isActive(run)) return;
  // What others tell it fills its journal too.
  if (journalFull(run) && run.phase !== 'remember') return end(round, run, journalLimit(run));
  if (run.phase === 'tasks') startTasks(round, run);
  if (round.run(run.id) !== run || waits(run)) return;
  if (run.start.undo) return undoNext(round, run);
  switch (run.phase) {
    case 'gather':
      return complete(round, run, run.strategy === 'plan' ? 'plan' : run.strategy === 'direct' ? 'answer' : 'act');
    case 'plan':
      return afterPlan(round, run);
    case 'tasks':
      if (!tasksSettled(run)) return;
      if (replanReason(run) !== null && mayReplan(run)) return complete(round, run, 'plan');
      return complete(round, run, 'answer');
    case 'act':
      return run.answer === null ? complete(round, run, 'act') : finish(round, run);
    case 'answer':
      return finish(round, run);
    case 'remember':
      return end(round, run);
    default:
      run.phase satisfies never;
  }
}

function journalLimit(run: ActiveRun): ErrorInfo {
  const { journalEntriesMax } = run.limits;
  return new TuttiError('limit_exceeded', `the run reached journalEntriesMax (${journalEntriesMax})`).toInfo();
}

/** Something of it is still to come back. Children of a plan are looked at by the plan itself. */
function waits(run: ActiveRun): boolean {
  if (!(isEmpty(run.open) && isEmpty(run.held) && isEmpty(run.questions) && isEmpty(run.sleeping))) return true;
  return run.phase !== 'tasks' && !isEmpty(run.children);
}

/** `plan.made` moved it on to `tasks` if there are any: what is left here is a question that was answered, or a goal not worth a plan. */
function afterPlan(round: Round, run: ActiveRun): void {
  if (!run.plan?.question) return complete(round, run, 'act');
  if (run.start.onQuestion === 'end') return finish(round, run);
  if (mayReplan(run)) return complete(round, run, 'plan');
  complete(round, run, 'act');
}

function complete(round: Round, run: ActiveRun, purpose: 'plan' | 'act' | 'answer'): void {
  request(round, run, { kind: 'complete', purpose, messages: run.thread.length });
}

function finish(round: Round, run: ActiveRun): void {
  if (run.start.parent) return end(round, run);
  request(round, run, { kind: 'remember' });
}

/** Nobody answered what the plan asked: without it there is nothing to go on with. */
export function unanswered(round: Round, run: ActiveRun): void {
  end(
    round,
    run,
    new TuttiError(
      'timeout',
      `nobody answered the run's question within questionTtlMs (${run.limits.questionTtlMs} ms)`,
      {
        retryable: false,
      },
    ).toInfo(),
  );
}
