/** Dead letters as they lie in their stream, in today's form and in that of earlier versions. Pure. */
import { DeadLetter, deadLetterId, InboundMessage, type ResentNote } from '@tutti/contracts';
import { iso } from './views.ts';

/** A letter, and where it lies. */
export interface FoundLetter {
  position: number;
  letter: DeadLetter;
}

export interface StoredLetter {
  subject: string;
  data: Uint8Array;
  sequence: number;
  storedAt: number;
  headers?: Record<string, string>;
}

const PREFIX = 'tutti.dead.';
const text = new TextDecoder();

/** Null: a message of the stream that is no letter (a note). `subjectOf`: where a message for a run goes. */
export function readLetter(stored: StoredLetter, subjectOf: (message: InboundMessage) => string): FoundLetter | null {
  const service = stored.subject.slice(PREFIX.length);
  if (service.includes('.')) return null;
  const raw = text.decode(stored.data);
  const value = parseJson(raw);
  const parsed = DeadLetter.safeParse(value);
  const letter = parsed.success ? parsed.data : earlierLetter(stored, service, value ?? raw, subjectOf);
  return { position: stored.sequence, letter };
}

/** What services wrote before letters had a form: the message as it was, and what there is to say in headers. */
function earlierLetter(
  { headers = {}, storedAt }: StoredLetter,
  service: string,
  payload: unknown,
  subjectOf: (message: InboundMessage) => string,
): DeadLetter {
  const sequence = Number(headers['Tutti-Sequence']);
  const about = {
    v: 1 as const,
    service,
    reason: headers['Tutti-Reason'] ?? 'written by an earlier version, without a reason',
    at: storedAt,
    ...(Number.isInteger(sequence) && sequence > 0 ? { sequence } : {}),
    payload,
  };
  const message = service === 'planner' ? InboundMessage.safeParse(payload) : undefined;
  if (message?.success) {
    const { tenant, session, run } = message.data;
    return { ...about, kind: 'inbound', tenant, session, run, subject: subjectOf(message.data) };
  }
  const subject = headers['Tutti-Subject'];
  return { ...about, kind: 'record', ...(subject ? { subject } : {}) };
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

export function letterBody({ position, letter }: FoundLetter, resent: ResentNote | null) {
  const { service, kind, reason, at, run, session, version, callId, subject, sequence } = letter;
  return {
    id: deadLetterId(position),
    object: 'dead_letter' as const,
    service,
    kind,
    reason,
    at: iso(at),
    run: run ?? null,
    session: session ?? null,
    version: version ?? null,
    callId: callId ?? null,
    subject: subject ?? null,
    sequence: sequence ?? null,
    resent: resent && { at: iso(resent.at), by: resent.by, as: resent.as, run: resent.run ?? null },
  };
}

/** As it goes out again: what was no JSON, as the text that it was. */
export function bytesOf(payload: unknown): Uint8Array {
  return new TextEncoder().encode(typeof payload === 'string' ? payload : JSON.stringify(payload));
}
