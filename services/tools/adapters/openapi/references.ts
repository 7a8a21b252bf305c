/**
 * `$ref` inside one OpenAPI document, and schemas written out from it. Pure and synchronous: a reference to a file or a
 * URL is refused and never read (SSRF, LFI). Schemas that contain themselves are cut at a named depth, and one that
 * would grow past a named size is cut too: what is cut accepts anything.
 */
import { TuttiError } from '@tutti/contracts';

/** How often one reference may appear inside itself. */
export const CYCLE_DEPTH_MAX = 2;
export const SCHEMA_DEPTH_MAX = 24;
export const SCHEMA_NODES_MAX = 5_000;
const REFERENCE_HOPS_MAX = 32;

/** What stands in these is data, not schema. */
const DATA_KEYS = ['enum', 'const', 'default', 'example', 'examples'];
/** Words that lead from one schema to another: with everything written out they mean nothing any more. */
const LINK_KEYS = ['$id', '$schema', '$anchor', '$dynamicAnchor', '$dynamicRef', '$recursiveAnchor', '$recursiveRef'];
/** In these, schemas by name. */
const MAP_KEYS = ['properties', 'patternProperties', 'dependentSchemas', '$defs', 'definitions'];

export type Data = Record<string, unknown>;
export const isData = (value: unknown): value is Data =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** What a reference of this document points to. Throws TuttiError `bundle_invalid`. */
function lookUp(document: Data, reference: string): unknown {
  if (!reference.startsWith('#/'))
    throw new TuttiError(
      'bundle_invalid',
      `"${reference}" is outside the document: only references that begin with "#/" are taken`,
    );
  let value: unknown = document;
  for (const part of reference.slice(2).split('/')) {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key))
      throw new TuttiError('bundle_invalid', `"${reference}" points to nothing in the document`);
    value = (value as Data)[key];
  }
  return value;
}

/** Follows references until there is data: for parameters, bodies and responses. */
export function resolve(document: Data, node: unknown): Data | undefined {
  let at = node;
  for (let hop = 0; hop < REFERENCE_HOPS_MAX; hop++) {
    if (!isData(at)) return undefined;
    if (typeof at.$ref !== 'string') return at;
    at = lookUp(document, at.$ref);
  }
  throw new TuttiError('bundle_invalid', 'a chain of references in the document does not end');
}

/** A schema with every reference written out, in JSON Schema 2020-12 (3.0's own words translated). */
export function writeOut(document: Data, schema: unknown): Data {
  const isOld = String(document.openapi ?? '').startsWith('3.0');
  let nodes = 0;
  function visit(node: unknown, stack: string[], depth: number): unknown {
    if (Array.isArray(node)) return node.map((item) => visit(item, stack, depth + 1));
    if (!isData(node)) return node;
    nodes += 1;
    if (nodes > SCHEMA_NODES_MAX || depth > SCHEMA_DEPTH_MAX) return {};
    if (typeof node.$ref === 'string') {
      const reference = node.$ref;
      if (stack.filter((item) => item === reference).length >= CYCLE_DEPTH_MAX) return {};
      const { $ref: _reference, ...beside } = node;
      const target = visit(lookUp(document, reference), [...stack, reference], depth + 1);
      return isData(target) && !isOld ? { ...target, ...(visit(beside, stack, depth + 1) as Data) } : target;
    }
    const out: Data = {};
    for (const [key, value] of Object.entries(node)) {
      if (LINK_KEYS.includes(key)) continue;
      if (DATA_KEYS.includes(key)) out[key] = value;
      else if (MAP_KEYS.includes(key) && isData(value)) out[key] = visitMap(value, stack, depth + 1);
      else out[key] = visit(value, stack, depth + 1);
    }
    return modernise(out);
  }
  /** The keys are names, whatever they look like: a property may be called "default", "nullable" or "$ref". */
  function visitMap(map: Data, stack: string[], depth: number): Data {
    return Object.fromEntries(Object.entries(map).map(([name, child]) => [name, visit(child, stack, depth)]));
  }
  const written = visit(schema, [], 0);
  return isData(written) ? written : {};
}

/** OpenAPI 3.0's `nullable`, boolean exclusive limits and `example`, as JSON Schema has them. Some 3.1 documents use them too. */
function modernise(schema: Data): Data {
  const { nullable, example, ...out } = schema;
  if (example !== undefined && isSchemaLike(out)) out.examples ??= [example];
  for (const [flag, limit] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ] as const) {
    if (typeof out[flag] !== 'boolean') continue;
    if (out[flag]) {
      out[flag] = out[limit];
      delete out[limit];
    } else delete out[flag];
  }
  if (nullable !== true) return out;
  if (out.type === undefined && COMBINED.some((key) => key in out)) return { anyOf: [out, { type: 'null' }] };
  if (typeof out.type === 'string') out.type = [out.type, 'null'];
  if (Array.isArray(out.enum) && !out.enum.includes(null)) out.enum = [...out.enum, null];
  return out;
}

const COMBINED = ['oneOf', 'anyOf', 'allOf', 'not', 'const'];

function isSchemaLike(out: Data): boolean {
  return typeof out.type === 'string' || Array.isArray(out.enum);
}
