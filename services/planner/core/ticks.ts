/** What comes due: limits of time, retries, expiries, the ends of sleeps, ticks of schedules. */
import { TuttiError } from '@tutti/contracts';
import { advance, unanswered } from './advance.ts';
import { decideApproval } from './approvals.ts';
import type { Due } from './due.ts';
import { end, guarded } from './ends.ts';
import { isIdle } from './rebuild.ts';
import type { Round } from './round.ts';
import { type ActiveRun, isActive } from './state.ts';

/** At most this many in one round: a partition that was away for long must not stall over all it missed. */
const DUE_MAX = 2_000;
/** UTF-16 units of JSON after which the rest is another tick's: what one input leads to has to fit into one message of the log. */
const UNITS_MAX = 131_072;

export function takeDue(round: Round): void {
  const { due } = round.state;
  let measured = round.entries.length;
  let units = 0;
  for (let count = 0; count < DUE_MAX && units < UNITS_MAX; count++) {
    const next = due.peek(round.now);
    if (!next) return;
    // It is gone from the heap before it is acted upon: whatever is still to come is put in anew.
    due.remove(next.owner, next.kind, next.id);
    act(round, next);
    for (; measured < round.entries.length; measured++) units += JSON.stringify(round.entries[measured]).length;
  }
}

function act(round: Round, item: Due): void {
  if (item.kind === 'schedule') {
    const known = round.state.schedules.get(item.owner);
    if (known?.nextAt === item.at) round.ticks.push({ tenant: known.tenant, id: item.owner, dueAt: item.at });
    return;
  }
  if (round.state.parked.has(item.owner)) return void round.wanted.push(item.owner);
  const run = round.run(item.owner);
  if (run && isActive(run)) guarded(round, run.id, () => actOnRun(round, run, item));
}

function actOnRun(round: Round, run: ActiveRun, { kind, id }: Due): void {
  switch (kind) {
    case 'wall': {
      const limit = run.limits.wallTimeMs;
      return end(
        round,
        run,
        new TuttiError('limit_exceeded', `the run took longer than wallTimeMs (${limit} ms)`).toInfo(),
      );
    }
    case 'retry':
      if (run.open[id]) round.toSend.push({ run: run.id, callId: id });
      return;
    case 'approval':
      decideApproval(round, run, id, 'expired', 'system');
      return advance(round, run);
    case 'question':
      return expireQuestion(round, run, id);
    case 'sleep':
      if (run.sleeping[id] === undefined) return;
      round.emit(run.id, { type: 'sleep.ended', callId: id });
      return advance(round, run);
    case 'park':
      if (isIdle(run)) parkSoon(round, run);
      return;
    case 'schedule':
      return;
    default:
      kind satisfies never;
  }
}

/** Written out it is out of the heap; where that came to nothing it is tried again, not too often. */
function parkSoon(round: Round, run: ActiveRun): void {
  const { due, parkAfterMs } = round.state;
  round.toPark.push(run.id);
  due.set(run.id, 'park', '', round.now + PARK_AGAIN * parkAfterMs);
}
const PARK_AGAIN = 10;

function expireQuestion(round: Round, run: ActiveRun, id: string): void {
  const question = run.questions[id];
  if (!question) return;
  const text = `The question expired after ${run.limits.questionTtlMs} ms.`;
  round.emit(run.id, { type: 'question.answered', question: id, outcome: 'expired', text, by: 'system' });
  if (question.callId === null) return unanswered(round, run);
  advance(round, run);
}
