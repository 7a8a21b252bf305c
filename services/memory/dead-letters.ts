/** What memory could not project, kept for people in TUTTI_DEAD_LETTERS with the reason and where it stood. Stored at least once. */
import { type Bus, bury as buryRecord } from '@tutti/runtime';
import type { Position } from './core/group.ts';

export const DEAD_LETTERS_SUBJECT = 'tutti.dead.memory';

export interface DeadLetter {
  stream: string;
  subject: string;
  position: Position;
  reason: string;
  data: Uint8Array;
  /** Tells several letters about one message apart. */
  part: string;
}

export function bury(bus: Bus, letter: DeadLetter): Promise<void> {
  const { stream, subject, position, reason, data, part } = letter;
  const { sequence, storedAt: at } = position;
  const id = `memory.${stream}.${sequence}.${at}.${part}`;
  return buryRecord(bus, id, { service: 'memory', reason, subject, sequence, at, data });
}
