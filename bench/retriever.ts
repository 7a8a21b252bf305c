/**
 * What the retriever's claims rest on: how fast it indexes and answers, at 10,000 and 100,000 chunks, beside SQLite's
 * FTS5 and beside a naive scan over the same chunks in the same run. The ratios travel between machines, the
 * milliseconds do not. `npx node bench/retriever.ts [chunks …]`; texts are made up, with words as frequent as in English.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SqliteEngine } from '../services/retriever/adapters/sqlite-engine.ts';
import { indexSettings, RetrieverConfig } from '../services/retriever/config.ts';
import { createAnalyzer } from '../services/retriever/core/analyze.ts';
import { chunkDocument } from '../services/retriever/core/chunk.ts';

const VOCABULARY = 60_000;
const PARAGRAPH_WORDS = 130;
const PARAGRAPHS = 10;
const QUERIES = 300;
const NAIVE_QUERIES = 3;
const LIMIT = 8;
const settings = indexSettings(RetrieverConfig.parse({}));

function createChance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
const chance = createChance(7);

const SYLLABLES = 'ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo zu bra cli dro fre gli pla stro tri'.split(
  ' ',
);
const words = Array.from({ length: VOCABULARY }, (_, rank) => {
  let word = '';
  for (let rest = rank + 30; rest > 0; rest = Math.floor(rest / SYLLABLES.length))
    word += SYLLABLES[rest % SYLLABLES.length];
  return word;
});
/** Zipf's law: the word of rank r comes with a probability of about 1 / r. */
const aWord = () => words[Math.floor(VOCABULARY ** chance()) - 1]!;
const sentence = (count: number) => `${Array.from({ length: count }, aWord).join(' ')}.`;

function makeDocument(number: number) {
  const paragraphs = Array.from(
    { length: PARAGRAPHS },
    (_, i) => `## ${i + 1} ${sentence(3)}\n\n${sentence(PARAGRAPH_WORDS)}`,
  );
  return { id: `doc-${number}`, collection: 'bench', title: sentence(5), text: paragraphs.join('\n\n') };
}
type BenchDocument = ReturnType<typeof makeDocument>;

function timed<T>(work: () => T): { ms: number; result: T } {
  const start = performance.now();
  const result = work();
  return { ms: performance.now() - start, result };
}
function percentile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}
function measureQueries(queries: string[], ask: (query: string) => unknown) {
  const times = queries.map((query) => timed(() => ask(query)).ms).sort((a, b) => a - b);
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}

function benchEngine(folder: string, documents: BenchDocument[], queries: string[]) {
  const engine = new SqliteEngine(folder, settings);
  engine.open();
  const encoder = new TextEncoder();
  let sequence = 0;
  const records = documents.map((document) => {
    sequence += 1;
    return {
      subject: `tutti.kb.acme.bench.${document.id}`,
      data: encoder.encode(JSON.stringify(document)),
      sequence,
      storedAt: sequence,
    };
  });
  const batches: number[] = [];
  const indexing = timed(() => {
    for (let at = 0; at < records.length; at += 32)
      batches.push(timed(() => engine.apply(records.slice(at, at + 32))).ms);
  });
  const search = (query: string) => engine.search({ tenant: 'acme', collections: ['bench'], query, limit: LIMIT });
  for (const query of queries.slice(0, 20)) search(query);
  const times = measureQueries(queries, search);
  const update = measureQueries(queries.slice(0, 50), () => {
    const record = records[Math.floor(chance() * records.length)]!;
    sequence += 1;
    engine.apply([{ ...record, sequence, storedAt: sequence }]);
  });
  engine.close();
  const reopen = timed(() => engine.open());
  engine.close();
  const heap = process.memoryUsage();
  return {
    indexing: indexing.ms,
    batchMax: Math.max(...batches),
    ...times,
    update,
    reopen: reopen.ms,
    chunks: reopen.result.chunks,
    heap,
  };
}

function benchFts5(path: string, documents: BenchDocument[], queries: string[]) {
  const db = new DatabaseSync(path);
  db.exec(
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; CREATE VIRTUAL TABLE t USING fts5(title, text, tokenize='porter unicode61')",
  );
  const insert = db.prepare('INSERT INTO t VALUES (?, ?)');
  const indexing = timed(() => {
    db.exec('BEGIN');
    for (const document of documents)
      for (const chunk of chunkDocument(document.title, document.text, settings.chunk))
        insert.run(`${document.title} ${chunk.section}`, chunk.text);
    db.exec('COMMIT');
  });
  const select = db.prepare(`SELECT rowid, title, text FROM t(?) ORDER BY bm25(t, 2, 1) LIMIT ${LIMIT}`);
  const match = (query: string) =>
    select.all([...new Set(query.match(/\w+/g))].map((word) => `"${word}"`).join(' OR '));
  for (const query of queries.slice(0, 20)) match(query);
  const times = measureQueries(queries, match);
  db.close();
  return { indexing: indexing.ms, ...times };
}

/** BM25 with no index: every chunk is analysed for every query, as a first version would do it. */
function benchNaive(documents: BenchDocument[], queries: string[]) {
  const analyze = createAnalyzer();
  const chunks = documents.flatMap((document) => chunkDocument(document.title, document.text, settings.chunk));
  return measureQueries(queries.slice(0, NAIVE_QUERIES), (query) => {
    const wanted = new Set(analyze(query));
    return chunks
      .map((chunk) => analyze(chunk.text).filter((term) => wanted.has(term)).length)
      .sort((a, b) => b - a)
      .slice(0, LIMIT);
  });
}

const sizes = process.argv.slice(2).map(Number);
for (const size of sizes.length > 0 ? sizes : [10_000, 100_000]) {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-bench-retriever-'));
  try {
    const documents = Array.from({ length: Math.round(size / PARAGRAPHS) }, (_, i) => makeDocument(i));
    const queries = Array.from({ length: QUERIES }, () => sentence(3 + Math.floor(chance() * 8)));
    const engine = benchEngine(folder, documents, queries);
    const fts5 = benchFts5(join(folder, 'fts5.sqlite'), documents, queries);
    const naive = benchNaive(documents, queries);
    const ms = (value: number) => value.toFixed(value < 10 ? 2 : 0);
    console.log(
      `${engine.chunks} chunks, file ${Math.round(statSync(join(folder, 'index-0.sqlite')).size / 1e6)} MB, heap ${Math.round(engine.heap.heapUsed / 1e6)} MB`,
    );
    console.log(
      `  index    ${Math.round((engine.chunks / engine.indexing) * 1000)} chunks/s (longest batch ${ms(engine.batchMax)} ms); FTS5 ${Math.round((engine.chunks / fts5.indexing) * 1000)}; reopen ${ms(engine.reopen)} ms`,
    );
    console.log(
      `  search   p50 ${ms(engine.p50)} p99 ${ms(engine.p99)} ms; FTS5 p50 ${ms(fts5.p50)} p99 ${ms(fts5.p99)}; naive scan p50 ${ms(naive.p50)}`,
    );
    console.log(
      `  ratio    ${Math.round(naive.p50 / engine.p50)}x a naive scan, ${(fts5.p50 / engine.p50).toFixed(1)}x FTS5`,
    );
    console.log(
      `  update of one document of ${PARAGRAPHS} chunks p50 ${ms(engine.update.p50)} p99 ${ms(engine.update.p99)} ms`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
