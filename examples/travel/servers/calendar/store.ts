/**
 * The calendar's state: one JSON file, read anew for every call and replaced whole (temporary file, fsync, rename), so
 * that it is always one complete version, whatever kills the process. Several processes may serve one file; of two
 * changes within the same few milliseconds from different processes the later wins.
 */
import { createHash, randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `start` and `end` are both dates (whole days, the last one included) or both date-times with an offset. */
export type CalendarEvent = {
  id: string;
  title: string;
  start: string;
  end: string;
  location?: string;
  /** Whether it conflicts with other plans; a public holiday does not. */
  busy: boolean;
};

export const EVENTS_MAX = 5_000;

export class CalendarStore {
  private readonly directory: string;
  private readonly path: string;

  constructor(directory: string, seed: readonly CalendarEvent[]) {
    this.directory = directory;
    this.path = join(directory, 'calendar.json');
    mkdirSync(directory, { recursive: true });
    if (this.read() === undefined) this.write([...seed]);
  }

  events(): CalendarEvent[] {
    return this.read() ?? [];
  }

  /** The id is a function of what is added: adding the same thing again changes nothing. */
  add(fields: Omit<CalendarEvent, 'id'>): CalendarEvent {
    const event = { id: idOf(fields), ...fields };
    const events = this.events();
    const known = events.find((e) => e.id === event.id);
    if (known) return known;
    if (events.length >= EVENTS_MAX) throw new Error(`The calendar is full (${EVENTS_MAX} events); remove some first.`);
    this.write([...events, event]);
    return event;
  }

  /** The event that was removed; undefined when there was none. */
  remove(id: string): CalendarEvent | undefined {
    const events = this.events();
    const known = events.find((e) => e.id === id);
    if (known) this.write(events.filter((e) => e !== known));
    return known;
  }

  private read(): CalendarEvent[] | undefined {
    try {
      return JSON.parse(readFileSync(this.path, 'utf8')).events;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  private write(events: CalendarEvent[]): void {
    const temporary = `${this.path}.${randomUUID()}.tmp`;
    try {
      writeFileSync(temporary, `${JSON.stringify({ events }, null, 2)}\n`, { flush: true });
      renameSync(temporary, this.path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    const handle = openSync(this.directory, 'r');
    fsyncSync(handle);
    closeSync(handle);
  }
}

function idOf({ title, start, end, location }: Omit<CalendarEvent, 'id'>): string {
  const text = JSON.stringify([title, start, end, location ?? null]);
  return `evt_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
}
