/**
 * A folder of manifests → one bundle. Reads only; changes nothing. Every mistake is found in one go, each with its file
 * and the place in it.
 */
import { existsSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import {
  AgentManifest,
  type Bundle,
  CollectionManifest,
  contentHash,
  type KnowledgeDocument,
  Name,
  ToolSource,
  TuttiError,
} from '@tutti/contracts';
import { policyEngineOf } from '@tutti/policy';
import { z } from 'zod';
import { loadCallRules } from './call-rules.ts';
import { loadDocuments } from './documents.ts';
import { BUNDLE_LIMITS, BundleFiles } from './files.ts';
import { loadModels } from './models-file.ts';
import { neededPart } from './openapi-document.ts';
import { Problems } from './problems.ts';

const MANIFEST = 'tutti.yaml';
const YAML = ['.yaml', '.yml'];
/** Instructions that are one word with such an ending are a path. */
const TEXT_PATH = /^\S+\.(md|txt)$/;

/** A process that a bundle brings along. Runs in the bundle's folder. */
export const HelperServer = z.strictObject({
  name: Name,
  command: z.array(z.string().min(1)).min(1),
  /** Variable that tells it which port to listen on. */
  portEnv: z
    .string()
    .regex(/^[A-Z_][A-Z0-9_]*$/)
    .default('PORT'),
  /** Path that answers with 2xx once it is ready. */
  ready: z.string().startsWith('/').default('/'),
});
export type HelperServer = z.infer<typeof HelperServer>;

const BundleFile = z.strictObject({
  name: Name,
  servers: z.array(HelperServer).default([]),
  /** What is to be said of collections; each is a folder in knowledge/, or filled over the API alone. */
  collections: z.record(Name, CollectionManifest.omit({ name: true })).default({}),
});

export interface LoadedBundle {
  bundle: Bundle;
  servers: HelperServer[];
  documents: KnowledgeDocument[];
  /** Absolute. */
  dir: string;
}

/** What the uris of a bundle's own documents begin with. */
export function bundleUri(name: string): string {
  return `bundle:${name}/`;
}

/** What is behind a URL that a source names (remote-documents.ts), or why nothing is. */
export type RemoteDocument = { data: Record<string, unknown>; text: string } | { problem: string };

/**
 * Throws TuttiError: `not_found` (no bundle there), `bundle_invalid` (with all mistakes). Reads files alone; documents
 * behind URLs have to be handed in.
 */
export function loadBundle(path: string, remote: ReadonlyMap<string, RemoteDocument> = new Map()): LoadedBundle {
  const dir = resolve(path);
  if (!existsSync(dir) || !statSync(dir).isDirectory()) throw new TuttiError('not_found', `there is no folder ${dir}`);
  if (!existsSync(`${dir}/${MANIFEST}`))
    throw new TuttiError(
      'not_found',
      `${dir} is no bundle: it has no ${MANIFEST} (see examples/travel for one that has)`,
    );
  const problems = new Problems();
  const files = new BundleFiles(dir, problems);
  const { name, servers, collections: described } = loadManifest(files, problems);
  const { collections: folders, documents } = loadDocuments(files, problems, bundleUri(name));
  const collections = [...new Set([...folders, ...Object.keys(described)])].sort();
  const agents = loadAgents(files, problems, collections);
  const tools = loadTools(files, problems, remote);
  const models = loadModels(files, problems, agents);
  const rules = loadCallRules(files, problems, agents);
  const manifests = collections.map((collection) => [
    collection,
    CollectionManifest.parse({ ...described[collection], name: collection }),
  ]);
  const bundle: Bundle = {
    v: 1,
    name,
    agents,
    tools,
    collections: Object.fromEntries(manifests),
    ...loadPolicies(files),
    ...models,
    ...rules,
  };
  checkPolicies(bundle, problems);
  problems.throwIfAny(dir);
  return { bundle, servers, documents, dir };
}

function loadManifest(files: BundleFiles, problems: Problems): z.infer<typeof BundleFile> {
  const data = files.object(MANIFEST);
  const parsed = BundleFile.safeParse(data ?? {});
  if (parsed.success) {
    for (const name of repeated(parsed.data.servers.map((server) => server.name)))
      problems.add(MANIFEST, `two servers are called "${name}"`, 'servers');
    return parsed.data;
  }
  if (data) problems.addZod(MANIFEST, parsed.error);
  return { name: 'invalid', servers: [], collections: {} };
}

function loadAgents(files: BundleFiles, problems: Problems, collections: string[]): Bundle['agents'] {
  const agents: Bundle['agents'] = {};
  for (const [source, file] of manifests(files, 'agents')) {
    const data = files.object(file);
    if (!data) continue;
    const parsed = AgentManifest.safeParse({ name: source, ...data, ...instructionsOf(data, file, files) });
    if (!parsed.success) {
      problems.addZod(file, parsed.error);
      continue;
    }
    const agent = parsed.data;
    if (agents[agent.name]) problems.add(file, `there is another agent called "${agent.name}"`, 'name');
    for (const [index, collection] of agent.knowledge.entries())
      if (!collections.includes(collection))
        problems.add(
          file,
          `there is no folder knowledge/${collection}, and no such name under collections of ${MANIFEST}`,
          `knowledge.${index}`,
        );
    if (!isTimeZone(agent.timeZone))
      problems.add(file, `"${agent.timeZone}" is no time zone (e.g. Europe/Berlin)`, 'timeZone');
    agents[agent.name] = agent;
  }
  for (const [source, file] of manifests(files, 'agents')) {
    const agent = Object.values(agents).find(({ name }) => name === source);
    for (const [index, helper] of (agent?.agents ?? []).entries())
      if (!agents[helper]) problems.add(file, `there is no agent "${helper}"`, `agents.${index}`);
  }
  if (manifests(files, 'agents').length === 0) problems.add('agents', 'there is no agent: add agents/<name>.yaml');
  return agents;
}

function instructionsOf(data: Record<string, unknown>, file: string, files: BundleFiles): { instructions?: string } {
  const given = data.instructions;
  if (typeof given !== 'string' || !TEXT_PATH.test(given.trim())) return {};
  // what cannot be read is reported there; a word in its place keeps the rest of the manifest checked
  return { instructions: files.text(given.trim(), file, 'instructions') ?? 'unreadable' };
}

export function toolManifests(files: BundleFiles): [name: string, file: string][] {
  return manifests(files, 'tools');
}

function loadTools(
  files: BundleFiles,
  problems: Problems,
  remote: ReadonlyMap<string, RemoteDocument>,
): Bundle['tools'] {
  const tools: Bundle['tools'] = {};
  for (const [source, file] of toolManifests(files)) {
    if (!checkName(source, file, problems)) continue;
    const data = files.object(file);
    if (!data) continue;
    const pins = typeof data.pins === 'string' ? { pins: files.object(data.pins, file, 'pins') ?? {} } : {};
    const parsed = ToolSource.safeParse({ ...data, ...documentOf(data, file, files, problems, remote), ...pins });
    if (!parsed.success) {
      problems.addZod(file, parsed.error);
      continue;
    }
    if (tools[source]) problems.add(file, `there is another tool source called "${source}"`);
    const manifest = parsed.data;
    tools[source] =
      manifest.type === 'openapi' ? { ...manifest, document: neededPart(manifest.document, manifest) } : manifest;
  }
  return tools;
}

/** A document that is named by its path or URL, as data. */
function documentOf(
  { document }: Record<string, unknown>,
  file: string,
  files: BundleFiles,
  problems: Problems,
  remote: ReadonlyMap<string, RemoteDocument>,
): { document?: Record<string, unknown>; origin?: { url: string; hash: string } } {
  if (typeof document !== 'string') return {};
  if (!/^https?:\/\//i.test(document))
    return { document: files.object(document, file, 'document', BUNDLE_LIMITS.documentBytesMax) ?? {} };
  const found = remote.get(document) ?? { problem: 'was not read' };
  if ('data' in found) return { document: found.data, origin: { url: document, hash: contentHash(found.text) } };
  problems.add(file, `"${document}" ${found.problem}`, 'document');
  return { document: {} };
}

const SCHEMA = 'policies/schema.cedarschema';

function loadPolicies(files: BundleFiles): Pick<Bundle, 'policies' | 'policySchema'> {
  const policies: Bundle['policies'] = {};
  for (const name of files.list('policies', ['.cedar'])) {
    const text = files.text(`policies/${name}`);
    if (text !== undefined) policies[name] = text;
  }
  const hasSchema = files.list('policies', ['.cedarschema']).includes(basename(SCHEMA));
  const policySchema = hasSchema ? files.text(SCHEMA) : undefined;
  return { policies, ...(policySchema === undefined ? {} : { policySchema }) };
}

/** File by file first, so that each mistake is told; then all together, as they are used. */
function checkPolicies(bundle: Bundle, problems: Problems): void {
  const without = { ...bundle, policies: {} };
  if (!checks(SCHEMA, problems, () => policyEngineOf(without))) return;
  const good = Object.keys(bundle.policies).map((name) =>
    checks(`policies/${name}`, problems, () =>
      policyEngineOf({ ...bundle, policies: { [name]: bundle.policies[name]! } }),
    ),
  );
  if (good.every(Boolean)) checks('policies', problems, () => policyEngineOf(bundle));
}

function checks(file: string, problems: Problems, make: () => unknown): boolean {
  try {
    make();
    return true;
  } catch (error) {
    if (!(error instanceof TuttiError)) throw error;
    problems.add(file, error.message.replace(`policy file ${basename(file)}: `, '').replace(`${SCHEMA}: `, ''));
    return false;
  }
}

function manifests(files: BundleFiles, folder: string): [name: string, file: string][] {
  return files.list(folder, YAML).map((name) => [basename(name).replace(/\.ya?ml$/, ''), `${folder}/${name}`]);
}

function checkName(name: string, file: string, problems: Problems): boolean {
  const parsed = Name.safeParse(name);
  if (!parsed.success) problems.add(file, `the file's name ${parsed.error.issues[0]?.message}`);
  return parsed.success;
}

function repeated(names: string[]): Set<string> {
  return new Set(names.filter((name, index) => names.indexOf(name) !== index));
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
