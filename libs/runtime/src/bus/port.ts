/**
 * The bus as services see it. Guarantees that every adapter gives (and the contract suite in libs/testkit checks):
 * - `publish` and `subscribe` are at most once; a handler that throws is logged and the subscription lives on.
 * - `append` resolves only when the stream has stored the message. It rejects with `BusConflict` when the expectation
 *   does not hold (nothing was stored), and with `BusUnknown` when it cannot be known whether it was stored.
 * - `follow` delivers every stored message of its subjects from `fromSequence` on, in order, each at least once per
 *   follower and never out of order, across reconnects, until stopped.
 * - Bucket and blob writes are durable when they resolve; a bucket's reject as `append` does. `update` and `create` are
 *   compare-and-set.
 */
export interface BusMessage {
  subject: string;
  data: Uint8Array;
  reply?: string;
}

export interface StoredMessage {
  subject: string;
  data: Uint8Array;
  /** Position in the stream, from 1. */
  sequence: number;
  /** When the stream stored it, Unix milliseconds. */
  storedAt: number;
  /** Those that it was appended with. Given by `message` alone. */
  headers?: Record<string, string>;
}

export interface AppendOptions {
  /** The subject's last sequence must be this (0: nothing on the subject yet). */
  expectedLastSubjectSequence?: number;
  /** A repeat with the same id within the stream's window is recognised and not stored again. */
  messageId?: string;
  headers?: Record<string, string>;
  timeoutMs?: number;
}

export interface Subscribed {
  stop(): void;
  /** Takes what was on its way when the server heard of it, and nothing more. Where it is left out: `stop` is all there is. */
  drain?(): Promise<void>;
}

export interface Follower {
  /** Resolves when all that was stored at the time of the call has been delivered. */
  caughtUp: Promise<void>;
  /** Messages that were stored and not handled yet, as far as the stream said with the last delivery. */
  readonly pending: number;
  stop(): void;
}

export interface BucketEntry {
  key: string;
  value: Uint8Array;
  revision: number;
}

export interface Bucket {
  get(key: string): Promise<BucketEntry | null>;
  put(key: string, value: Uint8Array): Promise<number>;
  /** Only when the key is not there. Throws BusConflict otherwise. */
  create(key: string, value: Uint8Array): Promise<number>;
  /** Only when the key still has this revision. Throws BusConflict otherwise. */
  update(key: string, value: Uint8Array, revision: number): Promise<number>;
  /** With `revision` only when the key still has it; throws BusConflict otherwise. */
  delete(key: string, revision?: number): Promise<void>;
  /** Current values first (then `ready` resolves), every change from then on; `value` null: deleted. */
  watch(handler: (key: string, entry: BucketEntry | null) => void): Promise<{ ready: Promise<void>; stop(): void }>;
}

export interface Blobs {
  put(name: string, data: Uint8Array): Promise<void>;
  /** Null: there is none. Rejects with `BlobBroken` when it is not what was put. */
  get(name: string): Promise<Uint8Array | null>;
  /** Nothing happens when it is not there. */
  delete(name: string): Promise<void>;
  /** The names of all that begin so. */
  list(prefix: string): Promise<string[]>;
}

export interface Bus {
  /** The largest message that the server takes, in bytes. */
  readonly payloadBytesMax: number;
  /** A subject of one's own for replies, under which any suffix may be added. */
  readonly inbox: string;
  /** Sent by the end of this turn of the event loop; `data` must not change until then. */
  publish(subject: string, data: Uint8Array, options?: { reply?: string }): void;
  /**
   * Runs `action` before what was published in this turn of the event loop is sent, so that what it publishes is sent
   * with it. Where an adapter has no such thing, `setImmediate` does.
   */
  beforeSending?(action: () => void): void;
  subscribe(subject: string, handler: (message: BusMessage) => void, options?: { queue?: string }): Subscribed;
  /** Resolves when the server has taken in all that was sent before: subscriptions above all. */
  flush(): Promise<void>;
  /** One request, one reply. Throws TuttiError `unavailable` (nobody there) or `timeout`. */
  request(subject: string, data: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  append(subject: string, data: Uint8Array, options?: AppendOptions): Promise<number>;
  /** The last stored message whose subject matches (wildcards allowed), or null. */
  last(stream: string, subject: string): Promise<StoredMessage | null>;
  /** The message at this position, with its headers; null when there is none (any more). */
  message(stream: string, sequence: number): Promise<StoredMessage | null>;
  /** Removes one message. Nothing happens when it is not there. */
  remove(stream: string, sequence: number): Promise<void>;
  follow(
    stream: string,
    subjects: string[],
    fromSequence: number,
    handler: (message: StoredMessage) => void | Promise<void>,
  ): Promise<Follower>;
  /** All stored messages of one subject from `fromSequence` up to what is the last one now, in order. */
  read(stream: string, subject: string, fromSequence: number): AsyncIterable<StoredMessage>;
  /** Removes what is below `beforeSequence` on a subject; returns how many. */
  purge(stream: string, subject: string, beforeSequence: number): Promise<number>;
  bucket(name: string): Promise<Bucket>;
  blobs(name: string): Promise<Blobs>;
  /** Called on every loss and return of the connection. */
  onStatus(handler: (status: 'connected' | 'disconnected') => void): { stop(): void };
  readonly connected: boolean;
  /** Stops taking, lets what is under way go out, closes. */
  close(): Promise<void>;
}

/** The compare-and-set failed: nothing was stored. */
export class BusConflict extends Error {
  override name = 'BusConflict';
}
/** No acknowledgement came: it may or may not have been stored. */
export class BusUnknown extends Error {
  override name = 'BusUnknown';
}
/** What is stored is not what was put there. */
export class BlobBroken extends Error {
  override name = 'BlobBroken';
}
