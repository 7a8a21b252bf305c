/**
 * Puts a bundle and its documents on the bus, as the gateway's API does: the bundle into the store, each document on its
 * subject. Only what has changed is written. A document that the bundle no longer has is marked deleted, but only if it
 * came from the bundle: what people added stays.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { contentHash, KnowledgeDocument, STREAMS, subjects, TuttiError } from '@tutti/contracts';
import type { BundleStore, Bus, Caller } from '@tutti/runtime';
import { bundleUri, type LoadedBundle } from '../bundle/load.ts';
import { UP_LIMITS } from './limits.ts';

const encoder = new TextEncoder();

export interface Applied {
  hash: string;
  changed: boolean;
  /** What was written: sequence by document. */
  written: { document: KnowledgeDocument; sequence: number }[];
}

export async function applyBundle(
  loaded: LoadedBundle,
  tenant: string,
  bus: Bus,
  bundles: BundleStore,
): Promise<Applied> {
  const before = await bundles.current(tenant);
  const hash = await bundles.apply(tenant, loaded.bundle);
  const written = [];
  for (const document of await changedDocuments(loaded, tenant, bus))
    written.push({ document, sequence: await writeDocument(document, tenant, bus) });
  return { hash, changed: hash !== before, written };
}

async function changedDocuments(loaded: LoadedBundle, tenant: string, bus: Bus): Promise<KnowledgeDocument[]> {
  const stored = await readDocuments(tenant, bus);
  const keyOf = (document: KnowledgeDocument) => `${document.collection}/${document.id}`;
  const changed = loaded.documents.filter((document) => {
    const known = stored.get(keyOf(document));
    return !known || contentHash(known) !== contentHash(document);
  });
  const own = new Set(loaded.documents.map(keyOf));
  const prefix = bundleUri(loaded.bundle.name);
  const gone = [...stored.values()].filter(
    (document) => !document.deleted && document.uri?.startsWith(prefix) && !own.has(keyOf(document)),
  );
  return [...changed, ...gone.map((document) => ({ ...document, text: '', deleted: true }))];
}

/** The last word on every document of the tenant. */
async function readDocuments(tenant: string, bus: Bus): Promise<Map<string, KnowledgeDocument>> {
  const stored = new Map<string, KnowledgeDocument>();
  const follower = await bus.follow(STREAMS.knowledge.name, [subjects.document(tenant, '*', '*')], 1, (message) => {
    const parsed = KnowledgeDocument.safeParse(parse(message.data));
    if (parsed.success) stored.set(`${parsed.data.collection}/${parsed.data.id}`, parsed.data);
  });
  await follower.caughtUp;
  follower.stop();
  return stored;
}

function parse(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data));
  } catch {
    return undefined;
  }
}

async function writeDocument(document: KnowledgeDocument, tenant: string, bus: Bus): Promise<number> {
  const data = encoder.encode(JSON.stringify(document));
  if (data.length > bus.payloadBytesMax)
    throw new TuttiError(
      'payload_too_large',
      `the document ${document.collection}/${document.id} has ${data.length} bytes, and the bus takes ${bus.payloadBytesMax}; split it, or raise max_payload of the NATS server`,
    );
  return bus.append(subjects.document(tenant, document.collection, document.id), data);
}

/** Resolves when what was written can be found by searches. Throws TuttiError `timeout`. `goOn` throws when it is to stop. */
export async function waitForIndex(applied: Applied, tenant: string, caller: Caller, goOn: () => void): Promise<void> {
  const deadline = performance.now() + UP_LIMITS.indexTimeoutMs;
  const open = new Map(applied.written.map((entry) => [`${entry.document.collection}/${entry.document.id}`, entry]));
  const collections = new Set(applied.written.map(({ document }) => document.collection));
  while (open.size > 0) {
    for (const collection of collections) {
      const { documents } = await caller.call(
        'documents',
        { collection },
        { tenant, timeoutMs: UP_LIMITS.indexTimeoutMs },
      );
      const revisions = new Map(documents.map(({ id, revision }) => [id, revision]));
      for (const [key, { document, sequence }] of open) {
        if (document.collection !== collection) continue;
        const revision = revisions.get(document.id);
        const done = document.deleted ? revision === undefined : revision !== undefined && revision >= sequence;
        if (done) open.delete(key);
      }
    }
    if (open.size === 0) return;
    if (performance.now() > deadline)
      throw new TuttiError(
        'timeout',
        `these documents are not searchable after ${UP_LIMITS.indexTimeoutMs} ms: ${[...open.keys()].join(', ')}`,
      );
    await sleep(UP_LIMITS.indexPollMs);
    goOn();
  }
}
