/**
 * Time that is counted, not waited for. Everything that happens is an event in one heap, in the order of its virtual
 * time and, within the same moment, of chance from the seed; all promises that an event settles are followed up before
 * the next event. Invariant: with the same seed and the same code the events are the same, in the same order (`trace`).
 *
 * A `VirtualProcess` is what an operating system would give: a clock of its own that may be set wrong, and an end at any
 * moment, after which not one of its events happens any more; it may also be stopped for a while and go on.
 */
import type { Clock } from '@tutti/runtime';
import { Random } from './random.ts';

/** When time begins, Unix milliseconds. */
const STARTED_AT = Date.UTC(2026, 0, 1);
/** How long a process takes to come round to what it put off with `soon`. */
const SOON_MS = 0.05;
/** Events that are put into the event loop at once. Promises are followed up between any two of them. */
const EVENTS_PER_TURN = 64;

interface Item {
  at: number;
  tie: number;
  action: (() => void) | undefined;
  process: VirtualProcess | undefined;
}

/** What is put into a lane happens in the order in which it was put in: the bytes of one connection, say. */
export interface Lane {
  at: number;
  tie: number;
}

export const newLane = (): Lane => ({ at: 0, tie: 0 });

export interface Bounds {
  /** Virtual ms since the start at which to stop. */
  until?: number;
  /** Events after which something must be turning in circles. */
  eventsMax?: number;
}

/** `done`: what was waited for is there; `idle`: nothing will ever happen any more; `time`, `events`: a bound was reached. */
export type Outcome = 'done' | 'idle' | 'time' | 'events';

export class VirtualTime {
  readonly random: Random;
  readonly startedAt: number;
  /** Virtual ms since the start. */
  now = 0;
  events = 0;
  /** Told what happens, for people who look into one seed. */
  note: ((line: string) => void) | undefined;
  /** What an event threw; the run ends with it when nobody takes it. */
  onThrow: ((process: VirtualProcess | undefined, error: unknown) => void) | undefined;
  readonly #heap: Item[] = [];
  #nextProcess = 1;
  #traceLow = 0x811c9dc5;
  #traceHigh = 0x1b873593;

  constructor(seed: number, startedAt = STARTED_AT) {
    this.random = new Random(seed);
    this.startedAt = startedAt;
  }

  /** A fingerprint of all that has happened so far. */
  get trace(): string {
    const hex = (value: number) => (value >>> 0).toString(16).padStart(8, '0');
    return hex(this.#traceHigh) + hex(this.#traceLow);
  }
  mix(value: number): void {
    this.#traceLow = Math.imul(this.#traceLow ^ value, 0x01000193);
    this.#traceHigh = Math.imul(this.#traceHigh ^ (this.#traceLow >>> 13), 0x5bd1e995) ^ (this.#traceHigh >>> 15);
  }

  process(name: string): VirtualProcess {
    return new VirtualProcess(this, name, this.#nextProcess++);
  }

  after(ms: number, action: () => void, process?: VirtualProcess): { stop(): void } {
    const item: Item = { at: this.now + Math.max(0, ms), tie: this.random.next(), action, process };
    push(this.#heap, item);
    return {
      stop: () => {
        item.action = undefined;
      },
    };
  }

  /** Not before anything that was put into the lane earlier. */
  inLane(lane: Lane, ms: number, action: () => void, process?: VirtualProcess): void {
    const at = this.now + ms;
    if (at > lane.at) {
      lane.at = at;
      lane.tie = this.random.next();
    } else {
      lane.tie += this.random.next();
    }
    push(this.#heap, { at: lane.at, tie: lane.tie, action, process });
  }

  /** Lets things happen until `done` says so. */
  run(done: () => boolean, bounds: Bounds = {}): Promise<Outcome> {
    const eventsEnd = this.events + (bounds.eventsMax ?? Number.POSITIVE_INFINITY);
    const until = bounds.until ?? Number.POSITIVE_INFINITY;
    return new Promise((resolve, reject) => {
      let over = false;
      const finish = (outcome: Outcome): void => {
        over = true;
        resolve(outcome);
      };
      const turn = (): void => {
        if (over) return;
        try {
          if (done()) return finish('done');
          if (this.events >= eventsEnd) return finish('events');
          const next = this.#next();
          if (!next || next.at > until) {
            if (until !== Number.POSITIVE_INFINITY) this.now = Math.max(this.now, until);
            return finish(next ? 'time' : 'idle');
          }
          this.#step();
        } catch (error) {
          over = true;
          reject(error);
        }
      };
      const fill = (): void => {
        if (over) return;
        for (let i = 0; i < EVENTS_PER_TURN; i++) setImmediate(turn);
        setImmediate(fill);
      };
      fill();
    });
  }

  /** Kept until the process goes on; then all of it happens at once, in order. */
  #pile(process: VirtualProcess, item: Item): void {
    process.piled.push(item);
    if (process.piled.length === 1) this.after(process.frozenUntil - this.now, () => this.#thaw(process));
  }
  #thaw(process: VirtualProcess): void {
    if (process.frozenUntil > this.now) {
      this.after(process.frozenUntil - this.now, () => this.#thaw(process));
      return;
    }
    for (const [index, item] of process.piled.entries()) {
      item.at = this.now;
      item.tie = index;
      push(this.#heap, item);
    }
    process.piled.length = 0;
  }

  /** The next event that still has somebody to happen to. */
  #next(): Item | undefined {
    for (;;) {
      const item = this.#heap[0];
      if (!item || (item.action && (item.process?.alive ?? true))) return item;
      pop(this.#heap);
    }
  }

  #step(): void {
    const item = pop(this.#heap);
    const { process } = item;
    const action = item.action!;
    this.now = item.at;
    if (process && process.frozenUntil > item.at) return this.#pile(process, item);
    this.events++;
    this.mix(item.at * 4_096 + (process?.id ?? 0));
    try {
      action();
    } catch (error) {
      if (!this.onThrow) throw error;
      this.onThrow(process, error);
    }
  }
}

export class VirtualProcess {
  /** What has come while it was stopped, in order. */
  readonly piled: Item[] = [];
  readonly name: string;
  readonly id: number;
  readonly time: VirtualTime;
  readonly clock: Clock;
  alive = true;
  /** Virtual time before which nothing happens to it. */
  frozenUntil = 0;
  /** How wrong its wall clock goes, ms. */
  wallOffset = 0;

  constructor(time: VirtualTime, name: string, id: number) {
    this.time = time;
    this.name = name;
    this.id = id;
    const upSince = time.now - time.random.between(0, BOOTED_BEFORE_MAX_MS);
    this.clock = {
      now: () => Math.floor(time.startedAt + time.now + this.wallOffset),
      monotonic: () => time.now - upSince,
      after: (ms, action) => time.after(ms, action, this),
      every: (ms, action) => this.#every(ms, action),
      soon: (action) => void time.after(SOON_MS, action, this),
      sleep: (ms) => new Promise((resolve) => void time.after(ms, resolve, this)),
    };
  }

  #every(ms: number, action: () => void): { stop(): void } {
    let timer: { stop(): void };
    let stopped = false;
    const again = (): void => {
      timer = this.time.after(ms, ring, this);
    };
    const ring = (): void => {
      try {
        action();
      } finally {
        if (!stopped) again();
      }
    };
    again();
    return {
      stop: () => {
        stopped = true;
        timer.stop();
      },
    };
  }

  /** Nothing of it happens any more: as after SIGKILL. */
  kill(): void {
    this.alive = false;
  }
  /** As between SIGSTOP and SIGCONT: what comes meanwhile piles up, time goes on. */
  freeze(ms: number): void {
    // Between two moments of the network, so that nothing new gets in front of what has piled up.
    this.frozenUntil = Math.max(this.frozenUntil, this.time.now + ms + FREEZE_OFFSET_MS);
  }
}

const BOOTED_BEFORE_MAX_MS = 1e6;
const FREEZE_OFFSET_MS = 0.013;

function before(a: Item, b: Item): boolean {
  return a.at < b.at || (a.at === b.at && a.tie < b.tie);
}

function push(heap: Item[], item: Item): void {
  let place = heap.length;
  heap.push(item);
  while (place > 0) {
    const parent = (place - 1) >> 1;
    const above = heap[parent]!;
    if (!before(item, above)) break;
    heap[place] = above;
    place = parent;
  }
  heap[place] = item;
}

function pop(heap: Item[]): Item {
  const first = heap[0]!;
  const item = heap.pop()!;
  if (heap.length === 0) return first;
  let place = 0;
  for (;;) {
    let child = 2 * place + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, item)) break;
    heap[place] = heap[child]!;
    place = child;
  }
  heap[place] = item;
  return first;
}
