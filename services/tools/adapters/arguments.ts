/**
 * Arguments against a tool's schema (Ajv; draft 2020-12, or draft-07 where the schema says so). A value of the wrong
 * type is converted only when nothing is lost by it ("3" → 3, never null → 0); what is still wrong is listed in full.
 */
import type { JsonSchema } from '@tutti/contracts';
import { TuttiError } from '@tutti/contracts';
import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formatsModule from 'ajv-formats';

const PROBLEMS_MAX = 20;
const CONVERSION_ROUNDS_MAX = 3;
const VALUE_CHARS_MAX = 100;
const OPTIONS: Options = { strict: false, allErrors: true, logger: false, addUsedSchema: false, verbose: true };
const addFormats = formatsModule as unknown as (ajv: Ajv | Ajv2020) => void;

/** `converted`: what came in another type, in words; empty when the arguments fit as they came. */
export type Checked =
  | { ok: true; arguments: Record<string, unknown>; converted: string[] }
  | { ok: false; problems: string[] };

export interface ArgumentChecker {
  /** Never changes `args`. Throws TuttiError `bundle_invalid` when the schema itself cannot be used. */
  check(tool: string, schema: JsonSchema, args: Record<string, unknown>): Checked;
  /** What about `data` does not fit, nothing being converted. Throws as `check` does. */
  problems(tool: string, schema: JsonSchema, data: unknown): string[];
}

export function createArgumentChecker(): ArgumentChecker {
  const compiled = new WeakMap<JsonSchema, ValidateFunction>();
  function validatorOf(tool: string, schema: JsonSchema): ValidateFunction {
    let validate = compiled.get(schema);
    if (!validate) {
      validate = compile(tool, schema);
      compiled.set(schema, validate);
    }
    return validate;
  }
  return {
    check(tool, schema, args) {
      const validate = validatorOf(tool, schema);
      if (validate(args)) return { ok: true, arguments: args, converted: [] };
      const problems = describe(validate.errors ?? []);
      const converted = { value: structuredClone(args) };
      const words: string[] = [];
      for (let round = 0; round < CONVERSION_ROUNDS_MAX; round++) {
        if (!convertAll(converted.value, validate.errors ?? [], words)) break;
        if (validate(converted.value)) return { ok: true, arguments: converted.value, converted: words };
      }
      return { ok: false, problems };
    },
    problems(tool, schema, data) {
      const validate = validatorOf(tool, schema);
      return validate(data) ? [] : describe(validate.errors ?? []);
    },
  };
}

function compile(tool: string, schema: JsonSchema): ValidateFunction {
  const { $schema, $id: _id, ...rest } = schema;
  const ajv = String($schema ?? '').includes('draft-07') ? new Ajv(OPTIONS) : new Ajv2020(OPTIONS);
  addFormats(ajv);
  try {
    return ajv.compile(rest);
  } catch (error) {
    throw new TuttiError(
      'bundle_invalid',
      `the parameters of the tool "${tool}" are no usable JSON Schema: ${(error as Error).message}`,
    );
  }
}

/** Converts what failed for its type, in place, and adds to `words` what it did. Returns whether anything changed. */
function convertAll(args: Record<string, unknown>, errors: ErrorObject[], words: string[]): boolean {
  let changed = false;
  for (const error of errors) {
    if (error.keyword !== 'type' || error.instancePath === '') continue;
    const types = [(error.params as { type: string | string[] }).type].flat();
    const keys = error.instancePath
      .slice(1)
      .split('/')
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = keys.pop()!;
    let holder: unknown = args;
    for (const key of keys) holder = (holder as Record<string, unknown> | undefined)?.[key];
    if (holder === null || typeof holder !== 'object') continue;
    const value = (holder as Record<string, unknown>)[last];
    for (const type of types) {
      const converted = convert(value, type);
      if (converted === undefined) continue;
      (holder as Record<string, unknown>)[last] = converted;
      words.push(`${[...keys, last].join('.')}: ${shortly(value)} → ${shortly(converted)}`);
      changed = true;
      break;
    }
  }
  return changed;
}

function shortly(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= VALUE_CHARS_MAX ? text : `${text.slice(0, VALUE_CHARS_MAX)}…`;
}

/** The same value in another type, or undefined where something would be lost or guessed. */
function convert(value: unknown, type: string): unknown {
  if (type === 'string') return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  switch (type) {
    case 'number':
    case 'integer': {
      const number = Number(text);
      if (text === '' || !Number.isFinite(number) || String(number) !== text) return undefined;
      return type === 'number' || Number.isSafeInteger(number) ? number : undefined;
    }
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : undefined;
    case 'array':
    case 'object':
      return parsed(text, type);
    default:
      return undefined;
  }
}

function parsed(text: string, type: 'array' | 'object'): unknown {
  try {
    const data: unknown = JSON.parse(text);
    const fits =
      type === 'array' ? Array.isArray(data) : data !== null && typeof data === 'object' && !Array.isArray(data);
    return fits ? data : undefined;
  } catch {
    return undefined;
  }
}

function describe(errors: ErrorObject[]): string[] {
  const lines = errors.map((error) => {
    const where = error.instancePath.slice(1).replaceAll('/', '.') || 'arguments';
    const { allowedValues, additionalProperty } = error.params as {
      allowedValues?: unknown[];
      additionalProperty?: string;
    };
    const more = allowedValues
      ? `: ${allowedValues.map((value) => JSON.stringify(value)).join(', ')}`
      : additionalProperty
        ? `: "${additionalProperty}"`
        : '';
    return `${where} ${error.message ?? error.keyword}${more}`;
  });
  const unique = [...new Set(lines)];
  return unique.length <= PROBLEMS_MAX
    ? unique
    : [...unique.slice(0, PROBLEMS_MAX), `and ${unique.length - PROBLEMS_MAX} more`];
}
