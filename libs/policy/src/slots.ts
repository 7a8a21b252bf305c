/**
 * Parsed policy sets and their schemas inside Cedar's WebAssembly. It keeps everything that it was ever given, so a fixed
 * number of slots is used over and over: the set that was used longest ago gives its slot to the next one.
 */
import { type Policy, preparsePolicySet, preparseSchema, type Schema } from '@cedar-policy/cedar-wasm/nodejs';
import { TuttiError } from '@tutti/contracts';

/** Policy sets that stay parsed. */
export const POLICY_SETS_MAX = 64;

/** Hash of a policy set with its schema → its slot, least recently used first. */
const slots = new Map<string, string>();

/** The slot that holds this set and its schema now; parses them when they are not there (any more). */
export function slotFor(hash: string, policies: Record<string, Policy>, schema: Schema): string {
  const known = slots.get(hash);
  if (known !== undefined) {
    slots.delete(hash);
    slots.set(hash, known);
    return known;
  }
  const slot = slots.size < POLICY_SETS_MAX ? `slot-${slots.size}` : evictOldest();
  check(preparseSchema(slot, schema));
  check(preparsePolicySet(slot, { staticPolicies: policies }));
  slots.set(hash, slot);
  return slot;
}

function evictOldest(): string {
  const [hash, slot] = slots.entries().next().value as [string, string];
  slots.delete(hash);
  return slot;
}

function check(answer: { type: 'success' } | { type: 'failure'; errors: { message: string }[] }): void {
  if (answer.type === 'failure')
    throw new TuttiError('internal', `policies cannot be parsed: ${answer.errors.map((e) => e.message).join('; ')}`);
}
