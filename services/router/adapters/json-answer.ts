/** JSON answers: parsed, repaired where that is possible without a guess at the content, validated against the schema. */
import { type ChatRequest, canonicalJson, type JsonSchema } from '@tutti/contracts';
import { Ajv, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { jsonrepair } from 'jsonrepair';

const VALIDATORS_MAX = 64;
const ERRORS_SHOWN_MAX = 8;
const FENCE = /^\s*```[a-z]*\s*\n([\s\S]*?)\n?\s*```\s*$/i;
const validators = new Map<string, ValidateFunction>();

export type JsonVerdict = { ok: true; text: string } | { ok: false; problem: string };

/** `text` of the verdict is valid JSON that fits the schema. */
export function checkJsonAnswer(format: ChatRequest['responseFormat'], content: string | null): JsonVerdict {
  if (format.type === 'text') return { ok: true, text: content ?? '' };
  let problem = 'the answer is not JSON';
  for (const reading of readings(content ?? '')) {
    const value = parse(reading);
    if (value === undefined) continue;
    const validate = validatorFor(format.schema);
    if (validate(value)) return { ok: true, text: reading };
    problem = describe(validate);
  }
  return { ok: false, problem };
}

/** As it is first, then ever more lenient. */
function* readings(content: string): Iterable<string> {
  yield content;
  const inner = FENCE.exec(content)?.[1] ?? outermostObject(content);
  if (inner) yield inner;
  try {
    yield jsonrepair(inner ?? content);
  } catch {
    // beyond repair: the verdict says so
  }
}

/** Prose around one object: some models cannot help it. */
function outermostObject(content: string): string | undefined {
  const start = content.indexOf('{');
  const end = content.lastIndexOf('}');
  return start >= 0 && end > start ? content.slice(start, end + 1) : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function validatorFor(schema: JsonSchema): ValidateFunction {
  const key = canonicalJson(schema);
  const known = validators.get(key);
  if (known) return known;
  if (validators.size >= VALIDATORS_MAX) validators.delete(validators.keys().next().value as string);
  // an instance a schema: ajv keeps what it has compiled for as long as it lives
  const options = { strict: false, allErrors: true };
  const ajv = String(schema.$schema ?? '').includes('draft-07') ? new Ajv(options) : new Ajv2020(options);
  addFormats.default(ajv);
  const validate = ajv.compile(schema);
  validators.set(key, validate);
  return validate;
}

function describe(validate: ValidateFunction): string {
  const errors = (validate.errors ?? []).slice(0, ERRORS_SHOWN_MAX);
  return errors.map((error) => `${error.instancePath || 'the answer'} ${error.message}`).join('; ');
}
