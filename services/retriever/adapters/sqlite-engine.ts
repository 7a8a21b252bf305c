/**
 * The index: a store on disk, postings in memory. Synchronous; engine-thread.ts runs it where it blocks nobody.
 * Invariant: memory changes only after the transaction that it follows from is committed.
 */
import type { Passage } from '@tutti/contracts';
import type { IndexSettings } from '../config.ts';
import { type Analyzer, createAnalyzer } from '../core/analyze.ts';
import { type Chunk, chunkDocument } from '../core/chunk.ts';
import type { LexicalIndex } from '../core/lexical-index.ts';
import { type Change, toChange } from '../core/log-record.ts';
import { type Candidate, selectPassages } from '../core/select.ts';
import { chunkWords, encodeTerms, queryTerms, tieBreakOf } from '../core/terms.ts';
import {
  IndexCorrupt,
  type IndexState,
  type ListedDocument,
  type ListQuestion,
  type LogRecord,
  type Refusal,
  type SearchQuestion,
} from '../ports/index-engine.ts';
import { Residents } from './residents.ts';
import { type ChunkRow, type CollectionRow, guarded, Store } from './store.ts';
import { Vocabulary } from './vocabulary.ts';

/** Passages that are looked at for each one that is returned: room for repeats, fairness and diversity. */
const CANDIDATES_PER_PASSAGE = 4;
const CANDIDATES_MIN = 40;

interface Hit extends Candidate {
  title: string;
}

export class SqliteEngine {
  readonly #folder: string;
  readonly #settings: IndexSettings;
  readonly #analyze: Analyzer = createAnalyzer();
  readonly #residents: Residents;
  readonly #vocabulary = new Vocabulary();
  #store: Store | undefined;
  /** While the whole log is replayed over what is there: the documents that it has. */
  #replayed: Set<number> | undefined;

  constructor(folder: string, settings: IndexSettings) {
    this.#folder = folder;
    this.#settings = settings;
    this.#residents = new Residents(settings.residentChunksMax);
  }

  open(): IndexState {
    this.close();
    const opened = Store.open(this.#storeOptions());
    this.#store = opened.store;
    const dropped = this.#warm() ?? opened.dropped;
    const store = this.#opened();
    return { position: store.position, anchors: store.anchors(), ...store.counts(), dropped };
  }

  #storeOptions() {
    return { folder: this.#folder, settings: this.#settings.chunk };
  }

  /** Reads everything that fits, and so finds most kinds of damage. Returns why the file had to be made anew. */
  #warm(): string | undefined {
    try {
      guarded(() => {
        this.#vocabulary.load(this.#opened());
        this.#residents.warm(this.#opened());
      });
      return undefined;
    } catch (error) {
      if (!(error instanceof IndexCorrupt)) throw error;
      this.reset();
      return error.message;
    }
  }

  #opened(): Store {
    if (!this.#store) throw new Error('the index is not open');
    return this.#store;
  }

  close(): void {
    this.#residents.clear();
    this.#replayed = undefined;
    const store = this.#store;
    this.#store = undefined;
    store?.close();
  }

  reset(): void {
    const store = this.#opened();
    this.#residents.clear();
    this.#replayed = undefined;
    this.#store = undefined;
    this.#store = Store.replace(store, this.#storeOptions());
    this.#vocabulary.load(this.#store);
  }

  /** Into an empty index there is nothing to compare with, and so the position may move on at once. */
  beginReplay(): void {
    const store = this.#opened();
    store.transaction(() => store.setPosition(0));
    this.#replayed = store.counts().documents > 0 ? new Set() : undefined;
  }

  finishReplay(): number {
    const replayed = this.#replayed;
    if (!replayed) return 0;
    const store = this.#opened();
    const gone = guarded(() => store.documentIds().filter(({ id }) => !replayed.has(id)));
    this.#commit(() => gone.map(({ id, collection }) => this.#remove(collection, id)));
    this.#replayed = undefined;
    return gone.length;
  }

  apply(records: readonly LogRecord[]): Refusal[] {
    const refusals: Refusal[] = [];
    this.#commit(() => {
      const effects = records.flatMap((record) => this.#applyOne(record, refusals));
      if (refusals.length === 0 && records.length > 0) this.#moveTo(records.at(-1)!.sequence);
      return effects;
    });
    return refusals;
  }

  advance(position: number): void {
    const store = this.#opened();
    store.transaction(() => this.#moveTo(position));
  }

  /** During a replay the position stays 0: a crash in it must start it again, or what is gone would never be found. */
  #moveTo(position: number): void {
    if (!this.#replayed) this.#opened().setPosition(position);
  }

  /** Runs `work` in a transaction; what it returns is done in memory afterwards. */
  #commit(work: () => (() => void)[]): void {
    let effects: (() => void)[];
    try {
      effects = this.#opened().transaction(work);
    } catch (error) {
      this.#vocabulary.rolledBack();
      throw error;
    }
    this.#vocabulary.committed();
    for (const effect of effects) effect();
  }

  #applyOne(record: LogRecord, refusals: Refusal[]): (() => void)[] {
    const change = toChange(record.subject, record.data);
    const refuse = (reason: string) => refusals.push({ subject: record.subject, sequence: record.sequence, reason });
    if (change.kind === 'refuse') {
      refuse(change.reason);
      if (!change.name) return [];
    }
    const { tenant, collection: name, id } = change.name!;
    const store = this.#opened();
    const known = store.collection(tenant, name);
    if (change.kind !== 'put' && !known) return [];
    const collection = known ?? store.addCollection(tenant, name);
    const before = store.document(collection.id, id);
    if (change.kind === 'put' && before?.revision === record.sequence && before.storedAt === record.storedAt) {
      this.#replayed?.add(before.id);
      return [];
    }
    const effects = known ? [] : [() => this.#residents.begin(collection.id)];
    if (before) effects.push(this.#remove(collection.id, before.id));
    if (change.kind === 'put') effects.push(...this.#put(change, record, collection, before?.chunks ?? 0, refuse));
    return effects;
  }

  #put(
    { name, document }: Extract<Change, { kind: 'put' }>,
    record: LogRecord,
    collection: CollectionRow,
    chunksBefore: number,
    refuse: (reason: string) => void,
  ): (() => void)[] {
    const chunks = chunkDocument(document.title, document.text, this.#settings.chunk);
    const problem = this.#overLimit(chunks, collection.chunks - chunksBefore);
    if (problem) {
      refuse(problem);
      return [];
    }
    const store = this.#opened();
    const { title, text } = document;
    const encoded = chunks.map((chunk) => {
      const words = chunkWords(title, chunk, this.#analyze);
      return {
        ...chunk,
        terms: encodeTerms(words, (term) => this.#vocabulary.numberOf(store, term)),
        length: words.length,
      };
    });
    const row = { name: name.id, title, text, revision: record.sequence, storedAt: record.storedAt };
    const added = store.addDocument(collection.id, row, encoded);
    this.#replayed?.add(added.id);
    const forMemory = encoded.map(({ terms, length }, at) => ({
      id: added.chunks[at]!,
      tieBreak: tieBreakOf(name.id, at + 1),
      terms,
      length,
    }));
    return [() => this.#residents.add(collection.id, forMemory)];
  }

  #overLimit(chunks: readonly Chunk[], others: number): string | undefined {
    const { documentChunksMax, collectionChunksMax } = this.#settings;
    if (chunks.length > documentChunksMax)
      return `the document has ${chunks.length} chunks; TUTTI_RETRIEVER_DOCUMENT_CHUNKS_MAX is ${documentChunksMax}`;
    if (others + chunks.length > collectionChunksMax)
      return `the collection would have ${others + chunks.length} chunks; TUTTI_RETRIEVER_COLLECTION_CHUNKS_MAX is ${collectionChunksMax}`;
    return undefined;
  }

  #remove(collection: number, document: number): () => void {
    const chunks = this.#opened().encodedOfDocument(document);
    this.#opened().removeDocument(collection, document);
    return () => this.#residents.remove(collection, chunks);
  }

  search(question: SearchQuestion): Passage[] {
    return guarded(() => {
      const store = this.#opened();
      const collections = [...new Set(question.collections)]
        .map((name) => store.collection(question.tenant, name))
        .filter((row): row is CollectionRow => row !== undefined && row.chunks > 0);
      if (collections.length === 0) return [];
      const indexes = this.#residents.use(
        store,
        collections.map((row) => row.id),
      );
      const hits = this.#candidates(question, collections, indexes);
      return selectPassages(hits, question.limit).map(toPassage);
    });
  }

  #candidates(question: SearchQuestion, collections: CollectionRow[], indexes: LexicalIndex[]): Hit[] {
    const terms = queryTerms(
      question.query,
      indexes,
      this.#analyze,
      (term) => this.#vocabulary.find(term),
      this.#settings.queryTermsMax,
    );
    const chunks = indexes.reduce((sum, index) => sum + index.size, 0);
    const lengthAverage = indexes.reduce((sum, index) => sum + index.lengthTotal, 0) / Math.max(1, chunks);
    const countMax = Math.max(CANDIDATES_MIN, question.limit * CANDIDATES_PER_PASSAGE);
    return indexes.flatMap((index, at) =>
      index.search(terms, lengthAverage, countMax).map((match) => {
        const row = this.#opened().chunk(match.id);
        if (!row) throw new IndexCorrupt(`chunk ${match.id} is in memory and not in the file`);
        return toHit(collections[at]!.name, row, match);
      }),
    );
  }

  list(question: ListQuestion): ListedDocument[] {
    return guarded(() => this.#opened().list(question));
  }
}

function toHit(collection: string, row: ChunkRow, match: { score: number; parts: Float64Array }): Hit {
  const { document, title, section, text } = row;
  const { score, parts } = match;
  return { id: `${collection}/${document}#${row.number}`, collection, document, title, section, text, score, parts };
}

function toPassage({ parts: _, section, score, ...hit }: Hit): Passage {
  return { ...hit, ...(section ? { section } : {}), score: Math.round(score * 10_000) / 10_000 };
}
