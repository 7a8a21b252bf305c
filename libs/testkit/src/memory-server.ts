/**
 * The server behind memory buses: what it keeps, who listens, and the network between it and its clients, in virtual
 * time. Owns what may go wrong on the way, as the faults say; without faults it behaves as a NATS server does.
 */
import { BUCKETS, logStreams, SPEND_BUCKETS, STREAMS, type StreamSpec, TuttiError } from '@tutti/contracts';
import type { StoredMessage } from '@tutti/runtime';
import { MemoryBus } from './memory-bus.ts';
import { type Matcher, MemoryBucketStore, MemoryStream, type StoreOptions } from './memory-store.ts';
import { type Lane, newLane, type VirtualProcess, type VirtualTime } from './virtual-clock.ts';

/** What goes wrong. Asked at every step of a message's way; each answer is one event's fate. */
export interface BusFaults {
  /** Ms that something takes from client to server, or back. */
  latencyMs(): number;
  /** A message without storage, on its way to one subscriber: how many copies arrive (0: it is lost), and how much later than those before and after it. */
  core(subject: string): { copies: number; lateMs: number };
  /** Something that wants an answer: `lost` on the way there, or done and `unanswered`. */
  call(what: string): 'ok' | 'lost' | 'unanswered';
  /** A stored message on its way to one follower: delivered, delivered twice in a row, or lost until the follower notices. */
  follow(subject: string): 'ok' | 'repeated' | 'stalled';
  /** May end the process on the spot: before or after it has asked the bus for something. */
  touch(process: VirtualProcess, what: string): void;
  /** Whether what a client has sent but the server not yet got survives the loss of their connection. */
  keepsBuffer(): boolean;
}

export const noFaults: BusFaults = {
  latencyMs: () => 0.1,
  core: () => ({ copies: 1, lateMs: 0 }),
  call: () => 'ok',
  follow: () => 'ok',
  touch() {},
  keepsBuffer: () => true,
};

export interface MemoryServerOptions {
  time: VirtualTime;
  faults?: BusFaults;
  payloadBytesMax?: number;
  /** Streams that the logs of so many partitions are spread over; one for all where it is left out. */
  logs?: { streams: number; partitions: number };
}

/** Moments of the network lie on a grid, so that several things arrive at once, as they do on a busy machine. */
const GRID_PER_MS = 4;
const PAYLOAD_BYTES_MAX = 1_048_576;

export interface Subscription {
  matches: Matcher;
  queue: string | undefined;
  connection: Connection;
  take(subject: string, data: Uint8Array, reply: string | undefined): void;
}

/** One client as the server sees it. */
export interface Connection {
  process: VirtualProcess;
  inbox: string;
  up: boolean;
  /** Counts up with every loss: what belongs to an earlier one is gone. */
  generation: number;
  toServer: Lane;
  toClient: Lane;
  lost(): void;
  restored(): void;
}

interface Following {
  stream: MemoryStream;
  matches: Matcher;
  send(message: StoredMessage): void;
}

export class MemoryServer {
  readonly time: VirtualTime;
  readonly payloadBytesMax: number;
  readonly streams = new Map<string, MemoryStream>();
  readonly buckets = new Map<string, MemoryBucketStore>();
  readonly blobs = new Map<string, Map<string, Uint8Array>>();
  readonly connections = new Set<Connection>();
  faults: BusFaults;
  /** Told of every message that a stream has stored, at that moment. */
  onStored: ((stream: string, message: StoredMessage) => void) | undefined;
  /** Told of what a handler threw: the real adapter logs it and goes on. */
  onHandlerError: ((process: VirtualProcess, error: unknown) => void) | undefined;
  readonly #subscriptions = new Set<Subscription>();
  readonly #followings = new Set<Following>();
  #down = false;

  constructor({ time, faults = noFaults, payloadBytesMax = PAYLOAD_BYTES_MAX, logs }: MemoryServerOptions) {
    this.time = time;
    this.faults = faults;
    this.payloadBytesMax = payloadBytesMax;
    const { log, ...others } = STREAMS;
    const specs: StreamSpec[] = [
      ...(logs ? logStreams(logs.streams, logs.partitions) : [log]),
      ...Object.values(others),
    ];
    for (const spec of specs) this.streams.set(spec.name, new MemoryStream(spec));
    for (const name of Object.values(BUCKETS)) this.buckets.set(name, new MemoryBucketStore());
    for (const { name } of Object.values(SPEND_BUCKETS)) this.buckets.set(name, new MemoryBucketStore());
  }

  connect(process: VirtualProcess): MemoryBus {
    return new MemoryBus(this, process);
  }

  get now(): number {
    return Math.floor(this.time.startedAt + this.time.now);
  }

  stream(name: string): MemoryStream {
    const stream = this.streams.get(name);
    if (!stream) throw new TuttiError('unavailable', `there is no stream ${name}`);
    return stream;
  }
  bucket(name: string): MemoryBucketStore {
    const bucket = this.buckets.get(name);
    if (!bucket) throw new TuttiError('unavailable', `there is no bucket ${name}`);
    return bucket;
  }
  objects(name: string): Map<string, Uint8Array> {
    let objects = this.blobs.get(name);
    if (!objects) {
      objects = new Map();
      this.blobs.set(name, objects);
    }
    return objects;
  }

  /** Ms from now to the moment on the grid at which something that leaves now arrives. */
  wayMs(): number {
    const arrives = Math.ceil((this.time.now + this.faults.latencyMs()) * GRID_PER_MS) / GRID_PER_MS;
    return arrives - this.time.now;
  }

  /** From a client to the server; lost when their connection is meanwhile. */
  up(connection: Connection, action: () => void): void {
    const { generation } = connection;
    if (!connection.up) return;
    this.time.inLane(connection.toServer, this.wayMs(), () => {
      if (connection.generation === generation && connection.up) action();
    });
  }
  /** From the server to a client; lost when their connection is meanwhile. */
  toClient(connection: Connection, action: () => void): void {
    const { generation } = connection;
    if (!connection.up) return;
    this.time.inLane(
      connection.toClient,
      this.wayMs(),
      () => {
        if (connection.generation === generation && connection.up) action();
      },
      connection.process,
    );
  }

  append(subject: string, data: Uint8Array, options: StoreOptions, headers: Record<string, string> = {}): number {
    for (const stream of this.streams.values()) {
      if (!stream.takes(subject)) continue;
      if (headers['Nats-Schedule']) return this.#schedule(stream, subject, data, headers);
      const { sequence, repeated } = stream.store(subject, data, this.now, options, headers);
      if (!repeated) this.#stored(stream, sequence);
      return sequence;
    }
    throw new TuttiError('unavailable', `no stream takes ${subject} right now`);
  }

  #stored(stream: MemoryStream, sequence: number): void {
    const message = stream.at(sequence)!;
    this.time.mix(sequence * 31 + message.data.length);
    this.time.note?.(`stored ${message.subject} #${sequence} ${text(message.data)}`);
    this.onStored?.(stream.spec.name, message);
    for (const following of this.#followings)
      if (following.stream === stream && following.matches(message.subject)) following.send(message);
  }

  /** `@at <ISO>`: the message goes to its target then, and is itself no more. */
  #schedule(stream: MemoryStream, subject: string, data: Uint8Array, headers: Record<string, string>): number {
    const { sequence } = stream.store(subject, data, this.now, {});
    const dueAt = Date.parse(headers['Nats-Schedule']!.replace('@at ', ''));
    this.time.after(dueAt - this.now, () => {
      if (!stream.at(sequence)) return;
      stream.remove(sequence);
      this.append(headers['Nats-Schedule-Target']!, data, {});
    });
    return sequence;
  }

  follow(following: Following): () => void {
    this.#followings.add(following);
    return () => void this.#followings.delete(following);
  }

  subscribe(subscription: Subscription): () => void {
    this.#subscriptions.add(subscription);
    return () => void this.#subscriptions.delete(subscription);
  }

  /** To every subscriber, and to one of each queue group. Where nobody listens, whoever wants a reply is told so. */
  publish(subject: string, data: Uint8Array, reply: string | undefined): void {
    const groups = new Map<string, Subscription[]>();
    let heard = false;
    for (const subscription of this.#subscriptions) {
      if (!subscription.connection.up || !subscription.matches(subject)) continue;
      heard = true;
      if (subscription.queue === undefined) this.#send(subscription, subject, data, reply);
      else groups.set(subscription.queue, [...(groups.get(subscription.queue) ?? []), subscription]);
    }
    for (const members of groups.values()) this.#send(this.time.random.pick(members), subject, data, reply);
    if (!heard && reply !== undefined) this.publish(reply, NOTHING, undefined);
  }

  #send(subscription: Subscription, subject: string, data: Uint8Array, reply: string | undefined): void {
    const { connection } = subscription;
    const { copies, lateMs } = this.faults.core(subject);
    const take = () => {
      if (this.#subscriptions.has(subscription)) subscription.take(subject, data, reply);
    };
    for (let copy = 0; copy < copies; copy++) {
      if (lateMs === 0 && copy === 0) this.toClient(connection, take);
      // Late: out of its lane, behind what was sent after it.
      else this.time.after(lateMs + this.wayMs(), () => connection.up && take(), connection.process);
    }
  }

  /** A connection comes undone and is made again, unless the whole server is down. */
  drop(connection: Connection, downMs: number): void {
    if (!connection.up) return;
    connection.up = false;
    connection.generation++;
    this.time.after(this.wayMs(), () => connection.lost(), connection.process);
    this.#restore(connection, downMs);
  }
  #restore(connection: Connection, downMs: number): void {
    this.time.after(
      downMs + this.wayMs(),
      () => {
        if (this.#down) return this.#restore(connection, RETRY_MS);
        if (connection.up || !this.connections.has(connection)) return;
        connection.up = true;
        connection.restored();
      },
      connection.process,
    );
  }

  /** What is stored stays; ids of messages that were seen may be forgotten. */
  restart(downMs: number, forgetsIds: boolean): void {
    if (this.#down) return;
    this.#down = true;
    if (forgetsIds) for (const stream of this.streams.values()) stream.forgetIds();
    for (const connection of this.connections) this.drop(connection, downMs);
    this.time.after(downMs, () => {
      this.#down = false;
    });
  }

  /** A client that has died: the server notices when its socket closes. */
  gone(process: VirtualProcess): void {
    for (const connection of this.connections) {
      if (connection.process !== process) continue;
      this.time.after(this.wayMs(), () => this.disconnect(connection));
    }
  }
  disconnect(connection: Connection): void {
    connection.up = false;
    this.connections.delete(connection);
    for (const subscription of this.#subscriptions)
      if (subscription.connection === connection) this.#subscriptions.delete(subscription);
  }

  newConnection(process: VirtualProcess, handlers: Pick<Connection, 'lost' | 'restored'>): Connection {
    const connection: Connection = {
      process,
      inbox: `_INBOX.${process.name}-${process.id}`,
      up: true,
      generation: 0,
      toServer: newLane(),
      toClient: newLane(),
      ...handlers,
    };
    this.connections.add(connection);
    return connection;
  }
}

const NOTHING = new Uint8Array(0);
const RETRY_MS = 100;
const decoder = new TextDecoder();
const text = (data: Uint8Array): string => decoder.decode(data);
