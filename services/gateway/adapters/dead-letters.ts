/**
 * The stream of dead letters, read from its newest end. Bounded: a list looks at no more than `SCANNED_MAX` messages,
 * and says where to go on.
 */
import { type InboundMessage, ResentNote, STREAMS, subjects } from '@tutti/contracts';
import type { Bus } from '@tutti/runtime';
import { type FoundLetter, readLetter } from '../core/dead-letters.ts';
import type { Partitions } from '../ports/partitions.ts';

const STREAM = STREAMS.deadLetters.name;
const ALL = 'tutti.dead.>';
/** Messages that one list looks at, and how many at a time. */
const SCANNED_MAX = 2_000;
const AT_ONCE = 32;

export interface DeadLetters {
  /**
   * Newest first, those before position `before`. `next`: there may be more before this position; null: there are none.
   */
  list(options: {
    wanted(found: FoundLetter): boolean;
    before: number | undefined;
    limit: number;
  }): Promise<{ found: FoundLetter[]; next: number | null }>;
  at(position: number): Promise<FoundLetter | null>;
  remove(position: number): Promise<void>;
  /** When it was sent again last; null: never. */
  resent(position: number): Promise<ResentNote | null>;
  /** Within the stream's window for repeats it is noted once. */
  note(position: number, note: ResentNote): Promise<void>;
}

export function createDeadLetters(bus: Bus, partitions: Partitions): DeadLetters {
  const subjectOf = ({ run, tenant, session }: InboundMessage) =>
    subjects.inbound(partitions.of(run), tenant, session, run);

  async function at(position: number): Promise<FoundLetter | null> {
    const stored = await bus.message(STREAM, position);
    return stored && readLetter(stored, subjectOf);
  }

  return {
    at,
    async list({ wanted, before, limit }) {
      const newest = (await bus.last(STREAM, ALL))?.sequence ?? 0;
      const top = Math.min(newest, (before ?? Number.POSITIVE_INFINITY) - 1);
      const bottom = Math.max(1, top - SCANNED_MAX + 1);
      const found: FoundLetter[] = [];
      for (let high = top; high >= bottom; high -= AT_ONCE) {
        const count = Math.min(AT_ONCE, high - bottom + 1);
        const batch = await Promise.all(Array.from({ length: count }, (_, i) => at(high - i)));
        for (const one of batch) {
          if (!one || !wanted(one)) continue;
          if (found.length === limit) return { found, next: found.at(-1)!.position };
          found.push(one);
        }
      }
      return { found, next: bottom > 1 ? bottom : null };
    },
    remove: (position) => bus.remove(STREAM, position),
    async resent(position) {
      const stored = await bus.last(STREAM, subjects.resent(position));
      const note = stored && ResentNote.safeParse(JSON.parse(new TextDecoder().decode(stored.data)));
      return note?.success ? note.data : null;
    },
    async note(position, note) {
      const data = new TextEncoder().encode(JSON.stringify(note));
      await bus.append(subjects.resent(position), data, { messageId: `resent:${position}` });
    },
  };
}
