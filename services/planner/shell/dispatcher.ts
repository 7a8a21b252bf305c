/**
 * Dispatch over the bus. A window per verb bounds what is under way: it shrinks when workers say that they are busy and
 * grows with every answer (additive increase, multiplicative decrease: Chiu and Jain 1989), so that ten thousand waiting
 * calls are held here and not sent again and again. Answers that take a minute bring little news: a window that was full
 * for a while without a word of being busy is tried wider. Held calls go out in the order in which they came.
 */
import type { VerbName } from '@tutti/contracts';
import { type Caller, type Clock, type Counter, type Family, METRIC, type Metrics } from '@tutti/runtime';
import type { StepRequest } from '../core/requests.ts';
import type { Asking, Dispatch, StepCall, StepDone } from '../ports/dispatch.ts';

export const DISPATCH_LIMITS = {
  windowMin: 8,
  windowStart: 1_024,
  windowMax: 16_384,
  /** What a window keeps when workers are busy. */
  shrink: 0.7,
  /** A window shrinks at most this often: one burst of refusals is one piece of news. */
  shrinkEveryMs: 100,
  busyWaitMs: 100,
  /** A window that calls wait for, and that nobody refused anything of for this long, … */
  widenEveryMs: 1_000,
  /** … becomes so much wider. */
  widen: 1.5,
} as const;

interface Held {
  request: StepRequest;
  call: StepCall;
  done: StepDone;
}

interface Lane {
  window: number;
  inFlight: number;
  held: Map<string, Held>;
  shrunkAt: number;
  /** Nothing is sent before this (monotonic ms). */
  quietUntil: number;
  timer: { stop(): void } | undefined;
  /** Runs while calls are held because the window is full. */
  widening: { stop(): void } | undefined;
}

export class Dispatcher implements Dispatch {
  readonly #caller: Caller;
  readonly #clock: Clock;
  readonly #lanes = new Map<VerbName, Lane>();
  /** What is under way, by asking. */
  readonly #sent = new Map<string, { verb: VerbName; cancelled: boolean }>();
  #overloaded: Family<Counter> | undefined;

  constructor(caller: Caller, clock: Clock, metrics?: Metrics) {
    this.#caller = caller;
    this.#clock = clock;
    if (metrics) this.#measure(metrics);
  }

  #measure(metrics: Metrics): void {
    const window = metrics.gauge(METRIC.dispatchWindow);
    const inFlight = metrics.gauge(METRIC.dispatchInFlight);
    const held = metrics.gauge(METRIC.dispatchHeldBack);
    this.#overloaded = metrics.counter(METRIC.dispatchOverloaded);
    metrics.collect(() => {
      for (const [verb, lane] of this.#lanes) {
        window.of(verb).set(Math.floor(lane.window));
        inFlight.of(verb).set(lane.inFlight);
        held.of(verb).set(lane.held.size);
      }
    });
  }

  get inFlight(): number {
    return this.#sent.size;
  }
  get heldBack(): number {
    let count = 0;
    for (const lane of this.#lanes.values()) count += lane.held.size;
    return count;
  }

  holds(asking: Asking): boolean {
    const key = keyOf(asking);
    for (const lane of this.#lanes.values()) if (lane.held.has(key)) return true;
    return false;
  }

  send(request: StepRequest, call: StepCall, done: StepDone): void {
    const lane = this.#lane(request.verb);
    if (lane.held.size > 0 || lane.inFlight >= lane.window || lane.quietUntil > 0) {
      lane.held.set(keyOf(call), { request, call, done });
      return this.#drain(request.verb, lane);
    }
    this.#out(lane, { request, call, done });
  }

  #lane(verb: VerbName): Lane {
    let lane = this.#lanes.get(verb);
    if (!lane) {
      const window: number = DISPATCH_LIMITS.windowStart;
      lane = {
        window,
        inFlight: 0,
        held: new Map(),
        shrunkAt: Number.NEGATIVE_INFINITY,
        quietUntil: 0,
        timer: undefined,
        widening: undefined,
      };
      this.#lanes.set(verb, lane);
    }
    return lane;
  }

  #out(lane: Lane, held: Held): void {
    const { request, call } = held;
    this.#sent.set(keyOf(call), { verb: request.verb, cancelled: false });
    lane.inFlight++;
    try {
      this.#caller.send(request.verb, request.body as never, call, (outcome) => this.#back(lane, held, outcome));
    } catch (error) {
      this.#gone(call);
      throw error;
    }
  }

  #back(lane: Lane, held: Held, outcome: Parameters<StepDone>[0]): void {
    const sent = this.#gone(held.call);
    if (!sent) return;
    const { verb } = held.request;
    // One that nobody wants any more is not tried again.
    if (!outcome.ok && outcome.error.code === 'overloaded' && !sent.cancelled) {
      lane.held.set(keyOf(held.call), held);
      this.#overloaded?.of(verb).inc();
      this.#shrink(verb, lane, outcome.error.retryAfterMs);
      return;
    }
    lane.window = Math.min(lane.window + 1 / lane.window, DISPATCH_LIMITS.windowMax);
    held.done(outcome);
    this.#drain(verb, lane);
  }

  /** Undefined when it was forgotten meanwhile. */
  #gone(asking: Asking): { cancelled: boolean } | undefined {
    const sent = this.#sent.get(keyOf(asking));
    if (!sent) return;
    this.#sent.delete(keyOf(asking));
    this.#lane(sent.verb).inFlight--;
    return sent;
  }

  #shrink(verb: VerbName, lane: Lane, retryAfterMs: number | undefined): void {
    const now = this.#clock.monotonic();
    if (now - lane.shrunkAt >= DISPATCH_LIMITS.shrinkEveryMs) {
      lane.shrunkAt = now;
      lane.window = Math.max(DISPATCH_LIMITS.windowMin, Math.floor(lane.inFlight * DISPATCH_LIMITS.shrink));
    }
    const until = now + (retryAfterMs ?? DISPATCH_LIMITS.busyWaitMs);
    if (until <= lane.quietUntil) return;
    lane.quietUntil = until;
    lane.timer?.stop();
    lane.timer = this.#clock.after(until - now, () => {
      lane.quietUntil = 0;
      lane.timer = undefined;
      this.#drain(verb, lane);
    });
  }

  #drain(verb: VerbName, lane: Lane): void {
    while (lane.quietUntil === 0 && lane.inFlight < lane.window) {
      const next = lane.held.values().next().value;
      if (!next) return;
      lane.held.delete(keyOf(next.call));
      try {
        this.#out(lane, next);
      } catch (error) {
        const message = `a held call to ${verb} could not be sent: ${(error as Error).message}`;
        next.done({ ok: false, error: { code: 'internal', message, retryable: false } });
      }
    }
    if (lane.quietUntil === 0 && lane.held.size > 0)
      lane.widening ??= this.#clock.after(DISPATCH_LIMITS.widenEveryMs, () => this.#widen(verb, lane));
  }

  #widen(verb: VerbName, lane: Lane): void {
    lane.widening = undefined;
    const quietForMs = this.#clock.monotonic() - lane.shrunkAt;
    if (lane.held.size > 0 && lane.inFlight >= lane.window && quietForMs >= DISPATCH_LIMITS.widenEveryMs)
      lane.window = Math.min(Math.ceil(lane.window * DISPATCH_LIMITS.widen), DISPATCH_LIMITS.windowMax);
    this.#drain(verb, lane);
  }

  bar(call: Asking & { tenant: string }): void {
    this.#caller.bar('execute', call);
  }

  #unhold(asking: Asking): void {
    for (const lane of this.#lanes.values()) if (lane.held.delete(keyOf(asking))) return;
  }

  forget(asking: Asking): void {
    const sent = this.#sent.get(keyOf(asking));
    if (!sent) return this.#unhold(asking);
    this.#gone(asking);
    this.#caller.forget(asking.callId, false, asking.run);
    this.#drain(sent.verb, this.#lane(sent.verb));
  }

  cancel(asking: Asking, listen: boolean): void {
    const sent = this.#sent.get(keyOf(asking));
    // Never sent: there is nothing that could still come of it.
    if (!sent) return this.#unhold(asking);
    sent.cancelled = true;
    if (listen) return this.#caller.cancel(asking.callId, asking.run);
    this.#gone(asking);
    this.#caller.forget(asking.callId, true, asking.run);
    this.#drain(sent.verb, this.#lane(sent.verb));
  }
}

function keyOf({ callId, run }: Asking): string {
  return `${callId} ${run}`;
}
