export { type CaseResult, PolicyCases, runPolicyCase } from './cases.ts';
export { createPolicyEngine, policyEngineOf } from './engine.ts';
export { createPolicyEngines, type PolicyEngines } from './engines.ts';
export * from './types.ts';
