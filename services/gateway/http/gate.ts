/**
 * Who may do what over the API: asks the policies of the tenant's current bundle (before there is one, the built-in ones).
 * Invariant: a route that starts, decides, applies or reads does so only behind its question here.
 */
import { type ApprovalRecord, type Bundle, collectionLabel, type RunView, TuttiError } from '@tutti/contracts';
import {
  createPolicyEngines,
  type PolicyAction,
  type PolicyEngine,
  type PolicyResource,
  policyEngineOf,
} from '@tutti/policy';
import type { BundleStore } from '@tutti/runtime';
import type { Identity } from '../core/api-keys.ts';

export interface Gate {
  /** All of these throw TuttiError `forbidden` with the reason. */
  runStart(identity: Identity, agent: string, pinned?: { hash: string; bundle: Bundle }): Promise<void>;
  /** `view`: of the run that waits. */
  approvalDecide(identity: Identity, approval: ApprovalRecord, view: RunView | null): Promise<void>;
  bundleApply(identity: Identity, name: string): Promise<void>;
  /** Of whoever changes what the current bundle lets happen: its kill switches, the pins of its MCP tools. Is `bundle.apply` of it. */
  bundleChange(identity: Identity): Promise<void>;
  journalRead(identity: Identity, view: RunView): Promise<void>;
  knowledgeRead(identity: Identity, collection: string): Promise<void>;
  memoryRead(identity: Identity, session: string): Promise<void>;
  /** Those that the principal may read. */
  readable(identity: Identity, views: RunView[]): Promise<RunView[]>;
  /** Throws TuttiError `bundle_invalid` where policies, schema or attributes are wrong. */
  check(bundle: Bundle): void;
}

interface Known {
  engine: PolicyEngine;
  bundle: Bundle | undefined;
}

export function createGate(bundles: Pick<BundleStore, 'current' | 'get'>): Gate {
  const engines = createPolicyEngines();

  async function current(tenant: string): Promise<Known> {
    const hash = await bundles.current(tenant);
    if (hash === null) return { engine: engines.builtin, bundle: undefined };
    const bundle = await bundles.get(hash);
    return { engine: engines.of(hash, bundle), bundle };
  }

  function decide({ engine }: Known, { tenant, principal }: Identity, action: PolicyAction, resource: PolicyResource) {
    const { id, roles } = principal;
    return engine.authorize({
      principal: { type: 'User', id, attrs: { tenant, roles } },
      action,
      resource,
      context: { tenant },
    });
  }

  function insistOnApply(known: Known, identity: Identity, name: string): void {
    insist(known, identity, 'bundle.apply', { type: 'Bundle', id: name, attrs: { tenant: identity.tenant, name } });
  }

  function insist(known: Known, identity: Identity, action: PolicyAction, resource: PolicyResource): void {
    const { decision, reason, policy } = decide(known, identity, action, resource);
    if (decision === 'allow') return;
    throw new TuttiError('forbidden', `${action} is denied: ${reason} (policy ${policy})`, { details: { policy } });
  }

  return {
    async runStart(identity, agent, pinned) {
      const known = pinned
        ? { engine: engines.of(pinned.hash, pinned.bundle), bundle: pinned.bundle }
        : await current(identity.tenant);
      const { bundle } = known;
      const manifest = bundle && Object.hasOwn(bundle.agents, agent) ? bundle.agents[agent] : undefined;
      const attrs = { tenant: identity.tenant };
      insist(known, identity, 'run.start', { type: 'Agent', id: agent, attrs, attributes: manifest?.attributes });
    },
    async approvalDecide(identity, { id, tool, effect, policy }, view) {
      const of = view ? { agent: view.agent, startedBy: view.principal.id } : {};
      const attrs = { tenant: identity.tenant, tool, effect, policy, ...of };
      insist(await current(identity.tenant), identity, 'approval.decide', { type: 'Approval', id, attrs });
    },
    async bundleApply(identity, name) {
      insistOnApply(await current(identity.tenant), identity, name);
    },
    async bundleChange(identity) {
      const known = await current(identity.tenant);
      insistOnApply(known, identity, known.bundle?.name ?? '');
    },
    async journalRead(identity, view) {
      insist(await current(identity.tenant), identity, 'journal.read', runResource(view));
    },
    async knowledgeRead(identity, name) {
      const known = await current(identity.tenant);
      insist(known, identity, 'knowledge.read', collectionResource(known.bundle, identity.tenant, name));
    },
    async memoryRead(identity, session) {
      const attrs = { tenant: identity.tenant };
      insist(await current(identity.tenant), identity, 'memory.read', { type: 'Session', id: session, attrs });
    },
    async readable(identity, views) {
      const known = await current(identity.tenant);
      return views.filter((view) => decide(known, identity, 'journal.read', runResource(view)).decision === 'allow');
    },
    check: (bundle) => void policyEngineOf(bundle),
  };
}

function runResource({ id, tenant, agent, principal }: RunView): PolicyResource {
  return { type: 'Run', id, attrs: { tenant, agent, startedBy: principal.id } };
}

function collectionResource(bundle: Bundle | undefined, tenant: string, name: string): PolicyResource {
  const manifest = bundle && Object.hasOwn(bundle.collections, name) ? bundle.collections[name] : undefined;
  const label = collectionLabel(bundle?.collections, name);
  return { type: 'Collection', id: name, attrs: { tenant, label }, attributes: manifest?.attributes };
}
