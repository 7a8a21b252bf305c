/**
 * Reading JSON Schemas of any quality: local `$ref`s, `allOf`/`oneOf`/`anyOf`, type lists, missing types. Owns the
 * flattening of a schema into leaf parameters, coercion of a value to a schema and a small validator (types, enums,
 * required, bounds, pattern): what a call must satisfy before it may leave.
 */
import type { JsonSchema } from '@tutti/contracts';

const DEPTH_MAX = 6;
const LEAVES_MAX = 80;

export type Path = readonly (string | number)[];
export interface Leaf {
  readonly path: Path;
  readonly name: string;
  readonly schema: JsonSchema;
  /** Required all the way up from the root. */
  readonly required: boolean;
  /** Required by its parent object, which may itself be optional. */
  readonly requiredInParent: boolean;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const asSchema = (value: unknown): JsonSchema => (isObject(value) ? value : {});

/** Follows references and merges combinators into one plain schema. Unknown or cyclic references become `{}`. */
export function normalize(schema: unknown, root: JsonSchema, depth = 0): JsonSchema {
  if (!isObject(schema) || depth > DEPTH_MAX) return {};
  let result: JsonSchema = { ...schema };
  if (typeof result.$ref === 'string') {
    const target = result.$ref.startsWith('#') ? pointer(root, result.$ref.slice(1)) : undefined;
    const { $ref: _, ...own } = result;
    result = { ...normalize(target, root, depth + 1), ...own };
  }
  if (Array.isArray(result.allOf)) {
    const { allOf, ...own } = result;
    result = (allOf as unknown[]).map((part) => normalize(part, root, depth + 1)).reduce(merge, own);
  }
  for (const key of ['oneOf', 'anyOf'] as const) {
    const variants = result[key];
    if (!Array.isArray(variants)) continue;
    const { [key]: _, ...own } = result;
    const options = variants
      .map((one) => normalize(one, root, depth + 1))
      .filter((one) => one.type !== 'null' && one.const !== null);
    const constants = options.map((one) =>
      'const' in one ? one.const : Array.isArray(one.enum) && one.enum.length === 1 ? one.enum[0] : undefined,
    );
    if (options.length > 0 && constants.every((one) => one !== undefined)) result = { ...own, enum: constants };
    else result = merge(own, options[0] ?? {});
  }
  return result;
}

function merge(left: JsonSchema, right: JsonSchema): JsonSchema {
  const properties =
    isObject(left.properties) || isObject(right.properties)
      ? { ...asSchema(left.properties), ...asSchema(right.properties) }
      : undefined;
  const required = [...requiredOf(left), ...requiredOf(right)];
  return { ...right, ...left, ...(properties ? { properties } : {}), ...(required.length ? { required } : {}) };
}

function pointer(root: JsonSchema, path: string): unknown {
  let at: unknown = root;
  for (const part of path.split('/').filter(Boolean)) {
    if (!isObject(at) && !Array.isArray(at)) return undefined;
    let key = part;
    try {
      key = decodeURIComponent(part);
    } catch {
      // A malformed escape is taken literally.
    }
    at = (at as Record<string, unknown>)[key.replace(/~1/g, '/').replace(/~0/g, '~')];
  }
  return at;
}

export const requiredOf = (schema: JsonSchema): string[] =>
  Array.isArray(schema.required) ? schema.required.filter((one): one is string => typeof one === 'string') : [];

export function typeOf(schema: JsonSchema): string {
  const declared = Array.isArray(schema.type) ? schema.type.find((one) => one !== 'null') : schema.type;
  if (typeof declared === 'string') return declared;
  if (isObject(schema.properties)) return 'object';
  if ('items' in schema) return 'array';
  const values = enumOf(schema);
  if (values) return typeof values[0] === 'object' ? 'any' : typeof values[0];
  return 'any';
}

export function enumOf(schema: JsonSchema): readonly unknown[] | null {
  if (Array.isArray(schema.enum) && schema.enum.length > 0) return schema.enum.filter((one) => one !== null);
  if ('const' in schema && schema.const !== null) return [schema.const];
  return null;
}

export const descriptionOf = (schema: JsonSchema): string =>
  [schema.description, schema.title].filter((one) => typeof one === 'string').join('. ');
export const itemsOf = (schema: JsonSchema, root: JsonSchema): JsonSchema =>
  normalize(Array.isArray(schema.items) ? schema.items[0] : schema.items, root);

/** Leaf parameters of an object schema: scalars, enums and arrays of scalars; arrays of objects contribute their first item. */
export function leavesOf(root: JsonSchema): Leaf[] {
  const leaves: Leaf[] = [];
  const visit = (schema: JsonSchema, path: Path, required: boolean, requiredInParent: boolean, depth: number): void => {
    if (leaves.length >= LEAVES_MAX || depth > DEPTH_MAX) return;
    const kind = typeOf(schema);
    const properties = isObject(schema.properties) ? schema.properties : null;
    if (kind === 'object' && properties) {
      const needed = new Set(requiredOf(schema));
      for (const [name, child] of Object.entries(properties))
        visit(normalize(child, root), [...path, name], required && needed.has(name), needed.has(name), depth + 1);
      return;
    }
    if (kind === 'array') {
      const items = itemsOf(schema, root);
      if (typeOf(items) === 'object' && isObject(items.properties))
        return visit(items, [...path, 0], required, requiredInParent, depth + 1);
    }
    const name = [...path].reverse().find((part) => typeof part === 'string');
    if (name !== undefined) leaves.push({ path, name: String(name), schema, required, requiredInParent });
  };
  visit(normalize(root, root), [], true, true, 0);
  return leaves;
}

/** Schema at the end of a path of property names (0 steps into items). */
export function setAt(target: Record<string, unknown>, path: Path, value: unknown): void {
  let at: Record<string | number, unknown> = target;
  path.forEach((part, index) => {
    if (index === path.length - 1)
      Object.defineProperty(at, part, { value, enumerable: true, writable: true, configurable: true });
    else {
      if (!Object.hasOwn(at, part) || typeof at[part] !== 'object' || at[part] === null)
        Object.defineProperty(at, part, {
          value: typeof path[index + 1] === 'number' ? [] : {},
          enumerable: true,
          writable: true,
          configurable: true,
        });
      at = at[part] as Record<string | number, unknown>;
    }
  });
}

/** Converts where nothing is lost ("5" → 5 for integer); undefined where the value does not fit. */
export function coerce(value: unknown, schema: JsonSchema): unknown {
  const options = enumOf(schema);
  if (options) return options.find((one) => one === value || String(one).toLowerCase() === String(value).toLowerCase());
  switch (typeOf(schema)) {
    case 'string':
      return typeof value === 'string'
        ? value
        : typeof value === 'number' || typeof value === 'boolean'
          ? String(value)
          : undefined;
    case 'integer':
    case 'number': {
      const number =
        typeof value === 'number'
          ? value
          : typeof value === 'string' && /^-?\d+(?:\.\d+)?$/.test(value.trim())
            ? Number(value)
            : Number.NaN;
      if (!Number.isFinite(number)) return undefined;
      return typeOf(schema) === 'integer' && !Number.isInteger(number) ? undefined : number;
    }
    case 'boolean':
      return typeof value === 'boolean' ? value : value === 'true' ? true : value === 'false' ? false : undefined;
    case 'array':
      return Array.isArray(value) ? value : value === undefined ? undefined : [value];
    case 'object':
      return isObject(value) ? value : undefined;
    case 'null':
      return undefined;
    default:
      return value;
  }
}

const PATTERN_LENGTH_MAX = 200;
/** Patterns with nested quantifiers can take exponential time; they are not tried. */
const RISKY_PATTERN = /\([^)]*[+*{][^)]*\)\s*[+*{]/;

export function matchesPattern(pattern: unknown, value: string): boolean {
  if (typeof pattern !== 'string' || pattern.length > PATTERN_LENGTH_MAX || RISKY_PATTERN.test(pattern)) return true;
  try {
    return new RegExp(pattern, 'u').test(value);
  } catch {
    return true;
  }
}

const FORMATS: Record<string, RegExp> = {
  date: /^\d{4}-\d{2}-\d{2}$/,
  'date-time': /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?$/,
  time: /^\d{2}:\d{2}(?::\d{2})?/,
  email: /^[^\s@]+@[^\s@]+\.[^\s@]+$/,
  uuid: /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i,
  uri: /^[a-z][a-z0-9+.-]*:/i,
  url: /^[a-z][a-z0-9+.-]*:/i,
};

/** Whether a value satisfies a schema in what matters for a call. Lenient on keywords that it does not know. */
export function accepts(value: unknown, schema: unknown, root: JsonSchema, depth = 0): boolean {
  if (schema === true || depth > DEPTH_MAX) return true;
  const plain = normalize(schema, root);
  const options = enumOf(plain);
  if (options) return options.some((one) => JSON.stringify(one) === JSON.stringify(value));
  const bound = (key: string): number | null => (typeof plain[key] === 'number' ? plain[key] : null);
  switch (typeOf(plain)) {
    case 'string':
      if (typeof value !== 'string') return false;
      if ((bound('minLength') ?? 0) > value.length || (bound('maxLength') ?? Number.POSITIVE_INFINITY) < value.length)
        return false;
      if (typeof plain.format === 'string' && FORMATS[plain.format] && !FORMATS[plain.format]!.test(value))
        return false;
      return matchesPattern(plain.pattern, value);
    case 'integer':
    case 'number': {
      if (
        typeof value !== 'number' ||
        !Number.isFinite(value) ||
        (typeOf(plain) === 'integer' && !Number.isInteger(value))
      )
        return false;
      if (
        value < (bound('minimum') ?? Number.NEGATIVE_INFINITY) ||
        value > (bound('maximum') ?? Number.POSITIVE_INFINITY)
      )
        return false;
      return (
        value > (bound('exclusiveMinimum') ?? Number.NEGATIVE_INFINITY) &&
        value < (bound('exclusiveMaximum') ?? Number.POSITIVE_INFINITY)
      );
    }
    case 'boolean':
      return typeof value === 'boolean';
    case 'null':
      return value === null;
    case 'array': {
      if (
        !Array.isArray(value) ||
        value.length < (bound('minItems') ?? 0) ||
        value.length > (bound('maxItems') ?? Number.POSITIVE_INFINITY)
      )
        return false;
      const items = itemsOf(plain, root);
      return value.every((one) => accepts(one, items, root, depth + 1));
    }
    case 'object': {
      if (!isObject(value)) return false;
      const properties = asSchema(plain.properties);
      if (requiredOf(plain).some((name) => !Object.hasOwn(value, name) || value[name] === undefined)) return false;
      return Object.entries(value).every(
        ([name, child]) => !Object.hasOwn(properties, name) || accepts(child, properties[name], root, depth + 1),
      );
    }
    default:
      return value !== undefined;
  }
}

/** Drops optional parts that are incomplete, so that a half-filled nested object never blocks a call. */
export function prune(value: Record<string, unknown>, root: JsonSchema): Record<string, unknown> {
  const plain = normalize(root, root);
  const properties = asSchema(plain.properties);
  const needed = new Set(requiredOf(plain));
  return Object.fromEntries(
    Object.entries(value).filter(
      ([name, child]) => needed.has(name) || !Object.hasOwn(properties, name) || accepts(child, properties[name], root),
    ),
  );
}
