import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DeadLetter, LOG_FORMAT, type RunEntry, TuttiError } from '@tutti/contracts';
import { type AppendOptions, type Bus, createLogger, type StoredMessage } from '@tutti/runtime';
import { until } from '@tutti/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSqliteStore } from './adapters/sqlite/store.ts';
import { expectedOf, snapshot } from './adapters/store-contract.ts';
import type { MemoryStore } from './ports/store.ts';
import { createProjector, type ProjectorLimits } from './projector.ts';
import { batchOf, lateOf, runLog, travelRun } from './testing/entries.ts';

const STREAM = 'TUTTI_LOG';
const LIMITS = { groupMessagesMax: 16, groupEntriesMax: 1_000, bufferMessagesMax: 64, runsCachedMax: 2 };
const log = createLogger({}, { level: 'silent' });

let folder: string;
let store: MemoryStore;
let letters: { data: string; options: AppendOptions }[];
/** Errors that the next appends meet. */
let busFailures: Error[];
const bus = {
  payloadBytesMax: 1_000_000,
  async append(_subject: string, data: Uint8Array, options: AppendOptions) {
    const failure = busFailures.shift();
    if (failure) throw failure;
    letters.push({ data: new TextDecoder().decode(data), options });
    return letters.length;
  },
} as unknown as Bus;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tutti-projector-'));
  store = openSqliteStore(join(folder, 'memory.sqlite'));
  letters = [];
  busFailures = [];
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function message(sequence: number, content: unknown): StoredMessage {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  return { subject: 'tutti.log.0', data: new TextEncoder().encode(text), sequence, storedAt: 1_000 + sequence };
}
const entriesAt = (sequence: number, entries: RunEntry[]) => message(sequence, batchOf(entries));

async function projectAll(
  messages: StoredMessage[],
  over: Partial<MemoryStore> = {},
  limits: Partial<ProjectorLimits> = {},
) {
  const projector = createProjector({
    stream: STREAM,
    store: { ...store, ...over },
    bus,
    log,
    limits: { ...LIMITS, ...limits },
  });
  for (const one of messages) await projector.take(one);
  await projector.flushed();
  return projector;
}
const seen = () => snapshot(store, 'acme', STREAM);
const read = () => letters.map(({ data }) => JSON.parse(data) as DeadLetter);
const reasons = () => read().map(({ reason }) => reason);

test('messages become runs, and again after a restart in the middle of a run', async () => {
  const logs = [travelRun({ startAt: 1 }), travelRun({ startAt: 2 }), travelRun({ startAt: 3 })].map(
    ({ entries }) => entries,
  );
  const messages = logs[0]!.map((_, i) =>
    entriesAt(
      i + 1,
      logs.map((entries) => entries[i]!),
    ),
  );
  await projectAll(messages.slice(0, 4));
  await projectAll(messages.slice(3));
  expect(await seen()).toEqual(expectedOf(logs, { sequence: 10, storedAt: 1_010 }));
  expect(letters).toEqual([]);
});

test('what arrives in one tick is one write; the group stays within its limits', async () => {
  const sizes: number[] = [];
  const project: MemoryStore['project'] = (write) => {
    sizes.push(write.entries.length);
    return store.project(write);
  };
  const messages = Array.from({ length: 40 }, (_, i) => entriesAt(i + 1, travelRun().entries));
  const projector = createProjector({ stream: STREAM, store: { ...store, project }, bus, log, limits: LIMITS });
  for (const one of messages) void projector.take(one);
  await projector.flushed();
  expect(sizes).toEqual([160, 160, 80]);
  sizes.length = 0;
  await projectAll(messages.slice(0, 4), { project }, { groupEntriesMax: 15 });
  expect(Math.max(...sizes)).toBeLessThanOrEqual(20);
});

test('a full buffer makes the follower wait, and lets go once there is room', async () => {
  const gate = Promise.withResolvers<void>();
  const projector = createProjector({
    stream: STREAM,
    store: { ...store, project: (write) => gate.promise.then(() => store.project(write)) },
    bus,
    log,
    limits: { ...LIMITS, bufferMessagesMax: 3, groupMessagesMax: 2 },
  });
  const takes = [1, 2, 3].map((sequence) => projector.take(entriesAt(sequence, travelRun().entries)));
  expect(takes.slice(0, 2)).toEqual([undefined, undefined]);
  expect(takes[2]).toBeInstanceOf(Promise);
  gate.resolve();
  await takes[2];
  await projector.flushed();
  expect(await store.position(STREAM)).toMatchObject({ sequence: 3 });
});

test('what is no log batch goes to the dead letters as it was, and the rest goes on', async () => {
  const good = travelRun();
  await projectAll([
    message(1, 'not JSON\n'),
    entriesAt(2, good.entries.slice(0, 5)),
    message(3, { v: 2, entries: [] }),
    entriesAt(4, good.entries.slice(5)),
  ]);
  expect(read()).toMatchObject([
    { kind: 'record', service: 'memory', sequence: 1, payload: 'not JSON\n' },
    { payload: '{"v":2,"entries":[]}' },
  ]);
  expect(reasons()[1]).toContain('epoch');
  expect(await store.run('acme', good.run)).toMatchObject({ status: 'completed' });
  expect(await store.position(STREAM)).toMatchObject({ sequence: 4 });
});

test('entries of a run whose beginning is gone, and a hole, are told apart and reported', async () => {
  const [headless, holed] = [travelRun(), travelRun()];
  await projectAll([
    entriesAt(1, headless.entries.slice(3)),
    entriesAt(2, holed.entries.slice(0, 3)),
    entriesAt(3, holed.entries.slice(5)),
  ]);
  expect(await store.run('acme', headless.run)).toBeNull();
  expect(await store.run('acme', holed.run)).toMatchObject({ status: 'completed', version: 10 });
  expect((await store.journal('acme', holed.run, 0, 100)).map(({ n }) => n)).toEqual([1, 2, 3, 6, 7, 8, 9, 10]);
  expect(reasons().filter((reason) => reason?.startsWith(holed.run))).toEqual([
    expect.stringContaining('entry 6 where 4 was expected'),
  ]);
});

test('a message that the store refuses for good is found, buried and passed over', async () => {
  const [before, poison, after] = [travelRun(), travelRun(), travelRun()];
  const project: MemoryStore['project'] = async (write) => {
    if (write.entries.some(({ entry }) => entry.run === poison.run)) throw new Error('too\nlarge');
    return store.project(write);
  };
  const messages = [before, poison, after].map(({ entries }, i) => entriesAt(i + 1, entries));
  const projector = await projectAll(messages, { project });
  expect(reasons()).toEqual(['cannot be projected: too\nlarge']);
  expect(JSON.parse(read()[0]!.payload as string)).toMatchObject({ entries: poison.entries });
  expect(await store.run('acme', before.run)).not.toBeNull();
  expect(await store.run('acme', poison.run)).toBeNull();
  expect(await store.run('acme', after.run)).not.toBeNull();
  expect(await store.position(STREAM)).toMatchObject({ sequence: 3 });
  expect(projector.healthy).toBe(true);
});

test('a store that is away, and dead letters that are not taken, are waited for', async () => {
  const run = travelRun();
  const failures = [new TuttiError('unavailable', 'away'), new TuttiError('unavailable', 'away')];
  busFailures = [new Error('no acknowledgement')];
  const healths: boolean[] = [];
  const projector = createProjector({
    stream: STREAM,
    store: {
      ...store,
      async project(write) {
        healths.push(projector.healthy);
        const failure = failures.shift();
        if (failure) throw failure;
        return store.project(write);
      },
    },
    bus,
    log,
    limits: LIMITS,
  });
  await projector.take(message(1, 'x'));
  await projector.take(entriesAt(2, run.entries));
  await projector.flushed();
  expect(healths).toEqual([false, false, false]);
  expect(projector.healthy).toBe(true);
  expect(new Set(letters.map(({ options }) => options.messageId)).size).toBe(1);
  expect(await store.run('acme', run.run)).toMatchObject({ status: 'completed' });
});

test('a position that is refused for ever does not stop what comes behind it', async () => {
  const run = travelRun();
  const project: MemoryStore['project'] = async (write) => {
    if (write.position.sequence === 1) throw new Error('refused');
    return store.project(write);
  };
  await projectAll([message(1, 'x'), entriesAt(2, run.entries)], { project });
  expect(await store.position(STREAM)).toMatchObject({ sequence: 2 });
});

test('stop ends the waiting for a store that never comes', async () => {
  const projector = createProjector({
    stream: STREAM,
    store: { ...store, project: () => Promise.reject(new TuttiError('unavailable', 'away')) },
    bus,
    log,
    limits: LIMITS,
  });
  await projector.take(entriesAt(1, runLog().entries));
  await projector.stop();
  await projector.flushed();
  expect(await store.position(STREAM)).toBeNull();
});

test('results that came too late are found by the run that had given them up, cut; those of unknown runs are passed over', async () => {
  const [known, unknown] = [travelRun(), travelRun()];
  const late = [lateOf(known.run, 7, 'x'.repeat(10_000)), lateOf(unknown.run, 7)];
  // The run itself was projected by an earlier process, and has ended.
  await projectAll([entriesAt(1, known.entries)]);
  await projectAll([message(2, batchOf([], late))]);
  const [found, ...more] = await store.late('acme', known.run);
  expect(found?.content).toMatch(/^x{3900,} \[cut/);
  expect(more).toEqual([]);
  expect(await store.late('acme', unknown.run)).toEqual([]);
  expect(letters).toEqual([]);
});

test('a message of a later format is waited with, and nothing of it is buried or passed over', async () => {
  const run = travelRun();
  const newer = { ...batchOf([]), format: LOG_FORMAT + 1, entries: [{ type: 'run.teleported' }] };
  const projector = createProjector({ stream: STREAM, store, bus, log, limits: LIMITS });
  for (const one of [entriesAt(1, run.entries), message(2, newer), entriesAt(3, travelRun().entries)])
    void projector.take(one);
  await until('the projector to wait', () => !projector.healthy);
  expect(projector.position).toEqual({ sequence: 1, storedAt: 1_001 });
  await projector.stop();
  expect(await store.position(STREAM)).toEqual({ sequence: 1, storedAt: 1_001 });
  expect(letters).toEqual([]);
});
