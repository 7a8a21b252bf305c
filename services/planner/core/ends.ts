/** How a run comes to its end: with its answer, with an error and what was achieved until then, or cancelled. */
import { type Citation, type ErrorInfo, TuttiError, type UndoOffer } from '@tutti/contracts';
import { decideApproval } from './approvals.ts';
import type { Round } from './round.ts';
import { type ActiveRun, isActive, isEmpty, isEnded, type RunState } from './state.ts';
import { offersOf } from './undo.ts';

export function end(round: Round, run: RunState, error?: ErrorInfo): void {
  if (isEnded(round.run(run.id) ?? run)) return;
  const usage = isActive(run) ? { ...run.usage } : NO_USAGE;
  if (error) {
    const output = isActive(run) ? (run.answer ?? achieved(run)) : '';
    const undo = isActive(run) ? undoOf(round, run) : {};
    if (isActive(run) && hasWork(run)) {
      giveUpOpen(round, run);
      round.emit(run.id, { type: 'run.cancelling', by: 'system', reason: error.message });
    }
    return round.emit(run.id, { type: 'run.failed', error, output, usage, ...undo });
  }
  if (!isActive(run)) throw new Error(`run ${run.id} has not begun, and cannot be completed`);
  const output = run.answer ?? '';
  round.emit(run.id, {
    type: 'run.completed',
    output,
    citations: citationsOf(run, output),
    usage,
    degraded: run.degraded,
  });
}

/**
 * What deciding about a run throws is the end of that run, where the input that led to it is about another run or about
 * none: given up for it, those would be tried again for ever. An input about the run itself is its owner's to judge.
 */
export function guarded(round: Round, id: string, decide: () => void): void {
  try {
    decide();
  } catch (error) {
    const run = round.run(id);
    if (!run || !round.whole || id === round.about) throw error;
    round.faults.push({ run: id, error });
    end(round, run, givenUp(error instanceof Error ? error.message : String(error)));
  }
}

export function givenUp(reason: string): ErrorInfo {
  return new TuttiError('internal', `Tutti could not go on with this run: ${reason}`).toInfo();
}

/** What it leaves behind; of a child that is the parent's to tell, which has its actions. */
function undoOf(round: Round, run: ActiveRun): { undo?: UndoOffer[] } {
  const undo = offersOf(round, run);
  return undo.length > 0 ? { undo } : {};
}

/** What might have an effect must not begin any more either: a planner that stood still may have it on its way. */
function giveUpOpen(round: Round, run: ActiveRun): void {
  for (const { callId, step } of Object.values(run.open)) {
    const bar = step.kind === 'execute' && step.effect !== 'pure' ? { bar: run.tenant } : {};
    round.forgotten.push({ run: run.id, callId, ...bar });
  }
}

const NO_USAGE = { modelCalls: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, costUsd: 0 };

function hasWork(run: ActiveRun): boolean {
  return !(
    isEmpty(run.open) &&
    isEmpty(run.held) &&
    isEmpty(run.sleeping) &&
    isEmpty(run.questions) &&
    isEmpty(run.children)
  );
}

export function cancel(round: Round, run: RunState, by: string, reason: string): void {
  if (isEnded(run)) return;
  const undo = isActive(run) ? undoOf(round, run) : {};
  if (isActive(run)) {
    giveUpOpen(round, run);
    for (const approval of run.approvals) decideApproval(round, run, approval.id, 'cancelled', by, reason);
    for (const question of Object.keys(run.questions))
      round.emit(run.id, { type: 'question.answered', question, outcome: 'cancelled', text: reason, by });
  }
  round.emit(run.id, { type: 'run.cancelling', by, reason });
  const usage = isActive(run) ? { ...run.usage } : NO_USAGE;
  round.emit(run.id, { type: 'run.cancelled', by, reason, usage, ...undo });
}

/** What a run that ends early has to show: the results that it had. */
function achieved(run: ActiveRun): string {
  const done = run.actions
    .filter((action) => !action.isError)
    .map((action) => `- ${action.tool}: ${action.content.slice(0, ACHIEVED_CHARS_MAX)}`);
  const open = Object.values(run.open).flatMap(({ step }) =>
    step.kind === 'execute'
      ? [`- ${step.call.name} ${JSON.stringify(step.call.arguments).slice(0, ACHIEVED_CHARS_MAX)}`]
      : [],
  );
  return [
    ...(done.length > 0 ? [`Until then:\n${done.slice(-ACHIEVED_MAX).join('\n')}`] : []),
    ...(open.length > 0
      ? [`Under way when the run ended; it is not known here whether it happened:\n${open.join('\n')}`]
      : []),
  ].join('\n\n');
}
const ACHIEVED_CHARS_MAX = 300;
const ACHIEVED_MAX = 50;

function citationsOf(run: ActiveRun, output: string): Citation[] {
  const numbers = [...new Set([...output.matchAll(/\[(\d{1,2})\]/g)].map((match) => Number(match[1])))];
  return numbers
    .filter((n) => n >= 1 && n <= run.passages.length)
    .map((n) => {
      const passage = run.passages[n - 1]!;
      return {
        n,
        document: passage.document,
        title: passage.title,
        text: passage.text,
        ...(passage.section ? { section: passage.section } : {}),
      };
    });
}
