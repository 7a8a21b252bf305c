import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { openSqliteStore } from './adapters/sqlite/store.ts';
import { writeOf } from './adapters/store-contract.ts';
import { RUNS_KEEP_MS_MIN } from './config.ts';
import type { MemoryStore } from './ports/store.ts';
import { prune } from './prune.ts';
import { travelRun } from './testing/entries.ts';

const DAY_MS = 86_400_000;
const START = 1_000_000_000_000;
let store: MemoryStore;

beforeEach(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-prune-'));
  store = openSqliteStore(join(folder, 'memory.sqlite'));
  return async () => {
    await store.close();
    await rm(folder, { recursive: true });
  };
});

async function fill(days: number, perDay: number): Promise<void> {
  for (let day = 0; day < days; day++)
    for (let i = 0; i < perDay; i++) {
      const { entries } = travelRun({ tenant: 'acme', startAt: START + day * DAY_MS });
      const position = { sequence: day * perDay + i + 1, storedAt: START };
      await store.project(writeOf('log', position, entries));
    }
}
const left = async () => (await store.runs('acme', { children: true, limit: 1_000 })).length;
const now = (days: number) => ({ now: () => START + days * DAY_MS });
const never = () => false;

test('runs go by age, however many there are, and no others', async () => {
  await fill(3, 70);
  const options = { store, clock: now(3), keepMs: 1.5 * DAY_MS, keepBytes: 0 };
  expect(await prune(options, never)).toBe(140);
  expect(await left()).toBe(70);
  expect(await prune(options, never)).toBe(0);
});

test('beyond the size they go sooner, the oldest first, until it fits', async () => {
  await fill(2, 100);
  const bytes = await store.bytes();
  const removed = await prune({ store, clock: now(3), keepMs: 90 * DAY_MS, keepBytes: bytes * 0.6 }, never);
  expect(removed).toBeGreaterThan(0);
  expect(removed).toBeLessThan(200);
  expect(await store.bytes()).toBeLessThanOrEqual(bytes * 0.6);
  const oldest = (await store.runs('acme', { children: true, limit: 1_000 })).at(-1)!;
  expect(oldest.createdAt).toBeGreaterThanOrEqual(START);
  expect(await left()).toBe(200 - removed);
});

test('what ended within the hour stays, whatever the size', async () => {
  await fill(1, 10);
  const clock = { now: () => START + RUNS_KEEP_MS_MIN };
  expect(await prune({ store, clock, keepMs: 90 * DAY_MS, keepBytes: 1 }, never)).toBe(0);
  expect(await left()).toBe(10);
});

test('a service that stops does not go on with it', async () => {
  await fill(1, 10);
  expect(await prune({ store, clock: now(100), keepMs: DAY_MS, keepBytes: 0 }, () => true)).toBe(0);
});
