/**
 * Follows a stream in order. A push consumer without acknowledgements that is thrown away and made anew from the last
 * sequence + 1 whenever anything is doubtful: a gap in delivery numbers, missed heartbeats, a reconnect. (The library's
 * own ordered consumer stayed silent for over a minute after a server was killed: FACTS.md.)
 */
import type { Msg, NatsConnection } from 'nats';
import type { Logger } from '../log.ts';
import type { Follower, StoredMessage } from './port.ts';

const SILENCE_MS = 7_000;
const RETRY_MS = 200;
const RETRY_MAX_MS = 2_000;

export interface FollowContext {
  nc: NatsConnection;
  inbox: string;
  log: Logger;
  onStatus(handler: (status: 'connected' | 'disconnected') => void): { stop(): void };
  createConsumer(
    stream: string,
    deliverTo: string,
    subjects: string[],
    fromSequence: number,
  ): Promise<{ name: string; pending: number }>;
  deleteConsumer(stream: string, name: string): Promise<void>;
}

/** `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time ns>.<pending>`, with two more tokens in front on newer servers. */
function parseDelivery(reply: string): { sequence: number; delivery: number; storedAt: number; pending: number } {
  const tokens = reply.split('.');
  const at = tokens.length > 9 ? 6 : 4;
  return {
    sequence: Number(tokens[at + 1]),
    delivery: Number(tokens[at + 2]),
    storedAt: Math.floor(Number(tokens[at + 3]) / 1e6),
    pending: Number(tokens[at + 4]),
  };
}

let counter = 0;

export async function follow(
  context: FollowContext,
  stream: string,
  subjects: string[],
  fromSequence: number,
  handler: (message: StoredMessage) => void | Promise<void>,
): Promise<Follower> {
  let next = Math.max(1, fromSequence);
  let generation = 0;
  let stopped = false;
  let lastHeard = performance.now();
  let behind = 0;
  let unhandled = 0;
  let current: { name: string; stop(): void } | undefined;
  let chain: Promise<void> | undefined;
  let resolveCaughtUp = () => {};
  const caughtUp = new Promise<void>((resolve) => {
    resolveCaughtUp = resolve;
  });

  async function open(): Promise<void> {
    const mine = ++generation;
    current?.stop();
    current = undefined;
    // What was received before must be handled before we know from where to ask again.
    await chain;
    if (stopped || mine !== generation) return;
    const deliverTo = `${context.inbox}.follow.${(counter++).toString(36)}`;
    let delivered = 0;
    const subscription = context.nc.subscribe(deliverTo, {
      callback: (error, message) => {
        if (error || stopped || mine !== generation) return;
        try {
          take(message);
        } catch (thrown) {
          context.log.error({ error: thrown, stream }, 'a followed message could not be taken in');
        }
      },
    });
    function take(message: Msg): void {
      lastHeard = performance.now();
      const status = message.headers?.code ?? 0;
      if (status === 100) {
        if (message.reply) afterHandled(() => message.respond());
        const stalled = message.headers?.get('Nats-Consumer-Stalled');
        // Only once what came is handled: an answer opens the next window.
        if (stalled) afterHandled(() => context.nc.publish(stalled));
        const last = Number(message.headers?.get('Nats-Last-Consumer') ?? delivered);
        if (last > delivered && message.data.length === 0 && !message.reply) void reopen('a message was missed');
        return;
      }
      const delivery = parseDelivery(message.reply ?? '');
      if (delivery.delivery !== delivered + 1) return void reopen('deliveries out of order');
      delivered++;
      behind = delivery.pending;
      handle(
        { subject: message.subject, data: message.data, sequence: delivery.sequence, storedAt: delivery.storedAt },
        delivery.pending,
      );
    }
    try {
      lastHeard = performance.now();
      const consumer = await context.createConsumer(stream, deliverTo, subjects, next);
      if (stopped || mine !== generation) {
        subscription.unsubscribe();
        return void context.deleteConsumer(stream, consumer.name);
      }
      current = {
        name: consumer.name,
        stop: () => {
          subscription.unsubscribe();
          void context.deleteConsumer(stream, consumer.name);
        },
      };
      // What was delivered before this answer knows better.
      if (delivered === 0) behind = consumer.pending;
      if (consumer.pending === 0) afterHandled(resolveCaughtUp);
    } catch (error) {
      subscription.unsubscribe();
      throw error;
    }
  }

  /** Synchronous handlers run at once; behind an asynchronous one the rest waits its turn. */
  function handle(message: StoredMessage, pending: number): void {
    unhandled++;
    const run = (): void | Promise<void> => {
      if (stopped) return;
      const result = safely(() => handler(message));
      const after = () => {
        unhandled--;
        next = message.sequence + 1;
        if (pending === 0) resolveCaughtUp();
      };
      return result instanceof Promise ? result.then(after) : after();
    };
    enqueue(run);
  }
  function afterHandled(action: () => void): void {
    enqueue(() => {
      safely(action);
    });
  }
  function enqueue(run: () => void | Promise<void>): void {
    if (chain) {
      const mine: Promise<void> = chain.then(run).finally(() => {
        if (chain === mine) chain = undefined;
      });
      chain = mine;
      return;
    }
    const result = run();
    if (!(result instanceof Promise)) return;
    const mine: Promise<void> = result.finally(() => {
      if (chain === mine) chain = undefined;
    });
    chain = mine;
  }
  function safely(action: () => void | Promise<void>): void | Promise<void> {
    const failed = (error: unknown) =>
      context.log.error({ error, stream }, 'a follower threw; the message is passed over');
    try {
      const result = action();
      return result instanceof Promise ? result.catch(failed) : result;
    } catch (error) {
      failed(error);
    }
  }

  let reopening = false;
  async function reopen(reason: string): Promise<void> {
    if (stopped || reopening) return;
    reopening = true;
    context.log.debug({ stream, next, reason }, 'following anew');
    generation++;
    for (let waitMs = RETRY_MS; !stopped; waitMs = Math.min(waitMs * 2, RETRY_MAX_MS)) {
      try {
        await open();
        break;
      } catch (error) {
        context.log.debug({ stream, error: (error as Error).message }, 'could not follow yet');
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
    reopening = false;
  }

  await open();
  const status = context.onStatus((now) => {
    if (now === 'connected') void reopen('reconnected');
  });
  const watchdog = setInterval(() => {
    if (performance.now() - lastHeard > SILENCE_MS) void reopen('silence');
  }, SILENCE_MS / 4);
  watchdog.unref();
  return {
    caughtUp,
    get pending() {
      return behind + unhandled;
    },
    stop() {
      stopped = true;
      status.stop();
      clearInterval(watchdog);
      current?.stop();
      resolveCaughtUp();
    },
  };
}
