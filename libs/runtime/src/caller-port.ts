/** How a service asks another one. Implemented in caller.ts. */
import type { ErrorInfo, VERBS, VerbName } from '@tutti/contracts';
import type { z } from 'zod';

export interface CallOptions {
  tenant: string;
  /** The same id is the same call: receivers answer it once. A fresh one where it is left out. */
  callId?: string;
  run?: string;
  root?: string;
  session?: string;
  traceparent?: string | undefined;
  /** Milliseconds until nobody waits any more. */
  timeoutMs: number;
  signal?: AbortSignal;
}

export interface Caller {
  /**
   * Asks and waits. Sends again with the same callId when a worker fell silent or nobody was there, until the time is over.
   * Rejects with the TuttiError that the service answered, `timeout`, `unavailable` or `cancelled`.
   */
  call<V extends VerbName>(
    verb: V,
    body: z.input<(typeof VERBS)[V]['body']>,
    options: CallOptions,
  ): Promise<z.output<(typeof VERBS)[V]['result']>>;
  /** Asks without waiting, once: the outcome comes to `done`, exactly one time unless `forget` was called. For callers that keep their own books (the planner). */
  send<V extends VerbName>(
    verb: V,
    body: z.input<(typeof VERBS)[V]['body']>,
    options: Required<Pick<CallOptions, 'callId' | 'tenant' | 'timeoutMs'>> & CallOptions,
    done: (
      outcome: { ok: true; body: z.output<(typeof VERBS)[V]['result']> } | { ok: false; error: ErrorInfo },
    ) => void,
  ): void;
  /**
   * Nobody waits for this call any more; tells the service's replicas to give it up when `cancel`. With `run` only what
   * that run asked: a fork asks for calls of the run that it comes from.
   */
  forget(callId: string, cancel: boolean, run?: string): void;
  /** Tells the service's replicas to give the call up. It is not sent again; whatever it comes to is still told to `done`. */
  cancel(callId: string, run?: string): void;
  /** Tells the service's replicas that this call of a run must not begin any more, whoever asks for it and however late. */
  bar(verb: VerbName, call: { tenant: string; run: string; callId: string }): void;
  /** Calls that are under way. */
  readonly open: number;
  close(): void;
}
