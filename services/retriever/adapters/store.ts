/**
 * Documents and chunks in one SQLite file, with the position in the log that they stand for: one transaction covers
 * both, so whatever a crash leaves behind agrees with itself. Owns the schema. Nothing here is the truth: the file can
 * be dropped at any time and is made again from the log.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { TuttiError } from '@tutti/contracts';
import type { EncodedChunk } from '../core/lexical-index.ts';
import { tieBreakOf } from '../core/terms.ts';
import { type Anchor, IndexCorrupt, type ListedDocument, type ListQuestion } from '../ports/index-engine.ts';

/** Raise it whenever the schema or the chunking changes: files of another version are made again. */
export const SCHEMA_VERSION = 1;
const ANCHORS_MAX = 8;
/** Replicas on one machine may share a data folder: each holds a file of its own, the first that is free. */
const FILES_MAX = 16;
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

const SCHEMA = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE collections (
  id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL, chunks INTEGER NOT NULL DEFAULT 0,
  UNIQUE (tenant, name)
) STRICT;
CREATE TABLE documents (
  id INTEGER PRIMARY KEY, collection INTEGER NOT NULL REFERENCES collections (id), name TEXT NOT NULL,
  title TEXT NOT NULL, text TEXT NOT NULL, revision INTEGER NOT NULL, stored_at INTEGER NOT NULL,
  chunks INTEGER NOT NULL, UNIQUE (collection, name)
) STRICT;
CREATE INDEX documents_by_revision ON documents (revision);
CREATE TABLE chunks (
  id INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents (id), number INTEGER NOT NULL,
  section TEXT, text TEXT NOT NULL, terms BLOB NOT NULL, length INTEGER NOT NULL
) STRICT;
CREATE INDEX chunks_by_document ON chunks (document, number);
CREATE TABLE terms (number INTEGER PRIMARY KEY, term TEXT NOT NULL) STRICT;
`;

export interface CollectionRow {
  id: number;
  tenant: string;
  name: string;
  chunks: number;
}
export interface DocumentRow {
  id: number;
  revision: number;
  storedAt: number;
  chunks: number;
}
export interface ChunkRow {
  document: string;
  number: number;
  title: string;
  section: string | undefined;
  text: string;
}
export interface NewChunk {
  section: string | undefined;
  text: string;
  terms: Uint32Array;
  length: number;
}
export interface NewDocument {
  name: string;
  title: string;
  text: string;
  revision: number;
  storedAt: number;
}

export interface StoreOptions {
  folder: string;
  /** What the stored chunks depend on beside the schema; files with another value are made again. */
  settings: unknown;
}

export class Store {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Opens the first file of the folder that nobody else holds. One that is damaged or of another version is made anew. */
  static open(options: StoreOptions): { store: Store; dropped: string | null } {
    mkdirSync(options.folder, { recursive: true });
    for (let number = 0; number < FILES_MAX; number++) {
      const path = join(options.folder, `index-${number}.sqlite`);
      try {
        return Store.#openFile(path, options.settings);
      } catch (error) {
        if (primaryCode(error) !== SQLITE_BUSY) throw error;
      }
    }
    throw new TuttiError('conflict', `all ${FILES_MAX} index files in ${options.folder} are held by other processes`);
  }

  static #openFile(path: string, settings: unknown): { store: Store; dropped: string | null } {
    try {
      return { store: Store.#openHealthy(path, settings), dropped: null };
    } catch (error) {
      if (!(error instanceof IndexCorrupt)) throw error;
      Store.#remove(path);
      return { store: Store.#openHealthy(path, settings), dropped: error.message };
    }
  }

  static #openHealthy(path: string, settings: unknown): Store {
    return guarded(() => {
      const store = new Store(new DatabaseSync(path));
      try {
        store.#db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
        store.#prepareSchema(createHash('sha256').update(JSON.stringify(settings)).digest('hex'));
        return store;
      } catch (error) {
        store.close();
        throw error;
      }
    });
  }

  static #remove(path: string): void {
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  }

  /** Makes the file anew, empty. */
  static replace(store: Store, options: StoreOptions): Store {
    const path = store.#db.location()!;
    store.close();
    Store.#remove(path);
    return Store.open(options).store;
  }

  #prepareSchema(fingerprint: string): void {
    const version = Number(this.#all('PRAGMA user_version')[0]!.user_version);
    if (version === 0 && this.#all('SELECT name FROM sqlite_schema').length === 0) {
      this.#db.exec(`BEGIN; ${SCHEMA}; PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
      this.#setMeta('fingerprint', fingerprint);
    } else if (version !== SCHEMA_VERSION)
      throw new IndexCorrupt(`the index file has schema ${version}, this version needs ${SCHEMA_VERSION}`);
    else if (this.#meta('fingerprint') !== fingerprint)
      throw new IndexCorrupt('the index file was made with other chunk settings');
  }

  close(): void {
    this.#db.close();
  }

  /** All or nothing. */
  transaction<T>(work: () => T): T {
    return guarded(() => {
      this.#db.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        this.#db.exec('COMMIT');
        return result;
      } catch (error) {
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
        throw error;
      }
    });
  }

  get position(): number {
    return Number(this.#meta('position') ?? 0);
  }
  setPosition(position: number): void {
    this.#setMeta('position', String(position));
  }

  /** The documents that changed last: where they still stand in the stream, it is the same stream. */
  anchors(): Anchor[] {
    return this.#all(
      `SELECT 'tutti.kb.' || c.tenant || '.' || c.name || '.' || d.name AS subject, d.revision AS sequence,
         d.stored_at AS storedAt
       FROM documents d JOIN collections c ON c.id = d.collection ORDER BY d.revision DESC LIMIT ${ANCHORS_MAX}`,
    ) as unknown as Anchor[];
  }

  counts(): { documents: number; chunks: number } {
    return this.#all('SELECT count(*) AS documents, coalesce(sum(chunks), 0) AS chunks FROM documents')[0] as never;
  }

  collections(): CollectionRow[] {
    return this.#all('SELECT id, tenant, name, chunks FROM collections ORDER BY tenant, name') as never;
  }
  collection(tenant: string, name: string): CollectionRow | undefined {
    return this.#all(
      'SELECT id, tenant, name, chunks FROM collections WHERE tenant = ? AND name = ?',
      tenant,
      name,
    )[0] as never;
  }
  addCollection(tenant: string, name: string): CollectionRow {
    this.#run('INSERT INTO collections (tenant, name) VALUES (?, ?) ON CONFLICT DO NOTHING', tenant, name);
    return this.collection(tenant, name)!;
  }

  document(collection: number, name: string): DocumentRow | undefined {
    return this.#all(
      'SELECT id, revision, stored_at AS storedAt, chunks FROM documents WHERE collection = ? AND name = ?',
      collection,
      name,
    )[0] as never;
  }
  documentIds(): { id: number; collection: number }[] {
    return this.#all('SELECT id, collection FROM documents') as never;
  }

  /** Returns the id of the document and those of its chunks, in order. */
  addDocument(
    collection: number,
    document: NewDocument,
    chunks: readonly NewChunk[],
  ): { id: number; chunks: number[] } {
    const { name, title, text, revision, storedAt } = document;
    const id = this.#run(
      'INSERT INTO documents (collection, name, title, text, revision, stored_at, chunks) VALUES (?, ?, ?, ?, ?, ?, ?)',
      ...[collection, name, title, text, revision, storedAt, chunks.length],
    );
    this.#countChunks(collection, chunks.length);
    const insert = 'INSERT INTO chunks (document, number, section, text, terms, length) VALUES (?, ?, ?, ?, ?, ?)';
    const ids = chunks.map(({ section, text: chunkText, terms, length }, at) =>
      this.#run(insert, ...[id, at + 1, section ?? null, chunkText, toBytes(terms), length]),
    );
    return { id, chunks: ids };
  }

  removeDocument(collection: number, document: number): void {
    const { chunks } = this.#all('SELECT chunks FROM documents WHERE id = ?', document)[0] as { chunks: number };
    this.#run('DELETE FROM chunks WHERE document = ?', document);
    this.#run('DELETE FROM documents WHERE id = ?', document);
    this.#countChunks(collection, -chunks);
  }

  #countChunks(collection: number, change: number): void {
    this.#run('UPDATE collections SET chunks = chunks + ? WHERE id = ?', change, collection);
  }

  encodedOfDocument(document: number): EncodedChunk[] {
    return [...this.#encoded('d.id = ?', document)];
  }
  encodedOfCollection(collection: number): IterableIterator<EncodedChunk> {
    return this.#encoded('d.collection = ?', collection);
  }
  *#encoded(where: string, value: number): IterableIterator<EncodedChunk> {
    const rows = this.#prepare(
      `SELECT c.id, d.name, c.number, c.terms, c.length FROM documents d JOIN chunks c ON c.document = d.id
       WHERE ${where} ORDER BY d.id, c.number`,
    ).iterate(value) as Iterable<{ id: number; name: string; number: number; terms: Uint8Array; length: number }>;
    for (const { id, name, number, terms, length } of rows)
      yield { id, tieBreak: tieBreakOf(name, number), terms: fromBytes(terms), length };
  }

  chunk(id: number): ChunkRow | undefined {
    const row = this.#prepare(
      `SELECT d.name AS document, c.number, d.title, c.section, c.text
       FROM chunks c JOIN documents d ON d.id = c.document WHERE c.id = ?`,
    ).get(id);
    return row && ({ ...row, section: row.section ?? undefined } as unknown as ChunkRow);
  }

  *terms(): IterableIterator<[term: string, number: number]> {
    for (const { term, number } of this.#prepare('SELECT term, number FROM terms').iterate())
      yield [term as string, number as number];
  }
  addTerm(term: string, number: number): void {
    this.#run('INSERT INTO terms (number, term) VALUES (?, ?)', number, term);
  }

  list(question: ListQuestion): ListedDocument[] {
    const [afterCollection = '', afterDocument = ''] = (question.after ?? '').split('/');
    const rows = this.#all(
      `SELECT c.name AS collection, d.name AS id, d.title, d.chunks, d.revision,
         CASE WHEN :document IS NULL THEN NULL ELSE d.text END AS text
       FROM collections c JOIN documents d ON d.collection = c.id
       WHERE c.tenant = :tenant AND (:collection IS NULL OR c.name = :collection)
         AND (:document IS NULL OR d.name = :document)
         AND (c.name > :afterCollection OR (c.name = :afterCollection AND d.name > :afterDocument))
       ORDER BY c.name, d.name LIMIT :limit`,
      {
        tenant: question.tenant,
        collection: question.collection ?? null,
        document: question.document ?? null,
        afterCollection,
        afterDocument,
        limit: question.limit,
      },
    ) as unknown as (ListedDocument & { text: string | null })[];
    return rows.map(({ text, ...row }) => (text === null ? row : { ...row, text }));
  }

  #meta(key: string): string | undefined {
    return this.#all('SELECT value FROM meta WHERE key = ?', key)[0]?.value as string | undefined;
  }
  #setMeta(key: string, value: string): void {
    this.#run('INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value', key, value);
  }
  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
  #all(sql: string, ...values: (string | number | null | Record<string, string | number | null>)[]) {
    return this.#prepare(sql).all(...(values as never[]));
  }
  /** Returns the id of the row that was inserted last. */
  #run(sql: string, ...values: (string | number | null | Uint8Array)[]): number {
    return Number(this.#prepare(sql).run(...values).lastInsertRowid);
  }
}

/** The file is read by the machine that wrote it: no byte order to agree on. */
function toBytes(terms: Uint32Array): Uint8Array {
  return new Uint8Array(terms.buffer, terms.byteOffset, terms.byteLength);
}
function fromBytes(bytes: Uint8Array): Uint32Array {
  const aligned = bytes.byteOffset % Uint32Array.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / Uint32Array.BYTES_PER_ELEMENT);
}

/** Turns SQLite's word for a damaged file into ours. */
export function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = primaryCode(error);
    if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB)
      throw new IndexCorrupt(`the index file is damaged: ${(error as Error).message}`, { cause: error });
    throw error;
  }
}

/** Extended result codes carry the primary one in their low byte. */
function primaryCode(error: unknown): number {
  return ((error as { errcode?: number }).errcode ?? 0) & 0xff;
}
