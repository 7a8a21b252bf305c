/**
 * The one policy gate: built-in and bundle policies together, decided by Cedar.
 * Invariants: no policy set that could fail at evaluation becomes an engine; any error while deciding means deny;
 * `approval` is only said of what a human's yes, and nothing else, turns into an allow. A decision is a function of the
 * policies and the question alone (nothing in the schema looks at a clock), so the same question gets the answer that
 * was found for it before.
 */
import { type EntityJson, type Response, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import { contentHash, TuttiError } from '@tutti/contracts';
import type { PolicyNotes } from './annotations.ts';
import { BUILTIN, BUILTIN_PREFIX, type LoadedPolicy, loadPolicies, SCHEMA } from './load.ts';
import { SCHEMA_NAME, slotFor } from './slots.ts';
import type { PolicyDecision, PolicyEngine, PolicyRequest } from './types.ts';

const DEFAULT_DENY = 'default-deny';
/** Questions whose answers an engine remembers, and how long one may be to be remembered. */
const ANSWERS_MAX = 4_096;
const QUESTION_CHARS_MAX = 2_000;

/** `bundlePolicies`: Cedar text by file name. Throws TuttiError `bundle_invalid` with every mistake's file and place. */
export function createPolicyEngine(bundlePolicies: Record<string, string> = {}): PolicyEngine {
  const policies = loadPolicies('builtin.cedar', BUILTIN, BUILTIN_PREFIX);
  for (const file of Object.keys(bundlePolicies).sort())
    merge(policies, file, loadPolicies(file, bundlePolicies[file]!));
  const hash = contentHash({ schema: SCHEMA, builtin: BUILTIN, bundle: bundlePolicies });
  const texts = Object.fromEntries([...policies].map(([id, policy]) => [id, policy.text]));

  function decide(request: PolicyRequest): Response {
    const answer = statefulIsAuthorized({
      principal: { type: request.principal.type, id: request.principal.id },
      action: { type: 'Action', id: request.action },
      resource: { type: request.resource.type, id: request.resource.id },
      context: request.context as Record<string, string | boolean>,
      entities: entitiesOf(request),
      preparsedPolicySetId: slotFor(hash, texts),
      preparsedSchemaName: SCHEMA_NAME,
      validateRequest: true,
    });
    if (answer.type === 'failure')
      throw new TuttiError(
        'internal',
        `the policy question ${request.action} does not fit the schema: ${answer.errors.map((error) => error.message).join('; ')}`,
      );
    return answer.response;
  }

  const notesOf = (response: Response): PolicyNotes[] =>
    response.diagnostics.reason.map((id) => policies.get(id)!.notes).sort((a, b) => (a.id < b.id ? -1 : 1));

  function authorize(request: PolicyRequest): PolicyDecision {
    const now = decide(request);
    if (now.diagnostics.errors.length > 0) return failed(now);
    if (now.decision === 'allow') return explain('allow', notesOf(now));
    if (request.context.approved === false) {
      const approved = decide({ ...request, context: { ...request.context, approved: true } });
      if (approved.diagnostics.errors.length > 0) return failed(approved);
      if (approved.decision === 'allow') {
        const forbids = notesOf(now);
        const decided = forbids.length > 0 ? forbids : notesOf(approved);
        return { ...explain('approval', decided), approval: approvalOf(decided) };
      }
    }
    return explain('deny', notesOf(now));
  }

  const answers = new Map<string, PolicyDecision>();
  function remembering(request: PolicyRequest): PolicyDecision {
    const question = questionOf(request);
    const known = answers.get(question);
    if (known) return known;
    const decision = authorize(request);
    if (question.length > QUESTION_CHARS_MAX) return decision;
    if (answers.size >= ANSWERS_MAX) answers.delete(answers.keys().next().value as string);
    Object.freeze(decision.approval);
    answers.set(question, Object.freeze(decision));
    return decision;
  }
  return { hash, authorize: remembering };
}

/** Everything that a decision can depend on. Attributes in another order are another question, with the same answer. */
function questionOf({ principal, action, resource, context }: PolicyRequest): string {
  return JSON.stringify([action, principal, resource, context]);
}

function merge(into: Map<string, LoadedPolicy>, file: string, more: Map<string, LoadedPolicy>): void {
  for (const [id, policy] of more) {
    if (id.startsWith(BUILTIN_PREFIX) || into.has(id))
      throw new TuttiError(
        'bundle_invalid',
        `policy file ${file}: the id "${id}" is taken; give the policy another @id`,
      );
    into.set(id, policy);
  }
}

function entitiesOf({ principal, resource }: PolicyRequest): EntityJson[] {
  const entities: EntityJson[] = [
    { uid: { type: principal.type, id: principal.id }, attrs: { ...principal.attrs }, parents: [] },
  ];
  // An agent that is started by itself is one entity, not two.
  if (principal.type !== resource.type || principal.id !== resource.id)
    entities.push({
      uid: { type: resource.type, id: resource.id },
      attrs: { ...resource.attrs } as never,
      parents: [],
    });
  return entities;
}

function failed(response: Response): PolicyDecision {
  const names = response.diagnostics.errors.map((error) => error.policyId);
  return { decision: 'deny', reason: `Policies failed while deciding: ${names.join(', ')}.`, policy: names.join(', ') };
}

function explain(decision: PolicyDecision['decision'], notes: PolicyNotes[]): PolicyDecision {
  const reasons = [...new Set(notes.map((note) => note.reason ?? `Policy "${note.id}" decided so.`))];
  return {
    decision,
    reason: reasons.join(' ') || 'No policy permits this.',
    policy: notes.map((note) => note.id).join(', ') || DEFAULT_DENY,
  };
}

/** Several policies together are as strict as each: the shortest time, and only those whom all of them name. */
function approvalOf(notes: PolicyNotes[]): NonNullable<PolicyDecision['approval']> {
  const times = notes.flatMap((note) => note.expiresInMs ?? []);
  const lists = notes.flatMap((note) => (note.approvers ? [note.approvers] : []));
  return {
    ...(times.length > 0 ? { expiresInMs: Math.min(...times) } : {}),
    ...(lists.length > 0 ? { approvers: lists.reduce((all, list) => all.filter((name) => list.includes(name))) } : {}),
  };
}
