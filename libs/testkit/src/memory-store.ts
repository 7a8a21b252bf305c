/** What a NATS server keeps: streams, buckets, objects. Plain data with the server's rules, no time and no network. */
import type { StreamSpec } from '@tutti/contracts';
import { BusConflict, type StoredMessage } from '@tutti/runtime';

export type Matcher = (subject: string) => boolean;

const matchers = new Map<string, Matcher>();

/** NATS wildcards: `*` is one token, `>` at the end is one or more. */
export function matcherOf(pattern: string): Matcher {
  let matcher = matchers.get(pattern);
  if (!matcher) {
    matcher = compile(pattern);
    matchers.set(pattern, matcher);
  }
  return matcher;
}

function compile(pattern: string): Matcher {
  if (!/[*>]/.test(pattern)) return (subject) => subject === pattern;
  const literal = pattern.slice(0, -1);
  if (/^[^*>]*\.>$/.test(pattern)) return (subject) => subject.length > literal.length && subject.startsWith(literal);
  if (/^[^*>]*\.\*$/.test(pattern))
    return (subject) =>
      subject.length > literal.length && subject.startsWith(literal) && subject.indexOf('.', literal.length) < 0;
  const expression = pattern
    .split('.')
    .map((token) => (token === '*' ? '[^.]+' : token === '>' ? '.+' : token.replace(/[\\^$+?()[\]{}|]/g, '\\$&')))
    .join('\\.');
  const compiled = new RegExp(`^${expression}$`);
  return (subject) => compiled.test(subject);
}

export interface StoreOptions {
  expectedLastSubjectSequence?: number | undefined;
  messageId?: string | undefined;
}

export class MemoryStream {
  readonly spec: StreamSpec;
  readonly #takes: Matcher[];
  /** In order; what was removed is gone. */
  messages: StoredMessage[] = [];
  readonly #lastOf = new Map<string, number>();
  #known = new Map<string, { sequence: number; at: number }>();
  #last = 0;

  constructor(spec: StreamSpec) {
    this.spec = spec;
    this.#takes = spec.subjects.map(matcherOf);
  }

  get lastSequence(): number {
    return this.#last;
  }
  takes(subject: string): boolean {
    return this.#takes.some((matches) => matches(subject));
  }

  /** Throws BusConflict, with nothing stored. `repeated`: the message is known by its id and was not stored again. */
  store(
    subject: string,
    data: Uint8Array,
    now: number,
    { expectedLastSubjectSequence: expected, messageId }: StoreOptions,
    headers: Record<string, string> = {},
  ): { sequence: number; repeated: boolean } {
    const known = messageId === undefined ? undefined : this.#known.get(messageId);
    if (known && now - known.at < (this.spec.duplicateWindowMs ?? DUPLICATE_WINDOW_MS))
      return { sequence: known.sequence, repeated: true };
    const last = this.#lastOf.get(subject) ?? 0;
    if (expected !== undefined && expected !== last)
      throw new BusConflict(`${subject}: wrong last sequence: ${last}, expected ${expected}`);
    const sequence = ++this.#last;
    if (this.spec.lastPerSubject) this.#removeWhere((message) => message.subject === subject);
    this.messages.push({ subject, data, sequence, storedAt: now, headers });
    this.#lastOf.set(subject, sequence);
    if (messageId !== undefined) this.#known.set(messageId, { sequence, at: now });
    return { sequence, repeated: false };
  }

  /** As after a restart that came upon the memory of ids too late. */
  forgetIds(): void {
    this.#known = new Map();
  }

  last(subject: string): StoredMessage | null {
    const matches = matcherOf(subject);
    for (let i = this.messages.length - 1; i >= 0; i--)
      if (matches(this.messages[i]!.subject)) return this.messages[i]!;
    return null;
  }

  at(sequence: number): StoredMessage | null {
    const message = this.messages[this.#placeOf(sequence)];
    return message?.sequence === sequence ? message : null;
  }

  /** Up to `max` messages from a sequence on. */
  range(matches: Matcher, from: number, max = Number.POSITIVE_INFINITY): StoredMessage[] {
    const found: StoredMessage[] = [];
    for (let i = this.#placeOf(from); i < this.messages.length && found.length < max; i++)
      if (matches(this.messages[i]!.subject)) found.push(this.messages[i]!);
    return found;
  }

  purge(subject: string, before: number): number {
    const matches = matcherOf(subject);
    return this.#removeWhere((message) => message.sequence < before && matches(message.subject));
  }
  remove(sequence: number): void {
    this.#removeWhere((message) => message.sequence === sequence);
  }

  #placeOf(sequence: number): number {
    let low = 0;
    let high = this.messages.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.messages[middle]!.sequence < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #removeWhere(gone: (message: StoredMessage) => boolean): number {
    const removed = this.messages.filter(gone);
    if (removed.length === 0) return 0;
    this.messages = this.messages.filter((message) => !gone(message));
    // A subject without messages has no last one: the server then expects 0.
    for (const { subject } of removed) {
      const last = this.last(subject);
      if (last) this.#lastOf.set(subject, last.sequence);
      else this.#lastOf.delete(subject);
    }
    return removed.length;
  }
}

const DUPLICATE_WINDOW_MS = 120_000;

export interface StoredValue {
  key: string;
  /** Null: deleted. */
  value: Uint8Array | null;
  revision: number;
}

export class MemoryBucketStore {
  readonly #values = new Map<string, StoredValue>();
  readonly #watchers = new Set<(value: StoredValue) => void>();
  #revision = 0;

  get(key: string): StoredValue | null {
    const stored = this.#values.get(key);
    return stored && stored.value !== null ? stored : null;
  }
  put(key: string, value: Uint8Array | null): number {
    const stored = { key, value, revision: ++this.#revision };
    // To the end: watchers see changes in order.
    this.#values.delete(key);
    this.#values.set(key, stored);
    for (const watcher of this.#watchers) watcher(stored);
    return stored.revision;
  }
  create(key: string, value: Uint8Array): number {
    if (this.get(key)) throw new BusConflict(`${key} is there already`);
    return this.put(key, value);
  }
  update(key: string, value: Uint8Array | null, revision: number): number {
    if ((this.#values.get(key)?.revision ?? 0) !== revision)
      throw new BusConflict(`${key} was changed by somebody else`);
    return this.put(key, value);
  }
  delete(key: string, revision?: number): void {
    if (revision === undefined) this.put(key, null);
    else this.update(key, null, revision);
  }
  /** The last word on each key after `revision`, oldest first, deletions among them. */
  since(revision: number): StoredValue[] {
    return [...this.#values.values()].filter((stored) => stored.revision > revision);
  }
  watch(watcher: (value: StoredValue) => void): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }
}
