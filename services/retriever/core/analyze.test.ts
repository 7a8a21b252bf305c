/** Terms: folding, numbers, scripts without spaces; the stemmer against SQLite's own. */
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAnalyzer, TERM_CHARS_MAX } from './analyze.ts';
import { stem } from './stem.ts';

const analyze = createAnalyzer();

describe('analyze', () => {
  it.each([
    ['The FLIGHTS were booked', ['flight', 'book']],
    ['Zürich Flüge São Paulo', ['zurich', 'fluge', 'sao', 'paulo']],
    ["the traveller's don't", ['travel', 'dont']],
    ['EUR 1,200 under clause 3.2.1, not 3.2', ['eur', '1200', 'claus', '3.2.1', '3.2']],
    ['A380 E-47 12:30', ['a380', 'e', '47', '12', '30']],
    ['東京駅 near タワー', ['東京', '京駅', 'near', 'タワ', 'ワー']],
    ['서울에서', ['서울', '울에', '에서']],
    ['ﬂight ＴＯＫＹＯ Straße', ['flight', 'tokyo', 'strass']],
    ['the and of', []],
  ])('%s', (text, terms) => {
    expect(analyze(text)).toEqual(terms);
  });

  it('cuts what nobody types', () => {
    expect(analyze('x'.repeat(500))[0]).toHaveLength(TERM_CHARS_MAX);
  });

  it('takes any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) =>
        analyze(text).every((term) => term.length > 0),
      ),
    );
  });
});

describe('stem', () => {
  /** What SQLite's `porter` tokenizer makes of each word. */
  function oracle(words: string[]): Map<string, string> {
    const db = new DatabaseSync(':memory:');
    db.exec("CREATE VIRTUAL TABLE t USING fts5(w, tokenize='porter unicode61')");
    db.exec("CREATE VIRTUAL TABLE v USING fts5vocab(t, 'instance')");
    const insert = db.prepare('INSERT INTO t (rowid, w) VALUES (?, ?)');
    for (const [i, word] of words.entries()) insert.run(i + 1, word);
    const rows = db.prepare('SELECT doc, term FROM v').all() as { doc: number; term: string }[];
    return new Map(rows.map(({ doc, term }) => [words[doc - 1]!, term]));
  }

  it('agrees with SQLite on made-up words', () => {
    const roots =
      'relat condit valenc hesit digit conform radic differ vil analog vietnam predic oper feudal decis hope call form sens reviv allow infer airlin gyroscop adjust defens irrit replac depend adopt homolog communism activ effect bowdler prob rat ceas control roll happ sk fall hiss fizz fail fil fly sky cry enjoy agre trouble siz feed bless troubl tann motor plaster hopp'.split(
        ' ',
      );
    const endings =
      'e s es ed ing ies y ational tional enci anci izer bli alli entli eli ousli ization ation ator alism iveness fulness ousness aliti iviti biliti icate ative alize iciti ical ful ness al ance ence er ic able ible ant ement ment ent ion sion tion ou ism ate iti ous ive ize eed eedly ly ll le'.split(
        ' ',
      );
    const words = [...new Set(roots.flatMap((root) => [root, ...endings.map((ending) => root + ending)]))].filter(
      (word) => word.length > 2,
    );
    const expected = oracle(words);
    expect(
      words.filter((word) => stem(word) !== expected.get(word)).map((word) => [word, stem(word), expected.get(word)]),
    ).toEqual([]);
  });

  it('agrees with SQLite on random words', () => {
    const sample = fc.sample(fc.stringMatching(/^[a-eiostly]{3,12}$/), { numRuns: 3_000, seed: 5 });
    const words = [...new Set(sample)];
    const expected = oracle(words);
    expect(
      words.filter((word) => stem(word) !== expected.get(word)).map((word) => [word, stem(word), expected.get(word)]),
    ).toEqual([]);
  });
});
