/**
 * The calendar of the travel example: an MCP server over stdio; wiring only. It ends when its standard input does.
 *
 * Environment: `DATA_DIR` (where calendar.json is kept), `CALENDAR_TIME_ZONE` (Europe/Berlin: the zone in which days
 * begin and date-times without an offset are meant). Standard output belongs to the protocol; notes go to stderr.
 */
import { resolve } from 'node:path';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { SEED } from './seed.ts';
import { CalendarStore } from './store.ts';
import { calendarServer } from './tools.ts';

const store = new CalendarStore(resolve(process.env.DATA_DIR ?? 'data'), SEED);
const zone = process.env.CALENDAR_TIME_ZONE ?? 'Europe/Berlin';

serveStdio(() => calendarServer(store, zone), { onerror: (error) => console.error(`calendar: ${error.message}`) });
