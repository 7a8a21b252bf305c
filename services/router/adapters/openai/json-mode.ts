/**
 * A JSON Schema as `response_format` has it. `strict` takes a subset only (platform.openai.com, "Structured outputs"):
 * every object closed and every property required. Keywords that it does not know are left out on the way, since the
 * router validates the answer against the whole schema anyway.
 */
import type { JsonSchema } from '@tutti/contracts';

const STRICT_KEYWORDS = new Set([
  'type',
  'properties',
  'required',
  'additionalProperties',
  'items',
  'enum',
  'const',
  'anyOf',
  'description',
  'title',
  '$ref',
  '$defs',
  'pattern',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minItems',
  'maxItems',
]);
/** Their absence changes what is asked for, so a schema with them is sent as it is, without `strict`. */
const NOT_STRICT = ['oneOf', 'allOf', 'not', 'if', 'patternProperties', 'prefixItems', 'dependentSchemas'];

/** The schema in the strict subset; undefined: it cannot be said there. */
export function strictSchema(schema: JsonSchema): JsonSchema | undefined {
  return schema.type === 'object' ? (reduce(schema) as JsonSchema | undefined) : undefined;
}

function reduce(node: unknown): unknown {
  if (node === null || typeof node !== 'object' || Array.isArray(node)) return undefined;
  const schema = node as Record<string, unknown>;
  if (NOT_STRICT.some((keyword) => keyword in schema)) return undefined;
  if (schema.type === 'object' && !isClosed(schema)) return undefined;
  const out: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(schema)) {
    if (!STRICT_KEYWORDS.has(keyword)) continue;
    const reduced = reduceKeyword(keyword, value);
    if (reduced === undefined) return undefined;
    out[keyword] = reduced;
  }
  return Object.keys(out).some((keyword) => keyword !== 'description' && keyword !== 'title') ? out : undefined;
}

function reduceKeyword(keyword: string, value: unknown): unknown {
  if (keyword === 'properties' || keyword === '$defs') {
    const entries = Object.entries(value as Record<string, unknown>).map(
      ([name, child]) => [name, reduce(child)] as const,
    );
    return entries.some(([, child]) => child === undefined) ? undefined : Object.fromEntries(entries);
  }
  if (keyword === 'items') return reduce(value);
  if (keyword === 'anyOf') {
    const branches = (value as unknown[]).map(reduce);
    return branches.includes(undefined) ? undefined : branches;
  }
  return value;
}

function isClosed(schema: Record<string, unknown>): boolean {
  const names = Object.keys((schema.properties as object | undefined) ?? {});
  const required = new Set((schema.required as string[] | undefined) ?? []);
  return schema.additionalProperties === false && names.every((name) => required.has(name));
}

/** For endpoints that take no schema: the same in words. */
export function schemaInWords(schema: JsonSchema): string {
  return `Answer with one JSON object and nothing else: no prose, no code fence. It must fit this JSON Schema:\n${JSON.stringify(schema)}`;
}
