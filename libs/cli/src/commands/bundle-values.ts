/** `tutti bundle-values`: a bundle's files as values of the Helm chart, which makes a ConfigMap of them. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { TuttiError } from '@tutti/contracts';
import { stringify } from 'yaml';
import { readBundle } from '../bundle/remote-documents.ts';
import { EXIT } from '../report.ts';

/** Of a ConfigMap, whose own limit is 1 MiB with what Kubernetes adds. */
const BYTES_MAX = 900_000;
/** Of the Secret in which Helm keeps a release: it has the values twice, compressed, and is in base64. */
const RELEASE_BYTES_MAX = 900_000;
const LEFT_OUT = /^(\.|node_modules$)/;

export async function bundleValuesCommand(dir: string): Promise<number> {
  // Mistakes are found here, not by the job that applies it.
  const loaded = await readBundle(dir);
  const [files, binaryFiles]: Record<string, string>[] = [{}, {}];
  let bytes = 0;
  for (const path of filesBelow(loaded.dir)) {
    const content = readFileSync(join(loaded.dir, path));
    bytes += content.length;
    const text = textOf(content);
    if (text === undefined) binaryFiles![path] = content.toString('base64');
    else files![path] = text;
  }
  const bundle = { enabled: true, files, ...(Object.keys(binaryFiles!).length > 0 ? { binaryFiles } : {}) };
  const kept = JSON.stringify([bundle, bundle]);
  const releaseBytes = bytes > BYTES_MAX ? 0 : (gzipSync(kept).length * 4) / 3;
  if (bytes > BYTES_MAX || releaseBytes > RELEASE_BYTES_MAX) {
    const limit = bytes > BYTES_MAX ? `a ConfigMap holds ${BYTES_MAX}` : 'Helm could not keep a release with them';
    throw new TuttiError(
      'invalid_request',
      `the files of ${loaded.dir} have ${bytes} bytes, and ${limit}: build an image with it (bundle.path), or ingest its documents on their own`,
    );
  }
  console.log(stringify({ bundle }).trimEnd());
  return EXIT.ok;
}

function filesBelow(dir: string, prefix = ''): string[] {
  return readdirSync(join(dir, prefix))
    .filter((name) => !LEFT_OUT.test(name))
    .toSorted()
    .flatMap((name) => {
      const path = prefix ? `${prefix}/${name}` : name;
      return statSync(join(dir, path)).isDirectory() ? filesBelow(dir, path) : [path];
    });
}

/** Undefined: it is none. */
function textOf(content: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined;
  }
}
