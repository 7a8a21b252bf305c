/** Policy engines by bundle hash, made on first use; those used longest ago give way. */
import type { Bundle } from '@tutti/contracts';
import { createPolicyEngine, policyEngineOf } from './engine.ts';
import type { PolicyEngine } from './types.ts';

const ENGINES_MAX = 64;

export interface PolicyEngines {
  /** Throws TuttiError `bundle_invalid` where the bundle's policies cannot be used: then nothing is allowed. */
  of(hash: string, bundle: Bundle): PolicyEngine;
  /** The built-in policies alone: for questions that belong to no bundle. */
  readonly builtin: PolicyEngine;
}

export function createPolicyEngines(): PolicyEngines {
  const engines = new Map<string, PolicyEngine>();
  let builtin: PolicyEngine | undefined;
  return {
    get builtin() {
      builtin ??= createPolicyEngine();
      return builtin;
    },
    of(hash, bundle) {
      const known = engines.get(hash);
      if (known) {
        engines.delete(hash);
        engines.set(hash, known);
        return known;
      }
      const engine = policyEngineOf(bundle);
      if (engines.size >= ENGINES_MAX) engines.delete(engines.keys().next().value as string);
      engines.set(hash, engine);
      return engine;
    },
  };
}
