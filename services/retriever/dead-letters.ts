/** Records of the document log that cannot be indexed, kept for people in TUTTI_DEAD_LETTERS with the reason and where they stand. Stored at least once. */
import { STREAMS } from '@tutti/contracts';
import type { Bus } from '@tutti/runtime';
import type { LogRecord, Refusal } from './ports/index-engine.ts';

export const DEAD_LETTERS_SUBJECT = 'tutti.dead.retriever';
const REASON_CHARS_MAX = 1_000;
/** Room for the headers within the server's limit of a message. */
const HEADERS_BYTES_MAX = 4_096;

/** The id is the same for every replica, so that within the stream's window a letter is stored once. */
export async function bury(bus: Bus, refusal: Refusal, record: LogRecord): Promise<void> {
  const fits = record.data.byteLength + HEADERS_BYTES_MAX <= bus.payloadBytesMax;
  await bus.append(DEAD_LETTERS_SUBJECT, fits ? record.data : new Uint8Array(), {
    messageId: `retriever.${STREAMS.knowledge.name}.${record.sequence}.${record.storedAt}`,
    headers: {
      'Tutti-Reason': refusal.reason.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, REASON_CHARS_MAX),
      'Tutti-Stream': STREAMS.knowledge.name,
      'Tutti-Subject': record.subject,
      'Tutti-Sequence': String(record.sequence),
      'Tutti-Stored-At': new Date(record.storedAt).toISOString(),
    },
  });
}
