/**
 * The bus over a real NATS server. Owns the connection and everything that has to be done about reconnects:
 * what is pending is failed as unknown, followers are made anew from where they were.
 */
import { randomBytes } from 'node:crypto';
import {
  AckPolicy,
  DeliverPolicy,
  JetStreamApiError,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  ReplayPolicy,
} from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { Objm } from '@nats-io/obj';
import { TuttiError } from '@tutti/contracts';
import { connect, type Msg, type MsgHdrs, type NatsConnection } from 'nats';
import type { Logger } from '../log.ts';
import { createAppender } from './nats-appender.ts';
import { openBlobs } from './nats-blobs.ts';
import { type FollowContext, follow } from './nats-follower.ts';
import { openBucket } from './nats-stores.ts';
import { createOutbox, type Outbox } from './outbox.ts';
import type { AppendOptions, Blobs, Bus, Follower, StoredMessage } from './port.ts';

export const BUS_LIMITS = {
  connectTimeoutMs: 5_000,
  reconnectWaitMs: 100,
  apiTimeoutMs: 5_000,
  drainTimeoutMs: 3_000,
  /** Missed pings before the connection counts as dead: about 20 s for a link that is cut without a word. */
  pingIntervalMs: 10_000,
} as const;

export interface NatsBusOptions {
  url: string;
  name: string;
  log: Logger;
  credentials?: { user: string; password: string };
}

const NO_MESSAGE = 10037;
/** Answers to a delete of what is not there. */
const GONE = [10037, 10043, 10057];
const PAYLOAD_BYTES_DEFAULT = 1_048_576;
/** Messages that a reader may be behind with before the server is asked to wait. */
const READ_AHEAD_MAX = 256;

export async function connectNatsBus(options: NatsBusOptions): Promise<Bus> {
  const inbox = `_INBOX.${options.name}.${randomBytes(9).toString('base64url').replaceAll('-', 'a').replaceAll('_', 'b')}`;
  let nc: NatsConnection;
  try {
    nc = await connect({
      servers: options.url.split(','),
      name: options.name,
      inboxPrefix: inbox,
      maxReconnectAttempts: -1,
      reconnectTimeWait: BUS_LIMITS.reconnectWaitMs,
      reconnectJitter: BUS_LIMITS.reconnectWaitMs,
      pingInterval: BUS_LIMITS.pingIntervalMs,
      timeout: BUS_LIMITS.connectTimeoutMs,
      noAsyncTraces: true,
      ...(options.credentials ? { user: options.credentials.user, pass: options.credentials.password } : {}),
    });
  } catch (cause) {
    throw new TuttiError(
      'unavailable',
      `cannot reach NATS at ${options.url}: ${(cause as Error).message}. Start a nats-server there, or set NATS_URL.`,
      { cause },
    );
  }
  return new NatsBus(
    nc,
    inbox,
    options.log,
    await jetstreamManager(nc, { checkAPI: false, timeout: BUS_LIMITS.apiTimeoutMs }),
  );
}

class NatsBus implements Bus {
  readonly inbox: string;
  readonly #nc: NatsConnection;
  readonly #log: Logger;
  readonly #manager: JetStreamManager;
  readonly #appender: ReturnType<typeof createAppender>;
  readonly #outbox: Outbox;
  readonly #statusHandlers = new Set<(status: 'connected' | 'disconnected') => void>();
  #connected = true;

  constructor(nc: NatsConnection, inbox: string, log: Logger, manager: JetStreamManager) {
    this.#nc = nc;
    this.inbox = inbox;
    this.#log = log;
    this.#manager = manager;
    this.#payloadBytesMax = nc.info?.max_payload ?? PAYLOAD_BYTES_DEFAULT;
    this.#outbox = createOutbox(log);
    this.#appender = createAppender(nc, this.#outbox, `${inbox}.append`, log);
    void this.#watchStatus();
  }

  /** While the client dials it knows of no server: what the last one said still holds. */
  #payloadBytesMax = PAYLOAD_BYTES_DEFAULT;
  get payloadBytesMax(): number {
    this.#payloadBytesMax = this.#nc.info?.max_payload ?? this.#payloadBytesMax;
    return this.#payloadBytesMax;
  }
  get connected(): boolean {
    return this.#connected;
  }

  async #watchStatus(): Promise<void> {
    for await (const status of this.#nc.status()) {
      if (status.type === 'disconnect' || status.type === 'staleConnection') this.#changed('disconnected');
      else if (status.type === 'reconnect') this.#changed('connected');
      else if (status.type === 'error') this.#log.warn({ error: status.error.message }, 'the bus reported an error');
    }
  }
  #changed(status: 'connected' | 'disconnected'): void {
    this.#connected = status === 'connected';
    this.#appender.failAll(`the bus ${status} while the append was under way`);
    for (const handler of this.#statusHandlers) {
      try {
        handler(status);
      } catch (error) {
        this.#log.error({ error }, 'a status handler threw');
      }
    }
  }

  publish(subject: string, data: Uint8Array, options?: { reply?: string }): void {
    this.#outbox.add({ subject, bytes: data.length, send: () => this.#nc.publish(subject, data, options) });
  }

  beforeSending(action: () => void): void {
    this.#outbox.before(action);
  }

  subscribe(
    subject: string,
    handler: (message: { subject: string; data: Uint8Array; reply?: string }) => void,
    options?: { queue?: string },
  ) {
    const subscription = this.#nc.subscribe(subject, {
      queue: options?.queue,
      // A throw in here would silently end the client's reader: FACTS.md.
      callback: (error, message: Msg) => {
        if (error) return void this.#log.error({ error: error.message, subject }, 'subscription failed');
        try {
          handler(message);
        } catch (thrown) {
          this.#log.error({ error: thrown, subject }, 'a message handler threw');
        }
      },
    });
    return {
      stop: () => {
        if (!subscription.isClosed()) subscription.unsubscribe();
      },
      drain: async () => {
        if (!subscription.isClosed()) await subscription.drain().catch(() => {});
      },
    };
  }

  async flush(): Promise<void> {
    this.#outbox.flush();
    if (this.#connected) await this.#nc.flush();
  }

  async request(subject: string, data: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    // What was published before the question is sent before it.
    this.#outbox.flush();
    try {
      return (await this.#nc.request(subject, data, { timeout: timeoutMs })).data;
    } catch (error) {
      const name = (error as Error).name;
      const cause = (error as Error).cause as Error | undefined;
      if (name === 'NoRespondersError' || cause?.name === 'NoRespondersError')
        throw new TuttiError('unavailable', `nobody answers on ${subject} right now`);
      if (name === 'TimeoutError' || cause?.name === 'TimeoutError')
        throw new TuttiError('timeout', `no answer on ${subject} within ${timeoutMs} ms`);
      throw new TuttiError('unavailable', `the bus failed the request on ${subject}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  append(subject: string, data: Uint8Array, options: AppendOptions = {}): Promise<number> {
    return this.#appender.append(subject, data, options);
  }

  async last(stream: string, subject: string): Promise<StoredMessage | null> {
    try {
      const message = await this.#manager.streams.getMessage(stream, { last_by_subj: subject });
      return (
        message && {
          subject: message.subject,
          data: message.data,
          sequence: message.seq,
          storedAt: message.time.getTime(),
        }
      );
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === NO_MESSAGE) return null;
      throw unavailable(error, `could not read ${subject} from ${stream}`);
    }
  }

  async message(stream: string, sequence: number): Promise<StoredMessage | null> {
    try {
      const message = await this.#manager.streams.getMessage(stream, { seq: sequence });
      return (
        message && {
          subject: message.subject,
          data: message.data,
          sequence: message.seq,
          storedAt: message.time.getTime(),
          headers: headersOf(message.header),
        }
      );
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === NO_MESSAGE) return null;
      throw unavailable(error, `could not read message ${sequence} of ${stream}`);
    }
  }

  async remove(stream: string, sequence: number): Promise<void> {
    try {
      await this.#manager.streams.deleteMessage(stream, sequence, false);
    } catch (error) {
      if (error instanceof JetStreamApiError && GONE.includes(error.code)) return;
      throw unavailable(error, `could not remove message ${sequence} of ${stream}`);
    }
  }

  #followContext(): FollowContext {
    return {
      nc: this.#nc,
      inbox: this.inbox,
      log: this.#log,
      onStatus: (handler) => this.onStatus(handler),
      createConsumer: async (stream, deliverTo, subjects, fromSequence) => {
        const info = await this.#manager.consumers.add(stream, {
          deliver_subject: deliverTo,
          deliver_policy: DeliverPolicy.StartSequence,
          opt_start_seq: Math.max(1, fromSequence),
          filter_subjects: subjects,
          ack_policy: AckPolicy.None,
          replay_policy: ReplayPolicy.Instant,
          flow_control: true,
          idle_heartbeat: FOLLOW_HEARTBEAT_NANOS,
          mem_storage: true,
          num_replicas: 1,
          inactive_threshold: FOLLOW_INACTIVE_NANOS,
        });
        return { name: info.name, pending: info.num_pending };
      },
      deleteConsumer: async (stream, name) => void (await this.#manager.consumers.delete(stream, name).catch(() => {})),
    };
  }

  follow(
    stream: string,
    subjects: string[],
    fromSequence: number,
    handler: (message: StoredMessage) => void | Promise<void>,
  ): Promise<Follower> {
    return follow(this.#followContext(), stream, subjects, fromSequence, handler);
  }

  async *read(stream: string, subject: string, fromSequence: number): AsyncIterable<StoredMessage> {
    const target = (await this.last(stream, subject))?.sequence ?? 0;
    if (target < fromSequence) return;
    const queue: StoredMessage[] = [];
    let wake = () => {};
    let goOn = () => {};
    const follower = await this.follow(stream, [subject], fromSequence, (message) => {
      queue.push(message);
      wake();
      if (queue.length < READ_AHEAD_MAX) return;
      return new Promise<void>((resolve) => {
        goOn = resolve;
      });
    });
    try {
      for (let reached = 0; reached < target; ) {
        if (queue.length === 0) {
          goOn();
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        for (const message of queue.splice(0)) {
          reached = message.sequence;
          if (reached <= target) yield message;
        }
      }
    } finally {
      follower.stop();
      goOn();
    }
  }

  async purge(stream: string, subject: string, beforeSequence: number): Promise<number> {
    return (await this.#manager.streams.purge(stream, { filter: subject, seq: beforeSequence })).purged;
  }

  async bucket(name: string) {
    try {
      const kvm = new Kvm(jetstream(this.#nc, { timeout: BUS_LIMITS.apiTimeoutMs }));
      return openBucket(await kvm.open(name), this.#log);
    } catch (error) {
      throw unavailable(error, `could not open the bucket ${name}`);
    }
  }

  /** Opened once: whoever takes over a partition should not have to ask for it again. */
  readonly #blobs = new Map<string, Promise<Blobs>>();

  blobs(name: string): Promise<Blobs> {
    let opened = this.#blobs.get(name);
    if (!opened) {
      opened = this.#openBlobs(name);
      opened.catch(() => this.#blobs.delete(name));
      this.#blobs.set(name, opened);
    }
    return opened;
  }

  async #openBlobs(name: string): Promise<Blobs> {
    return openBlobs(await new Objm(jetstream(this.#nc, { timeout: BUS_LIMITS.apiTimeoutMs })).open(name), name, {
      manager: this.#manager,
      payloadBytesMax: () => this.payloadBytesMax,
      read: (stream, subject) => this.read(stream, subject, 1),
    });
  }

  onStatus(handler: (status: 'connected' | 'disconnected') => void) {
    this.#statusHandlers.add(handler);
    return { stop: () => void this.#statusHandlers.delete(handler) };
  }

  async close(): Promise<void> {
    this.#statusHandlers.clear();
    if (this.#nc.isClosed()) return;
    this.#outbox.flush();
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, BUS_LIMITS.drainTimeoutMs);
    });
    // A drain waits for the server: without one there is nothing to wait for.
    if (this.#connected) await Promise.race([this.#nc.drain().catch(() => {}), limit]);
    clearTimeout(timer);
    this.#appender.failAll('the bus was closed');
    await this.#nc.close().catch(() => {});
  }

  /** For provisioning alone. */
  get manager(): JetStreamManager {
    return this.#manager;
  }
  get connection(): NatsConnection {
    return this.#nc;
  }
}

const FOLLOW_HEARTBEAT_NANOS = 2_000_000_000;
const FOLLOW_INACTIVE_NANOS = 60_000_000_000;

export type NatsBusInternals = Pick<NatsBus, 'manager' | 'connection'>;

function headersOf(header: MsgHdrs | undefined): Record<string, string> {
  return Object.fromEntries((header?.keys() ?? []).map((key) => [key, header!.get(key)]));
}

function unavailable(error: unknown, what: string): TuttiError {
  return new TuttiError('unavailable', `${what}: ${(error as Error).message}`, { cause: error });
}
