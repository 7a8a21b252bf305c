/**
 * Filling any JSON Schema from the conversation and the passages: the structured-output mode for formats other than a plan.
 * Owns the fallbacks for required fields without evidence: null where allowed, else the emptiest valid value.
 */
import type { JsonSchema } from '@tutti/contracts';
import { fillFromText } from './arguments.ts';
import { answeringSentences, quote } from './citations.ts';
import { readGoal } from './goal.ts';
import { accepts, enumOf, isObject, itemsOf, normalize, requiredOf, setAt, typeOf } from './schema.ts';
import type { Situation } from './situation.ts';
import { readTool } from './toolbox.ts';
import { contentStems, sentencesOf } from './words.ts';

const DEPTH_MAX = 6;
const TEXT_LENGTH_MAX = 4_000;

export function extract(situation: Situation, schema: JsonSchema, composed: () => string): unknown {
  const plain = normalize(schema, schema);
  if (typeOf(plain) !== 'object') return emptiest(plain, schema, 0, composed);
  const tool = readTool({ name: 'extract', description: '', parameters: plain.$defs ? schema : plain, effect: 'pure' });
  const said = situation.request.messages
    .filter((one) => one.role === 'user')
    .map((one) => one.content)
    .join('\n');
  const texts = [situation.goal.text, said, ...situation.passages.map((one) => one.text)];
  const result: Record<string, unknown> = {};
  for (const text of texts) {
    const scope = { ...situation, goal: readGoal(text.slice(0, TEXT_LENGTH_MAX), situation.now), background: null };
    const filling = fillFromText(scope, { ...tool, effectful: true }, scope.goal.clauses[0] ?? null);
    for (const one of filling.filled)
      if (one.source !== 'default' && !at(result, one.parameter.path)) setAt(result, one.parameter.path, one.value);
  }
  for (const parameter of tool.parameters)
    if (
      !at(result, parameter.path) &&
      parameter.required &&
      ['body', 'title', 'reason', 'query', 'named'].includes(parameter.kind) &&
      parameter.item.type === 'string'
    ) {
      const text = textFor(situation, parameter.kind, composed);
      const value = parameter.many ? [text] : text;
      if (accepts(value, parameter.schema, parameter.schema)) setAt(result, parameter.path, value);
    }
  return complete(result, plain, schema, 0, composed);
}

function textFor(situation: Situation, kind: string, composed: () => string): string {
  if (kind === 'title') return (sentencesOf(situation.goal.text)[0] ?? situation.goal.text).slice(0, 120);
  const evidence = answeringSentences(situation.passages, contentStems(situation.goal.text))[0];
  return kind === 'body' || !evidence ? composed() : quote(evidence.sentence);
}

function at(value: unknown, path: readonly (string | number)[]): boolean {
  let current = value;
  for (const part of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, part)) return false;
    current = (current as Record<string | number, unknown>)[part];
  }
  return current !== undefined;
}

function complete(
  value: Record<string, unknown>,
  schema: JsonSchema,
  root: JsonSchema,
  depth: number,
  composed: () => string,
): Record<string, unknown> {
  const properties = isObject(schema.properties) ? schema.properties : {};
  const result: Record<string, unknown> = {};
  const required = new Set(requiredOf(schema));
  for (const [name, raw] of Object.entries(properties)) {
    const child = normalize(raw, root);
    let own = Object.hasOwn(value, name) ? value[name] : undefined;
    if (isObject(own) && depth < DEPTH_MAX) own = complete(own, child, root, depth + 1, composed);
    if (own !== undefined && accepts(own, child, root)) setAt(result, [name], own);
    else if (required.has(name))
      setAt(result, [name], nullable(raw, root) ? null : emptiest(child, root, depth + 1, composed));
  }
  for (const name of required)
    if (!Object.hasOwn(result, name) && !Object.hasOwn(properties, name)) setAt(result, [name], '');
  return result;
}

function nullable(schema: unknown, root: JsonSchema): boolean {
  if (!isObject(schema)) return false;
  if (Array.isArray(schema.type) && schema.type.includes('null')) return true;
  return (
    [schema.anyOf, schema.oneOf].some(
      (list) => Array.isArray(list) && list.some((one) => normalize(one, root).type === 'null'),
    ) ||
    (Array.isArray(schema.enum) && schema.enum.includes(null))
  );
}

function emptiest(schema: JsonSchema, root: JsonSchema, depth: number, composed: () => string): unknown {
  if (schema.default !== undefined) return schema.default;
  const options = enumOf(schema);
  if (options) return options[0] ?? null;
  switch (typeOf(schema)) {
    case 'string':
      return (
        [
          typeof schema.maxLength === 'number' ? composed().slice(0, schema.maxLength) : '',
          '',
          'unknown',
          '1970-01-01',
          '1970-01-01T00:00:00Z',
          '00:00:00',
          'unknown@example.invalid',
          'about:blank',
          '00000000-0000-0000-0000-000000000000',
        ].find((one) => accepts(one, schema, root)) ?? ''
      );
    case 'integer':
    case 'number':
      return (
        [0, schema.minimum, schema.maximum, 1].find((one) => typeof one === 'number' && accepts(one, schema, root)) ?? 0
      );
    case 'boolean':
      return false;
    case 'array': {
      const least = typeof schema.minItems === 'number' ? Math.min(schema.minItems, 10) : 0;
      return depth > DEPTH_MAX
        ? []
        : Array.from({ length: least }, () => emptiest(itemsOf(schema, root), root, depth + 1, composed));
    }
    case 'object':
      return depth > DEPTH_MAX ? {} : complete({}, schema, root, depth + 1, composed);
    case 'null':
      return null;
    default:
      return null;
  }
}
