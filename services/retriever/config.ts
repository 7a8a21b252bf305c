/** The retriever's settings, from the environment: every limit of this service, with its default. */
import { z } from 'zod';

const count = (fallback: number, max: number) => z.coerce.number().int().min(1).max(max).default(fallback);

export const RetrieverConfig = z
  .object({
    TUTTI_RETRIEVER_CHUNK_CHARS_TARGET: count(1_000, 20_000).describe('Characters at which a chunk is closed.'),
    TUTTI_RETRIEVER_CHUNK_CHARS_MAX: count(1_600, 40_000).describe('Characters that no chunk exceeds.'),
    TUTTI_RETRIEVER_CHUNK_OVERLAP_CHARS: z.coerce
      .number()
      .int()
      .min(0)
      .max(5_000)
      .default(150)
      .describe('Characters of a chunk that may be repeated at the start of the next one.'),
    TUTTI_RETRIEVER_DOCUMENT_CHUNKS_MAX: count(5_000, 100_000).describe('Chunks of one document.'),
    TUTTI_RETRIEVER_COLLECTION_CHUNKS_MAX: count(500_000, 2_000_000).describe('Chunks of one collection.'),
    TUTTI_RETRIEVER_RESIDENT_CHUNKS_MAX: count(1_000_000, 10_000_000).describe(
      'Chunks whose postings are kept in memory; the collections that were searched longest ago give way.',
    ),
    TUTTI_RETRIEVER_QUERY_TERMS_MAX: count(32, 256).describe('Words of a query that are looked up, the rarest first.'),
    TUTTI_RETRIEVER_SEARCH_COLLECTIONS_MAX: count(32, 256).describe('Collections of one search.'),
    TUTTI_RETRIEVER_CALLS_PENDING_MAX: count(256, 10_000).describe('Searches and listings that wait for the index.'),
    TUTTI_RETRIEVER_BATCH_RECORDS_MAX: count(64, 10_000).describe('Documents that are indexed in one transaction …'),
    TUTTI_RETRIEVER_BATCH_BYTES_MAX: count(256_000, 64_000_000).describe(
      '… and their bytes. A search waits for one such batch at most.',
    ),
    TUTTI_RETRIEVER_QUEUE_BYTES_MAX: count(16_000_000, 1_000_000_000).describe(
      'Bytes that were received and not yet indexed; then the stream has to wait.',
    ),
    TUTTI_RETRIEVER_RESTART_WAIT_MS: count(200, 60_000).describe(
      'Wait before opening the index anew after a failure …',
    ),
    TUTTI_RETRIEVER_RESTART_WAIT_MAX_MS: count(10_000, 600_000).describe('… and its bound, as it doubles.'),
  })
  .superRefine((env, context) => {
    const wrong = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (env.TUTTI_RETRIEVER_CHUNK_CHARS_TARGET > env.TUTTI_RETRIEVER_CHUNK_CHARS_MAX)
      wrong('TUTTI_RETRIEVER_CHUNK_CHARS_TARGET', 'must not be more than TUTTI_RETRIEVER_CHUNK_CHARS_MAX');
    if (env.TUTTI_RETRIEVER_CHUNK_OVERLAP_CHARS > env.TUTTI_RETRIEVER_CHUNK_CHARS_TARGET / 2)
      wrong('TUTTI_RETRIEVER_CHUNK_OVERLAP_CHARS', 'must not be more than half of TUTTI_RETRIEVER_CHUNK_CHARS_TARGET');
  });
export type RetrieverConfig = z.infer<typeof RetrieverConfig>;

/** What the index itself needs to know; plain data, because it goes to a thread. */
export interface IndexSettings {
  chunk: { charsTarget: number; charsMax: number; overlapChars: number };
  documentChunksMax: number;
  collectionChunksMax: number;
  residentChunksMax: number;
  queryTermsMax: number;
}

export function indexSettings(env: RetrieverConfig): IndexSettings {
  return {
    chunk: {
      charsTarget: env.TUTTI_RETRIEVER_CHUNK_CHARS_TARGET,
      charsMax: env.TUTTI_RETRIEVER_CHUNK_CHARS_MAX,
      overlapChars: env.TUTTI_RETRIEVER_CHUNK_OVERLAP_CHARS,
    },
    documentChunksMax: env.TUTTI_RETRIEVER_DOCUMENT_CHUNKS_MAX,
    collectionChunksMax: env.TUTTI_RETRIEVER_COLLECTION_CHUNKS_MAX,
    residentChunksMax: env.TUTTI_RETRIEVER_RESIDENT_CHUNKS_MAX,
    queryTermsMax: env.TUTTI_RETRIEVER_QUERY_TERMS_MAX,
  };
}
