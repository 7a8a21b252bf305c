/** What memory could not project, kept for people in TUTTI_DEAD_LETTERS with the reason and where it stood. Stored at least once. */
import type { Bus } from '@tutti/runtime';
import type { Position } from './core/group.ts';

export const DEAD_LETTERS_SUBJECT = 'tutti.dead.memory';
const REASON_CHARS_MAX = 1_000;
/** Room for the headers within the server's limit of a message. */
const HEADERS_BYTES_MAX = 4_096;

export interface DeadLetter {
  stream: string;
  subject: string;
  position: Position;
  reason: string;
  data: Uint8Array;
  /** Tells several letters about one message apart. */
  part: string;
}

/** The data as it was; where it is too large to travel again the headers alone, which say where it stands. */
export async function bury(bus: Bus, letter: DeadLetter): Promise<void> {
  const fits = letter.data.byteLength + HEADERS_BYTES_MAX <= bus.payloadBytesMax;
  await bus.append(DEAD_LETTERS_SUBJECT, fits ? letter.data : new Uint8Array(), {
    messageId: `memory.${letter.stream}.${letter.position.sequence}.${letter.position.storedAt}.${letter.part}`,
    headers: {
      'Tutti-Reason': printable(letter.reason),
      'Tutti-Stream': letter.stream,
      'Tutti-Subject': letter.subject,
      'Tutti-Sequence': String(letter.position.sequence),
      'Tutti-Stored-At': new Date(letter.position.storedAt).toISOString(),
    },
  });
}

/** A header is one line of ASCII. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, REASON_CHARS_MAX);
}
