import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, test } from 'vitest';
import { travelRun, turnOf } from '../../testing/entries.ts';
import { storeContract, writeOf } from '../store-contract.ts';
import { openSqliteThread } from './remote.ts';
import { MIGRATIONS, migrate } from './schema.ts';
import { openSqliteStore } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'tutti-memory-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

storeContract('SQLite, in this thread', async () => openSqliteStore(join(folder, 'here/memory.sqlite')));
storeContract('SQLite, on a thread of its own', () => openSqliteThread(join(folder, 'thread/memory.sqlite')));

test('what was stored is there after the file is opened again', async () => {
  const path = join(folder, 'again.sqlite');
  const log = travelRun();
  const turn = turnOf(log.session, 1);
  const first = await openSqliteThread(path);
  await first.remember([{ tenant: 'acme', turn }]);
  await first.project(writeOf('S', { sequence: 1, storedAt: 1 }, log.entries));
  await first.close();
  await expect(first.turns('acme', log.session, 1)).rejects.toMatchObject({ code: 'unavailable' });
  const second = await openSqliteThread(path);
  expect(await second.turns('acme', log.session, 5)).toEqual([turn]);
  expect(await second.journal('acme', log.run, 0, 100)).toEqual(log.entries);
  expect(await second.position('S')).toEqual({ sequence: 1, storedAt: 1 });
  await second.close();
});

test('two at once on one file wait for each other', async () => {
  const path = join(folder, 'shared.sqlite');
  const stores = await Promise.all([openSqliteThread(path), openSqliteThread(path)]);
  const logs = Array.from({ length: 40 }, () => travelRun());
  await Promise.all(
    logs.map((log, i) => stores[i % 2]!.project(writeOf('S', { sequence: i + 1, storedAt: i + 1 }, log.entries))),
  );
  expect(await stores[0].runs('acme', { children: true, limit: 200 })).toHaveLength(logs.length);
  expect(await stores[1].position('S')).toEqual({ sequence: 40, storedAt: 40 });
  await Promise.all(stores.map((store) => store.close()));
});

test('a newer schema is refused, with what to do', async () => {
  const path = join(folder, 'newer.sqlite');
  const database = new DatabaseSync(path);
  migrate(database, path, [...MIGRATIONS, 'CREATE TABLE later (x INTEGER)']);
  database.close();
  await expect(openSqliteThread(path)).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('TUTTI_DATA'),
  });
});

test('migrations that are missing are applied once, those that fail leave nothing behind', () => {
  const database = new DatabaseSync(join(folder, 'steps.sqlite'));
  const steps = ['CREATE TABLE a (x INTEGER)', 'CREATE TABLE b (x INTEGER)'];
  migrate(database, 'steps', steps.slice(0, 1));
  migrate(database, 'steps', steps);
  migrate(database, 'steps', steps);
  expect(() =>
    migrate(database, 'steps', [...steps, 'CREATE TABLE c (x INTEGER); CREATE TABLE a (x INTEGER)']),
  ).toThrow();
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE name IN ('a', 'b', 'c') ORDER BY name").all();
  expect(tables.map(({ name }) => name)).toEqual(['a', 'b']);
  expect(database.prepare('SELECT version FROM schema_version').all()).toHaveLength(2);
  database.close();
});

test('a file that cannot be opened says so', async () => {
  await expect(openSqliteThread(folder)).rejects.toMatchObject({ message: expect.stringContaining('SQLite') });
});
