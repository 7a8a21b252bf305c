/**
 * Dispatch over the bus. A window per verb bounds what is under way: it shrinks when workers say that they are busy and
 * grows with every answer (additive increase, multiplicative decrease: Chiu and Jain 1989), so that ten thousand waiting
 * calls are held here and not sent again and again. Answers that take a minute bring little news: a window that was full
 * for a while without a word of being busy is tried wider. Held calls go out in the order in which they came.
 */
import type { VerbName } from '@tutti/contracts';
import type { Caller, Clock, Counter, Family, Metrics } from '@tutti/runtime';
import type { StepRequest } from '../core/requests.ts';
import type { Dispatch, StepCall, StepDone } from '../ports/dispatch.ts';

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
  /** Calls of ours that are under way, and their verb. */
  readonly #sent = new Map<string, VerbName>();
  #overloaded: Family<Counter> | undefined;

  constructor(caller: Caller, clock: Clock, metrics?: Metrics) {
    this.#caller = caller;
    this.#clock = clock;
    if (metrics) this.#measure(metrics);
  }

  #measure(metrics: Metrics): void {
    const window = metrics.gauge('tutti_dispatch_window', 'Calls that may be under way at once.', ['verb']);
    const inFlight = metrics.gauge('tutti_dispatch_in_flight', 'Calls under way.', ['verb']);
    const held = metrics.gauge('tutti_dispatch_held_back', 'Calls held back because workers are busy.', ['verb']);
    this.#overloaded = metrics.counter('tutti_dispatch_overloaded_total', 'Answers that said "busy".', ['verb']);
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

  holds(callId: string): boolean {
    for (const lane of this.#lanes.values()) if (lane.held.has(callId)) return true;
    return false;
  }

  send(request: StepRequest, call: StepCall, done: StepDone): void {
    const lane = this.#lane(request.verb);
    if (lane.held.size > 0 || lane.inFlight >= lane.window || lane.quietUntil > 0) {
      lane.held.set(call.callId, { request, call, done });
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
    this.#sent.set(call.callId, request.verb);
    lane.inFlight++;
    try {
      this.#caller.send(request.verb, request.body as never, call, (outcome) => this.#back(lane, held, outcome));
    } catch (error) {
      this.#gone(call.callId);
      throw error;
    }
  }

  #back(lane: Lane, held: Held, outcome: Parameters<StepDone>[0]): void {
    const { callId } = held.call;
    if (!this.#gone(callId)) return;
    const { verb } = held.request;
    if (!outcome.ok && outcome.error.code === 'overloaded') {
      lane.held.set(callId, held);
      this.#overloaded?.of(verb).inc();
      this.#shrink(verb, lane, outcome.error.retryAfterMs);
      return;
    }
    lane.window = Math.min(lane.window + 1 / lane.window, DISPATCH_LIMITS.windowMax);
    held.done(outcome);
    this.#drain(verb, lane);
  }

  /** False when it was forgotten meanwhile. */
  #gone(callId: string): boolean {
    const verb = this.#sent.get(callId);
    if (verb === undefined) return false;
    this.#sent.delete(callId);
    this.#lane(verb).inFlight--;
    return true;
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
      lane.held.delete(next.call.callId);
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

  #unhold(callId: string): boolean {
    for (const lane of this.#lanes.values()) if (lane.held.delete(callId)) return true;
    return false;
  }

  forget(callId: string): void {
    const verb = this.#sent.get(callId);
    if (verb === undefined) return void this.#unhold(callId);
    this.#gone(callId);
    this.#caller.forget(callId, false);
    this.#drain(verb, this.#lane(verb));
  }

  cancel(callId: string, listen: boolean): void {
    const verb = this.#sent.get(callId);
    // Never sent: there is nothing that could still come of it.
    if (verb === undefined) return void this.#unhold(callId);
    if (listen) return this.#caller.cancel(callId);
    this.#gone(callId);
    this.#caller.forget(callId, true);
    this.#drain(verb, this.#lane(verb));
  }
}
