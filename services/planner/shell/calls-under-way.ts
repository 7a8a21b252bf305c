/**
 * The calls of a partition that are under way from here. Invariants: a call is sent once until its outcome is in or it is
 * given up; its outcome comes back as an input. Whoever sends sees to it that the log has the call.
 */
import { LIMITS, type StepSpec, TuttiError, toErrorInfo } from '@tutti/contracts';
import type { Clock } from '@tutti/runtime';
import { agentFor, type Environment, type Input, type StepOutcome } from '../core/decide.ts';
import { timeoutOf } from '../core/limits.ts';
import { requestOf } from '../core/requests.ts';
import { isActive, lateKey, type OpenStep, type PartitionState } from '../core/state.ts';
import type { Asking, Dispatch, GivenUp } from '../ports/dispatch.ts';
import type { RunTelemetry } from './run-telemetry.ts';

/** Runs whose open calls are sent again before the loop gets its turn. */
const SENT_AT_ONCE = 20;
/** After so long it is said again that a call must not begin. */
const BAR_AGAIN_MS = [1_000, 5_000, 20_000] as const;

export type OpenCalls = [run: string, callIds: string[]][];

/** Calls that the state has open. */
export function openCalls(state: PartitionState): OpenCalls {
  const open: OpenCalls = [];
  for (const { brief, run } of state.runs.briefs()) {
    const callIds = brief ? brief.open : isActive(run) ? Object.keys(run.open) : [];
    if (callIds.length > 0) open.push([(brief ?? run).id, [...callIds]]);
  }
  return open;
}

export interface CallsOptions {
  state: PartitionState;
  dispatch: Dispatch;
  clock: Clock;
  /** Unix ms, as the partition has it. */
  now(): number;
  bundle: Environment['bundle'];
  push(input: Input): void;
  telemetry: Pick<RunTelemetry, 'sent'>;
  /** Why an agent's runs may not go on, in words. */
  stop?: ((agent: { tenant: string; agent: string }) => string | undefined) | undefined;
}

/** What a stopped agent may not do any more: think and act. */
function acts({ kind }: StepSpec): boolean {
  return kind === 'complete' || kind === 'execute';
}

/** It may have been sent: only the tools service knows what came of it, and that asks the kill switch as well. */
function mayHaveHappened({ step, attempt, notBefore, grant }: OpenStep, again: boolean): boolean {
  return step.kind === 'execute' && (again || attempt > 0 || notBefore > 0 || grant !== undefined);
}

export class CallsUnderWay {
  readonly #options: CallsOptions;
  /** By run and call: a fork has calls of the run that it comes from. */
  readonly #sent = new Map<string, Asking>();
  #closed = false;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  /** `again`: it may have been sent before, by another owner. */
  send(runId: string, callId: string, again = false): void {
    const { state, dispatch, now, push, telemetry } = this.#options;
    const run = state.runs.get(runId);
    if (!run || !isActive(run)) return;
    const open = run.open[callId];
    const key = keyOf({ run: runId, callId });
    if (!open || this.#sent.has(key) || open.notBefore > now()) return;
    const done = (outcome: StepOutcome) => {
      if (this.#sent.delete(key)) push({ kind: 'result', run: runId, callId, outcome });
    };
    this.#sent.set(key, { run: runId, callId });
    try {
      const stop = this.#options.stop?.({ tenant: run.tenant, agent: run.start.agent });
      if (stop && acts(open.step) && !mayHaveHappened(open, again))
        throw new TuttiError('forbidden', `${stop}; nothing was done`);
      const bundle = this.#options.bundle(run.start.bundle);
      const agent = agentFor(bundle, run);
      if (!agent) throw new TuttiError('not_found', `the bundle ${run.start.bundle} is gone`);
      dispatch.send(
        requestOf(state, run, open, agent, bundle, now()),
        {
          callId,
          tenant: run.tenant,
          run: run.id,
          root: run.start.root,
          session: run.session,
          traceparent: telemetry.sent(run, open),
          timeoutMs: timeoutOf(run.limits, open.step),
        },
        done,
      );
    } catch (error) {
      // A request that cannot be made is the run's failure, not the partition's.
      done({ ok: false, error: toErrorInfo(error) });
    }
  }

  /** A few at a time: their requests are made from the runs, which have to be read for it. */
  async sendAgain(open: OpenCalls): Promise<void> {
    for (const [at, [run, callIds]] of open.entries()) {
      if (this.#closed) return;
      for (const callId of callIds) this.send(run, callId, true);
      if (at % SENT_AT_ONCE === SENT_AT_ONCE - 1)
        await new Promise<void>((resolve) => this.#options.clock.soon(resolve));
    }
  }

  /** A call whose effect may have happened is still listened to for a while: what came of it is worth knowing. */
  giveUp({ bar, ...asking }: GivenUp): void {
    const { state, dispatch, clock } = this.#options;
    if (bar !== undefined) this.#bar({ ...asking, tenant: bar });
    const key = keyOf(asking);
    const listen = state.late.has(lateKey(asking.run, asking.callId));
    dispatch.cancel(asking, listen);
    if (!listen) return void this.#sent.delete(key);
    clock.after(LIMITS.lateResultMs, () => {
      if (this.#sent.delete(key)) dispatch.forget(asking);
    });
  }

  /** A message of this kind may be lost: it is said again, also beyond the time that a bus takes to come back. */
  #bar(call: Asking & { tenant: string }): void {
    const { dispatch, clock } = this.#options;
    dispatch.bar(call);
    for (const afterMs of BAR_AGAIN_MS) clock.after(afterMs, () => this.#closed || dispatch.bar(call));
  }

  /** Of those that were sent, how many wait here because workers are busy. */
  get counts(): { inFlight: number; heldBack: number } {
    let heldBack = 0;
    for (const asking of this.#sent.values()) if (this.#options.dispatch.holds(asking)) heldBack++;
    return { inFlight: this.#sent.size - heldBack, heldBack };
  }

  /** Not cancelled: the next owner asks for the same calls and gets their results. */
  close(): void {
    this.#closed = true;
    for (const asking of this.#sent.values()) this.#options.dispatch.forget(asking);
    this.#sent.clear();
  }
}

function keyOf({ run, callId }: Asking): string {
  return `${run} ${callId}`;
}
