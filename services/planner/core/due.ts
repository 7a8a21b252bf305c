/**
 * All that comes due in a partition, earliest first: a binary heap in which every item can be found, moved and taken out
 * by its key. Not part of a checkpoint: a function of the runs, and made again from them.
 */

export type DueKind = 'retry' | 'wall' | 'approval' | 'question' | 'sleep' | 'park' | 'schedule';

export interface Due {
  /** Unix milliseconds. */
  at: number;
  kind: DueKind;
  /** The run, or the schedule, that it concerns. */
  owner: string;
  /** Which of its kind: a call, an approval, a question; empty where there is only one. */
  id: string;
}

interface Item extends Due {
  place: number;
}

const keyOf = (owner: string, kind: DueKind, id: string): string => `${owner} ${kind} ${id}`;

export class DueHeap {
  readonly #heap: Item[] = [];
  readonly #byKey = new Map<string, Item>();

  get size(): number {
    return this.#heap.length;
  }
  /** Undefined when nothing will ever come due. */
  get nextAt(): number | undefined {
    return this.#heap[0]?.at;
  }

  set(owner: string, kind: DueKind, id: string, at: number): void {
    const key = keyOf(owner, kind, id);
    const known = this.#byKey.get(key);
    if (known) {
      known.at = at;
      this.#up(this.#down(known.place));
      return;
    }
    const item: Item = { at, kind, owner, id, place: this.#heap.length };
    this.#byKey.set(key, item);
    this.#heap.push(item);
    this.#up(item.place);
  }

  remove(owner: string, kind: DueKind, id = ''): void {
    const key = keyOf(owner, kind, id);
    const item = this.#byKey.get(key);
    if (!item) return;
    this.#byKey.delete(key);
    const last = this.#heap.pop()!;
    if (last === item) return;
    this.#heap[item.place] = last;
    last.place = item.place;
    this.#up(this.#down(last.place));
  }

  /** The earliest, when it is due at `now`. It stays until it is removed or set to another time. */
  peek(now: number): Due | undefined {
    const first = this.#heap[0];
    return first && first.at <= now ? first : undefined;
  }

  /** For tests: everything, in no order. */
  all(): Due[] {
    return this.#heap.map(({ at, kind, owner, id }) => ({ at, kind, owner, id }));
  }

  #up(place: number): number {
    const heap = this.#heap;
    const item = heap[place]!;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent]!;
      if (above.at <= item.at) break;
      heap[place] = above;
      above.place = place;
      place = parent;
    }
    heap[place] = item;
    item.place = place;
    return place;
  }

  #down(place: number): number {
    const heap = this.#heap;
    const item = heap[place]!;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
      const below = heap[child]!;
      if (below.at >= item.at) break;
      heap[place] = below;
      below.place = place;
      place = child;
    }
    heap[place] = item;
    item.place = place;
    return place;
  }
}
