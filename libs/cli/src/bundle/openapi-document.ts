/**
 * The part of an OpenAPI document that a bundle needs: the operations that its source takes, what they refer to, servers
 * and security schemes. Real documents have megabytes; a bundle travels as one message. Pure.
 */
import { isTaken, operationName, type ToolSource } from '@tutti/contracts';

const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete'];
const KEPT_OF_PATH = ['parameters', 'servers', 'summary', 'description'];
const KEPT_OF_OPERATION = [
  'operationId',
  'summary',
  'description',
  'parameters',
  'requestBody',
  'responses',
  'servers',
  'security',
];

type Data = Record<string, unknown>;
const isData = (value: unknown): value is Data => value !== null && typeof value === 'object' && !Array.isArray(value);

type Wanted = Pick<ToolSource, 'allow' | 'deny'> & { tools?: ToolSource['tools'] | undefined };

export function neededPart(document: Data, wanted: Wanted): Data {
  // What is no OpenAPI document is told so where documents are checked.
  if (!isData(document.paths)) return document;
  const helpers = Object.values(wanted.tools ?? {}).flatMap(({ probe, undo }) => [probe?.tool, undo]);
  const isWanted = (name: string) => isTaken(wanted, name) || helpers.includes(name);
  const paths: Data = {};
  for (const [path, item] of Object.entries(document.paths)) {
    const kept = isData(item) && keptOfPath(document, path, item, isWanted);
    if (kept) paths[path] = kept;
  }
  const { openapi, info, servers, security, components } = document;
  const head = { openapi, info: isData(info) ? { title: info.title, version: info.version } : info, servers, security };
  const schemes = isData(components) ? components.securitySchemes : undefined;
  const part: Data = { ...withoutUndefined(head), paths };
  if (schemes !== undefined) part.components = { securitySchemes: schemes };
  copyReferences(document, part);
  return part;
}

function keptOfPath(document: Data, path: string, item: Data, isWanted: (name: string) => boolean): Data | undefined {
  const target = typeof item.$ref === 'string' ? valueAt(document, item.$ref) : item;
  if (!isData(target)) return item;
  const operations = METHODS.flatMap((method): [string, unknown][] => {
    const operation = target[method];
    if (!isData(operation) || !isWanted(operationName(operation, method, path))) return [];
    return [[method, pick(operation, KEPT_OF_OPERATION)]];
  });
  if (operations.length === 0) return undefined;
  return { ...pick(target, KEPT_OF_PATH), ...Object.fromEntries(operations) };
}

/** Puts everything that the part refers to at the same place in it. */
function copyReferences(document: Data, part: Data): void {
  const done = new Set<string>();
  const open = [...referencesIn(part)];
  for (let reference = open.pop(); reference !== undefined; reference = open.pop()) {
    if (done.has(reference) || !reference.startsWith('#/')) continue;
    done.add(reference);
    const value = valueAt(document, reference);
    // One that points to nothing is told where the document is read.
    if (value === undefined) continue;
    putAt(part, keysOf(reference), value);
    open.push(...referencesIn(value));
  }
}

/** Also in what is data, not schema: `default` is a word of schemas and a response. What is not meant is copied in vain. */
function* referencesIn(value: unknown): Generator<string> {
  if (Array.isArray(value)) for (const item of value) yield* referencesIn(item);
  if (!isData(value)) return;
  if (typeof value.$ref === 'string') yield value.$ref;
  for (const child of Object.values(value)) yield* referencesIn(child);
}

function keysOf(reference: string): string[] {
  return reference
    .slice(2)
    .split('/')
    .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'));
}

function valueAt(document: Data, reference: string): unknown {
  let at: unknown = document;
  for (const key of keysOf(reference)) {
    if (at === null || typeof at !== 'object' || !Object.hasOwn(at, key)) return undefined;
    at = (at as Data)[key];
  }
  return at;
}

function putAt(part: Data, keys: string[], value: unknown): void {
  let at = part;
  for (const key of keys.slice(0, -1)) {
    // A path item that was cut down, say: what is below is put beside what was kept.
    const next = Object.hasOwn(at, key) && at[key] !== null && typeof at[key] === 'object' ? at[key] : {};
    at[key] = next;
    at = next as Data;
  }
  const last = keys.at(-1)!;
  if (!Object.hasOwn(at, last)) at[last] = value;
}

function pick(value: Data, keys: string[]): Data {
  return Object.fromEntries(Object.entries(value).filter(([key]) => keys.includes(key)));
}

function withoutUndefined(value: Data): Data {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined));
}
