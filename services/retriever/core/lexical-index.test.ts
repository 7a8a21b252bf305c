/** The index against BM25 as it is written in the books, computed the slow way over the same chunks. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BM25, type EncodedChunk, inverseDocumentFrequency, LexicalIndex } from './lexical-index.ts';

const WORDS = 12;
const chunkOf = (id: number, frequencies: number[]): EncodedChunk => ({
  id,
  tieBreak: (id * 7919) % 1009,
  terms: Uint32Array.from(frequencies.flatMap((count, term) => (count > 0 ? [term * 256 + count] : []))),
  length: frequencies.reduce((a, b) => a + b, 0),
});

function slowly(chunks: Map<number, number[]>, query: number[], countMax: number): [number, number][] {
  const all = [...chunks].map(([id, counts]) => ({
    id,
    counts,
    length: Math.max(
      1,
      counts.reduce((a, b) => a + b, 0),
    ),
  }));
  const average = all.reduce((sum, chunk) => sum + chunk.length, 0) / Math.max(1, all.length);
  const scored = all.map(({ id, counts, length }) => {
    let score = 0;
    for (const term of query) {
      const frequency = all.filter((chunk) => chunk.counts[term]! > 0).length;
      if (frequency === 0) continue;
      const tf = counts[term]!;
      const idf = Math.log(1 + (all.length - frequency + 0.5) / (frequency + 0.5));
      score += (idf * tf * (BM25.k1 + 1)) / (tf + BM25.k1 * (1 - BM25.b + (BM25.b * length) / average));
    }
    return [id, score] as [number, number];
  });
  return scored
    .filter(([, score]) => score > 0)
    .sort((a, b) => b[1] - a[1])
    .slice(0, countMax);
}

describe('LexicalIndex', () => {
  const counts = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: WORDS, maxLength: WORDS });
  const action = fc.oneof(
    { weight: 3, arbitrary: fc.record({ add: counts }) },
    { weight: 2, arbitrary: fc.record({ remove: fc.nat() }) },
  );

  it('scores as BM25 does, whatever was added and removed before', () => {
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 60 }),
        fc.uniqueArray(fc.nat(WORDS - 1), { minLength: 1, maxLength: 5 }),
        (actions, query) => {
          const index = new LexicalIndex();
          const live = new Map<number, number[]>();
          for (const [id, step] of actions.entries()) {
            if ('add' in step) {
              index.add(chunkOf(id, step.add));
              live.set(id, step.add);
            } else if (live.size > 0) {
              const victim = [...live.keys()][step.remove % live.size]!;
              index.remove(chunkOf(victim, live.get(victim)!));
              live.delete(victim);
            }
          }
          expect(index.size).toBe(live.size);
          const terms = query.map((term) => ({
            term,
            weight: inverseDocumentFrequency(index.size, index.frequency(term)),
          }));
          const known = terms.filter(({ term }) => index.frequency(term) > 0);
          const found = index.search(known, index.lengthTotal / Math.max(1, index.size), 5);
          const expected = slowly(live, query, 5);
          expect(found.map((match) => match.score.toFixed(9))).toEqual(expected.map(([, score]) => score.toFixed(9)));
          for (const match of found) expect(match.parts.reduce((a, b) => a + b, 0)).toBeCloseTo(match.score, 9);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('sweeps what is dead and goes on as before', () => {
    const swept = new LexicalIndex();
    const fresh = new LexicalIndex();
    const counts = (id: number) => Array.from({ length: WORDS }, (_, term) => (id * (term + 3)) % 5);
    for (let id = 0; id < 9_000; id++) swept.add(chunkOf(id, counts(id)));
    for (let id = 0; id < 9_000; id++) if (id % 3 > 0) swept.remove(chunkOf(id, counts(id)));
    for (let id = 0; id < 9_000; id += 3) fresh.add(chunkOf(id, counts(id)));
    const query = [1, 4, 7].map((term) => ({ term, weight: inverseDocumentFrequency(3_000, fresh.frequency(term)) }));
    const average = fresh.lengthTotal / fresh.size;
    expect([swept.size, swept.lengthTotal]).toEqual([fresh.size, fresh.lengthTotal]);
    expect(swept.search(query, average, 20)).toEqual(fresh.search(query, average, 20));
  });

  it('breaks ties by the name of the chunk, not by when it came', () => {
    const same = Array.from({ length: 50 }, (_, id) => chunkOf(id, Array(WORDS).fill(1)));
    const search = (chunks: EncodedChunk[]) => {
      const index = new LexicalIndex();
      for (const chunk of chunks) index.add(chunk);
      return index.search([{ term: 0, weight: 1 }], 12, 5).map((match) => match.id);
    };
    expect(search(same)).toEqual(search(same.toReversed()));
  });
});
