/** `tutti bundle-values`: a bundle's files as values of the Helm chart, which makes a ConfigMap of them. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { TuttiError } from '@tutti/contracts';
import { stringify } from 'yaml';
import { loadBundle } from '../bundle/load.ts';
import { EXIT } from '../report.ts';

/** Of a ConfigMap, whose own limit is 1 MiB with what Kubernetes adds. */
const BYTES_MAX = 900_000;
const LEFT_OUT = /^(\.|node_modules$)/;

export function bundleValuesCommand(dir: string): number {
  // Mistakes are found here, not by the job that applies it.
  const loaded = loadBundle(dir);
  const files = Object.fromEntries(filesBelow(loaded.dir).map((path) => [path, textOf(loaded.dir, path)]));
  const bytes = Object.values(files).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > BYTES_MAX)
    throw new TuttiError(
      'invalid_request',
      `the files of ${loaded.dir} have ${bytes} bytes, and a ConfigMap holds ${BYTES_MAX}: build an image with it (bundle.path), or ingest its documents on their own`,
    );
  console.log(stringify({ bundle: { enabled: true, files } }).trimEnd());
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

function textOf(dir: string, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(join(dir, path)));
  } catch (cause) {
    throw new TuttiError('invalid_request', `${path} is no text, which is all that the chart's values hold`, { cause });
  }
}
