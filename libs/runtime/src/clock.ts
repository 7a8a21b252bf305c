/** Time, as a service sees it: injected, so that a simulator can run the same code in time of its own. */

export interface Clock {
  /** Unix milliseconds. May jump: never used to measure how long something took. */
  now(): number;
  /** Milliseconds that only grow, from any start. */
  monotonic(): number;
  after(ms: number, action: () => void): { stop(): void };
  /** Does not keep a process alive by itself. */
  every(ms: number, action: () => void): { stop(): void };
  /** After whatever else this turn of the event loop brings. */
  soon(action: () => void): void;
  sleep(ms: number): Promise<void>;
}

/** The longest wait that a Node timer takes. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, action) {
    const timer = setTimeout(action, Math.min(ms, TIMER_MAX_MS));
    return { stop: () => clearTimeout(timer) };
  },
  every(ms, action) {
    const timer = setInterval(action, ms).unref();
    return { stop: () => clearInterval(timer) };
  },
  soon: (action) => void setImmediate(action),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};
