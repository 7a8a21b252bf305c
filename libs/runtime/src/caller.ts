/**
 * Asks other services. All requests of a tick to one verb travel as one message; answers come back on one inbox.
 * Invariant: every call ends exactly once. A worker that fell silent, or nobody there: the same call is sent again under
 * the same callId until its time is over, which is safe because receivers are idempotent.
 */

import { randomUUID } from 'node:crypto';
import {
  type Claim,
  type ErrorInfo,
  LIMITS,
  type RequestItem,
  ResultBatch,
  type ResultItem,
  subjects,
  TuttiError,
  toErrorInfo,
  VERBS,
  type VerbName,
} from '@tutti/contracts';
import type { Bus } from './bus/port.ts';
import type { Caller, CallOptions } from './caller-port.ts';
import { createClaims, tooLarge } from './claims.ts';
import { type Clock, systemClock } from './clock.ts';
import { createCoalescer, packJson } from './coalesce.ts';
import { type Logger, logOf } from './log.ts';
import { METRIC } from './metric-names.ts';
import { createMetrics } from './metrics.ts';

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
  /** A large request is on its way into the object store, or a large result out of it. */
  moving: boolean;
  /** The workers were told to give it up. */
  cancelled: boolean;
  /** Claims that are taken away when the call has ended. */
  claims: Claim[];
  /** The same call, asked for by another run. */
  twin: Open | undefined;
}

export function createCaller(bus: Bus, log: Logger, clock: Clock = systemClock, metrics = createMetrics()): Caller {
  const resent = metrics.counter(METRIC.callsResent);
  /** By call id, the first asking of each; those of other runs behind it. */
  const open = new Map<string, Open>();
  const claims = createClaims(bus, log);
  const prefix = `${bus.inbox}.call`;
  let nextBatch = 0;
  let nextNonce = 1;
  let closed = false;
  let sweep: { stop(): void } | undefined;
  let sweptAt = 0;

  const outgoing = createCoalescer<Open>(
    LIMITS.batchItemsMax,
    (key, entries) => {
      const { service, verb } = VERBS[key as VerbName];
      const batch = (nextBatch++).toString(36);
      packJson(
        entries.filter((entry) => isOpen(entry) && !entry.moving),
        (entry) => JSON.stringify(entry.item),
        bus.payloadBytesMax - ENVELOPE_BYTES,
        (joined) => `{"v":1,"items":[${joined}]}`,
        (data, sent) => {
          for (const entry of sent) entry.batch = batch;
          bus.publish(subjects.request(service, verb), data, { reply: `${prefix}.${batch}` });
        },
        (entry, size) => void byReference(entry, size),
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
    for (const callId of parsed.data.alive)
      for (let entry = open.get(callId); entry; entry = entry.twin) entry.lastHeard = now;
    for (const result of parsed.data.results) {
      let entry = open.get(result.callId);
      // An answer to an earlier asking of the same call (before its approval, say) is not the answer to this one.
      while (entry && entry.item.nonce !== result.nonce) entry = entry.twin;
      if (entry) settle(entry, result);
    }
  });

  function find(callId: string, run?: string): Open | undefined {
    let entry = open.get(callId);
    while (entry && run !== undefined && entry.item.run !== run) entry = entry.twin;
    return entry;
  }
  function isOpen(entry: Open): boolean {
    let other = open.get(entry.item.callId);
    while (other && other !== entry) other = other.twin;
    return other === entry;
  }
  function all(): Open[] {
    const entries: Open[] = [];
    for (const first of open.values())
      for (let entry: Open | undefined = first; entry; entry = entry.twin) entries.push(entry);
    return entries;
  }
  /** False when it was not open any more. */
  function unlink(entry: Open): boolean {
    const { callId } = entry.item;
    const first = open.get(callId);
    if (first === entry) {
      if (entry.twin) open.set(callId, entry.twin);
      else open.delete(callId);
      return true;
    }
    for (let before = first; before; before = before.twin) {
      if (before.twin !== entry) continue;
      before.twin = entry.twin;
      return true;
    }
    return false;
  }

  /** A request that no message holds. Its answer's time runs while it is being stored. */
  async function byReference(entry: Open, size: number): Promise<void> {
    const { callId, nonce, body } = entry.item;
    const { service, verb } = VERBS[entry.verb];
    if (size > LIMITS.payloadBytesMax)
      return finish(entry, { ok: false, error: tooLarge(`the request to ${service}.${verb}`, size).toInfo() });
    entry.moving = true;
    try {
      const claim = await claims.leave(`${callId}.${nonce}.request`, JSON.stringify(body));
      entry.claims.push(claim);
      entry.moving = false;
      // It has ended or was given up meanwhile.
      if (!isOpen(entry)) return dropClaims(entry);
      entry.item = { ...entry.item, body: undefined, claim };
      send(entry);
    } catch (error) {
      log.warn(
        { ...logOf({ ...entry.item, callId }), err: error, verb: entry.verb },
        'a large request cannot be stored yet',
      );
      entry.moving = false;
      later(entry);
    }
  }

  function settle(entry: Open, result: ResultItem): void {
    if (!result.ok) return finish(entry, result);
    if (result.claim) return void fetched(entry, result.claim);
    check(entry, result.body);
  }

  async function fetched(entry: Open, claim: Claim): Promise<void> {
    if (entry.moving) return;
    entry.moving = true;
    entry.claims.push(claim);
    const found = await claims.fetch(claim).then(
      (body) => ({ body }),
      (error) => ({ error: toErrorInfo(error) }),
    );
    // It has ended or was given up meanwhile; another asking may be under way under its id.
    if (!isOpen(entry)) return dropClaims(entry);
    if ('error' in found) finish(entry, { ok: false, error: found.error });
    else check(entry, found.body);
  }

  function check(entry: Open, body: unknown): void {
    const parsed = VERBS[entry.verb].result.safeParse(body);
    if (parsed.success) return finish(entry, { ok: true, body: parsed.data as never });
    finish(entry, {
      ok: false,
      error: {
        code: 'internal',
        message: `the answer of ${entry.verb} does not fit its schema: ${parsed.error.message}`,
        retryable: false,
      },
    });
  }

  function dropClaims(entry: Open): void {
    for (const claim of entry.claims.splice(0)) claims.drop(claim);
  }

  function finish(entry: Open, outcome: Outcome): void {
    if (!unlink(entry)) return;
    dropClaims(entry);
    try {
      entry.done(outcome);
    } catch (error) {
      log.error({ error, verb: entry.verb }, 'the receiver of an answer threw');
    }
  }

  function nobodyThere(batch: string): void {
    for (const entry of all()) {
      if (entry.batch !== batch || entry.resendAt !== 0) continue;
      entry.unanswered = true;
      later(entry);
    }
  }

  function later(entry: Open): void {
    entry.resendAt = clock.monotonic() + entry.waitMs;
    entry.waitMs = Math.min(entry.waitMs * 2, NO_RESPONDER_WAIT_MAX_MS);
  }

  function sweepOpen(): void {
    const now = clock.monotonic();
    // This process stood still: what was answered meanwhile is about to come in, and much may not be its own any more.
    const stalled = now - sweptAt > LIMITS.silenceMs;
    sweptAt = now;
    for (const entry of all()) {
      if (stalled) entry.lastHeard = now;
      if (now >= entry.deadline) {
        const { service, verb } = VERBS[entry.verb];
        const error = entry.unanswered
          ? new TuttiError('unavailable', `no ${service} service answers ${verb}`)
          : new TuttiError('timeout', `${service}.${verb} did not answer in time`);
        finish(entry, { ok: false, error: error.toInfo() });
      } else if (
        !entry.moving &&
        !stalled &&
        (entry.resendAt !== 0 ? now >= entry.resendAt : now - entry.lastHeard > LIMITS.silenceMs)
      ) {
        resent.of(entry.verb, entry.resendAt === 0 ? 'silence' : 'nobody').inc();
        send(entry);
      }
    }
    if (open.size === 0) {
      sweep?.stop();
      sweep = undefined;
    }
  }

  function send(entry: Open): void {
    if (entry.cancelled) {
      const error = new TuttiError('cancelled', 'it was cancelled, and nothing was heard of it any more');
      return finish(entry, { ok: false, error: error.toInfo() });
    }
    entry.resendAt = 0;
    entry.lastHeard = clock.monotonic();
    entry.item.leftMs = Math.max(1, Math.round(entry.deadline - entry.lastHeard));
    outgoing.add(entry.verb, entry);
  }

  const status = bus.onStatus((now) => {
    if (now !== 'connected') return;
    for (const entry of all()) {
      if (entry.cancelled) continue;
      resent.of(entry.verb, 'reconnect').inc();
      send(entry);
    }
  });

  const caller: Caller = {
    get open() {
      return open.size;
    },
    send(verb, body, options, done) {
      if (closed) return done({ ok: false, error: new TuttiError('cancelled', 'the service is stopping').toInfo() });
      const others = open.get(options.callId);
      if (others && find(options.callId, options.run))
        throw new TuttiError('internal', `call ${options.callId} is under way already`);
      const item: RequestItem = {
        callId: options.callId,
        nonce: nextNonce++,
        tenant: options.tenant,
        run: options.run,
        root: options.root,
        session: options.session,
        traceparent: options.traceparent,
        deadlineAt: clock.now() + options.timeoutMs,
        leftMs: options.timeoutMs,
        // Put through its schema by whoever takes it in, as its result is here.
        body,
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
        moving: false,
        cancelled: false,
        claims: [],
        twin: others,
      };
      open.set(options.callId, entry);
      outgoing.add(verb, entry);
      if (sweep) return;
      sweptAt = now;
      sweep = clock.every(SWEEP_MS, sweepOpen);
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
    forget(callId, cancel, run) {
      const entry = find(callId, run);
      if (!entry) return;
      if (cancel) caller.cancel(callId, run);
      unlink(entry);
      // Handed over, not given up: whoever asks next may be about to read it.
      if (cancel) dropClaims(entry);
    },
    cancel(callId, run) {
      const entry = find(callId, run);
      if (!entry) return;
      entry.cancelled = true;
      bus.publish(
        subjects.cancel(VERBS[entry.verb].service),
        bytes.encode(JSON.stringify({ v: 1, callIds: [callId], run })),
      );
    },
    bar(verb, { tenant, run, callId }) {
      bus.publish(
        subjects.cancel(VERBS[verb].service),
        bytes.encode(JSON.stringify({ v: 1, callIds: [callId], run, bar: tenant })),
      );
    },
    close() {
      closed = true;
      sweep?.stop();
      status.stop();
      subscription.stop();
      for (const entry of all())
        finish(entry, { ok: false, error: new TuttiError('cancelled', 'the service is stopping').toInfo() });
    },
  };
  return caller;
}
