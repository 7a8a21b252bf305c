/** The index over real files: what is found, what is kept, what happens to damaged ones. */
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import { IndexCorrupt } from '../ports/index-engine.ts';
import { collections, corpus, defaults, encode, note, questions, record } from '../testing/corpus.ts';
import { SqliteEngine } from './sqlite-engine.ts';

const RECALL_MIN = 0.95;
const FIRST_MIN = 0.85;
const folders: string[] = [];
const engines: SqliteEngine[] = [];
afterEach(() => {
  for (const engine of engines.splice(0)) engine.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-retriever-'));
  folders.push(folder);
  return folder;
}
function newEngine(folder = newFolder(), settings = defaults) {
  const engine = new SqliteEngine(folder, settings);
  engines.push(engine);
  return { engine, state: engine.open() };
}
const corpusRecords = corpus.map((document, i) => record('acme', document, i + 1));
function filled(folder?: string) {
  const { engine } = newEngine(folder);
  expect(engine.apply(corpusRecords)).toEqual([]);
  return engine;
}
const search = (
  engine: SqliteEngine,
  query: string,
  own: { tenant?: string; collections?: string[]; limit?: number } = {},
) => engine.search({ tenant: 'acme', collections: ['notes'], limit: 5, query, ...own });
const file = (folder: string) => join(folder, 'index-0.sqlite');

describe('search', () => {
  it('finds what was asked for among the first five', () => {
    const engine = filled();
    const ranks = questions.map(({ question, document, section }) => {
      const passages = search(engine, question, { collections });
      return passages.findIndex(
        (p) => `${p.collection}/${p.document}` === document && (p.section ?? '').endsWith(section),
      );
    });
    const recall = ranks.filter((rank) => rank >= 0).length / questions.length;
    const first = ranks.filter((rank) => rank === 0).length / questions.length;
    console.log(
      `retriever: ${corpus.length} documents, ${questions.length} questions: recall@5 ${recall.toFixed(3)}, first ${first.toFixed(3)}`,
    );
    expect(corpus.length).toBeGreaterThanOrEqual(30);
    expect(recall).toBeGreaterThanOrEqual(RECALL_MIN);
    expect(first).toBeGreaterThanOrEqual(FIRST_MIN);
  });

  const goal = 'Plan a business trip to Tokyo from 12 to 16 May 2027 and book the flights';
  const forGoal = () => search(filled(), goal, { collections: ['travel-policy', 'destinations'], limit: 8 });

  it('brings clauses on flights, booking and approval, and the notes on the city, for a long goal', () => {
    const passages = forGoal();
    const sections = passages.map((passage) => passage.section);
    expect(sections).toContain('3 Flights › 3.1 Choice of flight');
    expect(sections).toContain('3 Flights › 3.4 When to book');
    expect(sections).toContain('2 Before the trip › 2.1 Who approves');
    const notes = passages.filter((passage) => passage.collection === 'destinations');
    expect(notes.length).toBeGreaterThanOrEqual(2);
    expect(notes.every((passage) => passage.document === 'tokyo')).toBe(true);
  });

  // Wanted and not reached: the clause shares only "flights" and "booked" with the goal (README, "What it does not find").
  it.fails('brings the fare ceilings for the same goal as well', () => {
    expect(forGoal().map((passage) => passage.section)).toContain('3 Flights › 3.2 Fare ceilings');
  });

  it('cites what it returns', () => {
    const [passage] = search(filled(), 'How expensive may a flight to Japan be?', { collections });
    expect(passage).toEqual({
      id: 'travel-policy/air-travel#3',
      document: 'air-travel',
      collection: 'travel-policy',
      title: 'Air travel',
      section: '3 Flights › 3.2 Fare ceilings',
      text: expect.stringContaining('to Japan and Korea up to EUR 1,450'),
      score: expect.any(Number),
    });
  });

  it('has nothing for unknown collections, for stop words and for strange words', () => {
    const engine = filled();
    expect(search(engine, 'flights', { collections: ['nowhere'] })).toEqual([]);
    expect(search(engine, 'who are we', { collections })).toEqual([]);
    expect(search(engine, 'qqzzqq "* OR NEAR(', { collections })).toEqual([]);
    expect(search(engine, '', { collections })).toEqual([]);
    expect(
      search(engine, 'flight', { collections: ['travel-policy', 'travel-policy', 'nowhere'] }).length,
    ).toBeGreaterThan(0);
  });

  it('keeps tenants apart', () => {
    const { engine } = newEngine();
    engine.apply([
      record('acme', note('plan', 'The secret plan of acme is a zebra.'), 1),
      record('globex', note('plan', 'The plan of globex is a giraffe.'), 2),
    ]);
    expect(search(engine, 'plan zebra giraffe', { tenant: 'acme' }).map((p) => p.text)).toEqual([
      'The secret plan of acme is a zebra.',
    ]);
    expect(search(engine, 'zebra', { tenant: 'globex' })).toEqual([]);
    expect(search(engine, 'zebra', { tenant: 'nobody' })).toEqual([]);
    expect(engine.list({ tenant: 'globex', limit: 9 }).map((d) => d.revision)).toEqual([2]);
    expect(engine.list({ tenant: 'globex', document: 'plan', limit: 9 })[0]!.text).toContain('giraffe');
    engine.apply([record('acme', { ...note('plan', ''), deleted: true }, 3)]);
    expect(search(engine, 'giraffe', { tenant: 'globex' })).toHaveLength(1);
  });

  it('gives the same answers on every replica, whatever it saw before', () => {
    const straight = filled();
    const { engine: winding } = newEngine();
    const drafts = corpus.map((document, i) =>
      record('acme', { ...document, text: `Draft ${i}. flights hotel ${document.text}` }, i + 1),
    );
    winding.apply(drafts.toReversed().map((draft, i) => ({ ...draft, sequence: i + 1 })));
    winding.apply([record('acme', note('gone', 'flights flights flights', 'travel-policy'), 500)]);
    winding.apply(corpusRecords.toReversed().map((r, i) => ({ ...r, sequence: 1_000 + i })));
    winding.apply([record('acme', { ...note('gone', '', 'travel-policy'), deleted: true }, 2_000)]);
    for (const { question } of questions)
      expect(search(winding, question, { collections })).toEqual(search(straight, question, { collections }));
  });

  it('searches collections that do not fit into memory together', () => {
    const { engine } = newEngine(newFolder(), { ...defaults, residentChunksMax: 30 });
    engine.apply(corpusRecords);
    const whole = filled();
    for (let round = 0; round < 2; round++)
      for (const { question, document } of questions) {
        const own = { collections: [document.split('/')[0]!] };
        expect(search(engine, question, own)).toEqual(search(whole, question, own));
      }
  });
});

describe('changes', () => {
  it('replaces, deletes and brings back', () => {
    const { engine } = newEngine();
    engine.apply([record('acme', note('a', 'The canteen opens at noon.'), 1)]);
    engine.apply([record('acme', note('a', 'The canteen opens at eleven.'), 2)]);
    expect(search(engine, 'canteen noon eleven').map((p) => p.text)).toEqual(['The canteen opens at eleven.']);
    engine.apply([record('acme', { ...note('a', ''), deleted: true }, 3)]);
    expect(search(engine, 'canteen')).toEqual([]);
    expect(engine.list({ tenant: 'acme', limit: 9 })).toEqual([]);
    engine.apply([record('acme', note('a', 'The canteen is open again.'), 4)]);
    expect(search(engine, 'canteen')).toHaveLength(1);
  });

  it('applies a record again without a trace', () => {
    const { engine } = newEngine();
    const records = [record('acme', note('a', 'zebra'), 1), record('acme', note('b', 'zebra giraffe'), 2)];
    engine.apply(records);
    const before = search(engine, 'zebra giraffe');
    engine.apply(records);
    expect(search(engine, 'zebra giraffe')).toEqual(before);
    expect(engine.list({ tenant: 'acme', limit: 9 })).toHaveLength(2);
  });

  it('lists by page, with chunk counts, revisions and, for one document, its text', () => {
    const engine = filled();
    const list = (own: object) => engine.list({ tenant: 'acme', limit: 100, ...own });
    expect(list({}).length).toBe(corpus.length);
    expect(list({ collection: 'destinations' }).map((d) => d.id)).toEqual(
      corpus
        .filter((d) => d.collection === 'destinations')
        .map((d) => d.id)
        .sort(),
    );
    expect(list({ limit: 2, after: 'destinations/zurich' }).map((d) => d.collection)).toEqual([
      'hr-handbook',
      'hr-handbook',
    ]);
    const [tokyo] = list({ collection: 'destinations', document: 'tokyo' });
    const source = corpus.findIndex((d) => d.id === 'tokyo');
    expect(tokyo).toEqual({
      collection: 'destinations',
      id: 'tokyo',
      title: 'Tokyo',
      chunks: 6,
      revision: source + 1,
      text: corpus[source]!.text,
    });
    expect(list({ collection: 'destinations' })[0]).not.toHaveProperty('text');
    expect(list({ collection: 'nowhere' })).toEqual([]);
  });

  it('refuses what it cannot read, and then has nothing of that document', () => {
    const { engine } = newEngine();
    engine.apply([record('acme', note('a', 'zebra'), 1), record('acme', note('c', 'zebra'), 2)]);
    const broken = { ...record('acme', note('a', ''), 3), data: new TextEncoder().encode('{"id":') };
    const foreign = { ...record('acme', note('b', 'x'), 4), data: encode(note('other', 'x')) };
    const misplaced = { ...record('acme', note('b', 'x'), 5), subject: 'tutti.kb.acme.UPPER.b' };
    const invalid = { ...record('acme', note('b', 'x'), 6), data: Uint8Array.of(0xff, 0xfe) };
    const refusals = engine.apply([broken, foreign, misplaced, invalid]);
    expect(refusals.map((r) => [r.sequence, r.reason.split(':')[0]])).toEqual([
      [3, 'not JSON in UTF-8'],
      [4, 'the body says notes/other, the subject notes/b'],
      [5, 'tutti.kb.acme.UPPER.b is not of the form tutti.kb.<tenant>.<collection>.<document>'],
      [6, 'not JSON in UTF-8'],
    ]);
    expect(search(engine, 'zebra').map((p) => p.document)).toEqual(['c']);
    expect(engine.open().position).toBe(2);
    engine.advance(6);
    expect(engine.open().position).toBe(6);
  });

  it('keeps within its limits', () => {
    const { engine } = newEngine(newFolder(), { ...defaults, documentChunksMax: 3, collectionChunksMax: 4 });
    const sections = (n: number) => Array.from({ length: n }, (_, i) => `## Part ${i}\nzebra ${i}`).join('\n');
    const refusals = engine.apply([
      record('acme', note('a', sections(4)), 1),
      record('acme', note('b', sections(3)), 2),
      record('acme', note('c', sections(2)), 3),
      record('acme', note('b', sections(2)), 4),
      record('acme', note('c', sections(2)), 5),
    ]);
    expect(refusals.map((r) => r.sequence)).toEqual([1, 3]);
    expect(refusals[0]!.reason).toContain('TUTTI_RETRIEVER_DOCUMENT_CHUNKS_MAX is 3');
    expect(refusals[1]!.reason).toContain('TUTTI_RETRIEVER_COLLECTION_CHUNKS_MAX is 4');
    expect(engine.list({ tenant: 'acme', limit: 9 }).map((d) => [d.id, d.chunks])).toEqual([
      ['b', 2],
      ['c', 2],
    ]);
  });
});

describe('what is kept', () => {
  const answers = (engine: SqliteEngine) => questions.map(({ question }) => search(engine, question, { collections }));

  it('answers the same after opening again, and knows where it is', () => {
    const folder = newFolder();
    const first = filled(folder);
    const before = answers(first);
    first.close();
    const { engine, state } = newEngine(folder);
    expect(state).toMatchObject({ position: corpus.length, documents: corpus.length, dropped: null });
    expect(state.anchors[0]).toEqual({
      subject: corpusRecords.at(-1)!.subject,
      sequence: corpus.length,
      storedAt: corpusRecords.at(-1)!.storedAt,
    });
    expect(answers(engine)).toEqual(before);
    engine.apply([record('acme', note('a', 'zebra'), 900)]);
    expect(search(engine, 'zebra')).toHaveLength(1);
  });

  it('survives a copy taken in the middle of its life, as a crash leaves it', () => {
    const folder = newFolder();
    const engine = filled(folder);
    const crashed = newFolder();
    for (const name of readdirSync(folder)) copyFileSync(join(folder, name), join(crashed, name));
    const { engine: recovered, state } = newEngine(crashed);
    expect(state).toMatchObject({ position: corpus.length, dropped: null });
    expect(answers(recovered)).toEqual(answers(engine));
  });

  it('removes what a replayed log does not have', () => {
    const folder = newFolder();
    filled(folder).close();
    const { engine } = newEngine(folder);
    engine.beginReplay();
    const kept = corpusRecords.filter((_, i) => i % 2 === 0).map((r, i) => ({ ...r, sequence: i + 1 }));
    engine.apply(kept);
    expect(engine.open().position).toBe(0);
    engine.beginReplay();
    engine.apply(kept);
    expect(engine.finishReplay()).toBe(corpus.length - kept.length);
    engine.advance(kept.length);
    const { engine: fresh } = newEngine();
    fresh.apply(kept);
    expect(answers(engine)).toEqual(answers(fresh));
  });

  it.each<[string, (path: string) => void, string]>([
    ['is not a database', (path) => writeFileSync(path, 'x'.repeat(10_000)), 'damaged'],
    ['is damaged in the middle', scramble, 'damaged'],
    ['has an older schema', (path) => pragma(path, 'user_version = 99'), 'schema 99'],
  ])('makes a file anew that %s', (_, harm, reason) => {
    const folder = newFolder();
    const before = filled(folder);
    const expected = answers(before);
    before.close();
    harm(file(folder));
    const { engine, state } = newEngine(folder);
    expect(state).toMatchObject({ position: 0, documents: 0, dropped: expect.stringContaining(reason) });
    engine.apply(corpusRecords);
    expect(answers(engine)).toEqual(expected);
  });

  it('makes a file anew that was made with other chunk settings', () => {
    const folder = newFolder();
    filled(folder).close();
    const { state } = newEngine(folder, { ...defaults, chunk: { ...defaults.chunk, charsTarget: 500 } });
    expect(state).toMatchObject({ position: 0, dropped: 'the index file was made with other chunk settings' });
  });

  it('says so when it meets damage while it is open, and is usable after a reset', () => {
    const folder = newFolder();
    const before = filled(folder);
    // More than SQLite keeps in its cache, so that it has to read what was harmed.
    const large = (i: number) => note(`large-${i}`, `zebra ${i}. `.repeat(100_000));
    before.apply([1, 2, 3].map((i) => record('acme', large(i), 100 + i)));
    before.close();
    const { engine: opened } = newEngine(folder);
    scramble(file(folder));
    const meet = () => {
      for (const i of [1, 2, 3]) opened.list({ tenant: 'acme', document: `large-${i}`, limit: 1 });
    };
    expect(meet).toThrow(IndexCorrupt);
    opened.reset();
    opened.apply(corpusRecords);
    expect(search(opened, 'flights to Japan', { collections }).length).toBeGreaterThan(0);
  });

  it('gives each replica of a folder a file of its own', () => {
    const folder = newFolder();
    const first = filled(folder);
    const { engine: second, state } = newEngine(folder);
    expect(state.position).toBe(0);
    second.apply(corpusRecords.slice(0, 3));
    expect(first.list({ tenant: 'acme', limit: 100 })).toHaveLength(corpus.length);
    expect(second.list({ tenant: 'acme', limit: 100 })).toHaveLength(3);
    expect(readdirSync(folder).filter((name) => name.endsWith('.sqlite'))).toHaveLength(2);
  });
});

/** Overwrites every page but the first few with noise. */
function scramble(path: string): void {
  const bytes = readFileSync(path);
  for (let i = 8_192; i < bytes.length; i++) bytes[i] = (i * 31 + 7) & 255;
  writeFileSync(path, bytes);
}
function pragma(path: string, statement: string): void {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA ${statement}`);
  db.close();
}
