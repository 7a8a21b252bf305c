/** SIGKILL while it projects, over a real nats-server and both stores: what is there afterwards is what the log says. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunEntry, STREAMS, subjects } from '@tutti/contracts';
import { type Bus, connectNatsBus, createLogger, provision } from '@tutti/runtime';
import { startMongo, startTestNats, type TestMongo, type TestNats, until } from '@tutti/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openMongoStore } from './adapters/mongodb/store.ts';
import { openSqliteThread } from './adapters/sqlite/remote.ts';
import { expectedOf, snapshot } from './adapters/store-contract.ts';
import type { MemoryStore } from './ports/store.ts';
import { batchOf, travelRun } from './testing/entries.ts';

const KILLS = 2;
const STREAM = STREAMS.log.name;
const MAIN = new URL('./main.ts', import.meta.url).pathname;

let nats: TestNats;
let bus: Bus;
let folder: string;
let mongo: TestMongo | null;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tutti-memory-crash-'));
  [nats, mongo] = await Promise.all([startTestNats(), startMongo()]);
  bus = await connectNatsBus({ url: nats.url, name: 'test', log: createLogger({}, { level: 'silent' }) });
  await provision(bus, { replicas: 1 });
});
afterAll(async () => {
  for (const child of children) await kill(child);
  await bus.close();
  await Promise.all([nats.stop(), mongo?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

function startMemory(env: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, [MAIN], {
    env: {
      ...process.env,
      MONGODB_URL: '',
      ...env,
      NATS_URL: nats.url,
      TUTTI_DATA: folder,
      TUTTI_LOG_LEVEL: 'silent',
      // Many small writes: more places to die at.
      TUTTI_MEMORY_GROUP_MESSAGES_MAX: '2',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.add(child);
  return child;
}
async function kill(child: ChildProcess): Promise<void> {
  children.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** Runs of a tenant, a few entries of each in every message. */
function load(tenant: string, runs: number): { logs: RunEntry[][]; messages: RunEntry[][] } {
  const logs = Array.from({ length: runs }, (_, i) => travelRun({ tenant, startAt: 1_000 + i }).entries);
  const messages: RunEntry[][] = [];
  for (let first = 0; first < runs; first += 3)
    for (let n = 0; n < 10; n++) messages.push(logs.slice(first, first + 3).map((entries) => entries[n]!));
  return { logs, messages };
}

async function survives(
  tenant: string,
  runs: number,
  env: Record<string, string>,
  open: () => Promise<MemoryStore>,
): Promise<void> {
  const store = await open();
  const reached = async () => (await store.position(STREAM))?.sequence ?? 0;
  const { logs, messages } = load(tenant, runs);
  const before = (await bus.last(STREAM, 'tutti.log.*'))?.sequence ?? 0;
  const perRound = messages.length / KILLS;
  let last = before;
  for (let round = 0; round < KILLS; round++) {
    const memory = startMemory(env);
    for (const entries of messages.slice(round * perRound, (round + 1) * perRound))
      last = await bus.append(subjects.log(0), new TextEncoder().encode(JSON.stringify(batchOf(entries))));
    const start = before + round * perRound;
    await until('some of it to be projected', async () => (await reached()) > start + round * 7);
    await kill(memory);
  }
  const memory = startMemory(env);
  await until('all of it to be projected', async () => (await reached()) === last);
  await kill(memory);
  const position = await store.position(STREAM);
  expect(await snapshot(store, tenant, STREAM)).toEqual(expectedOf(logs, position!));
  await store.close();
}

// MongoDB first: the file takes what was in the log before in no time, the wire server does not.
test('MongoDB', async (context) => {
  if (!mongo) return context.skip('no MongoDB and no SecantusDB here; set MONGODB_URL, or install python3 with pip');
  const { url } = mongo;
  await survives('mongo', 18, { MONGODB_URL: url }, () => openMongoStore(url, 'unused'));
});

test('SQLite', () => survives('sqlite', 42, {}, () => openSqliteThread(join(folder, 'memory/memory.sqlite'))));
