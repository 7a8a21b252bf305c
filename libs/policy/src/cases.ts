/**
 * A bundle's policy test cases: a question in few words, and the answer that is expected. What the bundle itself says of
 * agents, tools and collections is filled in from it, so that a case asks what would be asked in earnest.
 */
import {
  type Bundle,
  Confidentiality,
  collectionLabel,
  confidentialityOf,
  EffectKind,
  History,
  Integrity,
  type Label,
  labelFrom,
  summandsOf,
  ToolLabels,
  type ToolOverride,
  type ToolSource,
  toolTrust,
  USER_LABEL,
} from '@tutti/contracts';
import { z } from 'zod';
import { parseDuration } from './annotations.ts';
import {
  POLICY_ACTIONS,
  type PolicyDecision,
  type PolicyEngine,
  type PolicyPrincipal,
  type PolicyRequest,
  type PolicyResource,
} from './types.ts';

const Names = z.union([z.string(), z.array(z.string())]);
export const PolicyCase = z
  .strictObject({
    name: z.string().min(1),
    // Who: one of the two.
    agent: z.string().optional(),
    user: z.string().optional(),
    roles: z.array(z.string()).default([]),
    action: z.enum(POLICY_ACTIONS),
    // What: the one that fits the action.
    tool: z.string().optional(),
    model: z.string().optional(),
    provider: z.string().default(''),
    collection: z.string().optional(),
    session: z.string().optional(),
    run: z.string().optional(),
    approval: z.string().optional(),
    bundle: z.string().optional(),
    /** With `run.start`: the agent that is started. */
    start: z.string().optional(),
    /** Of a run or an approval. */
    startedBy: z.string().optional(),
    ofAgent: z.string().optional(),
    /** With `tool.call`: where two sources have a tool of that name; where neither the bundle nor its document says the effect. */
    source: z.string().optional(),
    effect: EffectKind.optional(),
    /** What the tool's source itself knows of it, where the bundle is silent: of a built-in tool, say. */
    labels: ToolLabels.optional(),
    arguments: z.record(z.string(), z.unknown()).default({}),
    approved: z.boolean().default(false),
    /** Of what led to it; a user's word to this agent where it is left out. */
    label: z.strictObject({ integrity: Integrity.optional(), confidentiality: Confidentiality.optional() }).optional(),
    /** What the run and the conversation have done; nothing, and the same, where they are left out. */
    done: History.strict().optional(),
    doneInSession: History.strict().optional(),
    /** Another one than the tenant that the request was made for. */
    principalTenant: z.string().optional(),
    resourceTenant: z.string().optional(),
    expect: z.enum(['allow', 'deny', 'approval']),
    /** Ids of the policies that decide: all of them. */
    policy: Names.optional(),
    /** Part of the reason. */
    reason: z.string().optional(),
    expires: z.string().optional(),
    approvers: z.array(z.string()).optional(),
    quorum: z.number().int().optional(),
  })
  .refine((it) => (it.agent === undefined) !== (it.user === undefined), { message: 'give one of "agent" and "user"' });
export type PolicyCase = z.output<typeof PolicyCase>;
/** What a file in policies/tests/ holds. */
export const PolicyCases = z.strictObject({ cases: z.array(PolicyCase).min(1) });

export interface CaseResult {
  name: string;
  /** What is not as expected; empty: the case passes. */
  problems: string[];
  decision: PolicyDecision | undefined;
}

const TENANT = 'tenant';

export function runPolicyCase(bundle: Bundle, engine: PolicyEngine, test: PolicyCase): CaseResult {
  let request: PolicyRequest;
  try {
    request = requestOf(bundle, test);
  } catch (error) {
    return { name: test.name, problems: [(error as Error).message], decision: undefined };
  }
  const decision = engine.authorize(request);
  return { name: test.name, problems: differences(test, decision), decision };
}

function requestOf(bundle: Bundle, test: PolicyCase): PolicyRequest {
  const resource = resourceOf(bundle, test);
  const label = labelOf(bundle, test);
  const { action, approved, done, doneInSession } = test;
  const context = { tenant: TENANT, label };
  if (action !== 'tool.call') return { principal: principalOf(bundle, test), action, resource, context };
  const history =
    done || doneInSession ? { run: done ?? History.parse({}), session: doneInSession ?? done! } : undefined;
  const summands = summandsOf(toolIn(bundle, test)?.override?.sums, test.arguments);
  const more = { approved, history, summands };
  return { principal: principalOf(bundle, test), action, resource, context: { ...context, ...more } };
}

function principalOf(
  bundle: Bundle,
  { agent, user, roles, principalTenant: tenant = TENANT }: PolicyCase,
): PolicyPrincipal {
  if (user !== undefined) return { type: 'User', id: user, attrs: { tenant, roles } };
  return { type: 'Agent', id: agent!, attrs: { tenant }, attributes: knownAgent(bundle, agent!).attributes };
}

function knownAgent(bundle: Bundle, name: string) {
  if (Object.hasOwn(bundle.agents, name)) return bundle.agents[name]!;
  throw new Error(`the bundle has no agent "${name}"`);
}

function labelOf(bundle: Bundle, { agent, label }: PolicyCase): Label {
  const byDefault = agent === undefined ? USER_LABEL : labelFrom(knownAgent(bundle, agent).labels, USER_LABEL);
  const { integrity = byDefault.integrity, confidentiality } = label ?? {};
  return {
    integrity,
    confidentiality: confidentiality === undefined ? byDefault.confidentiality : confidentialityOf(confidentiality),
  };
}

function resourceOf(bundle: Bundle, test: PolicyCase): PolicyResource {
  const { action, resourceTenant: tenant = TENANT, ofAgent: agent, startedBy } = test;
  const need = (field: 'tool' | 'model' | 'collection' | 'session' | 'run' | 'approval' | 'bundle' | 'start') => {
    const value = test[field];
    if (value === undefined) throw new Error(`${action} is asked about a ${field}: give "${field}"`);
    return value;
  };
  switch (action) {
    case 'tool.call':
      return toolResource(bundle, test, need('tool'));
    case 'model.use':
      return { type: 'Model', id: need('model'), attrs: { provider: test.provider } };
    case 'knowledge.read': {
      const id = need('collection');
      const known = Object.hasOwn(bundle.collections, id) ? bundle.collections[id] : undefined;
      const label = collectionLabel(bundle.collections, id);
      return { type: 'Collection', id, attrs: { tenant, label }, attributes: known?.attributes };
    }
    case 'memory.read':
    case 'memory.write':
      return { type: 'Session', id: need('session'), attrs: { tenant } };
    case 'journal.read':
      return { type: 'Run', id: need('run'), attrs: { tenant, ...of({ agent, startedBy }) } };
    case 'approval.decide': {
      const { tool, effect } = test;
      return { type: 'Approval', id: need('approval'), attrs: { tenant, ...of({ agent, startedBy, tool, effect }) } };
    }
    case 'bundle.apply':
      return { type: 'Bundle', id: need('bundle'), attrs: { tenant, name: need('bundle') } };
    case 'run.start': {
      const id = need('start');
      return { type: 'Agent', id, attrs: { tenant }, attributes: knownAgent(bundle, id).attributes };
    }
    default:
      return action satisfies never;
  }
}

/** Without what is not given. */
function of<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}

interface FoundTool {
  source: string;
  manifest: ToolSource;
  ownName: string;
  override: ToolOverride | undefined;
}

function toolIn(bundle: Bundle, { tool, source }: PolicyCase): FoundTool | undefined {
  for (const [name, manifest] of Object.entries(bundle.tools)) {
    if (source !== undefined && source !== name) continue;
    const { prefix, tools } = manifest;
    if (!tool?.startsWith(prefix)) continue;
    const ownName = tool.slice(prefix.length);
    const override = Object.hasOwn(tools, ownName) ? tools[ownName] : undefined;
    if (override || source !== undefined || operationOf(manifest, ownName))
      return { source: name, manifest, ownName, override };
  }
  return undefined;
}

function toolResource(bundle: Bundle, test: PolicyCase, tool: string): PolicyResource {
  const found = toolIn(bundle, test);
  const effect = test.effect ?? found?.override?.effect ?? (found && operationOf(found.manifest, found.ownName));
  if (!effect)
    throw new Error(
      `the bundle does not say what "${tool}" does to the world, and perhaps not which source has it: give "effect" and "source"`,
    );
  const { needs, clearance } = toolTrust(found?.override?.labels, found?.manifest.labels, test.labels);
  const { tags = [], attributes } = found?.override ?? {};
  const attrs = { effect, tags, source: found?.source ?? test.source ?? '', needs, clearance };
  return { type: 'Tool', id: tool, attrs, attributes };
}

/** The effect of an operation of an OpenAPI document, by its method. */
function operationOf(manifest: ToolSource, name: string): EffectKind | undefined {
  if (manifest.type !== 'openapi') return undefined;
  for (const path of Object.values((manifest.document.paths ?? {}) as Record<string, object>))
    for (const [method, operation] of Object.entries(path ?? {}))
      if ((operation as { operationId?: unknown } | null)?.operationId === name)
        return method === 'get' || method === 'head' ? 'pure' : 'irreversible';
  return undefined;
}

function differences(test: PolicyCase, decision: PolicyDecision): string[] {
  const problems: string[] = [];
  const expect = (what: string, wanted: unknown, got: unknown) => {
    if (wanted !== undefined && JSON.stringify(wanted) !== JSON.stringify(got))
      problems.push(`${what}: expected ${JSON.stringify(wanted)}, got ${JSON.stringify(got ?? null)}`);
  };
  const { decision: answer, policy, reason, approval } = decision;
  if (answer !== test.expect) problems.push(`expected ${test.expect}, got ${answer} (policy ${policy}: ${reason})`);
  const wanted = typeof test.policy === 'string' ? [test.policy] : test.policy;
  expect('policy', wanted?.toSorted(), policy.split(', ').sort());
  if (test.reason !== undefined && !reason.includes(test.reason))
    problems.push(`reason: expected it to say "${test.reason}", it says "${reason}"`);
  if (test.expires !== undefined) {
    const expiresInMs = parseDuration(test.expires);
    if (expiresInMs === undefined) problems.push(`expires: "${test.expires}" is not a duration such as 72h`);
    else expect('expires', expiresInMs, approval?.expiresInMs);
  }
  expect('approvers', test.approvers?.toSorted(), approval?.approvers?.toSorted());
  expect('quorum', test.quorum, approval?.quorum);
  return problems;
}
