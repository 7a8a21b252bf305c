/**
 * The one policy gate: built-in and bundle policies together, decided by Cedar.
 * Invariants: no policy set that could fail at evaluation becomes an engine; any error while deciding means deny;
 * `approval` is only said of what humans' yes, and nothing else, turns into an allow. A decision is a function of the
 * policies and the question alone (nothing in the schema looks at a clock), so the same question gets the answer that
 * was found for it before.
 */
import { readFileSync } from 'node:fs';
import { type Response, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import { type Bundle, contentHash, TuttiError } from '@tutti/contracts';
import type { PolicyNotes } from './annotations.ts';
import { joinInterests } from './interests.ts';
import { type LoadedPolicy, loadPolicies } from './load.ts';
import { type Question, questionOf } from './question.ts';
import { attributeProblem, schemaOf } from './schema.ts';
import { slotFor } from './slots.ts';
import type { PolicyDecision, PolicyEngine, PolicyRequest } from './types.ts';

const BUILTIN = readFileSync(new URL('./builtin.cedar', import.meta.url), 'utf8');
const BUILTIN_PREFIX = 'builtin.';
const DEFAULT_DENY = 'default-deny';
/** Questions whose answers an engine remembers, and how long one may be to be remembered. */
const ANSWERS_MAX = 4_096;
const QUESTION_CHARS_MAX = 2_000;

export interface EngineOptions {
  /** Cedar schema in addition to the built-in one. */
  schema?: string | undefined;
  /** Names of what the bundle sums up. */
  sums?: string[] | undefined;
}

/** Throws TuttiError `bundle_invalid` with every mistake's file and place: of policies, schema and attributes. */
export function policyEngineOf(
  bundle: Pick<Bundle, 'policies' | 'policySchema' | 'tools' | 'agents' | 'collections'>,
): PolicyEngine {
  const overrides = Object.entries(bundle.tools).flatMap(([source, { tools }]) =>
    Object.entries(tools).map(([name, override]) => ({ where: `tools ${source}: ${name}`, override })),
  );
  const sums = [...new Set(overrides.flatMap(({ override }) => Object.keys(override.sums ?? {})))].sort();
  const schema = schemaOf(bundle.policySchema, sums);
  const problems = [
    ...overrides.map(({ where, override }) => attributeProblem(schema, 'Tool', override.attributes, where)),
    ...Object.values(bundle.agents).map(({ name, attributes }) =>
      attributeProblem(schema, 'Agent', attributes, `agent ${name}`),
    ),
    ...Object.values(bundle.collections).map(({ name, attributes }) =>
      attributeProblem(schema, 'Collection', attributes, `collection ${name}`),
    ),
  ].filter((problem) => problem !== null);
  if (problems.length > 0) throw new TuttiError('bundle_invalid', problems.join('; '));
  return createPolicyEngine(bundle.policies, { schema: bundle.policySchema, sums });
}

/** `bundlePolicies`: Cedar text by file name. Throws TuttiError `bundle_invalid` with every mistake's file and place. */
export function createPolicyEngine(
  bundlePolicies: Record<string, string> = {},
  { schema: extension, sums = [] }: EngineOptions = {},
): PolicyEngine {
  const schema = schemaOf(extension, sums);
  const policies = loadPolicies('builtin.cedar', BUILTIN, schema, BUILTIN_PREFIX);
  for (const file of Object.keys(bundlePolicies).sort())
    merge(policies, file, loadPolicies(file, bundlePolicies[file]!, schema));
  const hash = contentHash({ schema: schema.json, builtin: BUILTIN, bundle: bundlePolicies });
  const texts = Object.fromEntries([...policies].map(([id, policy]) => [id, policy.text]));
  const interests = joinInterests([...policies.values()].map((policy) => policy.interests));

  function decide(question: Question): Response {
    const slot = slotFor(hash, texts, schema.json);
    const answer = statefulIsAuthorized({
      ...question,
      context: question.context as never,
      preparsedPolicySetId: slot,
      preparsedSchemaName: slot,
      validateRequest: true,
    });
    if (answer.type === 'failure')
      throw new TuttiError(
        'internal',
        `the policy question ${question.action.id} does not fit the schema: ${answer.errors.map((error) => error.message).join('; ')}`,
      );
    return answer.response;
  }

  const notesOf = (response: Response): PolicyNotes[] =>
    response.diagnostics.reason.map((id) => policies.get(id)!.notes).sort((a, b) => (a.id < b.id ? -1 : 1));

  function answerTo(question: Question): PolicyDecision {
    const now = decide(question);
    if (now.diagnostics.errors.length > 0) return failed(now);
    if (now.decision === 'allow') return explain('allow', notesOf(now));
    if (question.context.approved === false) {
      const approved = decide({ ...question, context: { ...question.context, approved: true } });
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
  return {
    hash,
    policy: (id) => policies.get(id)?.source,
    authorize(request: PolicyRequest) {
      const question = questionOf(request, schema, interests);
      const key = JSON.stringify(question);
      const known = answers.get(key);
      if (known) return known;
      const decision = answerTo(question);
      if (key.length > QUESTION_CHARS_MAX) return decision;
      if (answers.size >= ANSWERS_MAX) answers.delete(answers.keys().next().value as string);
      Object.freeze(decision.approval);
      answers.set(key, Object.freeze(decision));
      return decision;
    },
  };
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

/** Several policies together are as strict as each: the shortest time, only those whom all of them name, the most of them. */
function approvalOf(notes: PolicyNotes[]): NonNullable<PolicyDecision['approval']> {
  const times = notes.flatMap((note) => note.expiresInMs ?? []);
  const lists = notes.flatMap((note) => (note.approvers ? [note.approvers] : []));
  const quorums = notes.flatMap((note) => note.quorum ?? []);
  return {
    ...(times.length > 0 ? { expiresInMs: Math.min(...times) } : {}),
    ...(lists.length > 0 ? { approvers: lists.reduce((all, list) => all.filter((name) => list.includes(name))) } : {}),
    ...(quorums.length > 0 ? { quorum: Math.max(...quorums) } : {}),
  };
}
