/**
 * Deterministic repair of a value towards its JSON Schema: only what says the same in another type (`"5"` for 5, JSON as
 * text, null for what may be left out, another case of an enum's word). Whether it fits in the end, a validator says.
 */
import type { JsonSchema } from '@tutti/contracts';

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
/** More digits than a double keeps: the text says more than the number would. */
const DIGITS_MAX = 15;
const DEPTH_MAX = 32;

export function coerce(value: unknown, schema: JsonSchema): unknown {
  return toward(value, schema, schema, 0);
}

function toward(value: unknown, given: unknown, root: JsonSchema, depth: number): unknown {
  const schema = resolve(given, root);
  if (!schema || depth > DEPTH_MAX) return value;
  const types = typesOf(schema);
  const typed = types.length > 0 && !types.some((type) => isOf(value, type)) ? retyped(value, types) : value;
  const chosen = Array.isArray(schema.enum) ? fromEnum(typed, schema.enum) : typed;
  if (Array.isArray(chosen)) return chosen.map((item) => toward(item, schema.items, root, depth + 1));
  if (isObject(chosen) && isObject(schema.properties)) return objectToward(chosen, schema, root, depth);
  return chosen;
}

function objectToward(
  value: Record<string, unknown>,
  schema: Record<string, unknown>,
  root: JsonSchema,
  depth: number,
): Record<string, unknown> {
  const properties = schema.properties as Record<string, unknown>;
  const required = new Set(Array.isArray(schema.required) ? schema.required : []);
  const entries = Object.entries(value).flatMap(([name, item]) => {
    const of = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (of === undefined) return [[name, item]];
    if (item === null && !required.has(name) && !allowsNull(of, root)) return [];
    return [[name, toward(item, of, root, depth + 1)]];
  });
  return Object.fromEntries(entries);
}

function allowsNull(given: unknown, root: JsonSchema): boolean {
  const schema = resolve(given, root);
  if (!schema) return true;
  const types = typesOf(schema);
  if (types.length > 0) return types.includes('null');
  return 'anyOf' in schema || 'oneOf' in schema || !('enum' in schema || 'properties' in schema);
}

function retyped(value: unknown, types: readonly string[]): unknown {
  for (const type of types) {
    const next = as(value, type);
    if (next !== undefined) return next;
  }
  return value;
}

function as(value: unknown, type: string): unknown {
  switch (type) {
    case 'integer':
    case 'number':
      return numberOf(value, type === 'integer');
    case 'boolean':
      return typeof value === 'string' && /^(true|false)$/i.test(value.trim())
        ? value.trim().toLowerCase() === 'true'
        : undefined;
    case 'null':
      return typeof value === 'string' && value.trim().toLowerCase() === 'null' ? null : undefined;
    case 'string':
      return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
    case 'object': {
      const parsed = parsedText(value);
      return isObject(parsed) ? parsed : undefined;
    }
    case 'array': {
      const parsed = parsedText(value);
      if (Array.isArray(parsed)) return parsed;
      return value === null || value === undefined ? undefined : [value];
    }
    default:
      return undefined;
  }
}

function numberOf(value: unknown, whole: boolean): number | undefined {
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (!NUMBER.test(text) || text.replace(/\D/g, '').length > DIGITS_MAX) return undefined;
  const number = Number(text);
  return whole && !Number.isInteger(number) ? undefined : number;
}

function fromEnum(value: unknown, words: readonly unknown[]): unknown {
  if (typeof value !== 'string' || words.includes(value)) return value;
  const plain = (word: unknown) =>
    typeof word === 'string'
      ? word
          .trim()
          .toLowerCase()
          .replace(/[\s-]+/g, '_')
      : undefined;
  const same = words.filter((word) => plain(word) === plain(value));
  return same.length === 1 ? same[0] : value;
}

function parsedText(value: unknown): unknown {
  if (typeof value !== 'string' || !/^\s*[[{]/.test(value)) return undefined;
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

/** Follows references within the schema. */
function resolve(schema: unknown, root: JsonSchema): Record<string, unknown> | undefined {
  let current = schema;
  for (let i = 0; i < DEPTH_MAX && isObject(current); i++) {
    const reference = current.$ref;
    if (typeof reference !== 'string') return current;
    if (!reference.startsWith('#/')) return undefined;
    current = reference
      .slice(2)
      .split('/')
      .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'))
      .reduce<unknown>((at, part) => (isObject(at) && Object.hasOwn(at, part) ? at[part] : undefined), root);
  }
  return undefined;
}

function typesOf(schema: Record<string, unknown>): string[] {
  if (typeof schema.type === 'string') return [schema.type];
  return Array.isArray(schema.type) ? schema.type.filter((type) => typeof type === 'string') : [];
}

function isOf(value: unknown, type: string): boolean {
  switch (type) {
    case 'integer':
      return typeof value === 'number' && Number.isInteger(value);
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    default:
      return typeof value === type;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
