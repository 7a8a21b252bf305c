/**
 * An inverted index of one collection in memory, ranked by BM25 (Robertson & Zaragoza, "The Probabilistic Relevance
 * Framework", 2009; idf as in Lucene, never negative). Owns postings and the statistics that belong to them.
 * Invariant: document frequencies and lengths count live chunks only, so that two replicas that hold the same
 * documents give the same scores, whatever was added and removed before.
 */
export const BM25 = { k1: 1.2, b: 0.75 } as const;

/** What the index needs of a chunk. */
export interface EncodedChunk {
  id: number;
  /** Decides between equal scores; a function of the chunk's name, so that it is the same on every replica. */
  tieBreak: number;
  /** Each term once: number of the term × 256 + weighted frequency (1…255). */
  terms: Uint32Array;
  /** Number of words. */
  length: number;
}

export interface QueryTerm {
  term: number;
  /** idf × how much the query insists on it. */
  weight: number;
}

export interface Match {
  id: number;
  tieBreak: number;
  score: number;
  /** The score by query term, in the order of the query. */
  parts: Float64Array;
}

/** A posting is one small integer: ordinal × 256 + frequency, which keeps the arrays packed. */
export const FREQUENCY_MAX = 255;
export const TERMS_MAX = 2 ** 24;
export const ORDINALS_MAX = 2 ** 22;
/** Postings of removed chunks are swept when they are more than this share of all, and worth it. */
const DEAD_SHARE_MAX = 0.33;
const DEAD_SWEEP_MIN = 2_000;

interface Postings {
  list: number[];
  /** Live chunks with this term. */
  live: number;
}

export class LexicalIndex {
  readonly #postings = new Map<number, Postings>();
  readonly #ordinals = new Map<number, number>();
  /** By ordinal. Length 0: the chunk was removed. */
  #ids: number[] = [];
  #lengths: number[] = [];
  #tieBreaks: number[] = [];
  #lengthTotal = 0;
  #scores = new Float64Array(1024);

  /** Live chunks. */
  get size(): number {
    return this.#ordinals.size;
  }
  get lengthTotal(): number {
    return this.#lengthTotal;
  }
  frequency(term: number): number {
    return this.#postings.get(term)?.live ?? 0;
  }

  add(chunk: EncodedChunk): void {
    if (this.#ids.length >= ORDINALS_MAX) throw new RangeError(`an index holds at most ${ORDINALS_MAX} chunks`);
    if (this.#ordinals.has(chunk.id)) throw new Error(`chunk ${chunk.id} is in the index already`);
    const ordinal = this.#ids.length;
    const length = Math.max(1, chunk.length);
    this.#ids.push(chunk.id);
    this.#lengths.push(length);
    this.#tieBreaks.push(chunk.tieBreak);
    this.#ordinals.set(chunk.id, ordinal);
    this.#lengthTotal += length;
    for (const entry of chunk.terms) {
      const posting = ordinal * (FREQUENCY_MAX + 1) + (entry & FREQUENCY_MAX);
      const postings = this.#postings.get(entry >>> 8);
      if (postings) {
        postings.list.push(posting);
        postings.live += 1;
      } else this.#postings.set(entry >>> 8, { list: [posting], live: 1 });
    }
  }

  /** `chunk` as it was added. */
  remove(chunk: Pick<EncodedChunk, 'id' | 'terms'>): void {
    const ordinal = this.#ordinals.get(chunk.id);
    if (ordinal === undefined) return;
    this.#ordinals.delete(chunk.id);
    this.#lengthTotal -= this.#lengths[ordinal]!;
    this.#lengths[ordinal] = 0;
    for (const entry of chunk.terms) {
      const postings = this.#postings.get(entry >>> 8)!;
      postings.live -= 1;
      if (postings.live === 0) this.#postings.delete(entry >>> 8);
    }
    const dead = this.#ids.length - this.size;
    if (dead > DEAD_SWEEP_MIN && dead > this.#ids.length * DEAD_SHARE_MAX) this.#sweep();
  }

  /** Gives the live chunks new ordinals, in the same order, and drops what is left of the others. */
  #sweep(): void {
    const renumbered = new Int32Array(this.#ids.length).fill(-1);
    let next = 0;
    for (let old = 0; old < this.#ids.length; old++) if (this.#lengths[old] !== 0) renumbered[old] = next++;
    const isLive = (_: number, old: number) => renumbered[old]! >= 0;
    this.#ids = this.#ids.filter(isLive);
    this.#tieBreaks = this.#tieBreaks.filter(isLive);
    this.#lengths = this.#lengths.filter((length) => length !== 0);
    for (const [ordinal, id] of this.#ids.entries()) this.#ordinals.set(id, ordinal);
    for (const postings of this.#postings.values()) postings.list = renumber(postings.list, renumbered);
  }

  /** The best `countMax` chunks, best first. `lengthAverage`: over all collections of the search. */
  search(query: readonly QueryTerm[], lengthAverage: number, countMax: number): Match[] {
    const touched = this.#accumulate(query, lengthAverage);
    const best = this.#best(touched, countMax);
    const matches = best.map((ordinal) => this.#match(ordinal, query, lengthAverage));
    for (const ordinal of touched) this.#scores[ordinal] = 0;
    return matches;
  }

  #accumulate(query: readonly QueryTerm[], lengthAverage: number): number[] {
    if (this.#scores.length < this.#ids.length) this.#scores = new Float64Array(this.#ids.length * 2);
    const scores = this.#scores;
    const lengths = this.#lengths;
    const touched: number[] = [];
    for (const { term, weight } of query) {
      for (const posting of this.#postings.get(term)?.list ?? []) {
        const ordinal = posting >>> 8;
        const length = lengths[ordinal]!;
        if (length === 0) continue;
        if (scores[ordinal] === 0) touched.push(ordinal);
        scores[ordinal]! += weight * saturation(posting & FREQUENCY_MAX, length, lengthAverage);
      }
    }
    return touched;
  }

  /** Selection by a bounded heap whose root is the worst that is kept. */
  #best(touched: number[], countMax: number): number[] {
    const heap: number[] = [];
    const isWorse = (a: number, b: number) =>
      this.#scores[a]! < this.#scores[b]! ||
      (this.#scores[a] === this.#scores[b] && this.#tieBreaks[a]! > this.#tieBreaks[b]!);
    for (const ordinal of touched) {
      if (heap.length < countMax) {
        heap.push(ordinal);
        siftUp(heap, isWorse);
      } else if (isWorse(heap[0]!, ordinal)) {
        heap[0] = ordinal;
        siftDown(heap, isWorse);
      }
    }
    return heap.sort((a, b) => (isWorse(a, b) ? 1 : -1));
  }

  #match(ordinal: number, query: readonly QueryTerm[], lengthAverage: number): Match {
    const parts = new Float64Array(query.length);
    for (const [i, { term, weight }] of query.entries()) {
      const frequency = frequencyAt(this.#postings.get(term)?.list, ordinal);
      if (frequency > 0) parts[i] = weight * saturation(frequency, this.#lengths[ordinal]!, lengthAverage);
    }
    return { id: this.#ids[ordinal]!, tieBreak: this.#tieBreaks[ordinal]!, score: this.#scores[ordinal]!, parts };
  }
}

/** Robertson–Spärck Jones with Lucene's + 1: a word that is in most chunks still counts for a little. */
export function inverseDocumentFrequency(chunks: number, frequency: number): number {
  return Math.log(1 + (chunks - frequency + 0.5) / (frequency + 0.5));
}

function saturation(frequency: number, length: number, lengthAverage: number): number {
  return (frequency * (BM25.k1 + 1)) / (frequency + BM25.k1 * (1 - BM25.b + (BM25.b * length) / lengthAverage));
}

function renumber(list: number[], renumbered: Int32Array): number[] {
  const out: number[] = [];
  for (const posting of list) {
    const ordinal = renumbered[posting >>> 8]!;
    if (ordinal >= 0) out.push(ordinal * (FREQUENCY_MAX + 1) + (posting & FREQUENCY_MAX));
  }
  return out;
}

/** Postings are in the order of their ordinals. */
function frequencyAt(list: number[] | undefined, ordinal: number): number {
  if (!list) return 0;
  let low = 0;
  let high = list.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = list[middle]! >>> 8;
    if (found === ordinal) return list[middle]! & FREQUENCY_MAX;
    if (found < ordinal) low = middle + 1;
    else high = middle - 1;
  }
  return 0;
}

function siftUp(heap: number[], isWorse: (a: number, b: number) => boolean): void {
  let at = heap.length - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!isWorse(heap[at]!, heap[parent]!)) return;
    [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
    at = parent;
  }
}

function siftDown(heap: number[], isWorse: (a: number, b: number) => boolean): void {
  let at = 0;
  for (;;) {
    let worst = at;
    for (const child of [2 * at + 1, 2 * at + 2])
      if (child < heap.length && isWorse(heap[child]!, heap[worst]!)) worst = child;
    if (worst === at) return;
    [heap[at], heap[worst]] = [heap[worst]!, heap[at]!];
    at = worst;
  }
}
