/**
 * Tells whoever watches what is in the log now. Hints: nobody may need them. What a run does within a moment goes as one
 * message; its end does not wait.
 */
import { isEnd, type RunEntry, subjects } from '@tutti/contracts';
import type { Bus, Clock } from '@tutti/runtime';
import { PLANNER_LIMITS } from '../config.ts';
import type { PartitionState } from '../core/state.ts';

const bytes = new TextEncoder();

export class Live {
  readonly #bus: Bus;
  readonly #clock: Clock;
  /** Events as JSON, by subject. */
  #waiting = new Map<string, { events: string[]; chars: number }>();
  #timer: { stop(): void } | undefined;

  constructor({ bus, clock }: { bus: Bus; clock: Clock }) {
    this.#bus = bus;
    this.#clock = clock;
  }

  /** `json`: of the entries. */
  tell(state: PartitionState, entries: RunEntry[], json: string[]): void {
    for (const [index, entry] of entries.entries()) {
      const run = state.runs.get(entry.run);
      if (!run) continue;
      const subject = subjects.live(run.tenant, run.start.root);
      let waiting = this.#waiting.get(subject);
      const event = `{"type":"entry","entry":${json[index]}}`;
      if (waiting && waiting.chars + event.length > PLANNER_LIMITS.liveCharsMax) {
        this.#publish(subject, waiting.events);
        waiting = undefined;
      }
      if (!waiting) {
        waiting = { events: [], chars: 0 };
        this.#waiting.set(subject, waiting);
      }
      waiting.events.push(event);
      waiting.chars += event.length;
      if (isEnd(entry) && entry.run === run.start.root) this.#publish(subject, waiting.events);
    }
    if (this.#waiting.size > 0) this.#timer ??= this.#clock.after(PLANNER_LIMITS.liveDelayMs, () => this.flush());
  }

  flush(): void {
    this.#timer?.stop();
    this.#timer = undefined;
    for (const [subject, { events }] of this.#waiting) this.#publish(subject, events);
  }

  #publish(subject: string, events: string[]): void {
    this.#waiting.delete(subject);
    const data = bytes.encode(`{"v":1,"events":[${events.join(',')}]}`);
    // Too large for a hint: the reader sees the gap and asks.
    if (data.length < this.#bus.payloadBytesMax) this.#bus.publish(subject, data);
  }
}
