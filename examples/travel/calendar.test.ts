/** The calendar as an MCP client sees it: a real process over real stdio, in both eras of the protocol. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TRAVEL_DIR, temporaryFolder } from './testing.ts';

let folder: ReturnType<typeof temporaryFolder>;
let client: Client;
let transport: StdioClientTransport;

async function connect(mode: 'legacy' | 'auto' = 'auto'): Promise<void> {
  transport = new StdioClientTransport({
    command: process.execPath,
    args: [join(TRAVEL_DIR, 'servers/calendar/main.ts')],
    env: { DATA_DIR: folder.path },
  });
  client = new Client({ name: 'test', version: '1.0.0' }, { versionNegotiation: { mode } });
  await client.connect(transport);
}
beforeEach(async () => {
  folder = temporaryFolder();
  await connect();
});
afterEach(async () => {
  await client.close();
  folder.remove();
});

/** The structured content, which the client has checked against the tool's output schema. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
async function call(name: string, args: Record<string, unknown>): Promise<any> {
  const result = await client.callTool({ name, arguments: args });
  expect(result.isError, JSON.stringify(result.content)).toBeFalsy();
  return result.structuredContent;
}

async function refusal(name: string, args: Record<string, unknown>): Promise<string> {
  const result = await client.callTool({ name, arguments: args });
  expect(result.isError).toBe(true);
  return JSON.stringify(result.content);
}

const available = async (start: string, end: string) => (await call('check_availability', { start, end })).available;

describe.each(['auto', 'legacy'] as const)('with protocol negotiation "%s"', (mode) => {
  test('tools have schemas for what they take and give, and annotations', async () => {
    await client.close();
    await connect(mode);
    const { tools } = await client.listTools();
    expect(tools.map((t) => t.name).sort()).toEqual(['add_event', 'check_availability', 'list_events', 'remove_event']);
    for (const tool of tools) {
      expect(tool.inputSchema.type).toBe('object');
      expect(tool.outputSchema, tool.name).toBeDefined();
      const reads = ['list_events', 'check_availability'].includes(tool.name);
      expect(tool.annotations).toMatchObject({ readOnlyHint: reads, idempotentHint: true });
    }
    expect(await available('2027-05-12', '2027-05-16')).toBe(true);
  });
});

describe('availability', () => {
  test('the two trips of the walk-through are free', async () => {
    expect(await available('2027-05-12', '2027-05-16')).toBe(true);
    expect(await available('2027-05-19', '2027-05-23')).toBe(true);
  });

  test('the board meeting is in the way, and says so', async () => {
    expect(await call('check_availability', { start: '2027-06-07', end: '2027-06-11' })).toEqual({
      available: false,
      conflicts: [{ id: 'seed_board', title: 'Board meeting', start: '2027-06-08', end: '2027-06-09' }],
    });
  });

  test('whole days include the last one; a public holiday is no conflict', async () => {
    expect(await available('2027-06-09', '2027-06-09')).toBe(false);
    expect(await available('2027-06-10', '2027-06-11')).toBe(true);
    expect(await available('2027-05-17', '2027-05-17')).toBe(true);
    expect((await call('list_events', { start: '2027-05-17', end: '2027-05-18' })).events).toMatchObject([
      { title: 'Whit Monday (public holiday)', busy: false },
      { title: 'Team weekly', busy: true },
    ]);
  });

  test('date-times, with an offset or in the zone of the calendar', async () => {
    expect(await available('2027-05-18T10:30:00+02:00', '2027-05-18T11:00:00+02:00')).toBe(true);
    expect(await available('2027-05-18T08:00:00Z', '2027-05-18T09:00:00Z')).toBe(false);
    expect(await available('2027-05-18T10:00', '2027-05-18T11:00')).toBe(false);
    expect(await available('2027-03-02T09:30', '2027-03-02T10:00')).toBe(true);
  });

  test('periods that make no sense are refused with words', async () => {
    expect(await refusal('check_availability', { start: '2027-05-16', end: '2027-05-12' })).toContain(
      'must be after start',
    );
    expect(await refusal('check_availability', { start: '2027-02-30', end: '2027-03-01' })).toContain('is no date');
    expect(await refusal('list_events', { start: 'next Tuesday', end: '2027-03-01' })).toContain('is no date');
  });
});

describe('changes', () => {
  const trip = { title: 'Trip to Tokyo', start: '2027-05-12', end: '2027-05-16', location: 'Tokyo' };

  test('adding is kept over kill -9, adding again changes nothing, removing frees the days', async () => {
    const { event } = await call('add_event', trip);
    expect(event).toMatchObject({ ...trip, busy: true });
    process.kill(transport.pid!, 'SIGKILL');
    await client.close();
    await connect();
    expect((await call('check_availability', { start: trip.start, end: trip.end })).conflicts).toMatchObject([
      { id: event.id, title: trip.title },
    ]);
    expect((await call('add_event', trip)).event).toEqual(event);
    expect((await call('list_events', { start: trip.start, end: trip.end })).events).toHaveLength(1);
    expect(await call('remove_event', { id: event.id })).toEqual({ id: event.id, removed: true });
    expect(await call('remove_event', { id: event.id })).toEqual({ id: event.id, removed: false });
    expect(await available(trip.start, trip.end)).toBe(true);
  });

  test('the file is whole and alone after many changes', async () => {
    for (let day = 10; day < 20; day++) {
      await call('add_event', { title: `Day ${day}`, start: `2027-10-${day}`, end: `2027-10-${day}` });
    }
    expect(readdirSync(folder.path)).toEqual(['calendar.json']);
    const { events } = JSON.parse(readFileSync(join(folder.path, 'calendar.json'), 'utf8'));
    expect(events.filter((e: { title: string }) => e.title.startsWith('Day '))).toHaveLength(10);
  });

  test('what makes no event is refused', async () => {
    expect(await refusal('add_event', { ...trip, end: '2027-05-11' })).toContain('must be after start');
    expect(await refusal('add_event', { ...trip, title: ' ' })).toContain('title');
  });
});
