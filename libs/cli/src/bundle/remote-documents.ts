/** OpenAPI documents that a bundle's sources name by URL: read once, when the bundle is read, and kept in it. */
import { TuttiError } from '@tutti/contracts';
import { parse } from 'yaml';
import { BUNDLE_LIMITS, BundleFiles } from './files.ts';
import { type LoadedBundle, loadBundle, type RemoteDocument, toolManifests } from './load.ts';
import { Problems } from './problems.ts';

const TIMEOUT_MS = 30_000;

/** As `loadBundle`, with the documents behind URLs. */
export async function readBundle(path: string): Promise<LoadedBundle> {
  const remote = new Map<string, RemoteDocument>();
  for (const url of urlsIn(path)) remote.set(url, await readDocument(url));
  return loadBundle(path, remote);
}

/** Mistakes are told by `loadBundle`, with all others. */
function urlsIn(path: string): Set<string> {
  const urls = new Set<string>();
  try {
    const files = new BundleFiles(path, new Problems());
    for (const [, file] of toolManifests(files)) {
      const document = files.object(file)?.document;
      if (typeof document === 'string' && isUrl(document)) urls.add(document);
    }
  } catch {
    // No folder, for one.
  }
  return urls;
}

export function isUrl(document: string): boolean {
  return /^https?:\/\//i.test(document);
}

async function readDocument(url: string): Promise<RemoteDocument> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) return { problem: `answers HTTP ${response.status}` };
    const text = await readText(response);
    const data: unknown = parse(text, { maxAliasCount: 100 });
    if (data !== null && typeof data === 'object' && !Array.isArray(data))
      return { data: data as Record<string, unknown>, text };
    return { problem: 'holds no object' };
  } catch (error) {
    const { message, cause } = error as Error & { cause?: { code?: string } };
    return { problem: `cannot be read: ${cause?.code ?? message.split('\n')[0]}` };
  }
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > BUNDLE_LIMITS.documentBytesMax)
      throw new TuttiError('bundle_invalid', `it is larger than ${BUNDLE_LIMITS.documentBytesMax} bytes`);
    chunks.push(chunk);
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
}
