/**
 * Operations of an OpenAPI document as tools: path, query and header parameters and the JSON body in one schema.
 * Pure. Invariant: every argument of a tool has exactly one place in the request, whatever the names are.
 */
import { type EffectKind, type JsonSchema, operationName, TuttiError } from '@tutti/contracts';
import type { SourceTool } from '../../ports/tool-source.ts';
import { pagingHint } from './paging.ts';
import { type Data, isData, resolve, writeOut } from './references.ts';

const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete'] as const;
const DESCRIPTION_CHARS_MAX = 1_000;
/** Set by the client or by the source's own `headers`, never by a model (OpenAPI 3.1, Parameter Object). */
const RESERVED_HEADERS = ['accept', 'content-type', 'authorization', 'host', 'content-length'];

export interface ParameterPlace {
  in: 'path' | 'query' | 'header';
  name: string;
  /** Arrays as repeated keys; otherwise joined by commas. */
  explode: boolean;
  /** Objects as `name[key]`. */
  deep: boolean;
}
/** `property`: a key of the body object; `whole`: the body itself. */
export type ArgumentPlace = ParameterPlace | { in: 'body'; kind: 'property' | 'whole'; name: string };

export interface Operation {
  tool: SourceTool;
  method: string;
  path: string;
  body: 'json' | 'form' | undefined;
  places: Map<string, ArgumentPlace>;
  /** The operation's own server, or its path's, before the document's. */
  server: Data | undefined;
  /** Names of security schemes: alternatives, each of which may need several. Undefined: the document's. */
  security: string[][] | undefined;
}

export interface Operations {
  operations: Map<string, Operation>;
  problems: string[];
}

/** `hiddenHeaders`: header parameters that the source fills itself (lower case). */
export function readOperations(document: Data, hiddenHeaders: string[]): Operations {
  if (!/^3\.[01]\./.test(`${document.openapi ?? ''}.`) || !isData(document.paths))
    throw new TuttiError('bundle_invalid', 'the document is no OpenAPI 3.0 or 3.1 document with paths');
  const operations = new Map<string, Operation>();
  const problems: string[] = [];
  for (const [path, pathItem] of Object.entries(document.paths)) {
    const item = resolve(document, pathItem) ?? {};
    for (const method of METHODS) {
      if (!isData(item[method])) continue;
      const name = operationName(item[method], method, path);
      try {
        if (operations.has(name)) throw new TuttiError('bundle_invalid', 'another operation has the same name');
        operations.set(name, readOperation(document, name, method, path, item, item[method], hiddenHeaders));
      } catch (error) {
        problems.push(`${method.toUpperCase()} ${path} is left out: ${(error as Error).message}`);
      }
    }
  }
  return { operations, problems };
}

function readOperation(
  document: Data,
  name: string,
  method: string,
  path: string,
  item: Data,
  operation: Data,
  hiddenHeaders: string[],
): Operation {
  const schema = new MergedSchema();
  for (const parameter of parametersOf(document, item, operation))
    addParameter(document, schema, parameter, hiddenHeaders);
  const missing = [...path.matchAll(/\{([^}]+)\}/g)].find((match) => !schema.hasPath(match[1]!));
  if (missing) throw new TuttiError('bundle_invalid', `the path parameter "${missing[1]}" is not declared`);
  const body = addBody(document, schema, operation);
  const words = [operation.summary, operation.description].filter((text) => typeof text === 'string' && text);
  const parameters = schema.toJson();
  const hint = pagingHint(parameters);
  return {
    tool: {
      name,
      description: words
        .join('. ')
        .replaceAll(/\.\.\s/g, '. ')
        .replaceAll(/\s+/g, ' ')
        .slice(0, DESCRIPTION_CHARS_MAX)
        .concat(hint === undefined ? '' : ` ${hint}`),
      parameters,
      returns: returnsOf(document, operation),
      effect: (method === 'get' || method === 'head' ? 'pure' : 'irreversible') satisfies EffectKind,
    },
    method: method.toUpperCase(),
    path,
    body,
    places: schema.places,
    server: firstServer(operation) ?? firstServer(item),
    security: readSecurity(operation.security),
  };
}

export function firstServer({ servers }: Data): Data | undefined {
  return Array.isArray(servers) && isData(servers[0]) ? servers[0] : undefined;
}

/** `security` of an operation or document: undefined where nothing is said. */
export function readSecurity(security: unknown): string[][] | undefined {
  return Array.isArray(security) ? security.filter(isData).map((needs) => Object.keys(needs)) : undefined;
}

/** An operation's own parameters win over those of its path. */
function parametersOf(document: Data, item: Data, operation: Data): Data[] {
  const byKey = new Map<string, Data>();
  for (const list of [item.parameters, operation.parameters])
    for (const raw of Array.isArray(list) ? list : []) {
      const parameter = resolve(document, raw);
      if (parameter) byKey.set(`${parameter.in} ${parameter.name}`, parameter);
    }
  const order = ['path', 'query', 'header', 'cookie'];
  return [...byKey.values()].sort((a, b) => order.indexOf(String(a.in)) - order.indexOf(String(b.in)));
}

class MergedSchema {
  readonly places = new Map<string, ArgumentPlace>();
  readonly #properties: Data = {};
  readonly #required: string[] = [];
  add(place: ArgumentPlace, schema: Data, required: boolean): void {
    const name = this.places.has(place.name) ? `${place.in}_${place.name}` : place.name;
    if (this.places.has(name)) throw new TuttiError('bundle_invalid', `two of its parameters are called "${name}"`);
    this.places.set(name, place);
    this.#properties[name] = schema;
    if (required) this.#required.push(name);
  }
  hasPath(name: string): boolean {
    return [...this.places.values()].some((place) => place.in === 'path' && place.name === name);
  }
  toJson(): JsonSchema {
    return {
      type: 'object',
      additionalProperties: false,
      ...(this.#required.length > 0 ? { required: this.#required } : {}),
      properties: this.#properties,
    };
  }
}

function addParameter(document: Data, merged: MergedSchema, parameter: Data, hiddenHeaders: string[]): void {
  const name = String(parameter.name);
  const required = parameter.required === true;
  if (parameter.in === 'header' && [...RESERVED_HEADERS, ...hiddenHeaders].includes(name.toLowerCase())) return;
  if (parameter.in === 'cookie') {
    if (required)
      throw new TuttiError('bundle_invalid', `it needs the cookie "${name}"; set it in the source's headers`);
    return;
  }
  if (parameter.in !== 'path' && parameter.in !== 'query' && parameter.in !== 'header')
    throw new TuttiError('bundle_invalid', `the parameter "${name}" is in "${parameter.in}"`);
  const content = isData(parameter.content) ? Object.values(parameter.content)[0] : undefined;
  const schema = writeOut(document, parameter.schema ?? (isData(content) ? content.schema : undefined));
  if (typeof parameter.description === 'string') schema.description = parameter.description;
  const style = parameter.style ?? (parameter.in === 'query' ? 'form' : 'simple');
  const explode = typeof parameter.explode === 'boolean' ? parameter.explode : style === 'form';
  merged.add(
    { in: parameter.in, name, explode, deep: style === 'deepObject' },
    schema,
    required || parameter.in === 'path',
  );
}

function addBody(document: Data, merged: MergedSchema, operation: Data): Operation['body'] {
  const body = resolve(document, operation.requestBody);
  if (!body || !isData(body.content)) return undefined;
  const types = Object.keys(body.content);
  const json = types.find(isJson);
  const form = types.find((type) => type.startsWith('application/x-www-form-urlencoded'));
  const type = json ?? form;
  if (!type) {
    if (body.required !== true) return undefined;
    throw new TuttiError('bundle_invalid', `its body is ${types.join(' or ')}; only JSON and forms are supported`);
  }
  const media = body.content[type];
  const schema = writeOut(document, isData(media) ? media.schema : undefined);
  if (!isFlat(schema)) {
    merged.add({ in: 'body', kind: 'whole', name: 'body' }, schema, body.required === true);
    return json ? 'json' : 'form';
  }
  const required = Array.isArray(schema.required) && body.required === true ? schema.required : [];
  for (const [name, property] of Object.entries(schema.properties as Data))
    if (!isData(property) || property.readOnly !== true)
      merged.add({ in: 'body', kind: 'property', name }, isData(property) ? property : {}, required.includes(name));
  return json ? 'json' : 'form';
}

/** An object whose keys are all known and need no further rules can be laid out beside the parameters. */
function isFlat(schema: Data): boolean {
  const combined = ['allOf', 'anyOf', 'oneOf', 'not', 'if', 'patternProperties', 'dependentRequired'].some(
    (key) => key in schema,
  );
  const open = schema.additionalProperties !== undefined && schema.additionalProperties !== false;
  return schema.type === 'object' && isData(schema.properties) && !combined && !open;
}

export function isJson(type: string): boolean {
  return /^application\/([a-z0-9.+-]+\+)?json\b/i.test(type);
}

function returnsOf(document: Data, operation: Data): JsonSchema | undefined {
  if (!isData(operation.responses)) return undefined;
  const status = Object.keys(operation.responses)
    .filter((key) => /^2(\d\d|XX)$/i.test(key))
    .sort()[0];
  const response = status === undefined ? undefined : resolve(document, operation.responses[status]);
  if (!response || !isData(response.content)) return undefined;
  const type = Object.keys(response.content).find(isJson);
  const media = type === undefined ? undefined : response.content[type];
  return isData(media) && media.schema !== undefined ? writeOut(document, media.schema) : undefined;
}
