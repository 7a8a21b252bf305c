/**
 * The four tools of the calendar. Their annotations and schemas are what a model goes by: reading may be repeated
 * freely; adding and removing give the same state however often they are repeated.
 */
import { type CallToolResult, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { overlaps, periodOf } from './period.ts';
import type { CalendarEvent, CalendarStore } from './store.ts';

const TEXT_CHARS_MAX = 200;
const LISTED_MAX = 200;

const moment = (what: string) =>
  z
    .string()
    .min(10)
    .max(40)
    .describe(`${what}, as a date (2027-05-12, the whole day) or a date-time (2027-05-12T09:30:00+02:00).`);
const period = {
  start: moment('First day or moment of the period; for a trip its departure date'),
  end: moment('Last day (included) or end of the period; for a trip its return date'),
};
const eventFields = {
  id: z.string().describe('Id of the event, as remove_event needs it.'),
  title: z.string().describe('What the event is.'),
  start: z.string().describe('First day, or moment at which it begins.'),
  end: z.string().describe('Last day (included), or moment at which it ends.'),
};
const Event = z.object({
  ...eventFields,
  location: z.string().optional().describe('Where it takes place.'),
  busy: z.boolean().describe('True when it conflicts with other plans; a public holiday does not.'),
});
const Conflict = z.object(eventFields);

const READS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };
const ADDS = { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false };
const REMOVES = { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false };

export function calendarServer(store: CalendarStore, zone: string): McpServer {
  const server = new McpServer({ name: 'travel-calendar', version: '1.0.0' });
  const during = (start: string, end: string): CalendarEvent[] => {
    const wanted = periodOf(start, end, zone);
    return store
      .events()
      .map((event) => ({ event, ...periodOf(event.start, event.end, zone) }))
      .filter((entry) => overlaps(entry, wanted))
      .sort((a, b) => a.from - b.from)
      .map((entry) => entry.event);
  };

  server.registerTool(
    'list_events',
    {
      title: 'List calendar events',
      description: "Lists what is in the traveller's calendar in a period, earliest first.",
      inputSchema: z.strictObject(period),
      outputSchema: z.object({ events: z.array(Event).describe('The events, earliest first.') }),
      annotations: READS,
    },
    ({ start, end }) => result(() => ({ events: during(start, end).slice(0, LISTED_MAX) })),
  );

  server.registerTool(
    'check_availability',
    {
      title: 'Check availability',
      description:
        "Says whether the traveller's calendar is free in a period, and which events conflict with it. Use it before booking a trip.",
      inputSchema: z.strictObject(period),
      outputSchema: z.object({
        available: z.boolean().describe('True when nothing conflicts.'),
        conflicts: z.array(Conflict).describe('Events in the way, earliest first; empty when available.'),
      }),
      annotations: READS,
    },
    ({ start, end }) =>
      result(() => {
        const conflicts = during(start, end).filter((event) => event.busy);
        return {
          available: conflicts.length === 0,
          conflicts: conflicts.map(({ id, title, start, end }) => ({ id, title, start, end })),
        };
      }),
  );

  server.registerTool(
    'add_event',
    {
      title: 'Add a calendar event',
      description:
        "Adds an event to the traveller's calendar, for example a trip after it was booked. Adding the same event again changes nothing.",
      inputSchema: z.strictObject({
        title: z.string().trim().min(1).max(TEXT_CHARS_MAX).describe('Short title of the event, e.g. "Trip to Tokyo".'),
        ...period,
        location: z
          .string()
          .max(TEXT_CHARS_MAX)
          .optional()
          .describe('Where it takes place, e.g. the city of the trip.'),
      }),
      outputSchema: z.object({ event: Event.describe('The event as it now stands in the calendar.') }),
      annotations: ADDS,
    },
    ({ title, start, end, location }) =>
      result(() => {
        periodOf(start, end, zone);
        return { event: store.add({ title, start, end, busy: true, ...(location && { location }) }) };
      }),
  );

  server.registerTool(
    'remove_event',
    {
      title: 'Remove a calendar event',
      description: "Removes an event from the traveller's calendar, for example a trip that was cancelled or moved.",
      inputSchema: z.strictObject({
        id: z.string().min(1).max(TEXT_CHARS_MAX).describe('Id of the event, from list_events or add_event.'),
      }),
      outputSchema: z.object({
        id: z.string().describe('The id that was asked for.'),
        removed: z.boolean().describe('False when there was no such event (any more).'),
      }),
      annotations: REMOVES,
    },
    ({ id }) => result(() => ({ id, removed: store.remove(id) !== undefined })),
  );
  return server;
}

/** What the caller can mend comes back as a tool error that it can read. */
function result(work: () => Record<string, unknown>): CallToolResult {
  try {
    const data = work();
    return { content: [{ type: 'text', text: JSON.stringify(data) }], structuredContent: data };
  } catch (error) {
    return { content: [{ type: 'text', text: (error as Error).message }], isError: true };
  }
}
