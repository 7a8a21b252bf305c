/**
 * Sends steps to the other services. Guarantees: `done` is called once for each call that was sent, unless it was
 * forgotten; busy workers are no outcome: the call is held back and sent again; no more calls are under way at once than
 * the workers of a verb have shown to take.
 */
import type { ErrorInfo } from '@tutti/contracts';
import type { StepRequest } from '../core/requests.ts';

export interface StepCall {
  callId: string;
  tenant: string;
  run: string;
  root: string;
  session: string;
  traceparent: string | undefined;
  /** For one try. */
  timeoutMs: number;
}

/** Which asking: a fork asks for open calls of the run that it comes from, under the same ids. */
export type Asking = Pick<StepCall, 'callId' | 'run'>;
/** A call that is given up. `bar`: the tenant whose tools must not begin it any more, whoever has sent it. */
export type GivenUp = Asking & { bar?: string };

export type StepDone = (outcome: { ok: true; body: unknown } | { ok: false; error: ErrorInfo }) => void;

export interface Dispatch {
  /** Throws when the call is under way already. A request that does not fit its schema is answered so by the worker. */
  send(request: StepRequest, call: StepCall, done: StepDone): void;
  /** Nobody here waits for it any more; the workers go on (the next owner asks for the same call). */
  forget(asking: Asking): void;
  /** The workers should give it up. `listen`: what it comes to is still wanted. */
  cancel(asking: Asking, listen: boolean): void;
  /** The call must not begin any more, whichever planner sent it and however late that arrives. */
  bar(call: Asking & { tenant: string }): void;
  /** The call was sent, and waits here because workers are busy. */
  holds(asking: Asking): boolean;
  /** Calls sent, and calls held back because workers are busy. */
  readonly inFlight: number;
  readonly heldBack: number;
}
