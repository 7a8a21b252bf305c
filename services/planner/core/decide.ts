/**
 * The state machine of a partition: one input after another becomes entries and outputs. Pure: time comes with the round,
 * ids from the run and its version. What each kind of input leads to is in the files beside this one.
 */
import { type Bundle, type InboundMessage, TuttiError } from '@tutti/contracts';
import { advance } from './advance.ts';
import { decideApproval, isOver, takeDecision } from './approvals.ts';
import { childEnds, childWaits } from './children.ts';
import { cancel, end, givenUp } from './ends.ts';
import { takeFork } from './fork.ts';
import { isIdle } from './rebuild.ts';
import { Round } from './round.ts';
import { husk, isStateOf } from './save.ts';
import { removeSchedule, scheduleRunEnded, setSchedule, takeTick } from './schedules.ts';
import { acceptOnly, admit, interruptedParked, isKnown, takeStart } from './sessions.ts';
import { isActive, isEnded, own, type PartitionState } from './state.ts';
import { isOpen, type StepOutcome, takeLate, takeResult } from './steps.ts';
import { takeDue } from './ticks.ts';

export { agentFor, agentOf, type Environment, NO_ADMISSION_LIMITS } from './round.ts';
export type { StepOutcome } from './steps.ts';

export type Input =
  /** `prefix`: of a fork's start, the journal that it begins with. */
  | { kind: 'inbound'; sequence: number; message: InboundMessage; prefix?: unknown }
  /** The sequence holds nothing that can be read. */
  | { kind: 'skip'; sequence: number }
  | { kind: 'result'; run: string; callId: string; outcome: StepOutcome }
  /** This input made the state machine throw before: its run is given up, the others go on. */
  | { kind: 'poisoned'; key: string; sequence: number | null; run: string; reason: string; message?: InboundMessage }
  /** The bus has stored this letter. */
  | { kind: 'delivered'; key: string }
  /** The states of these runs are stored at `sequence` of TUTTI_PARKED. */
  | { kind: 'parked'; runs: { run: string; version: number }[]; sequence: number }
  /** The state of a parked run, as it was stored; null: it is gone. */
  | { kind: 'unparked'; run: string; snapshot: unknown }
  /** A schedule's tick, with the tenant's bundle. */
  | { kind: 'tick_of_schedule'; id: string; dueAt: number; bundle: string | null }
  | { kind: 'tick' };

/** An input that cannot be taken in, with why. */
export class PoisonedInput extends Error {
  override name = 'PoisonedInput';
  readonly input: Input;
  constructor(input: Input, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.input = input;
  }
}

/** Runs that are written out and whose state this input needs. */
export function neededRuns(
  state: PartitionState,
  input: Input,
  bundle: (hash: string) => Bundle | undefined,
): string[] {
  if (state.parked.size === 0) return [];
  if (input.kind === 'result' || input.kind === 'poisoned') return state.parked.has(input.run) ? [input.run] : [];
  if (input.kind !== 'inbound' || input.sequence <= state.readUpTo) return [];
  const { message } = input;
  if (message.type === 'start') return interruptedParked(state, bundle, message);
  return state.parked.has(message.run) ? [message.run] : [];
}

function runOf(input: Input): string | undefined {
  if (input.kind === 'inbound') return input.message.run;
  return 'run' in input ? input.run : undefined;
}

export class Decider extends Round {
  take(input: Input): void {
    this.about = runOf(input);
    switch (input.kind) {
      case 'skip':
        this.state.readUpTo = Math.max(this.state.readUpTo, input.sequence);
        return;
      case 'inbound':
        if (input.sequence <= this.state.readUpTo) return;
        this.state.readUpTo = input.sequence;
        this.#inbound(input.message, input.prefix);
        return admit(this);
      case 'result': {
        const run = isOpen(this, input.run, input.callId);
        // Late: the run has ended, or has given the call up.
        if (!run) return takeLate(this, input.run, input.callId, input.outcome);
        takeResult(this, run, input.callId, input.outcome);
        advance(this, run);
        return admit(this);
      }
      case 'poisoned':
        this.#poisoned(input);
        return admit(this);
      case 'delivered':
        if (this.state.outbox.delete(input.key)) this.delivered.push(input.key);
        return;
      case 'parked':
        return this.#parked(input);
      case 'unparked':
        return this.#unparked(input.run, input.snapshot);
      case 'tick_of_schedule':
        return takeTick(this, input.id, input.dueAt, input.bundle);
      case 'tick':
        takeDue(this);
        return admit(this);
      default:
        input satisfies never;
    }
  }

  #parked({ runs, sequence }: Extract<Input, { kind: 'parked' }>): void {
    for (const { run: id, version } of runs) {
      const run = this.run(id);
      if (run && isActive(run) && run.version === version && isIdle(run))
        this.emitPartition({ type: 'run.parked', at: this.now, run: id, version, sequence });
    }
  }

  /** A snapshot that is not what was written out: its state is gone. Its journal is not: the run ends where people can see it. */
  #unparked(id: string, snapshot: unknown): void {
    const parked = this.state.parked.get(id);
    if (!parked) return;
    const lost = !isStateOf(parked, snapshot);
    this.emitPartition({ type: 'run.unparked', at: this.now, run: id, snapshot: lost ? husk(parked) : snapshot });
    if (!lost) return;
    const error = new TuttiError('internal', 'the state of this waiting run was lost; its journal says what it did');
    end(this, this.run(id)!, error.toInfo());
  }

  #poisoned({ sequence, run: runId, reason, message }: Extract<Input, { kind: 'poisoned' }>): void {
    if (sequence !== null) this.state.readUpTo = Math.max(this.state.readUpTo, sequence);
    if (message?.type === 'start' && !isKnown(this, runId)) acceptOnly(this, message);
    const run = this.run(runId);
    if (run) end(this, run, givenUp(reason));
  }

  #inbound(message: InboundMessage, prefix: unknown): void {
    switch (message.type) {
      case 'start':
        return message.start.fork ? takeFork(this, message, prefix) : takeStart(this, message);
      case 'schedule_set':
        return setSchedule(this, message);
      case 'schedule_remove':
        return removeSchedule(this, message);
      case 'schedule_run_ended':
        return scheduleRunEnded(this, message);
      default:
        return this.#toRun(message);
    }
  }

  #toRun(message: Exclude<InboundMessage, { type: 'start' | `schedule_${string}` }>): void {
    const run = this.run(message.run);
    if (!run && message.type === 'cancel') return this.#bar(message.run);
    if (!run || isEnded(run)) return;
    if (message.type === 'cancel') return cancel(this, run, message.by, message.reason);
    if (!isActive(run)) return;
    switch (message.type) {
      case 'approve':
        takeDecision(this, run, message);
        return advance(this, run);
      case 'input': {
        const { question, text, by, key } = message;
        const open = own(run.questions, question);
        if (!open || this.now >= open.expiresAt) return;
        const told = key === undefined ? {} : { key };
        this.emit(run.id, { type: 'question.answered', question, outcome: 'answered', text, by, ...told });
        return advance(this, run);
      }
      case 'timer':
        // Rung by the bus for an older planner: the clock here has the last word.
        if (!isOver(run, message.timer.approval, this.now)) return;
        decideApproval(this, run, message.timer.approval, 'expired', 'system');
        return advance(this, run);
      case 'child_waiting':
        childWaits(this, run, message);
        return advance(this, run);
      case 'child_ended':
        if (childEnds(this, run, message.outcome)) advance(this, run);
        return;
      default:
        message satisfies never;
    }
  }

  /** A cancel that overtook its start. */
  #bar(run: string): void {
    if (!this.state.endedIds.has(run) && !this.state.barred.has(run))
      this.emitPartition({ type: 'run.barred', at: this.now, run });
  }
}
