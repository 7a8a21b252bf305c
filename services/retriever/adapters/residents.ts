/**
 * Which collections' postings are in memory. Loaded from the store when first needed; when the bound is reached the
 * ones that were searched longest ago give way. Invariant: a resident index holds exactly the chunks of its collection
 * in the store, as of the last commit.
 */
import { type EncodedChunk, LexicalIndex } from '../core/lexical-index.ts';
import type { Store } from './store.ts';

export class Residents {
  /** By collection row, the one that was used last at the end. */
  readonly #indexes = new Map<number, LexicalIndex>();
  readonly #chunksMax: number;
  constructor(chunksMax: number) {
    this.#chunksMax = chunksMax;
  }

  get chunks(): number {
    let sum = 0;
    for (const index of this.#indexes.values()) sum += index.size;
    return sum;
  }

  /** Loads as many collections as there is room for. */
  warm(store: Store): void {
    for (const collection of store.collections())
      if (this.chunks + collection.chunks <= this.#chunksMax) this.use(store, [collection.id]);
  }

  /** The indexes of these collections, all of them in memory at once. */
  use(store: Store, collections: readonly number[]): LexicalIndex[] {
    const used = collections.map((collection) => {
      const index = this.#indexes.get(collection) ?? this.#load(store, collection);
      this.#indexes.delete(collection);
      this.#indexes.set(collection, index);
      return index;
    });
    this.#evict(new Set(collections));
    return used;
  }

  #load(store: Store, collection: number): LexicalIndex {
    const index = new LexicalIndex();
    for (const chunk of store.encodedOfCollection(collection)) index.add(chunk);
    return index;
  }

  #evict(inUse: ReadonlySet<number>): void {
    let chunks = this.chunks;
    for (const [collection, index] of this.#indexes) {
      if (chunks <= this.#chunksMax) return;
      if (inUse.has(collection)) continue;
      this.#indexes.delete(collection);
      chunks -= index.size;
    }
  }

  add(collection: number, chunks: readonly EncodedChunk[]): void {
    const index = this.#indexes.get(collection);
    if (!index) return;
    for (const chunk of chunks) index.add(chunk);
    this.#evict(new Set([collection]));
  }
  remove(collection: number, chunks: readonly EncodedChunk[]): void {
    const index = this.#indexes.get(collection);
    for (const chunk of index ? chunks : []) index!.remove(chunk);
  }
  /** The collection is new: it starts out in memory, empty. */
  begin(collection: number): void {
    if (!this.#indexes.has(collection)) this.#indexes.set(collection, new LexicalIndex());
  }
  clear(): void {
    this.#indexes.clear();
  }
}
