/**
 * Answers requests: validation, tracing, deadlines, cancelling, heartbeats and limits around a service's handlers.
 * Invariants: one piece of work per callId at a time, however often it is asked; every item of a batch gets one result
 * on each inbox that asked for it; more than the limit is refused at once with a hint, never queued.
 */
import {
  type ErrorInfo,
  LIMITS,
  RequestBatch,
  type RequestItem,
  type ResultItem,
  subjects,
  TuttiError,
  VERBS,
  type VerbName,
} from '@tutti/contracts';
import { z } from 'zod';
import type { Bus, BusMessage } from './bus/port.ts';
import { createClaims, tooLarge } from './claims.ts';
import { type Clock, systemClock } from './clock.ts';
import { createCoalescer, packJson } from './coalesce.ts';
import { type Logger, logOf } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { countRequests } from './request-metrics.ts';
import type { Handlers, RequestContext, RunningService } from './service-types.ts';
import type { Telemetry } from './telemetry.ts';
import { ATTR, SPAN } from './telemetry-names.ts';
import { type Outcome, Work } from './work.ts';

const ENVELOPE_BYTES = 4_096;
const BUSY_RETRY_MS = 250;
/** How often deadlines are looked at: a timer for every request would cost more than most requests. */
const DEADLINE_SWEEP_MS = 50;
/** How long the server may take to say that it sends no more requests. */
const LAST_REQUESTS_MS = 1_000;
const text = new TextDecoder();
/** `run`: only what this run asked for; everybody's where it is left out. */
const CancelMessage = z.object({
  v: z.literal(1),
  callIds: z.array(z.string()),
  run: z.string().optional(),
  /** The tenant whose calls are to be barred: they must not begin any more either. Only with `run`. */
  bar: z.string().optional(),
});

export interface Receiver {
  readonly active: number;
  /** Takes no more requests; resolves when what is under way has ended, or when the time is over (then it is aborted). */
  drain(timeoutMs: number): Promise<void>;
}

export function createReceiver(options: {
  bus: Bus;
  service: string;
  handlers: Handlers;
  inFlightMax: number;
  telemetry: Telemetry;
  metrics?: Metrics;
  log: Logger;
  clock?: Clock;
  bar?: RunningService['bar'];
}): Receiver {
  const { bus, service, handlers, log, telemetry, clock = systemClock } = options;
  const active = new Map<string, Work>();
  const claims = createClaims(bus, log);
  /** Answers that are on their way into the object store. */
  const leaving = new Set<Promise<void>>();
  let idle = () => {};
  const counts = countRequests(options.metrics ?? createMetrics(), Object.keys(handlers), {
    inFlight: () => active.size,
    inFlightMax: options.inFlightMax,
  });

  const outgoing = createCoalescer<ResultItem>(
    LIMITS.batchItemsMax,
    (reply, results) => {
      packJson(
        results,
        (result) => JSON.stringify(result),
        bus.payloadBytesMax - ENVELOPE_BYTES,
        (joined) => `{"v":1,"results":[${joined}],"alive":[]}`,
        (data) => bus.publish(reply, data),
        (result, size) => byReference(reply, result, size),
      );
    },
    (error, reply) =>
      log.warn({ error: (error as Error).message, reply }, 'results could not be sent; whoever asked asks again'),
    bus.beforeSending?.bind(bus),
  );

  const spans = new Map(Object.keys(handlers).map((verb) => [verb, spanOf(service, verb as VerbName)]));
  let sweep: { stop(): void } | undefined;

  function take(verb: VerbName, message: BusMessage): void {
    if (!message.reply) return;
    const batch = RequestBatch.safeParse(JSON.parse(text.decode(message.data)));
    if (!batch.success)
      return log.error({ verb, issues: batch.error.issues }, 'a request batch does not fit its schema');
    for (const item of batch.data.items) takeItem(verb, item, message.reply);
  }

  function takeItem(verb: VerbName, item: RequestItem, reply: string): void {
    const key = `${item.tenant}/${item.callId}`;
    // The same work, asked again. With another body (an approval was added) it is other work under the same id.
    // Work that was told to stop may never do so: it is not waited for, and what came after it stands beside it.
    const beside = `${key}/${item.nonce}`;
    for (const place of [key, beside]) {
      const same = active.get(place);
      if (!same || same.aborted || !isSame(same.item, item)) continue;
      counts.get(verb)!.repeated.inc();
      return same.asked(item, reply);
    }
    // By the clock of this machine from here on.
    if (item.leftMs !== undefined) item.deadlineAt = clock.now() + item.leftMs;
    const leftMs = item.deadlineAt - clock.now();
    if (leftMs <= 0)
      return refuse(item, reply, new TuttiError('timeout', 'the request came after its deadline').toInfo());
    if (active.size >= options.inFlightMax) {
      const error = new TuttiError('overloaded', `${service} has ${active.size} requests in flight, its limit`, {
        retryAfterMs: BUSY_RETRY_MS,
      });
      counts.get(verb)!.refused.inc();
      return refuse(item, reply, error.toInfo());
    }
    let place = active.has(key) ? beside : key;
    // Nonces are each asker's own.
    while (active.has(place)) place += '/';
    const span = telemetry.span(spans.get(verb)!.name, {
      kind: 'consumer',
      parent: item.traceparent,
      common: spans.get(verb)!.common,
      attributes: {
        [ATTR.messagingMessage]: item.callId,
        [ATTR.run]: item.run,
        [ATTR.conversation]: item.session,
        [ATTR.tenant]: item.tenant,
      },
    });
    const work = new Work(item, reply, span, clock, leftMs, (over, outcome, thrown) => {
      active.delete(place);
      answer(verb, over, outcome, thrown);
      if (active.size === 0) idle();
    });
    active.set(place, work);
    sweep ??= clock.every(DEADLINE_SWEEP_MS, endLate);
    const handler = handlers[verb] as (body: unknown, context: RequestContext) => Promise<unknown>;
    // Its result is put through its schema by whoever asked.
    const { claim } = item;
    work.run(
      claim
        ? async () => handler(VERBS[verb].body.parse(await claims.fetch(claim)), work)
        : () => handler(VERBS[verb].body.parse(item.body), work),
    );
  }

  function answer(verb: VerbName, work: Work, outcome: Outcome, thrown: unknown): void {
    const { callId } = work.item;
    const count = counts.get(verb)!;
    (outcome.ok ? count.ok : count.failed).inc();
    count.seconds.observe((clock.monotonic() - work.startedAt) / 1_000);
    if (!outcome.ok && outcome.error.code === 'internal')
      log.error({ ...logOf({ ...work.item, traceparent: work.traceparent }), err: thrown, verb }, 'a request failed');
    for (const { reply, nonce } of work.askers) outgoing.add(reply, { callId, nonce, ...outcome });
  }

  /** An answer that no message holds. */
  function byReference(reply: string, result: ResultItem, size: number): void {
    const { callId, nonce } = result;
    const instead = (error: TuttiError) => outgoing.add(reply, { callId, nonce, ok: false, error: error.toInfo() });
    if (!result.ok) {
      const { code, retryable, retryAfterMs } = result.error;
      return instead(
        new TuttiError(code, `an error of ${size} bytes, too large to be sent`, { retryable, retryAfterMs }),
      );
    }
    if (size > LIMITS.payloadBytesMax) return instead(tooLarge(`the answer of ${service}`, size));
    const left = claims
      .leave(`${callId}.${nonce}.result`, JSON.stringify(result.body))
      .then((claim) => outgoing.add(reply, { callId, nonce, ok: true, body: undefined, claim }))
      .catch((cause) => instead(new TuttiError('unavailable', 'a large answer cannot be stored right now', { cause })))
      .finally(() => leaving.delete(left));
    leaving.add(left);
  }

  function refuse(item: RequestItem, reply: string, error: ErrorInfo): void {
    outgoing.add(reply, { callId: item.callId, nonce: item.nonce, ok: false, error });
  }

  function endLate(): void {
    const now = clock.monotonic();
    for (const work of active.values())
      if (work.endsAt <= now) work.abort(new TuttiError('timeout', 'the deadline is over'));
    if (active.size > 0) return;
    sweep?.stop();
    sweep = undefined;
  }

  const subscriptions = Object.keys(handlers).map((verb) =>
    bus.subscribe(
      subjects.request(service, VERBS[verb as VerbName].verb),
      (message) => take(verb as VerbName, message),
      { queue: service },
    ),
  );
  const cancels = bus.subscribe(subjects.cancel(service), (message) => {
    const parsed = CancelMessage.safeParse(JSON.parse(text.decode(message.data)));
    if (!parsed.success) return;
    const { callIds, run, bar } = parsed.data;
    if (bar !== undefined && run !== undefined) options.bar?.({ tenant: bar, run, callIds });
    const ids = new Set(callIds);
    for (const work of active.values())
      if (ids.has(work.item.callId)) work.cancel(run, new TuttiError('cancelled', 'the call was cancelled'));
  });
  const heartbeat = clock.every(LIMITS.heartbeatMs, () => {
    const byReply = new Map<string, string[]>();
    const now = clock.monotonic();
    for (const work of active.values()) {
      if (now - work.startedAt < LIMITS.heartbeatMs) continue;
      for (const { reply } of work.askers) byReply.set(reply, [...(byReply.get(reply) ?? []), work.item.callId]);
    }
    for (const [reply, alive] of byReply)
      bus.publish(reply, new TextEncoder().encode(JSON.stringify({ v: 1, results: [], alive })));
  });

  return {
    get active() {
      return active.size;
    },
    async drain(timeoutMs) {
      // What is on its way to us is still taken: whoever asked would only ask again after a silence.
      const last = subscriptions.flatMap((subscription) => subscription.drain?.() ?? []);
      if (last.length > 0) await withinMs(clock, Promise.all(last), LAST_REQUESTS_MS);
      for (const subscription of subscriptions) subscription.stop();
      if (active.size > 0) {
        const ended = new Promise<void>((resolve) => {
          idle = resolve;
        });
        await withinMs(clock, ended, timeoutMs);
        for (const work of active.values()) work.abort(new TuttiError('unavailable', 'the service is stopping'));
      }
      outgoing.flush();
      await withinMs(clock, Promise.all(leaving), timeoutMs);
      outgoing.flush();
      cancels.stop();
      heartbeat.stop();
      sweep?.stop();
    },
  };
}

/** Resolves when `work` has or the time is over. */
async function withinMs(clock: Clock, work: Promise<unknown>, ms: number): Promise<void> {
  let timer: { stop(): void } | undefined;
  const late = new Promise<void>((resolve) => {
    timer = clock.after(ms, resolve);
  });
  await Promise.race([work, late]);
  timer?.stop();
}

function isSame(one: RequestItem, other: RequestItem): boolean {
  return one.claim?.hash === other.claim?.hash && JSON.stringify(one.body) === JSON.stringify(other.body);
}

function spanOf(service: string, verb: VerbName) {
  const subject = subjects.request(service, VERBS[verb].verb);
  return {
    name: SPAN.process(subject),
    common: {
      [ATTR.messagingSystem]: 'nats',
      [ATTR.messagingOperation]: 'process',
      [ATTR.messagingOperationType]: 'process',
      [ATTR.messagingDestination]: subject,
      [ATTR.messagingGroup]: service,
    },
  };
}
