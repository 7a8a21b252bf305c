/**
 * The chart as helm renders it, under every kind of values in its ci/ folder. helm and the schemas are fetched once, pinned; where
 * they cannot be had, what needs them is skipped loudly, and in CI it fails.
 */
import { execFile } from 'node:child_process';
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '@tutti/testkit';
import { parseAllDocuments } from 'yaml';
import { findHelm } from '../cluster/helm.ts';
import type { Rendered } from './rendered.ts';
import { type Check, KUBERNETES, loadSchemas } from './schemas.ts';

const run = promisify(execFile);
export const chart = join(repositoryRoot, 'deploy/helm/tutti');
export const kinds = globSync('*-values.yaml', { cwd: join(chart, 'ci') }).map((file) =>
  basename(file, '-values.yaml'),
);
/** Of Kubernetes. A helm that was built by hand knows none. */
const VERSION = ['--kube-version', KUBERNETES];
const OUTPUT_BYTES_MAX = 20_000_000;

/** Undefined after a loud line; in CI nothing of this may be left out. */
async function orSkipped<T>(get: () => Promise<T>): Promise<T | undefined> {
  try {
    return await get();
  } catch (error) {
    if (process.env.CI) throw error;
    process.stderr.write(`\n!!! SKIPPED: the chart is not looked at. ${(error as Error).message}\n\n`);
    return undefined;
  }
}

export const helm = await orSkipped(() => findHelm((line) => process.stderr.write(`${line}\n`)));
export const schemas: Check | undefined = helm ? await orSkipped(loadSchemas) : undefined;

export async function lint(kind: string): Promise<string> {
  const values = ['-f', join(chart, `ci/${kind}-values.yaml`)];
  return (await run(helm!, ['lint', '--strict', chart, ...VERSION, ...values])).stdout;
}

export async function template(...args: string[]): Promise<string> {
  const options = { maxBuffer: OUTPUT_BYTES_MAX };
  return (await run(helm!, ['template', 'tutti', chart, ...VERSION, ...args], options)).stdout;
}

/** What helm says against these values. */
export function fails(...args: string[]): Promise<string> {
  return template(...args).then(
    () => 'it was rendered',
    (error: { stderr: string }) => error.stderr,
  );
}

export async function objectsOf(...args: string[]): Promise<Rendered[]> {
  return parseAllDocuments(await template(...args)).flatMap((document) => (document.toJS() as Rendered | null) ?? []);
}

/** `use` with a file of such values. */
export async function withValues<T>(values: unknown, use: (file: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-chart-'));
  try {
    const file = join(folder, 'values.json');
    writeFileSync(file, JSON.stringify(values));
    return await use(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const rendered = new Map<string, Rendered[]>();
if (helm) for (const kind of kinds) rendered.set(kind, await objectsOf('-f', join(chart, `ci/${kind}-values.yaml`)));

/** All objects of one kind of values, or of all of them. */
export function objects(kind?: string): Rendered[] {
  return kind === undefined ? [...rendered.values()].flat() : rendered.get(kind)!;
}

/** Those of one kind of values that are a `Deployment`, for one. */
export function of(kind: string, what: string): Rendered[] {
  return objects(kind).filter((object) => object.kind === what);
}

export function podsOf(list: Rendered[]) {
  return list.flatMap((object) => {
    const pod = object.kind === 'Pod' ? object.spec : object.spec?.template?.spec;
    return pod ? [{ name: object.metadata.name, object, pod }] : [];
  });
}
