/** The questions that the policy gate answers, and its answers. Shapes follow schema.cedarschema. */
import type { EffectKind } from '@tutti/contracts';

export type PolicyPrincipal =
  | { type: 'User'; id: string; attrs: { tenant: string; roles: string[] } }
  | { type: 'Agent'; id: string; attrs: { tenant: string } };

export type PolicyResource =
  | { type: 'Tool'; id: string; attrs: { effect: EffectKind; tags: string[]; source: string } }
  | { type: 'Model'; id: string; attrs: { provider: string } }
  | {
      type: 'Agent' | 'Collection' | 'Session' | 'Run' | 'Approval' | 'Bundle';
      id: string;
      attrs: { tenant: string };
    };

export const POLICY_ACTIONS = [
  'run.start',
  'model.use',
  'tool.call',
  'knowledge.read',
  'memory.read',
  'memory.write',
  'approval.decide',
  'bundle.apply',
  'journal.read',
] as const;
export type PolicyAction = (typeof POLICY_ACTIONS)[number];

export interface PolicyRequest {
  principal: PolicyPrincipal;
  action: PolicyAction;
  resource: PolicyResource;
  /** `approved` with `tool.call` alone, and always there. */
  context: { tenant: string; approved?: boolean };
}

export interface PolicyDecision {
  /** `approval`: denied now, allowed once a human approves exactly this. */
  decision: 'allow' | 'deny' | 'approval';
  /** For people: the @reason of the policies that decided. */
  reason: string;
  /** Ids of the policies that decided, joined with ", "; `default-deny` where none permits. */
  policy: string;
  /** With `approval`: how long the question may stay open (the shortest @expires), and who may answer (@approvers). */
  approval?: { expiresInMs?: number; approvers?: string[] };
}

export interface PolicyEngine {
  /** Content hash of the built-in and the bundle's policies. */
  readonly hash: string;
  authorize(request: PolicyRequest): PolicyDecision;
}
