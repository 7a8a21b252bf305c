/**
 * The schema that a bundle's policies are checked against: the built-in one, what the bundle adds to it, and its sums.
 * Invariants: a bundle only adds (nothing that is built in changes its meaning); what it adds to a built-in entity is
 * optional, so that a policy has to ask whether it is there; its own entity types are names alone, for nothing could give
 * them attributes, and reading one that is not there is an error.
 */
import { readFileSync } from 'node:fs';
import { type SchemaJson, schemaToJson } from '@cedar-policy/cedar-wasm/nodejs';
import { type PolicyAttributes, TuttiError } from '@tutti/contracts';

const SCHEMA = readFileSync(new URL('./schema.cedarschema', import.meta.url), 'utf8');
export const SCHEMA_FILE = 'policies/schema.cedarschema';

type Json = SchemaJson<string>;
type Namespace = Json[string];
type Attribute = { type: string; name?: string; element?: Attribute; required?: boolean };
type Shape = { type?: string; attributes?: Record<string, Attribute> };

/** What a bundle may add attributes to. */
const EXTENSIBLE = ['Agent', 'Tool', 'Collection'] as const;
export type Extensible = (typeof EXTENSIBLE)[number];

export interface PolicySchema {
  json: Json;
  /** Attributes that the bundle adds, by entity type. */
  added: Record<string, Record<string, Attribute>>;
  /** Names of its sums, each once. */
  sums: string[];
}

function invalid(message: string): TuttiError {
  return new TuttiError('bundle_invalid', `${SCHEMA_FILE}: ${message}`);
}

function parse(text: string): Json {
  const answer = schemaToJson(text);
  if (answer.type === 'failure') throw invalid(answer.errors.map((error) => error.message).join('; '));
  return answer.json;
}

let base: Json | undefined;

/** Throws TuttiError `bundle_invalid`. */
export function schemaOf(extension: string | undefined, sums: string[]): PolicySchema {
  base ??= parse(SCHEMA);
  const json = structuredClone(base);
  const root = json['']!;
  const long = { type: 'EntityOrCommon', name: 'Long' };
  const attributes = Object.fromEntries(sums.map((name) => [name, { ...long, required: true }]));
  (root as { commonTypes?: Record<string, unknown> }).commonTypes!.Sums = { type: 'Record', attributes };
  const added = extension === undefined ? {} : extend(json, parse(extension));
  return { json, added, sums };
}

function extend(json: Json, extension: Json): PolicySchema['added'] {
  const added: PolicySchema['added'] = {};
  const root = json['']!;
  for (const [name, namespace] of Object.entries(extension)) {
    if (Object.keys(namespace.actions ?? {}).length > 0) throw invalid('actions cannot be added');
    if (name !== '') throw invalid(`namespaces cannot be added ("${name}")`);
    addTypes(root, namespace);
    for (const [type, entity] of Object.entries(namespace.entityTypes))
      if (Object.hasOwn(root.entityTypes, type)) added[type] = addAttributes(root, type, entity);
      else root.entityTypes[type] = ownType(type, entity);
  }
  return added;
}

function addTypes(root: Namespace, { commonTypes }: Namespace): void {
  root.commonTypes ??= {};
  const types = root.commonTypes;
  for (const [name, type] of Object.entries(commonTypes ?? {})) {
    if (Object.hasOwn(types, name)) throw invalid(`the type "${name}" is built in`);
    types[name as keyof typeof types] = type;
  }
}

function ownType(name: string, entity: Namespace['entityTypes'][string]): Namespace['entityTypes'][string] {
  const { shape, memberOfTypes, tags } = entity as { shape?: Shape; memberOfTypes?: unknown[]; tags?: unknown };
  if (Object.keys(shape?.attributes ?? {}).length > 0 || (memberOfTypes?.length ?? 0) > 0 || tags !== undefined)
    throw invalid(
      `the entity type "${name}" must be a name alone (\`entity ${name};\`): nothing gives its attributes or members a value`,
    );
  return entity;
}

function addAttributes(root: Namespace, type: string, entity: Namespace['entityTypes'][string]) {
  if (!(EXTENSIBLE as readonly string[]).includes(type))
    throw invalid(`attributes can be added to ${EXTENSIBLE.join(', ')}, not to ${type}`);
  const { shape, memberOfTypes, tags } = entity as { shape?: Shape; memberOfTypes?: unknown[]; tags?: unknown };
  if ((memberOfTypes?.length ?? 0) > 0 || tags !== undefined)
    throw invalid(`${type} takes attributes alone, no parents and no tags`);
  const known = (root.entityTypes[type] as { shape?: Shape }).shape!.attributes!;
  const more = shape?.attributes ?? {};
  for (const [name, attribute] of Object.entries(more)) {
    if (Object.hasOwn(known, name)) throw invalid(`${type} has an attribute "${name}" already`);
    const builtIn = builtInEntity(root, attribute);
    if (builtIn) throw invalid(`the attribute "${name}" of ${type} is a ${builtIn}: use an entity type of your own`);
    if (attribute.required !== false)
      throw invalid(`the attribute "${name}" of ${type} must be optional: write ${name}?: …`);
    known[name] = attribute;
  }
  return more;
}

/** An attribute of such an entity could be read, and that entity need not be there. */
function builtInEntity(root: Namespace, { type, name, element }: Attribute): string | undefined {
  if (element) return builtInEntity(root, element);
  const named = name ?? type;
  if (Object.hasOwn(base!['']!.entityTypes, named)) return named;
  const common = root.commonTypes as Record<string, Attribute> | undefined;
  return common && Object.hasOwn(common, named) ? builtInEntity(root, common[named]!) : undefined;
}

/** What is wrong with the values that a manifest gives; null: nothing. `where`: for people, as `tool "x"`. */
export function attributeProblem(
  schema: PolicySchema,
  type: Extensible,
  values: PolicyAttributes | undefined,
  where: string,
): string | null {
  for (const [name, value] of Object.entries(values ?? {})) {
    const attribute = schema.added[type]?.[name];
    if (!attribute) return `${where} has an attribute "${name}" that ${SCHEMA_FILE} does not add to ${type}`;
    if (!fits(schema, attribute, value)) return `${where}: "${name}" is not what ${SCHEMA_FILE} says of it`;
  }
  return null;
}

function fits(schema: PolicySchema, { type, name, element }: Attribute, value: unknown): boolean {
  switch (name ?? type) {
    case 'String':
      return typeof value === 'string';
    case 'Long':
      return Number.isSafeInteger(value);
    case 'Bool':
    case 'Boolean':
      return typeof value === 'boolean';
    case 'Set':
      return Array.isArray(value) && value.every((one) => fits(schema, element!, one));
    default: {
      const common = schema.json['']!.commonTypes as Record<string, Attribute> | undefined;
      if (name !== undefined && common && Object.hasOwn(common, name)) return fits(schema, common[name]!, value);
      const entity = value as { type?: string; id?: string } | null;
      const own = Object.hasOwn(schema.json['']!.entityTypes, name ?? '');
      return own && typeof entity === 'object' && entity?.type === name && typeof entity?.id === 'string';
    }
  }
}
