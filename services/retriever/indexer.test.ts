/** When the index goes on, when it begins again, and when it may be asked: a log made by hand, a real index. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bus, createLogger, type StoredMessage } from '@tutti/runtime';
import { until } from '@tutti/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqliteEngine } from './adapters/sqlite-engine.ts';
import { Indexer } from './indexer.ts';
import { IndexCorrupt, type IndexEngine } from './ports/index-engine.ts';
import { defaults, note, record, type TestDocument } from './testing/corpus.ts';

const limits = {
  batchRecordsMax: 4,
  batchBytesMax: 10_000,
  queueBytesMax: 100_000,
  restartWaitMs: 1,
  restartWaitMaxMs: 4,
};

/** A log that keeps the last value of each subject, as TUTTI_KNOWLEDGE does. */
class HandmadeLog {
  messages: StoredMessage[] = [];
  sequence = 0;
  followedFrom: number[] = [];
  buried: Uint8Array[] = [];
  hold: Promise<void> = Promise.resolve();
  failAppends = 0;
  #listeners = new Set<(message: StoredMessage) => void>();
  #statusHandlers = new Set<(status: 'connected') => void>();

  put(document: TestDocument & { deleted?: boolean }, data?: Uint8Array): void {
    this.sequence += 1;
    const message = { ...record('acme', document, this.sequence), ...(data ? { data } : {}) };
    this.messages = [...this.messages.filter((other) => other.subject !== message.subject), message];
    for (const listener of this.#listeners) listener(message);
  }
  reconnect(): void {
    for (const handler of this.#statusHandlers) handler('connected');
  }

  readonly bus = {
    payloadBytesMax: 1_000_000,
    last: async (_: string, subject: string) => this.messages.find((message) => message.subject === subject) ?? null,
    append: async (_: string, data: Uint8Array) => {
      if (this.failAppends-- > 0) throw new Error('no answer from the server');
      return this.buried.push(data);
    },
    onStatus: (handler: (status: 'connected') => void) => {
      this.#statusHandlers.add(handler);
      return { stop: () => void this.#statusHandlers.delete(handler) };
    },
    follow: async (_: string, __: string[], from: number, handler: (message: StoredMessage) => void) => {
      this.followedFrom.push(from);
      const caughtUp = this.hold.then(() => {
        for (const message of this.messages) if (message.sequence >= from) handler(message);
        this.#listeners.add(handler);
      });
      return { caughtUp, stop: () => void this.#listeners.delete(handler) };
    },
  } as unknown as Bus;
}

/** The real index without its thread; `fault` is thrown instead of an answer, once. */
function engineOf(folder: string): IndexEngine & { fault: Error | undefined } {
  const inner = new SqliteEngine(folder, defaults);
  const engine = { fault: undefined as Error | undefined, onLost() {} };
  const operation =
    (name: Exclude<keyof IndexEngine, 'onLost'>) =>
    async (argument: never): Promise<unknown> => {
      const { fault } = engine;
      if (fault && name === 'apply') {
        engine.fault = undefined;
        throw fault;
      }
      return inner[name](argument);
    };
  const names = [
    'open',
    'beginReplay',
    'finishReplay',
    'apply',
    'advance',
    'search',
    'list',
    'reset',
    'close',
  ] as const;
  return Object.assign(engine, Object.fromEntries(names.map((name) => [name, operation(name)]))) as never;
}

let folder: string;
let log: HandmadeLog;
const indexers: Indexer[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tutti-retriever-'));
  log = new HandmadeLog();
});
afterEach(async () => {
  for (const indexer of indexers.splice(0)) await indexer.stop();
  rmSync(folder, { recursive: true, force: true });
});
function start(from = log) {
  const engine = engineOf(folder);
  const indexer = new Indexer({ bus: from.bus, engine, log: createLogger({}, { level: 'silent' }), limits });
  indexers.push(indexer);
  indexer.start();
  const ready = () => until('the indexer to be ready', () => indexer.ready);
  const names = async () => (await engine.list({ tenant: 'acme', limit: 100 })).map((document) => document.id);
  return { engine, indexer, ready, names };
}
async function restart(from = log) {
  for (const indexer of indexers.splice(0)) await indexer.stop();
  const started = start(from);
  await started.ready();
  return started;
}

describe('Indexer', () => {
  it('is ready only when everything that was there is in the index', async () => {
    for (let i = 0; i < 20; i++) log.put(note(`n${i}`, `zebra ${i}`));
    let release = () => {};
    log.hold = new Promise((resolve) => {
      release = resolve;
    });
    const { indexer, ready, names } = start();
    await until('it to follow', () => log.followedFrom.length > 0);
    expect(indexer.ready).toBe(false);
    release();
    await ready();
    expect(await names()).toHaveLength(20);
  });

  it('goes on behind its position when the log is the same', async () => {
    for (const id of ['a', 'b', 'c']) log.put(note(id, `zebra ${id}`));
    await start().ready();
    log.put(note('d', 'zebra d'));
    log.put({ ...note('a', ''), deleted: true });
    const { names } = await restart();
    expect(await names()).toEqual(['b', 'c', 'd']);
    expect(log.followedFrom).toEqual([1, 4]);
  });

  it('compares everything when the log is another one', async () => {
    for (const id of ['a', 'b', 'c']) log.put(note(id, `zebra ${id}`));
    await start().ready();
    const other = new HandmadeLog();
    for (const id of ['c', 'd']) other.put(note(id, `giraffe ${id}`));
    const { names, engine } = await restart(other);
    expect(other.followedFrom).toEqual([1]);
    expect(await names()).toEqual(['c', 'd']);
    expect(await engine.search({ tenant: 'acme', collections: ['notes'], query: 'zebra', limit: 5 })).toEqual([]);
    const again = await restart(other);
    expect(other.followedFrom).toEqual([1, 3]);
    expect(await again.names()).toEqual(['c', 'd']);
  });

  it('sees on a reconnect that the log is another one', async () => {
    for (const id of ['a', 'b', 'c']) log.put(note(id, `zebra ${id}`));
    const { names } = start();
    await until('all documents', async () => (await names()).length === 3);
    log.messages = [];
    log.sequence = 0;
    log.put(note('z', 'zebra z'));
    log.reconnect();
    await until('the other log', async () => (await names()).join() === 'z');
  });

  it('takes a reconnect to the same log calmly', async () => {
    log.put(note('a', 'zebra'));
    const { ready, names } = start();
    await ready();
    log.reconnect();
    log.put(note('b', 'giraffe'));
    await until('the second', async () => (await names()).length === 2);
    expect(log.followedFrom).toEqual([1]);
  });

  it('begins again after a failure and loses nothing', async () => {
    log.put(note('a', 'zebra'));
    const { engine, ready, names } = start();
    await ready();
    engine.fault = new Error('database or disk is full');
    log.put(note('b', 'giraffe'));
    await until('the second', async () => (await names()).length === 2);
    expect(log.followedFrom).toEqual([1, 2]);
    await ready();
  });

  it('drops a damaged index and makes it again', async () => {
    for (const id of ['a', 'b', 'c']) log.put(note(id, `zebra ${id}`));
    const { indexer, ready, names } = start();
    await ready();
    indexer.report(new IndexCorrupt('malformed'));
    await until('it to follow anew', () => log.followedFrom.length === 2);
    await ready();
    expect(log.followedFrom).toEqual([1, 1]);
    expect(await names()).toEqual(['a', 'b', 'c']);
  });

  it('moves past a bad record only when it is in the dead letters', async () => {
    log.put(note('a', 'zebra'));
    log.put(note('bad', ''), new TextEncoder().encode('nonsense'));
    log.put(note('c', 'zebra c'));
    log.failAppends = 2;
    const { ready, names } = start();
    await ready();
    expect(log.buried.map((data) => JSON.parse(new TextDecoder().decode(data)).payload)).toEqual(['nonsense']);
    expect(log.followedFrom).toEqual([1, 1, 1]);
    expect(await names()).toEqual(['a', 'c']);
    await restart();
    expect(log.followedFrom.at(-1)).toBe(4);
    expect(log.buried).toHaveLength(1);
  });
});
