export { createPolicyEngine } from './engine.ts';
export * from './types.ts';
