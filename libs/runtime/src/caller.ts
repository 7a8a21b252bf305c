/**
 * Asks other services. All requests of a tick to one verb travel as one message; answers come back on one inbox.
 * Invariant: every call ends exactly once. A worker that fell silent, or nobody there: the same call is sent again under
 * the same callId until its time is over, which is safe because receivers are idempotent.
 */

import { randomUUID } from 'node:crypto';
import {
  type ErrorInfo,
  LIMITS,
  type RequestItem,
  ResultBatch,
  subjects,
  TuttiError,
  VERBS,
  type VerbName,
} from '@tutti/contracts';
import type { Bus } from './bus/port.ts';
import type { Caller, CallOptions } from './caller-port.ts';
import { type Clock, systemClock } from './clock.ts';
import { createCoalescer, packJson } from './coalesce.ts';
import type { Logger } from './log.ts';

const SWEEP_MS = 200;
const NO_RESPONDER_WAIT_MS = 100;
const NO_RESPONDER_WAIT_MAX_MS = 2_000;
/** Room for the envelope and the protocol around the items. */
const ENVELOPE_BYTES = 4_096;
const text = new TextDecoder();
const bytes = new TextEncoder();

type Outcome = { ok: true; body: never } | { ok: false; error: ErrorInfo };
interface Open {
  verb: VerbName;
  item: RequestItem;
  done(outcome: Outcome): void;
  lastHeard: number;
  deadline: number;
  batch: string;
  /** Monotonic time before which it is not sent again; 0: it is out. */
  resendAt: number;
  waitMs: number;
  unanswered: boolean;
}

export function createCaller(bus: Bus, log: Logger, clock: Clock = systemClock): Caller {
  const open = new Map<string, Open>();
  const prefix = `${bus.inbox}.call`;
  let nextBatch = 0;
  let nextNonce = 1;
  let closed = false;
  let sweep: { stop(): void } | undefined;

  const outgoing = createCoalescer<Open>(
    LIMITS.batchItemsMax,
    (key, entries) => {
      const { service, verb } = VERBS[key as VerbName];
      const batch = (nextBatch++).toString(36);
      packJson(
        entries.filter((entry) => open.get(entry.item.callId) === entry),
        (entry) => JSON.stringify(entry.item),
        bus.payloadBytesMax - ENVELOPE_BYTES,
        (joined) => `{"v":1,"items":[${joined}]}`,
        (data, sent) => {
          for (const entry of sent) entry.batch = batch;
          bus.publish(subjects.request(service, verb), data, { reply: `${prefix}.${batch}` });
        },
        ({ item }, size) =>
          finish(item.callId, {
            ok: false,
            error: new TuttiError(
              'payload_too_large',
              `the request to ${service}.${verb} has ${size} bytes; the bus takes ${bus.payloadBytesMax}`,
            ).toInfo(),
          }),
      );
    },
    (error, verb) =>
      log.warn({ error: (error as Error).message, verb }, 'requests could not be sent; they are sent again'),
    bus.beforeSending?.bind(bus),
  );

  const subscription = bus.subscribe(`${prefix}.*`, (message) => {
    if (message.data.length === 0) return nobodyThere(message.subject.slice(prefix.length + 1));
    const parsed = ResultBatch.safeParse(JSON.parse(text.decode(message.data)));
    if (!parsed.success) return log.error({ issues: parsed.error.issues }, 'a result batch does not fit its schema');
    const now = clock.monotonic();
    for (const callId of parsed.data.alive) {
      const entry = open.get(callId);
      if (entry) entry.lastHeard = now;
    }
    for (const result of parsed.data.results) {
      const entry = open.get(result.callId);
      // An answer to an earlier asking of the same call (before its approval, say) is not the answer to this one.
      if (entry && entry.item.nonce === result.nonce) settle(entry, result);
    }
  });

  function settle(entry: Open, result: { ok: true; body?: unknown } | { ok: false; error: ErrorInfo }): void {
    if (!result.ok) return finish(entry.item.callId, result);
    const parsed = VERBS[entry.verb].result.safeParse(result.body);
    if (parsed.success) return finish(entry.item.callId, { ok: true, body: parsed.data as never });
    finish(entry.item.callId, {
      ok: false,
      error: {
        code: 'internal',
        message: `the answer of ${entry.verb} does not fit its schema: ${parsed.error.message}`,
        retryable: false,
      },
    });
  }

  function finish(callId: string, outcome: Outcome): void {
    const entry = open.get(callId);
    if (!entry) return;
    open.delete(callId);
    try {
      entry.done(outcome);
    } catch (error) {
      log.error({ error, verb: entry.verb }, 'the receiver of an answer threw');
    }
  }

  function nobodyThere(batch: string): void {
    const now = clock.monotonic();
    for (const entry of open.values()) {
      if (entry.batch !== batch || entry.resendAt !== 0) continue;
      entry.unanswered = true;
      entry.resendAt = now + entry.waitMs;
      entry.waitMs = Math.min(entry.waitMs * 2, NO_RESPONDER_WAIT_MAX_MS);
    }
  }

  function check(): void {
    const now = clock.monotonic();
    for (const entry of open.values()) {
      if (now >= entry.deadline) {
        const { service, verb } = VERBS[entry.verb];
        const error = entry.unanswered
          ? new TuttiError('unavailable', `no ${service} service answers ${verb}`)
          : new TuttiError('timeout', `${service}.${verb} did not answer in time`);
        finish(entry.item.callId, { ok: false, error: error.toInfo() });
      } else if (entry.resendAt !== 0 ? now >= entry.resendAt : now - entry.lastHeard > LIMITS.silenceMs) {
        send(entry);
      }
    }
    if (open.size === 0) {
      sweep?.stop();
      sweep = undefined;
    }
  }

  function send(entry: Open): void {
    entry.resendAt = 0;
    entry.lastHeard = clock.monotonic();
    outgoing.add(entry.verb, entry);
  }

  const status = bus.onStatus((now) => {
    if (now === 'connected') for (const entry of open.values()) send(entry);
  });

  const caller: Caller = {
    get open() {
      return open.size;
    },
    send(verb, body, options, done) {
      const checked = VERBS[verb].body.safeParse(body);
      if (!checked.success)
        throw new TuttiError('internal', `the body for ${verb} does not fit its schema: ${checked.error.message}`);
      if (closed) return done({ ok: false, error: new TuttiError('cancelled', 'the service is stopping').toInfo() });
      if (open.has(options.callId)) throw new TuttiError('internal', `call ${options.callId} is under way already`);
      const item: RequestItem = {
        callId: options.callId,
        nonce: nextNonce++,
        tenant: options.tenant,
        run: options.run,
        root: options.root,
        session: options.session,
        traceparent: options.traceparent,
        deadlineAt: clock.now() + options.timeoutMs,
        body: checked.data,
      };
      const now = clock.monotonic();
      const entry: Open = {
        verb,
        item,
        done: done as Open['done'],
        lastHeard: now,
        deadline: now + options.timeoutMs,
        batch: '',
        resendAt: 0,
        waitMs: NO_RESPONDER_WAIT_MS,
        unanswered: false,
      };
      open.set(options.callId, entry);
      outgoing.add(verb, entry);
      sweep ??= clock.every(SWEEP_MS, check);
    },
    call(verb, body, options: CallOptions) {
      const callId = options.callId ?? `call_${randomUUID().replaceAll('-', '').slice(0, 26)}`;
      return new Promise((resolve, reject) => {
        if (options.signal?.aborted)
          return reject(new TuttiError('cancelled', `${verb} was cancelled before it began`));
        const abort = () => {
          caller.forget(callId, true);
          reject(new TuttiError('cancelled', `${verb} was cancelled`));
        };
        options.signal?.addEventListener('abort', abort, { once: true });
        caller.send(verb, body, { ...options, callId }, (outcome) => {
          options.signal?.removeEventListener('abort', abort);
          if (outcome.ok) resolve(outcome.body);
          else reject(TuttiError.from(outcome.error));
        });
      });
    },
    forget(callId, cancel) {
      if (cancel) caller.cancel(callId);
      open.delete(callId);
    },
    cancel(callId) {
      const entry = open.get(callId);
      if (!entry) return;
      bus.publish(
        subjects.cancel(VERBS[entry.verb].service),
        bytes.encode(JSON.stringify({ v: 1, callIds: [callId] })),
      );
    },
    close() {
      closed = true;
      sweep?.stop();
      status.stop();
      subscription.stop();
      for (const callId of [...open.keys()])
        finish(callId, { ok: false, error: new TuttiError('cancelled', 'the service is stopping').toInfo() });
    },
  };
  return caller;
}
