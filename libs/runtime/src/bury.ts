/** Dead letters of readers of a stream: what could not be taken in, with the reason and where it stands, for people to see. Stored at least once. */
import { type DeadLetter, subjects } from '@tutti/contracts';
import type { Bus } from './bus/port.ts';

/** Room for the letter around its payload within the server's limit of a message. */
const ENVELOPE_BYTES = 8_192;
const text = new TextDecoder();

/** `id`: the same for every replica and every try, so that within the stream's window a letter is stored once. */
export async function bury(
  bus: Bus,
  id: string,
  record: {
    service: string;
    reason: string;
    subject: string;
    sequence: number;
    at: number;
    data: Uint8Array;
    tenant?: string;
  },
): Promise<void> {
  const { data, ...about } = record;
  // JSON of a text may be up to six times as long as its bytes; what is too large to travel again still stands where it was.
  const fits = data.byteLength * 2 + ENVELOPE_BYTES <= bus.payloadBytesMax;
  const letter: DeadLetter = { v: 1, kind: 'record', ...about, payload: fits ? text.decode(data) : null };
  const encoded = new TextEncoder().encode(JSON.stringify(letter));
  const whole = encoded.byteLength <= bus.payloadBytesMax;
  await bus.append(
    subjects.dead(record.service),
    whole ? encoded : new TextEncoder().encode(JSON.stringify({ ...letter, payload: null })),
    { messageId: id },
  );
}
