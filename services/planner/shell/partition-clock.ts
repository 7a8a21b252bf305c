/**
 * Time in a partition: the wall clock of whoever owns it, but never backwards, neither when that clock is set back nor
 * when the next owner's is behind. Everything that comes due is measured by it, so a clock that goes wrong makes things
 * early or slow, and never hang: while it is ahead of the wall clock it goes on at half the pace until that has caught up.
 */
import type { Clock } from '@tutti/runtime';

const PACE_AHEAD = 0.5;

export class PartitionClock {
  readonly #clock: Clock;
  #last: number;
  #lastMonotonic: number;

  /** `notBefore`: the latest moment that the partition's log knows of, Unix ms. */
  constructor(clock: Clock, notBefore: number) {
    this.#clock = clock;
    this.#last = Math.max(clock.now(), notBefore);
    this.#lastMonotonic = clock.monotonic();
  }

  /** Unix milliseconds. */
  now(): number {
    const monotonic = this.#clock.monotonic();
    const elapsed = monotonic - this.#lastMonotonic;
    this.#lastMonotonic = monotonic;
    const wall = this.#clock.now();
    // `wall` is in whole milliseconds: the fraction of time that has passed must not be lost between two of them.
    this.#last = wall >= this.#last ? wall : Math.max(wall, this.#last + elapsed * PACE_AHEAD);
    return Math.floor(this.#last);
  }
}
