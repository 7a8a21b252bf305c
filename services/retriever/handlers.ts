/** Verbs of the retriever. Both only read, so that answering a call again is the same as answering it. */
import { TuttiError } from '@tutti/contracts';
import type { Handlers } from '@tutti/runtime';
import { IndexCorrupt, type IndexEngine, type ListedDocument } from './ports/index-engine.ts';
import type { TracedSearch } from './tracing.ts';

/** Documents on a page that comes with their texts. */
const TEXTS_MAX = 4;
const NOT_READY_RETRY_MS = 500;

export interface HandlerParts {
  engine: Pick<IndexEngine, 'search' | 'list'>;
  /** Is the index caught up with the log? */
  ready(): boolean;
  /** The index was found broken. */
  report(error: Error): void;
  collectionsMax: number;
  /** Around one search. */
  traced: TracedSearch;
}

export function createHandlers(parts: HandlerParts): Handlers {
  const { engine } = parts;
  async function ask<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    if (!parts.ready()) throw notReady('the index is still catching up with the documents');
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof IndexCorrupt)) throw error;
      parts.report(error);
      throw notReady('the index was damaged and is made again from the documents');
    }
  }
  return {
    async search(body, { item, signal, traceparent }) {
      const collections = [...new Set(body.collections)];
      if (collections.length > parts.collectionsMax)
        throw new TuttiError(
          'invalid_request',
          `a search may name ${parts.collectionsMax} collections, not ${collections.length}; see TUTTI_RETRIEVER_SEARCH_COLLECTIONS_MAX`,
        );
      const { query, limit } = body;
      const passages = await parts.traced({ collections, query, traceparent }, () =>
        ask(signal, () => engine.search({ tenant: item.tenant, collections, query, limit })),
      );
      return { passages };
    },
    async documents(body, { item, signal }) {
      const limit = body.document === undefined ? body.limit : Math.min(body.limit, TEXTS_MAX);
      // One more than asked for tells whether there is more.
      const question = { ...body, tenant: item.tenant, limit: limit + 1 };
      const documents = await ask(signal, () => engine.list(question));
      const page = documents.slice(0, limit);
      return { documents: page, next: documents.length > limit ? cursor(page.at(-1)!) : null };
    },
  };
}

function cursor(document: ListedDocument): string {
  return `${document.collection}/${document.id}`;
}

function notReady(message: string): TuttiError {
  return new TuttiError('unavailable', message, { retryAfterMs: NOT_READY_RETRY_MS });
}
