/**
 * Policies from text: parsed, validated against the schema, and refused when one of them could fail at evaluation.
 * Owns the rule that a mistake in a policy is found when a bundle is applied, never when a call is decided.
 */
import { readFileSync } from 'node:fs';
import { type DetailedError, policySetTextToParts, policyToJson, validate } from '@cedar-policy/cedar-wasm/nodejs';
import { TuttiError } from '@tutti/contracts';
import { type PolicyNotes, parseAnnotations } from './annotations.ts';
import { findPossibleError, readsContext } from './expressions.ts';
import { type Interests, interestsOf } from './interests.ts';
import type { PolicySchema } from './schema.ts';
import type { PolicyText } from './types.ts';

export const BUILTIN = readFileSync(new URL('./builtin.cedar', import.meta.url), 'utf8');
export const BUILTIN_PREFIX = 'builtin.';

export interface LoadedPolicy {
  notes: PolicyNotes;
  text: string;
  source: PolicyText;
  interests: Interests;
}

function invalid(file: string, message: string): TuttiError {
  return new TuttiError('bundle_invalid', `policy file ${file}: ${message}`);
}

/** `line:column: message (help)`; offsets are UTF-8 bytes of the file. */
function describe(error: DetailedError, text: string): string {
  const location = error.sourceLocations?.[0];
  const before = location ? Buffer.from(text).subarray(0, location.start).toString().split('\n') : undefined;
  const where = before ? `line ${before.length}, column ${before.at(-1)!.length + 1}: ` : '';
  const help = [location?.label, error.help].filter(Boolean).join('; ');
  return `${where}${error.message}${help ? ` (${help})` : ''}`;
}

/** Policies of one file by their full ids. Throws TuttiError `bundle_invalid` that names the file and what is wrong. */
export function loadPolicies(
  file: string,
  text: string,
  schema: PolicySchema,
  idPrefix = '',
): Map<string, LoadedPolicy> {
  const parts = policySetTextToParts(text);
  const answer = validate({ schema: schema.json, policies: { staticPolicies: text } });
  if (parts.type === 'success' && parts.policy_templates.length > 0)
    throw invalid(file, 'templates (?principal, ?resource) are not supported; write the policy out');
  if (answer.type === 'failure') throw invalid(file, answer.errors.map((error) => describe(error, text)).join('; '));
  if (parts.type === 'failure') throw invalid(file, parts.errors.map((error) => describe(error, text)).join('; '));
  const mistakes = [...answer.validationErrors, ...answer.validationWarnings];
  if (mistakes.length > 0) throw invalid(file, mistakes.map((mistake) => describe(mistake.error, text)).join('; '));
  const loaded = new Map<string, LoadedPolicy>();
  for (const [index, policy] of parts.policies.entries()) {
    const entry = inspect(file, policy, `${file}#${index + 1}`);
    const id = `${idPrefix}${entry.notes.id}`;
    if (loaded.has(id)) throw invalid(file, `two policies have the id "${id}"`);
    loaded.set(id, { ...entry, notes: { ...entry.notes, id }, source: { ...entry.source, id } });
  }
  return loaded;
}

function inspect(file: string, text: string, fallbackId: string): LoadedPolicy {
  const parsed = policyToJson(text);
  if (parsed.type === 'failure') throw invalid(file, parsed.errors.map((error) => describe(error, text)).join('; '));
  const { annotations = {}, conditions } = parsed.json;
  const name = annotations.id ?? fallbackId;
  const risk = findPossibleError(conditions);
  if (risk) throw invalid(file, `policy "${name}" could fail while it is evaluated and would then be skipped: ${risk}`);
  let notes: PolicyNotes;
  try {
    notes = parseAnnotations(annotations as Record<string, string>, fallbackId);
  } catch (error) {
    throw invalid(file, `policy "${name}": ${(error as Error).message}`);
  }
  if (notes.needsApproval && !readsContext(conditions, 'approved'))
    throw invalid(file, `policy "${name}" says @approval("required") but never looks at context.approved`);
  if (notes.quorum !== undefined && !notes.needsApproval)
    throw invalid(file, `policy "${name}" says @quorum but not @approval("required")`);
  const source = { id: name, file, effect: parsed.json.effect, reason: notes.reason, text };
  return { notes, text, source, interests: interestsOf(parsed.json) };
}
