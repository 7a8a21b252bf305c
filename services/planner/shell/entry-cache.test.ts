import type { RunEntry } from '@tutti/contracts';
import { describe, expect, it } from 'vitest';
import { EntryCache } from './entry-cache.ts';

const entryOf = (run: string, n: number, text = '') => ({ run, n, type: 'noted', text }) as unknown as RunEntry;

function fill(cache: EntryCache, run: string, count: number, chars: number): void {
  for (let n = 1; n <= count; n++) {
    const entry = entryOf(run, n, 'x'.repeat(chars));
    cache.add(entry, JSON.stringify(entry));
  }
}

describe('the entries that an owner keeps for readers', () => {
  it('are given from a version on, and complete if none is missing', () => {
    const cache = new EntryCache({ perRunMax: 10, entriesMax: 100, charsMax: 100_000 });
    fill(cache, 'a', 5, 10);
    expect(cache.after('a', 2).entries.map(({ n }) => n)).toEqual([3, 4, 5]);
    expect(cache.after('a', 0).complete).toBe(true);
    expect(cache.after('b', 0)).toEqual({ entries: [], complete: false });
  });

  it('are the newest of a run beyond the limit of a run', () => {
    const cache = new EntryCache({ perRunMax: 10, entriesMax: 100, charsMax: 100_000 });
    fill(cache, 'a', 15, 10);
    expect(cache.after('a', 0).complete).toBe(false);
    expect(cache.after('a', 5).entries.map(({ n }) => n)).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  });

  it('are those of the newest runs beyond the limit of entries, and beyond that of characters', () => {
    const byCount = new EntryCache({ perRunMax: 10, entriesMax: 10, charsMax: 1_000_000 });
    const byChars = new EntryCache({ perRunMax: 10, entriesMax: 1_000, charsMax: 6_000 });
    for (const cache of [byCount, byChars]) {
      for (const run of ['a', 'b', 'c']) fill(cache, run, 5, 500);
      expect(cache.after('a', 0).complete).toBe(false);
      expect(cache.after('b', 0).entries).toHaveLength(5);
      expect(cache.after('c', 0).entries).toHaveLength(5);
    }
  });

  it('keep the newest run though it alone is over the limit', () => {
    const cache = new EntryCache({ perRunMax: 10, entriesMax: 100, charsMax: 100 });
    fill(cache, 'a', 3, 500);
    fill(cache, 'b', 3, 500);
    expect(cache.after('a', 0).complete).toBe(false);
    expect(cache.after('b', 0).entries).toHaveLength(3);
  });

  it('count replayed ones by the size they are said to have', () => {
    const cache = new EntryCache({ perRunMax: 2, entriesMax: 100, charsMax: 1_000 });
    for (const run of ['a', 'b', 'c']) for (const n of [1, 2, 3]) cache.addReplayed(entryOf(run, n), 200);
    expect(cache.after('a', 1).complete).toBe(false);
    expect(cache.after('b', 1).entries.map(({ n }) => n)).toEqual([2, 3]);
    expect(cache.after('c', 1).entries.map(({ n }) => n)).toEqual([2, 3]);
  });
});
