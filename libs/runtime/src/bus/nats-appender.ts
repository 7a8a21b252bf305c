/**
 * The lean publisher: one reply subscription, a map of waiting promises, one sweep for time limits. A fifth of the
 * library's CPU per publish (FACTS.md). Invariant: every append ends, as stored, refused or unknown.
 */
import { TuttiError } from '@tutti/contracts';
import { headers, type Msg, type NatsConnection } from 'nats';
import type { Logger } from '../log.ts';
import type { Outbox } from './outbox.ts';
import { type AppendOptions, BusConflict, BusUnknown } from './port.ts';

export const APPEND_TIMEOUT_MS = 5_000;
const SWEEP_MS = 250;
const WRONG_LAST_SEQUENCE = [10071, 10164];
const text = new TextDecoder();

interface Waiting {
  subject: string;
  deadline: number;
  resolve(sequence: number): void;
  reject(error: Error): void;
}

interface PublishAck {
  seq?: number;
  error?: { code: number; err_code?: number; description?: string };
}

export function createAppender(nc: NatsConnection, outbox: Outbox, replyPrefix: string, log: Logger) {
  const waiting = new Map<string, Waiting>();
  let next = 0;
  let sweep: NodeJS.Timeout | undefined;

  nc.subscribe(`${replyPrefix}.*`, {
    callback: (_error, message) => {
      try {
        settle(message);
      } catch (error) {
        log.error({ error }, 'an acknowledgement could not be read');
      }
    },
  });

  function settle(message: Msg): void {
    const token = message.subject.slice(replyPrefix.length + 1);
    const entry = waiting.get(token);
    if (!entry) return;
    waiting.delete(token);
    if (message.data.length === 0)
      return entry.reject(new TuttiError('unavailable', `no stream takes ${entry.subject} right now`));
    const ack = JSON.parse(text.decode(message.data)) as PublishAck;
    if (ack.error) return entry.reject(errorOf(entry.subject, ack.error));
    if (ack.seq === undefined)
      return entry.reject(new BusUnknown(`the acknowledgement for ${entry.subject} has no sequence`));
    entry.resolve(ack.seq);
  }

  function errorOf(subject: string, error: NonNullable<PublishAck['error']>): Error {
    const what = `${subject}: ${error.description ?? 'refused'} (${error.err_code ?? error.code})`;
    if (WRONG_LAST_SEQUENCE.includes(error.err_code ?? 0)) return new BusConflict(what);
    if (error.code === 503) return new TuttiError('unavailable', what);
    return new TuttiError('internal', what);
  }

  function expire(): void {
    const now = performance.now();
    for (const [token, entry] of waiting) {
      if (entry.deadline > now) continue;
      waiting.delete(token);
      entry.reject(new BusUnknown(`no acknowledgement for ${entry.subject} in time`));
    }
    if (waiting.size === 0) {
      clearInterval(sweep);
      sweep = undefined;
    }
  }

  return {
    append(subject: string, data: Uint8Array, options: AppendOptions): Promise<number> {
      return new Promise((resolve, reject) => {
        const token = (next++).toString(36);
        waiting.set(token, {
          subject,
          deadline: performance.now() + (options.timeoutMs ?? APPEND_TIMEOUT_MS),
          resolve,
          reject,
        });
        sweep ??= setInterval(expire, SWEEP_MS);
        outbox.add({
          subject,
          bytes: data.length,
          send: () => nc.publish(subject, data, { reply: `${replyPrefix}.${token}`, headers: headersOf(options) }),
          failed(error) {
            waiting.delete(token);
            const what = `could not publish ${subject}: ${(error as Error).message}`;
            reject(new TuttiError('unavailable', what, { cause: error }));
          },
        });
      });
    },
    failAll(reason: string): void {
      for (const [token, entry] of waiting) {
        waiting.delete(token);
        entry.reject(new BusUnknown(`${entry.subject}: ${reason}`));
      }
    },
  };
}

function headersOf(options: AppendOptions) {
  if (options.expectedLastSubjectSequence === undefined && !options.messageId && !options.headers) return undefined;
  const list = headers();
  if (options.expectedLastSubjectSequence !== undefined)
    list.set('Nats-Expected-Last-Subject-Sequence', String(options.expectedLastSubjectSequence));
  if (options.messageId) list.set('Nats-Msg-Id', options.messageId);
  for (const [key, value] of Object.entries(options.headers ?? {})) list.set(key, value);
  return list;
}
