export { createPolicyEngine, policyEngineOf } from './engine.ts';
export { createPolicyEngines, type PolicyEngines } from './engines.ts';
export * from './types.ts';
