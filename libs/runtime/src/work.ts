/**
 * One request that is being worked on. Invariant: it ends once, as the handler's result, its error, or why it was
 * aborted when the handler does not heed that. What only few requests need (a signal, a second asker) is made on demand.
 */
import type { ErrorInfo, RequestItem } from '@tutti/contracts';
import { TuttiError, toErrorInfo } from '@tutti/contracts';
import { BusUnknown } from './bus/port.ts';
import type { Clock } from './clock.ts';
import type { RequestContext } from './service-types.ts';
import { failureOf, type OpenSpan } from './telemetry.ts';

/** What a handler gets to come to an end after it was told to. */
const ABORT_GRACE_MS = 2_000;

export type Outcome = { ok: true; body: unknown } | { ok: false; error: ErrorInfo };

/** Whoever wants to know what comes of it: several processes, one after the other, or several runs. */
export interface Asker {
  reply: string;
  nonce: number;
  run: string | undefined;
  cancelled: boolean;
}

export class Work implements RequestContext {
  readonly item: RequestItem;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  /** Monotonic milliseconds at which nobody waits for it any more. */
  readonly endsAt: number;
  readonly askers: Asker[];
  readonly #span: OpenSpan;
  readonly #clock: Clock;
  readonly #ended: (work: Work, outcome: Outcome, thrown: unknown) => void;
  #controller: AbortController | undefined;
  #aborted: { reason: unknown } | undefined;
  #isOver = false;

  constructor(
    item: RequestItem,
    reply: string,
    span: OpenSpan,
    clock: Clock,
    leftMs: number,
    ended: (work: Work, outcome: Outcome, thrown: unknown) => void,
  ) {
    this.item = item;
    this.askers = [{ reply, nonce: item.nonce, run: item.run, cancelled: false }];
    this.startedAt = clock.monotonic();
    this.endsAt = this.startedAt + leftMs;
    this.#span = span;
    this.#clock = clock;
    this.#ended = ended;
  }

  get traceparent(): string | undefined {
    return this.#span.traceparent ?? this.item.traceparent;
  }
  /** Handlers take this apart: it must not need its `this`. */
  readonly attributes = (values: Record<string, string | number | boolean | string[]>): void =>
    this.#span.attributes(values);

  get aborted(): boolean {
    return this.#aborted !== undefined;
  }
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted) this.#controller.abort(this.#aborted.reason);
    return this.#controller.signal;
  }

  run(handler: () => Promise<unknown>): void {
    let result: Promise<unknown>;
    try {
      result = handler();
    } catch (error) {
      return this.#fail(error);
    }
    result.then(
      (body) => this.#end({ ok: true, body }, undefined),
      (error) => this.#fail(error),
    );
  }

  asked(item: RequestItem, reply: string): void {
    this.askers.push({ reply, nonce: item.nonce, run: item.run, cancelled: false });
  }

  /** This run does not want it any more (none is named: nobody does): it ends when no other does either. */
  cancel(run: string | undefined, reason: unknown): void {
    for (const asker of this.askers) if (run === undefined || asker.run === run) asker.cancelled = true;
    if (this.askers.every((asker) => asker.cancelled)) this.abort(reason);
  }

  abort(reason: unknown): void {
    if (this.#aborted || this.#isOver) return;
    this.#aborted = { reason };
    this.#controller?.abort(reason);
    // One that does not heed its signal is left behind: its place and its callers must not wait for it.
    this.#clock.after(ABORT_GRACE_MS, () => this.#fail(reason));
  }

  #fail(error: unknown): void {
    this.#end({ ok: false, error: infoOf(error) }, error);
  }
  #end(outcome: Outcome, thrown: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (outcome.ok) this.#span.end();
    else {
      const { attributes, error } = failureOf(outcome.error);
      this.#span.attributes(attributes);
      this.#span.end({ error });
    }
    this.#ended(this, outcome, thrown);
  }
}

/** It cannot be known whether something was stored: no fault of ours, and the same may be asked again. */
function infoOf(error: unknown): ErrorInfo {
  return error instanceof BusUnknown ? new TuttiError('unavailable', error.message).toInfo() : toErrorInfo(error);
}
