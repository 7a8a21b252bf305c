/** `tutti apply` and `tutti ingest`: bundles and documents into a running Tutti, over its API. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type KnowledgeDocument, Name, TuttiError } from '@tutti/contracts';
import { parseDocument } from '../bundle/documents.ts';
import type { LoadedBundle } from '../bundle/load.ts';
import { readBundle } from '../bundle/remote-documents.ts';
import { type Api, createApi } from '../client/api.ts';
import { EXIT } from '../report.ts';
import { dim, plural, yellow } from '../style.ts';

const HASH_CHARS_SHOWN = 12;
const READY_TIMEOUT_MS = 2_000;
const READY_RETRY_MS = 500;

export interface ApplyOptions {
  url?: string;
  check?: boolean;
  prune?: boolean;
  /** Seconds. */
  wait?: number;
}

export async function applyCommand(dir: string, options: ApplyOptions): Promise<number> {
  const loaded = await readBundle(dir);
  const { agents, tools, policies } = loaded.bundle;
  const parts = [
    plural(Object.keys(agents).length, 'agent'),
    plural(Object.keys(tools).length, 'tool source'),
    plural(Object.keys(policies).length, 'policy file'),
    plural(loaded.documents.length, 'document'),
  ];
  if (options.check) {
    console.log(`bundle ${loaded.bundle.name} is good: ${parts.join(', ')}`);
    return EXIT.ok;
  }
  const api = createApi(options.url);
  if (options.wait) await becomesReady(api, options.wait * 1_000);
  const { hash } = await api.send<{ hash: string }>('POST', '/v1/bundles', loaded.bundle);
  console.log(`bundle ${loaded.bundle.name} is applied (${hash.slice(0, HASH_CHARS_SHOWN)}): ${parts.join(', ')}`);
  await applyDocuments(api, loaded, options.prune ?? false);
  if (loaded.servers.length)
    console.log(
      dim(`its helper servers (${loaded.servers.map(({ name }) => name).join(', ')}) are started by "tutti up" alone`),
    );
  return EXIT.ok;
}

/** Returns in any case: what is wrong the first request says better. */
async function becomesReady(api: Api, waitMs: number): Promise<void> {
  const until = performance.now() + waitMs;
  while (performance.now() < until) {
    const response = await fetch(`${api.url}/readyz`, { signal: AbortSignal.timeout(READY_TIMEOUT_MS) }).catch(
      () => {},
    );
    await response?.body?.cancel();
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, READY_RETRY_MS));
  }
}

async function applyDocuments(api: Api, loaded: LoadedBundle, prune: boolean): Promise<void> {
  for (const collection of Object.keys(loaded.bundle.collections)) {
    const own = loaded.documents.filter((document) => document.collection === collection);
    const path = `/v1/collections/${collection}/documents`;
    const there = (await api.get<{ data: { id: string }[] }>(path)).data.map(({ id }) => id);
    let written = 0;
    for (const document of own) {
      if (there.includes(document.id) && (await isSame(api, document))) continue;
      await putDocument(api, document);
      written += 1;
    }
    const others = there.filter((id) => !own.some((document) => document.id === id));
    if (prune) for (const id of others) await api.send('DELETE', `${path}/${id}`);
    const rest =
      others.length === 0
        ? ''
        : prune
          ? `, ${others.length} removed`
          : `, ${others.length} there that the folder does not have (--prune removes them)`;
    console.log(dim(`  ${collection}: ${written} of ${own.length} new or changed${rest}`));
  }
}

async function isSame(api: Api, document: KnowledgeDocument): Promise<boolean> {
  const stored = await api.get<{ title: string; text?: string }>(
    `/v1/collections/${document.collection}/documents/${document.id}`,
  );
  return stored.title === document.title && stored.text === document.text;
}

function putDocument(api: Api, { collection, id, title, text, uri }: KnowledgeDocument): Promise<unknown> {
  return api.send('PUT', `/v1/collections/${collection}/documents/${id}`, { title, text, uri });
}

export async function ingestCommand(collection: string, files: string[], options: { url?: string }): Promise<number> {
  const name = Name.safeParse(collection);
  if (!name.success)
    throw new TuttiError(
      'invalid_request',
      `"${collection}" is no name of a collection: it ${name.error.issues[0]?.message}`,
      { details: 'usage' },
    );
  const problems: string[] = [];
  const documents = files.flatMap(
    (file) => readDocument(collection, file, (problem) => problems.push(`  ${file}: ${problem}`)) ?? [],
  );
  if (problems.length) throw new TuttiError('invalid_request', `nothing was ingested:\n${problems.join('\n')}`);
  const api = createApi(options.url);
  for (const document of documents) {
    await putDocument(api, document);
    console.log(`${collection}/${document.id}  ${dim(document.title)}`);
  }
  await warnIfUnused(api, collection);
  return EXIT.ok;
}

function readDocument(
  collection: string,
  file: string,
  report: (problem: string) => void,
): KnowledgeDocument | undefined {
  if (!/\.(md|txt)$/.test(file)) return void report('only .md and .txt files can be ingested');
  try {
    return parseDocument(basename(file), readFileSync(file, 'utf8'), collection, basename(file), report);
  } catch (error) {
    return void report((error as Error).message);
  }
}

async function warnIfUnused(api: Api, collection: string): Promise<void> {
  const { data } = await api.get<{ data: { knowledge: string[] }[] }>('/v1/agents');
  if (data.some(({ knowledge }) => knowledge.includes(collection))) return;
  console.log(yellow(`no agent of the current bundle reads "${collection}": add it to an agent's knowledge`));
}
