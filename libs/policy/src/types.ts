/** The questions that the policy gate answers, and its answers. Shapes follow schema.cedarschema. */
import type { CallHistory, EffectKind, Integrity, Label, PolicyAttributes } from '@tutti/contracts';

/** Values of attributes that the bundle's schema adds. */
interface Extended {
  attributes?: PolicyAttributes | undefined;
}

export type PolicyPrincipal =
  | ({ type: 'User'; id: string; attrs: { tenant: string; roles: string[] } } & Extended)
  | ({ type: 'Agent'; id: string; attrs: { tenant: string } } & Extended);

export interface ToolAttributes {
  effect: EffectKind;
  tags: string[];
  source: string;
  /** As `needs` and `clearance` of a bundle's `labels`; their defaults where left out. */
  needs?: Integrity | undefined;
  clearance?: string[] | 'all' | undefined;
}

export type PolicyResource = Extended &
  (
    | { type: 'Tool'; id: string; attrs: ToolAttributes }
    | { type: 'Model'; id: string; attrs: { provider: string } }
    | { type: 'Collection'; id: string; attrs: { tenant: string; label?: Label | undefined } }
    | { type: 'Run'; id: string; attrs: { tenant: string; agent?: string; startedBy?: string } }
    | {
        type: 'Approval';
        id: string;
        attrs: {
          tenant: string;
          tool?: string;
          effect?: EffectKind;
          policy?: string;
          agent?: string;
          startedBy?: string;
        };
      }
    | { type: 'Bundle'; id: string; attrs: { tenant: string; name?: string } }
    | { type: 'Agent' | 'Session'; id: string; attrs: { tenant: string } }
  );

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
/** Those whose policies may look at what led to the question. */
export const LABELLED_ACTIONS: readonly PolicyAction[] = ['model.use', 'tool.call', 'memory.write'];

export interface PolicyContext {
  tenant: string;
  /** With `tool.call` alone, and always there. */
  approved?: boolean;
  /** Of what led to it, for LABELLED_ACTIONS. A question that does not say counts as untrusted and public. */
  label?: Label | undefined;
  /** With `tool.call`: what was done before, and what this call adds to each sum. */
  history?: CallHistory | undefined;
  summands?: Record<string, number> | undefined;
}

export interface PolicyRequest {
  principal: PolicyPrincipal;
  action: PolicyAction;
  resource: PolicyResource;
  context: PolicyContext;
}

export interface PolicyDecision {
  /** `approval`: denied now, allowed once humans approve exactly this. */
  decision: 'allow' | 'deny' | 'approval';
  /** For people: the @reason of the policies that decided. */
  reason: string;
  /** Ids of the policies that decided, joined with ", "; `default-deny` where none permits. */
  policy: string;
  /**
   * With `approval`: how long the question may stay open (the shortest @expires), who may answer (@approvers), and how many
   * of them have to (the largest @quorum; one where it is left out).
   */
  approval?: { expiresInMs?: number; approvers?: string[]; quorum?: number };
}

/** A policy as it stands in its file. */
export interface PolicyText {
  id: string;
  file: string;
  effect: 'permit' | 'forbid';
  reason: string | undefined;
  text: string;
}

export interface PolicyEngine {
  /** Content hash of the schema and of the built-in and the bundle's policies. */
  readonly hash: string;
  authorize(request: PolicyRequest): PolicyDecision;
  /** The policy with this id, as decisions name it. */
  policy(id: string): PolicyText | undefined;
}
