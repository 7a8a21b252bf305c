/** What is looked for in a request that leaves: secrets always, personal data where the bundle has rules for it. */
import type { PrivacyPolicy } from '@tutti/contracts';
import type { FindRules } from './pii.ts';

const secretsOnly: FindRules = { kinds: new Set(), names: [], patterns: [] };
/** Compiled once a policy. */
const compiled = new WeakMap<PrivacyPolicy, FindRules>();

/** Undefined: there are no rules, or whoever gets it is cleared. */
export function findRulesOf(privacy: PrivacyPolicy | undefined): FindRules {
  if (!privacy) return secretsOnly;
  const known = compiled.get(privacy);
  if (known) return known;
  const rules: FindRules = {
    kinds: new Set(privacy.mask),
    names: privacy.names,
    patterns: Object.entries(privacy.patterns).map(([word, pattern]) => ({ word, pattern: new RegExp(pattern, 'gu') })),
  };
  compiled.set(privacy, rules);
  return rules;
}
