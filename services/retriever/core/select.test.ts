/** Fairness and diversity over made-up candidates. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, FAIR_SCORE_MIN, selectPassages } from './select.ts';

let counter = 0;
function candidate(collection: string, parts: number[], own: Partial<Candidate> = {}): Candidate {
  counter += 1;
  return {
    id: `${collection}/doc${counter}#1`,
    collection,
    document: `doc${counter}`,
    section: undefined,
    text: `text ${counter}`,
    score: parts.reduce((a, b) => a + b, 0),
    parts: Float64Array.from(parts),
    ...own,
  };
}

describe('selectPassages', () => {
  it('lets no collection crowd out another', () => {
    const loud = Array.from({ length: 20 }, () => candidate('loud', [10]));
    const quiet = Array.from({ length: 20 }, () => candidate('quiet', [4]));
    const chosen = selectPassages([...loud, ...quiet], 8).map((c) => c.collection);
    expect(chosen.filter((name) => name === 'quiet')).toHaveLength(2);
  });

  it('gives no guaranteed place to what hardly matches', () => {
    const loud = Array.from({ length: 20 }, () => candidate('loud', [10]));
    const weak = candidate('weak', [10 * FAIR_SCORE_MIN * 0.9]);
    expect(selectPassages([...loud, weak], 8).every((c) => c.collection === 'loud')).toBe(true);
  });

  it('has one place for each when there are more collections than places', () => {
    const candidates = [5, 9, 7, 8].map((score) => candidate(`c${score}`, [score]));
    expect(selectPassages(candidates, 2).map((c) => c.collection)).toEqual(['c9', 'c8']);
  });

  it('prefers what answers another part of the goal', () => {
    const flights = Array.from({ length: 5 }, (_, i) => candidate('a', [6 + i / 10, 0]));
    const hotel = candidate('a', [0, 5]);
    expect(selectPassages([...flights, hotel], 3)).toContain(hotel);
  });

  it('does not return a section five times while others match', () => {
    const one = Array.from({ length: 5 }, (_, i) =>
      candidate('a', [6 + i / 10], { document: 'd', section: '3 Flights' }),
    );
    const others = Array.from({ length: 5 }, (_, i) => candidate('a', [4 + i / 10]));
    const chosen = selectPassages([...one, ...others], 5);
    expect(chosen.filter((c) => c.section).length).toBeLessThanOrEqual(2);
  });

  it('returns the same text once, from the better place', () => {
    const twice = [candidate('b', [5], { text: 'Same  Text' }), candidate('a', [5], { text: 'same text' })];
    expect(selectPassages(twice, 5)).toEqual([twice[1]]);
  });

  it('depends on nothing but the candidates', () => {
    const some = fc.array(
      fc.tuple(
        fc.constantFrom('a', 'b', 'c'),
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 3, maxLength: 3 }),
      ),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(some, fc.integer({ min: 1, max: 10 }), fc.nat(), (specs, limit, seed) => {
        const candidates = specs.map(([collection, parts]) =>
          candidate(
            collection,
            parts.map((p, i) => p + i / 100 + 0.01),
          ),
        );
        const shuffled = candidates
          .map((c, i) => ({ c, at: (i * 7 + seed) % 31 }))
          .sort((x, y) => x.at - y.at)
          .map(({ c }) => c);
        const chosen = selectPassages(candidates, limit);
        expect(selectPassages(shuffled, limit)).toEqual(chosen);
        expect(chosen.length).toBeLessThanOrEqual(limit);
        expect(chosen.map((c) => c.score)).toEqual(chosen.map((c) => c.score).sort((x, y) => y - x));
        expect(chosen.map((c) => c.score)).toContain(Math.max(...candidates.map((c) => c.score)));
      }),
    );
  });
});
