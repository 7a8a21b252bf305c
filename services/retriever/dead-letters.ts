/** Records of the document log that cannot be indexed, kept for people in TUTTI_DEAD_LETTERS with the reason and where they stand. */
import { STREAMS } from '@tutti/contracts';
import { type Bus, bury as buryRecord } from '@tutti/runtime';
import type { LogRecord, Refusal } from './ports/index-engine.ts';

export const DEAD_LETTERS_SUBJECT = 'tutti.dead.retriever';

export function bury(bus: Bus, refusal: Refusal, record: LogRecord): Promise<void> {
  const { subject, sequence, storedAt: at, data } = record;
  const id = `retriever.${STREAMS.knowledge.name}.${sequence}.${at}`;
  const [tenant] = subject.split('.').slice(2);
  return buryRecord(bus, id, {
    service: 'retriever',
    reason: refusal.reason,
    subject,
    sequence,
    at,
    data,
    ...(tenant ? { tenant } : {}),
  });
}
