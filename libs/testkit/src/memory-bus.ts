/**
 * A bus over a memory server (memory-server.ts): what one client does, with the same promises to its user as the real
 * adapter gives (port.ts; both pass bus-contract.ts). A process that has died asks for nothing any more: its calls do
 * nothing and never come back.
 */
import { TuttiError } from '@tutti/contracts';
import {
  type AppendOptions,
  type Blobs,
  type Bucket,
  type Bus,
  BusConflict,
  type BusMessage,
  BusUnknown,
  type Follower,
  type StoredMessage,
} from '@tutti/runtime';
import { MemoryFollower } from './memory-follower.ts';
import type { Connection, MemoryServer, Subscription } from './memory-server.ts';
import { matcherOf } from './memory-store.ts';
import { entryOf, MemoryWatcher } from './memory-watcher.ts';
import type { VirtualProcess } from './virtual-clock.ts';

const CALL_TIMEOUT_MS = 5_000;
/** Messages that `read` takes in one go. */
const READ_CHUNK = 256;
const READ_RETRY_MS = 200;

/** Something that was asked and has no answer yet. */
interface Pending {
  /** The connection is gone, or back: is there still an answer to hope for? */
  connectionChanged(status: 'connected' | 'disconnected'): void;
}

export class MemoryBus implements Bus {
  readonly payloadBytesMax: number;
  readonly inbox: string;
  readonly #server: MemoryServer;
  readonly #process: VirtualProcess;
  readonly #connection: Connection;
  readonly #pending = new Set<Pending>();
  readonly #subscriptions = new Map<Subscription, { stop(): void }>();
  readonly #reattach = new Set<() => void>();
  readonly #statusHandlers = new Set<(status: 'connected' | 'disconnected') => void>();
  readonly #requests = new Map<string, (data: Uint8Array) => void>();
  #connected = true;
  #before: (() => void)[] = [];
  #outbox: (() => void)[] = [];
  #scheduled = false;
  /** Sent while there was no connection. */
  #buffer: (() => void)[] = [];
  #nextRequest = 0;

  constructor(server: MemoryServer, process: VirtualProcess) {
    this.#server = server;
    this.#process = process;
    this.payloadBytesMax = server.payloadBytesMax;
    this.#connection = server.newConnection(process, {
      lost: () => this.#changed('disconnected'),
      restored: () => this.#changed('connected'),
    });
    this.inbox = this.#connection.inbox;
  }

  get connected(): boolean {
    return this.#connected;
  }

  #changed(status: 'connected' | 'disconnected'): void {
    this.#connected = status === 'connected';
    if (this.#connected) {
      const buffer = this.#buffer;
      this.#buffer = [];
      // Subscriptions first, as a client does it.
      for (const [subscription, registered] of this.#subscriptions) this.#register(subscription, registered);
      if (this.#server.faults.keepsBuffer()) for (const send of buffer) send();
      for (const attach of this.#reattach) attach();
    }
    for (const pending of [...this.#pending]) pending.connectionChanged(status);
    for (const handler of this.#statusHandlers) handler(status);
  }

  /** False: the process has died, perhaps just now. */
  #touch(what: string): boolean {
    if (this.#process.alive) this.#server.faults.touch(this.#process, what);
    return this.#process.alive;
  }

  /** Leaves for the server now, or once there is a connection again. */
  #up(action: () => void): void {
    if (!this.#process.alive) return;
    if (this.#connection.up) this.#server.up(this.#connection, action);
    else this.#buffer.push(() => this.#server.up(this.#connection, action));
  }

  /** By the end of this turn, in order. */
  #soon(send: () => void): void {
    this.#outbox.push(send);
    this.#schedule();
  }
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#process.clock.soon(() => {
      this.#scheduled = false;
      const before = this.#before;
      // Those that come up while these run are run too.
      for (let i = 0; i < before.length; i++) before[i]!();
      this.#before = [];
      this.#flushOutbox();
    });
  }
  #flushOutbox(): void {
    const outbox = this.#outbox;
    this.#outbox = [];
    for (const send of outbox) send();
  }

  beforeSending(action: () => void): void {
    this.#before.push(action);
    this.#schedule();
  }

  publish(subject: string, data: Uint8Array, options?: { reply?: string }): void {
    if (!this.#touch(`publish ${subject}`)) return;
    // The real client refuses it, and says so in the log alone.
    if (data.length > this.payloadBytesMax) return;
    this.#soon(() => this.#up(() => this.#server.publish(subject, data, options?.reply)));
    this.#touch(`published ${subject}`);
  }

  subscribe(subject: string, handler: (message: BusMessage) => void, options?: { queue?: string }) {
    const subscription: Subscription = {
      matches: matcherOf(subject),
      queue: options?.queue,
      connection: this.#connection,
      take: (from, data, reply) => this.#handle(handler, { subject: from, data, ...(reply ? { reply } : {}) }),
    };
    const registered = { stop: () => {} };
    this.#subscriptions.set(subscription, registered);
    if (this.#connection.up) this.#register(subscription, registered);
    return {
      stop: () => {
        this.#subscriptions.delete(subscription);
        registered.stop();
      },
    };
  }
  #register(subscription: Subscription, registered: { stop(): void }): void {
    this.#server.up(this.#connection, () => {
      if (this.#subscriptions.has(subscription)) registered.stop = this.#server.subscribe(subscription);
    });
  }
  #handle(handler: (message: BusMessage) => void, message: BusMessage): void {
    try {
      handler(message);
    } catch (error) {
      // The real adapter logs it, and the subscription lives on.
      this.#server.onHandlerError?.(this.#process, error);
    }
  }

  async flush(): Promise<void> {
    this.#flushOutbox();
    if (this.#connected) await this.#call('flush', () => {}).catch(() => {});
  }

  request(subject: string, data: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    if (!this.#touch(`request ${subject}`)) return never();
    this.#flushOutbox();
    if (this.#nextRequest === 0)
      this.subscribe(`${this.inbox}.req.*`, (message) => this.#requests.get(message.subject)?.(message.data));
    const reply = `${this.inbox}.req.${this.#nextRequest++}`;
    return new Promise((resolve, reject) => {
      const timer = this.#process.clock.after(timeoutMs, () => {
        this.#requests.delete(reply);
        reject(new TuttiError('timeout', `no answer on ${subject} within ${timeoutMs} ms`));
      });
      this.#requests.set(reply, (answer) => {
        timer.stop();
        this.#requests.delete(reply);
        if (answer.length > 0) resolve(answer);
        else reject(new TuttiError('unavailable', `nobody answers on ${subject} right now`));
      });
      this.#up(() => this.#server.publish(subject, data, reply));
    });
  }

  append(subject: string, data: Uint8Array, options: AppendOptions = {}): Promise<number> {
    if (!this.#touch(`append ${subject}`)) return never();
    if (data.length > this.payloadBytesMax)
      return Promise.reject(new TuttiError('unavailable', `could not publish ${subject}: it is too large`));
    const appended = this.#ask<number>({
      what: `append ${subject}`,
      action: () => this.#server.append(subject, data, options, options.headers),
      timeoutMs: options.timeoutMs ?? CALL_TIMEOUT_MS,
      unknown: (reason) => new BusUnknown(`${subject}: ${reason}`),
      // Whatever the connection was doing: it cannot be known whether it was stored.
      endsWithConnection: true,
      leave: (send) => this.#soon(send),
    });
    this.#touch(`appended ${subject}`);
    return appended;
  }

  /** Any other question that the server answers. */
  #call<T>(what: string, action: () => T): Promise<T> {
    if (!this.#touch(what)) return never();
    this.#flushOutbox();
    return this.#ask<T>({
      what,
      action,
      timeoutMs: CALL_TIMEOUT_MS,
      unknown: (reason) => new TuttiError('unavailable', `${what}: ${reason}`),
      endsWithConnection: false,
      leave: (send) => send(),
    });
  }

  #ask<T>(question: {
    what: string;
    action: () => T;
    timeoutMs: number;
    unknown(reason: string): Error;
    endsWithConnection: boolean;
    leave(send: () => void): void;
  }): Promise<T> {
    const fate = this.#server.faults.call(question.what);
    return new Promise((resolve, reject) => {
      let timer: { stop(): void } | undefined;
      const over = (): boolean => {
        timer?.stop();
        return this.#pending.delete(pending);
      };
      const giveUp = (reason: string): void => {
        if (over()) reject(question.unknown(reason));
      };
      // A timer only where no answer will come: most questions are answered.
      const expire = (): void => {
        timer ??= this.#process.clock.after(question.timeoutMs, () => giveUp('no answer in time'));
      };
      const pending: Pending = {
        connectionChanged: (status) => {
          if (question.endsWithConnection) giveUp(`the bus ${status} meanwhile`);
          else expire();
        },
      };
      this.#pending.add(pending);
      if (fate !== 'ok' || !this.#connection.up) expire();
      question.leave(() => {
        if (fate === 'lost') return;
        this.#up(() => {
          const answer = settle(question.action, resolve, reject);
          if (fate === 'ok') this.#server.toClient(this.#connection, () => over() && answer());
        });
      });
    });
  }

  last(stream: string, subject: string): Promise<StoredMessage | null> {
    return this.#call(`last ${subject}`, () => this.#server.stream(stream).last(subject));
  }
  message(stream: string, sequence: number): Promise<StoredMessage | null> {
    return this.#call(`message ${stream}`, () => this.#server.stream(stream).at(sequence));
  }
  remove(stream: string, sequence: number): Promise<void> {
    return this.#call(`remove ${stream}`, () => this.#server.stream(stream).remove(sequence));
  }
  purge(stream: string, subject: string, beforeSequence: number): Promise<number> {
    return this.#call(`purge ${subject}`, () => this.#server.stream(stream).purge(subject, beforeSequence));
  }

  async follow(
    stream: string,
    subjects: string[],
    fromSequence: number,
    handler: (message: StoredMessage) => void | Promise<void>,
  ): Promise<Follower> {
    const matchers = subjects.map(matcherOf);
    const follower = new MemoryFollower({
      server: this.#server,
      connection: this.#connection,
      stream: this.#server.stream(stream),
      matches: (subject) => matchers.some((matches) => matches(subject)),
      fromSequence,
      handler,
      failed: (error) => this.#server.onHandlerError?.(this.#process, error),
    });
    await this.#call(`follow ${subjects[0]}`, () => follower.attach());
    const reattach = () => follower.reopen();
    this.#reattach.add(reattach);
    const { stop } = follower;
    follower.stop = () => {
      this.#reattach.delete(reattach);
      stop.call(follower);
    };
    return follower;
  }

  async *read(stream: string, subject: string, fromSequence: number): AsyncIterable<StoredMessage> {
    const target = (await this.last(stream, subject))?.sequence ?? 0;
    for (let next = fromSequence; next <= target; ) {
      const chunk = await this.#persistently(`read ${subject}`, () =>
        this.#server.stream(stream).range(matcherOf(subject), next, READ_CHUNK),
      );
      for (const message of chunk) if (message.sequence <= target) yield message;
      next = (chunk.at(-1)?.sequence ?? target) + 1;
    }
  }
  /** As a follower does: for as long as it takes. */
  async #persistently<T>(what: string, action: () => T): Promise<T> {
    for (;;) {
      try {
        return await this.#call(what, action);
      } catch {
        await this.#process.clock.sleep(READ_RETRY_MS);
      }
    }
  }

  bucket(name: string): Promise<Bucket> {
    return this.#call(`bucket ${name}`, () => this.#openBucket(name));
  }
  #openBucket(name: string): Bucket {
    const store = this.#server.bucket(name);
    return {
      get: (key) => this.#call(`get ${key}`, () => entryOf(store.get(key))),
      put: (key, value) => this.#call(`put ${key}`, () => store.put(key, value)),
      create: (key, value) => this.#call(`create ${key}`, () => store.create(key, value)),
      update: (key, value, revision) => this.#call(`update ${key}`, () => store.update(key, value, revision)),
      delete: (key, revision) => this.#call(`delete ${key}`, () => store.delete(key, revision)),
      watch: (handler) => this.#watch(name, handler),
    };
  }

  async #watch(name: string, handler: Parameters<Bucket['watch']>[0]) {
    const watcher = new MemoryWatcher(this.#server, this.#connection, name, handler);
    const reattach = () => this.#up(() => watcher.attach());
    this.#reattach.add(reattach);
    // As the library's own watcher: it tries for as long as it takes.
    await this.#persistently(`watch ${name}`, () => watcher.attach());
    return {
      ready: watcher.ready,
      stop: () => {
        this.#reattach.delete(reattach);
        watcher.stop();
      },
    };
  }

  blobs(name: string): Promise<Blobs> {
    return this.#call(`blobs ${name}`, () => {
      const objects = this.#server.objects(name);
      return {
        put: (key: string, data: Uint8Array) => this.#call(`put blob ${key}`, () => void objects.set(key, data)),
        get: (key: string) => this.#call(`get blob ${key}`, () => objects.get(key) ?? null),
        delete: (key: string) => this.#call(`delete blob ${key}`, () => void objects.delete(key)),
        list: (prefix: string) =>
          this.#call(`list blobs ${prefix}`, () => [...objects.keys()].filter((key) => key.startsWith(prefix))),
      };
    });
  }

  onStatus(handler: (status: 'connected' | 'disconnected') => void) {
    this.#statusHandlers.add(handler);
    return { stop: () => void this.#statusHandlers.delete(handler) };
  }

  async close(): Promise<void> {
    await this.flush();
    this.#statusHandlers.clear();
    this.#server.disconnect(this.#connection);
    for (const pending of [...this.#pending]) pending.connectionChanged('disconnected');
  }
}

/** Does it now; what came of it is told later. */
function settle<T>(action: () => T, resolve: (value: T) => void, reject: (error: unknown) => void): () => void {
  try {
    const value = action();
    return () => resolve(value);
  } catch (error) {
    if (!(error instanceof BusConflict || error instanceof TuttiError)) throw error;
    return () => reject(error);
  }
}

const never = <T>(): Promise<T> => new Promise<T>(() => {});
