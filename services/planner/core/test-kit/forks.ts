/** Forks in specifications: made from a journal, brought to their end by whoever answers everything, and looked at. */
import { contentHash, type RunEntry, type RunStart, type ToolDefinition } from '@tutti/contracts';
import { isEnding } from '../fork.ts';
import { preflight, type Verdict } from '../preflight.ts';
import { isActive, isEnded } from '../state.ts';
import { approvalRequired, completion, done, runId, sessionId, startMessage, TOOLS, TOOLSET } from './parts.ts';
import type { Spec } from './spec.ts';

const TURNS_MAX = 200;

/** What the tools service has on record, by call. */
export type Ledger = Map<string, { run: string; tool: string }>;

/** Versions that a journal can be forked from. */
export function versionsOf(journal: RunEntry[]): number[] {
  const ending = journal.findIndex(isEnding);
  return journal.slice(0, ending < 0 ? journal.length : ending).map(({ n }) => n);
}

/** As the handler makes it (journal/fork-run.ts). */
export function fork(
  spec: Spec,
  journal: RunEntry[],
  version: number,
  changes: Partial<RunStart> = {},
  seed = 0,
  tools: ToolDefinition[] | null = TOOLS,
): string {
  const [accepted] = journal as [Extract<RunEntry, { type: 'run.accepted' }>];
  const prefix = structuredClone(journal.slice(0, version));
  const forked = prefix.findLast((entry) => entry.type === 'run.forked');
  const before = forked?.start ?? accepted.start;
  const session = sessionId(9_000 + version + 97 * seed);
  const run = runId(session, 9_000 + version + 97 * seed);
  const { effects = 'approve', ...others } = changes;
  const message = startMessage(
    run,
    session,
    spec.now,
    {
      ...before,
      ...others,
      root: run,
      memorySession: session,
      depth: 0,
      parent: null,
      effects,
      recallBefore: accepted.at,
      fork: { run: accepted.run, version, effects, blob: 'b', memorySession: before.memorySession },
    },
    accepted.tenant,
  );
  const toolset = version > 1 && tools ? { hash: contentHash(tools), tools } : null;
  spec.take({ ...spec.input(message), prefix: { v: 1, entries: prefix, toolset } } as never);
  return run;
}

/** Everybody answers: models say that they are done, tools do what is asked and record it, people agree, children end. */
export function finish(spec: Spec, run: string, ledger: Ledger = new Map()): void {
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    const known = spec.state.runs.get(run);
    if (!known) throw new Error(`run ${run} is not here`);
    if (isEnded(known)) return;
    if (!isActive(known)) throw new Error(`run ${run} is ${known.status}`);
    if (!step(spec, run, ledger)) throw new Error(`run ${run} is stuck in ${known.phase}`);
  }
  throw new Error(`run ${run} does not end`);
}

function step(spec: Spec, run: string, ledger: Ledger): boolean {
  const active = spec.active(run);
  const [open] = Object.values(active.open);
  if (open) return answer(spec, run, open, ledger);
  const approval = active.approvals.find(({ status }) => status === 'pending');
  if (approval) return !!spec.tell(run, { type: 'approve', approval: approval.id, decision: 'approve', by: 'ann' });
  const [question] = Object.keys(active.questions);
  if (question) return !!spec.tell(run, { type: 'input', question, text: 'Rome', by: 'ann' });
  const [child] = Object.keys(active.children);
  if (child) return !!spec.childEnds(run, child);
  const [until] = Object.values(active.sleeping);
  return until !== undefined && !!spec.pass(Math.max(0, until - spec.now));
}

function answer(spec: Spec, run: string, open: ReturnType<Spec['open']>[number], ledger: Ledger): boolean {
  const { callId, step: asked } = open;
  switch (asked.kind) {
    case 'complete': {
      const plan = JSON.stringify({ reason: 'r', question: null, tasks: [] });
      return !!spec.result(run, callId, completion(asked.purpose === 'plan' ? plan : 'done'));
    }
    case 'execute':
      return !!spec.result(run, callId, executed(spec, run, open, ledger));
    case 'remember':
      return !!spec.remember(run);
    default:
      return !!spec.gather(run);
  }
}

/** As the broker does it: what is on record is told, what is not pure needs a yes, of a fork or not. */
function executed(
  spec: Spec,
  run: string,
  { callId, step: asked, grant }: ReturnType<Spec['open']>[number],
  ledger: Ledger,
) {
  if (asked.kind !== 'execute') throw new Error('not a call');
  const { name } = asked.call;
  if (name !== 'act') return done();
  if (ledger.has(callId)) return { ...done('{}', { effect: 'irreversible' }), replayed: true };
  const { effects } = spec.active(run).start;
  if (effects === 'block') return { status: 'denied', reason: 'a fork', policy: 'tutti.fork' };
  if (!grant) return approvalRequired();
  ledger.set(callId, { run, tool: name });
  return done('{}', { effect: 'irreversible' });
}

/** Calls that a model made and that nothing ever came of. */
export function orphans(journal: RunEntry[]): string[] {
  const settled = new Set<string>();
  const asked = new Map<string, string | null>();
  for (const entry of journal) {
    if (entry.type === 'step.completed' || entry.type === 'step.failed' || entry.type === 'sleep.ended')
      settled.add(entry.callId);
    if (entry.type === 'call.settled') settled.add(entry.action.callId);
    if (entry.type === 'child.ended') settled.add(entry.outcome.callId);
    if (entry.type === 'question.asked') asked.set(entry.question.id, entry.question.callId);
    if (entry.type === 'question.answered') settled.add(asked.get(entry.question) ?? '');
    if (entry.type === 'approval.requested') asked.set(entry.approval.id, entry.approval.callId);
    if (entry.type === 'approval.decided' && entry.decision !== 'approved')
      settled.add(asked.get(entry.approval) ?? '');
  }
  return journal.flatMap((entry) => {
    if (entry.type !== 'step.completed' || entry.result.kind !== 'complete' || entry.result.purpose !== 'act')
      return [];
    return (entry.result.completion.message.toolCalls ?? []).map(({ id }) => id).filter((id) => !settled.has(id));
  });
}

/** The journal decided again under the bundle of the specification. */
export function again(spec: Spec, journal: RunEntry[]): Verdict {
  return preflight(journal, {
    before: spec.bundle,
    after: spec.bundle,
    afterHash: contentHash(spec.bundle),
    toolsets: new Map([[TOOLSET, TOOLS]]),
    tools: TOOLS,
  });
}
