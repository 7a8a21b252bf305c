/**
 * Follows a run and the runs below it, live, until it ended. Live messages are hints: what is missing is read from the
 * owner or memory, and a run that is silent too long is asked for, so a lost message costs time and never the end.
 * Invariant: it subscribes before it reads, so nothing can fall between the two. Entries come as Timeline has them;
 * tokens of a model call stop at the entry that closes it.
 */
import { LiveMessage, subjects, TuttiError, toErrorInfo } from '@tutti/contracts';
import type { Bus, Logger } from '@tutti/runtime';
import { Timeline, type TimelineEntry } from '../core/timeline.ts';
import type { RunReader } from '../ports/run-reader.ts';

export type FollowEvent =
  | ({ type: 'entry' } & TimelineEntry)
  | { type: 'token'; run: string; callId: string; attempt: number; text: string }
  /** What the attempt said so far is void. */
  | { type: 'superseded'; run: string; callId: string; attempt: number; reason: string }
  /** How far a tool is, in its own words. */
  | { type: 'progress'; run: string; callId: string; tool: string; text: string };

export interface FollowLimits {
  followPollMs: number;
  followRetryMs: number;
  followChildTriesMax: number;
  /** Live messages that may wait for a slow consumer. */
  queueBytesMax: number;
}

export interface FollowOptions {
  tenant: string;
  root: string;
  /** Version of the root after which events are not muted. */
  resumeAfter?: number;
  /** Runs below the root, too. */
  children: boolean;
  /** Nothing of the run can exist yet: do not read before something comes. */
  fresh?: boolean;
  signal: AbortSignal;
  /** More live messages than `queueBytesMax` wait because the consumer is slow. They are dropped, and read again later. */
  onOverflow?(): void;
}

export interface FollowedRun {
  /** Batches of events, an empty one where a poll found nothing; ends after the root's end, or on abort. */
  events(): AsyncGenerator<FollowEvent[], void>;
  stop(): void;
}
/** The subscription stands when this returns; whoever calls it has to call `stop`. */
export type FollowRun = (options: FollowOptions) => FollowedRun;

const text = new TextDecoder();

interface Dependencies {
  bus: Bus;
  reader: RunReader;
  log: Logger;
  limits: FollowLimits;
}

export function createFollowRun(deps: Dependencies): FollowRun {
  return (options) => new Following(deps, options);
}

interface Reading {
  /** Monotonic ms at which the run is read next. */
  dueAt: number;
  tries: number;
}

class Following implements FollowedRun {
  readonly #deps: Dependencies;
  readonly #options: FollowOptions;
  readonly #timeline: Timeline;
  readonly #subscription: { stop(): void };
  readonly #readings = new Map<string, Reading>();
  readonly #closedCalls = new Set<string>();
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  #overflowed = false;
  #wake = () => {};

  constructor(deps: Dependencies, options: FollowOptions) {
    this.#deps = deps;
    this.#options = options;
    const { resumeAfter, children, root, tenant } = options;
    this.#timeline = new Timeline(root, { ...(resumeAfter === undefined ? {} : { resumeAfter }), children });
    this.#readings.set(root, { dueAt: options.fresh ? this.#pollAt() : 0, tries: 0 });
    this.#subscription = deps.bus.subscribe(subjects.live(tenant, root), ({ data }) => this.#receive(data));
    options.signal.addEventListener('abort', this.#onAbort);
  }

  stop(): void {
    this.#subscription.stop();
    this.#options.signal.removeEventListener('abort', this.#onAbort);
  }

  async *events(): AsyncGenerator<FollowEvent[], void> {
    while (!this.#options.signal.aborted) {
      const live = this.#takeLive();
      if (live.length > 0) yield live;
      if (this.#timeline.ended) return;
      const due = this.#due();
      if (due.length > 0) yield await this.#read(due);
      else await this.#pause();
      if (this.#timeline.ended) return;
    }
  }

  readonly #onAbort = () => this.#wake();

  #pollAt(): number {
    return performance.now() + this.#deps.limits.followPollMs;
  }

  #receive(data: Uint8Array): void {
    if (this.#inboxBytes + data.length > this.#deps.limits.queueBytesMax) {
      this.#overflowed = true;
      this.#options.onOverflow?.();
    } else {
      this.#inbox.push(data);
      this.#inboxBytes += data.length;
    }
    this.#wake();
  }

  #takeLive(): FollowEvent[] {
    const messages = this.#inbox;
    this.#inbox = [];
    this.#inboxBytes = 0;
    // What was dropped is in the log: read it instead.
    if (this.#overflowed) for (const run of this.#timeline.open()) this.#readings.set(run, { dueAt: 0, tries: 0 });
    this.#overflowed = false;
    return messages.flatMap((data) => this.#parse(data));
  }

  #parse(data: Uint8Array): FollowEvent[] {
    const message = this.#message(data);
    return (message?.events ?? []).flatMap((event): FollowEvent[] => {
      if (event.type === 'entry') return this.#shown(this.#timeline.accept(event.entry), this.#pollAt());
      return this.#closedCalls.has(event.callId) ? [] : [event];
    });
  }

  #message(data: Uint8Array): LiveMessage | undefined {
    try {
      return LiveMessage.parse(JSON.parse(text.decode(data)));
    } catch (error) {
      this.#deps.log.error({ error }, 'a live message does not fit its schema');
      return undefined;
    }
  }

  /** `childDueAt`: when a child that is new here is read for the first time, if nothing of it comes before. */
  #shown(entries: TimelineEntry[], childDueAt: number): FollowEvent[] {
    for (const { entry } of entries) {
      this.#readings.set(entry.run, { dueAt: this.#pollAt(), tries: 0 });
      if (entry.type === 'step.completed' || entry.type === 'step.failed') this.#closedCalls.add(entry.callId);
      if (entry.type === 'child.started' && !this.#readings.has(entry.child))
        this.#readings.set(entry.child, { dueAt: childDueAt, tries: 0 });
    }
    return entries.map((entry) => ({ type: 'entry', ...entry }));
  }

  /** Runs to read now: silent ones, and at once those that hold something up, with growing pauses between tries. */
  #due(): string[] {
    const wanted = new Set(this.#timeline.wanted());
    const now = performance.now();
    return this.#timeline.open().filter((run) => {
      const reading = this.#reading(run);
      if (wanted.has(run) && reading.tries === 0) return true;
      return reading.dueAt <= now;
    });
  }

  #reading(run: string): Reading {
    let reading = this.#readings.get(run);
    if (!reading) {
      reading = { dueAt: this.#pollAt(), tries: 0 };
      this.#readings.set(run, reading);
    }
    return reading;
  }

  async #read(due: string[]): Promise<FollowEvent[]> {
    const found = await Promise.all(due.map((run) => this.#entriesOf(run)));
    return due.flatMap((run, index) => this.#take(run, found[index]!));
  }

  async #entriesOf(run: string) {
    try {
      return await this.#deps.reader.entries(this.#options.tenant, run, this.#timeline.version(run));
    } catch (error) {
      const info = toErrorInfo(error);
      if (!info.retryable) throw error instanceof TuttiError ? error : TuttiError.from(info);
      this.#deps.log.debug({ run, error: info.message }, 'a followed run cannot be read right now');
      return [];
    }
  }

  #take(run: string, entries: Awaited<ReturnType<RunReader['entries']>>): FollowEvent[] {
    const reading = this.#reading(run);
    const versionBefore = this.#timeline.version(run);
    const events = entries.flatMap((entry) => this.#shown(this.#timeline.accept(entry), 0));
    const { followRetryMs, followPollMs, followChildTriesMax } = this.#deps.limits;
    if (this.#timeline.version(run) > versionBefore) {
      // There may be more than one reading gives: a full journal page, for one.
      this.#readings.set(run, { dueAt: 0, tries: 0 });
      return events;
    }
    const held = this.#timeline.wanted().includes(run);
    const tries = held ? reading.tries + 1 : 0;
    if (held && tries >= followChildTriesMax && run !== this.#options.root) {
      this.#deps.log.warn({ run }, 'a child run cannot be read; its parent is shown without the rest of it');
      return [...events, ...this.#shown(this.#timeline.abandon(run), 0)];
    }
    const waitMs = held ? Math.min(followRetryMs * 2 ** (tries - 1), followPollMs) : followPollMs;
    this.#readings.set(run, { dueAt: performance.now() + waitMs, tries });
    return events;
  }

  async #pause(): Promise<void> {
    if (this.#inbox.length > 0 || this.#overflowed || this.#options.signal.aborted) return;
    const next = Math.min(...this.#timeline.open().map((run) => this.#reading(run).dueAt));
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, Math.max(1, next - performance.now()));
    });
    clearTimeout(timer);
    this.#wake = () => {};
  }
}
