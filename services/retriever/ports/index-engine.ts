/**
 * The index as the service sees it. Guarantees of every adapter:
 * - `apply` is all or nothing and durable with the position that it ends at; applying a record again changes nothing.
 * - One tenant's search or listing never shows anything of another's.
 * - Calls take effect in the order in which they were made; a search sees every `apply` that resolved before it.
 * - A broken file rejects with `IndexCorrupt`; `reset` makes the index usable again, empty, from position 0.
 */
import type { Passage } from '@tutti/contracts';

/** One message of the document log. */
export interface LogRecord {
  subject: string;
  data: Uint8Array;
  sequence: number;
  /** Unix milliseconds. */
  storedAt: number;
}

/** A record that is in the index now: where it still stands in the stream, it is the same stream. */
export type Anchor = Omit<LogRecord, 'data'>;

export interface IndexState {
  /** All records up to this sequence are in; 0: nothing is known. */
  position: number;
  /** The latest few, newest first. */
  anchors: Anchor[];
  documents: number;
  chunks: number;
  /** Why a file that was there could not be kept, or null. */
  dropped: string | null;
}

export interface Refusal {
  subject: string;
  sequence: number;
  reason: string;
}

export interface SearchQuestion {
  tenant: string;
  collections: string[];
  query: string;
  limit: number;
}
export interface ListQuestion {
  tenant: string;
  collection?: string | undefined;
  document?: string | undefined;
  /** `<collection>/<document>` after which the list goes on. */
  after?: string | undefined;
  limit: number;
}
export interface ListedDocument {
  collection: string;
  id: string;
  title: string;
  chunks: number;
  revision: number;
  text?: string;
}

export interface IndexEngine {
  /** Opens what is there; a broken or older file is dropped. Called again after a failure: opens anew. */
  open(): Promise<IndexState>;
  /** What comes next is the whole log from its beginning: what is not in it is gone when `finishReplay` resolves. */
  beginReplay(): Promise<void>;
  /** Returns how many documents were removed because the log does not have them. */
  finishReplay(): Promise<number>;
  /** Records in the order of the log. With refusals the position stays before the batch until `advance`. */
  apply(records: LogRecord[]): Promise<Refusal[]>;
  advance(position: number): Promise<void>;
  /** Passages, best first. An unknown collection has none. */
  search(question: SearchQuestion): Promise<Passage[]>;
  /** By collection and id, both ascending; text only where one document is asked for. */
  list(question: ListQuestion): Promise<ListedDocument[]>;
  /** Drops everything. */
  reset(): Promise<void>;
  close(): Promise<void>;
  /** Called when the engine stopped by itself; everything rejects with `unavailable` until `open`. */
  onLost(handler: (error: Error) => void): void;
}

/** The file is damaged: only `reset` helps. */
export class IndexCorrupt extends Error {
  override name = 'IndexCorrupt';
}
