/** JSON Schema validation by Ajv, compiled once a schema. */
import { canonicalJson, type JsonSchema } from '@tutti/contracts';
import { Ajv, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const VALIDATORS_MAX = 256;
const ERRORS_SHOWN_MAX = 8;
const validators = new Map<string, ValidateFunction>();
/** Schemas that are the same object need no key. */
const byObject = new WeakMap<object, ValidateFunction>();

/** One line for people and models; undefined: it fits. A schema that is itself broken fits nothing. */
export function problemsOf(schema: JsonSchema, value: unknown): string | undefined {
  let validate: ValidateFunction;
  try {
    validate = validatorFor(schema);
  } catch (error) {
    return `the schema itself cannot be used: ${error instanceof Error ? error.message : String(error)}`;
  }
  return validate(value) ? undefined : describe(validate);
}

function validatorFor(schema: JsonSchema): ValidateFunction {
  const same = byObject.get(schema);
  if (same) return same;
  const key = canonicalJson(schema);
  const validate = validators.get(key) ?? compile(schema);
  validators.delete(key);
  if (validators.size >= VALIDATORS_MAX) validators.delete(validators.keys().next().value as string);
  validators.set(key, validate);
  byObject.set(schema, validate);
  return validate;
}

function compile(schema: JsonSchema): ValidateFunction {
  // an instance a schema: ajv keeps what it has compiled for as long as it lives
  const options = { strict: false, allErrors: true };
  const ajv = String(schema.$schema ?? '').includes('draft-07') ? new Ajv(options) : new Ajv2020(options);
  addFormats.default(ajv);
  return ajv.compile(schema);
}

function describe(validate: ValidateFunction): string {
  const errors = (validate.errors ?? []).slice(0, ERRORS_SHOWN_MAX);
  return errors
    .map(({ instancePath, message, params }) => {
      const extra = (params as { additionalProperty?: string; allowedValues?: unknown[] } | undefined) ?? {};
      const detail = extra.additionalProperty ?? extra.allowedValues?.map((word) => JSON.stringify(word)).join(', ');
      return `${instancePath || 'the value'} ${message}${detail ? ` (${detail})` : ''}`;
    })
    .join('; ');
}
