/** The official release archive, checked against the pinned sha256 or, while there is none, the release's own SHA256SUMS. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { downloadFile } from '../download.ts';
import { writeExecutable } from '../install.ts';
import { FETCH_LIMITS } from '../limits.ts';
import { RELEASE } from '../pinned.ts';
import { downloadProgress } from '../progress.ts';
import { unpackEntry } from '../unpack.ts';
import type { FetchContext, Source } from './source.ts';

export interface ReleaseOptions {
  /** A mirror of the release's files; https, or http on this machine. */
  baseUrl?: string;
  sha256?: Record<string, string>;
  connectTimeoutMs?: number;
  stallTimeoutMs?: number;
}

export function releaseSource(options: ReleaseOptions = {}): Source {
  const baseUrl = options.baseUrl ?? RELEASE.baseUrl;
  return {
    name: 'release',
    title: `the release archive from ${new URL(baseUrl).host}`,
    fetch: (context) => fetchRelease(baseUrl, options, context),
  };
}

async function fetchRelease(baseUrl: string, options: ReleaseOptions, context: FetchContext): Promise<string> {
  const archive = RELEASE.archives[context.platform];
  if (!archive) throw new Error(`there is no release archive for ${context.platform}`);
  assertTrustworthy(new URL(baseUrl));
  const limits = {
    env: context.env,
    connectTimeoutMs: options.connectTimeoutMs,
    stallTimeoutMs: options.stallTimeoutMs,
  };
  context.log(`fetching nats-server ${RELEASE.version}: ${baseUrl}/${archive}`);
  const wanted =
    (options.sha256 ?? RELEASE.sha256)[archive] ?? (await publishedChecksum(baseUrl, archive, limits, context));
  const path = join(context.workDir, archive);
  const onProgress = downloadProgress(context.log, archive);
  const { sha256 } = await downloadFile(`${baseUrl}/${archive}`, path, {
    ...limits,
    bytesMax: FETCH_LIMITS.archiveBytesMax,
    onProgress,
  });
  if (sha256 !== wanted) throw new Error(`${archive} has the wrong checksum: sha256 ${sha256}, expected ${wanted}`);
  const target = join(context.workDir, context.binary);
  await writeExecutable(
    target,
    unpackEntry(archive, readFileSync(path), (name) => name.split('/').at(-1) === context.binary),
  );
  return target;
}

/** Without a pinned checksum the one from the network is all there is: then at least nobody on the way may change it. */
function assertTrustworthy(url: URL): void {
  if (url.protocol === 'https:' || ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)) return;
  throw new Error(`${url.origin} is not https`);
}

async function publishedChecksum(
  baseUrl: string,
  archive: string,
  limits: { env: FetchContext['env']; connectTimeoutMs?: number; stallTimeoutMs?: number },
  context: FetchContext,
): Promise<string> {
  context.log(`no checksum is pinned for ${archive}: checking against the release's own ${RELEASE.checksumsFile}`);
  const path = join(context.workDir, RELEASE.checksumsFile);
  await downloadFile(`${baseUrl}/${RELEASE.checksumsFile}`, path, {
    ...limits,
    bytesMax: FETCH_LIMITS.checksumsBytesMax,
  });
  const line = readFileSync(path, 'utf8')
    .split('\n')
    .map((each) => each.trim().split(/\s+\*?/))
    .find(([sum, name]) => name === archive && /^[0-9a-f]{64}$/.test(sum ?? ''));
  if (!line?.[0]) throw new Error(`${RELEASE.checksumsFile} of the release does not name ${archive}`);
  return line[0];
}
