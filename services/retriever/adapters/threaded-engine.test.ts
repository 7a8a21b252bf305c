/** The engine behind its thread: same answers, errors that keep their kind, and no call left hanging when it dies. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { corpus, defaults, note, record } from '../testing/corpus.ts';
import { ThreadedEngine } from './threaded-engine.ts';

let folder: string;
let engine: ThreadedEngine;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tutti-retriever-'));
  engine = new ThreadedEngine({ folder, settings: defaults, callsPendingMax: 20 });
});
afterEach(async () => {
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
});
const question = { tenant: 'acme', collections: ['travel-policy'], query: 'fare ceilings', limit: 3 };

describe('ThreadedEngine', () => {
  it('indexes and answers, and keeps the callers data whole', async () => {
    await engine.open();
    const records = corpus.map((document, i) => record('acme', document, i + 1));
    // As NATS delivers them: views of one Buffer.
    const shared = Buffer.concat(records.map((one) => one.data));
    let at = 0;
    const views = records.map((one) => {
      const data = shared.subarray(at, at + one.data.length);
      at += one.data.length;
      return { ...one, data };
    });
    expect(await engine.apply(views)).toEqual([]);
    expect(shared.byteLength).toBe(at);
    expect((await engine.search(question))[0]!.section).toBe('3 Flights › 3.2 Fare ceilings');
    expect(await engine.list({ tenant: 'acme', limit: 100 })).toHaveLength(corpus.length);
  });

  it('refuses more calls than may wait', async () => {
    await engine.open();
    const outcomes = await Promise.allSettled(Array.from({ length: 30 }, () => engine.search(question)));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused).toHaveLength(10);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'overloaded', retryAfterMs: 250 });
  });

  it('settles every call when the thread dies, and can be opened again', async () => {
    const thread = new URL('../testing/dying-thread.ts', import.meta.url);
    engine = new ThreadedEngine({ folder, settings: defaults, callsPendingMax: 20, thread });
    await engine.open();
    await engine.apply([record('acme', note('a', 'zebra'), 1)]);
    const lost = new Promise<Error>((resolve) => engine.onLost(resolve));
    const calls = ['zebra', 'die', 'zebra', 'zebra'].map((query) =>
      engine.search({ ...question, collections: ['notes'], query }),
    );
    const outcomes = await Promise.allSettled(calls);
    for (const outcome of outcomes.slice(1))
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
    expect(await lost).toMatchObject({ code: 'unavailable' });
    await expect(engine.search(question)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await engine.open()).toMatchObject({ position: 1, documents: 1, dropped: null });
  });

  it('rejects what comes before it is open and after it is closed', async () => {
    await expect(engine.search(question)).rejects.toMatchObject({ code: 'unavailable' });
    await engine.open();
    await engine.close();
    await expect(engine.search(question)).rejects.toMatchObject({ code: 'unavailable' });
  });
});
