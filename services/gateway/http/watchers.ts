/** Everyone who watches a run: event streams and waiting chat requests. Owns their number and how they are told to go. */
import { TuttiError } from '@tutti/contracts';

export interface Watcher {
  /** Aborted when stopping waits no longer. */
  signal: AbortSignal;
  release(): void;
}

export class Watchers {
  readonly #max: number;
  readonly #draining = new AbortController();
  readonly #ending = new AbortController();
  #open = 0;
  #onIdle = () => {};

  constructor(watchersMax: number) {
    this.#max = watchersMax;
  }

  get open(): number {
    return this.#open;
  }
  /** Aborted as soon as stopping begins: streams close, since their clients can resume elsewhere. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  /** Throws `overloaded` or, while stopping, `unavailable`. */
  acquire(): Watcher {
    if (this.#draining.signal.aborted)
      throw new TuttiError('unavailable', 'this gateway is stopping; ask again', { retryAfterMs: 1_000 });
    if (this.#open >= this.#max)
      throw new TuttiError('overloaded', `${this.#max} clients are watching runs already; ask again later`, {
        retryAfterMs: 1_000,
      });
    this.#open++;
    let released = false;
    return {
      signal: this.#ending.signal,
      release: () => {
        if (released) return;
        released = true;
        if (--this.#open === 0) this.#onIdle();
      },
    };
  }

  /** Resolves when nobody watches any more, at the latest after the time and a moment to say goodbye. */
  async drain(timeoutMs: number): Promise<void> {
    this.#draining.abort();
    if (this.#open === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      timer = setTimeout(resolve, timeoutMs);
    });
    clearTimeout(timer);
    this.#ending.abort();
  }
}
