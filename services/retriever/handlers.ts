/**
 * Verbs of the retriever. Both only read, so that answering a call again is the same as answering it. A search names the
 * agent it is for, and reads what policy lets that agent read; passages carry the label of their collection.
 */
import { type Bundle, collectionLabel, TuttiError, type Withheld } from '@tutti/contracts';
import type { PolicyEngines } from '@tutti/policy';
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
  /** Throws TuttiError `not_found`. */
  bundle(hash: string): Promise<Bundle>;
  policies: PolicyEngines;
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
      const { tenant } = item;
      const bundle = body.bundle === undefined ? undefined : await parts.bundle(body.bundle);
      const withheld = withheldFrom(parts.policies, {
        tenant,
        collections,
        hash: body.bundle,
        bundle,
        agent: body.agent,
      });
      const open = collections.filter((name) => !withheld.some(({ what }) => what === name));
      const found = await parts.traced({ collections: open, query, traceparent }, async () =>
        open.length === 0 ? [] : ask(signal, () => engine.search({ tenant, collections: open, query, limit })),
      );
      const passages = bundle
        ? found.map((passage) => ({ ...passage, label: collectionLabel(bundle.collections, passage.collection) }))
        : found;
      return { passages, ...(withheld.length > 0 ? { withheld } : {}) };
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

interface Asker {
  tenant: string;
  collections: string[];
  hash: string | undefined;
  bundle: Bundle | undefined;
  agent: string | undefined;
}

/** Which of the collections policy keeps from this agent. */
function withheldFrom(policies: PolicyEngines, { tenant, collections, hash, bundle, agent = '' }: Asker): Withheld[] {
  const engine = hash !== undefined && bundle ? policies.of(hash, bundle) : policies.builtin;
  const manifest = bundle && Object.hasOwn(bundle.agents, agent) ? bundle.agents[agent] : undefined;
  return collections.flatMap((name) => {
    const known = bundle && Object.hasOwn(bundle.collections, name) ? bundle.collections[name] : undefined;
    const { decision, reason, policy } = engine.authorize({
      principal: { type: 'Agent', id: agent, attrs: { tenant }, attributes: manifest?.attributes },
      action: 'knowledge.read',
      resource: {
        type: 'Collection',
        id: name,
        attrs: { tenant, label: collectionLabel(bundle?.collections, name) },
        attributes: known?.attributes,
      },
      context: { tenant },
    });
    return decision === 'allow' ? [] : [{ what: name, reason, policy }];
  });
}

function cursor(document: ListedDocument): string {
  return `${document.collection}/${document.id}`;
}

function notReady(message: string): TuttiError {
  return new TuttiError('unavailable', message, { retryAfterMs: NOT_READY_RETRY_MS });
}
