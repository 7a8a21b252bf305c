/**
 * Forks: a run that begins as another one's journal up to a version. The prefix is written again under the new run's id,
 * with the same numbers and call ids: what the original had open is asked for again under the same call, so the effect
 * ledger answers what was done; only models are asked under a call of its own. From there on it is a run of its own, and its own calls with an effect need a human's
 * grant or are refused.
 */
import {
  type ForkPrefix,
  type InboundMessage,
  type RunEntry,
  RunEntry as RunEntrySchema,
  type RunLimits,
  type RunStart,
} from '@tutti/contracts';
import { cancel, end } from './ends.ts';
import { goOn } from './fork-owed.ts';
import { limitsOf } from './limits.ts';
import { agentFor, type Round } from './round.ts';
import { acceptOnly, admit, isKnown } from './sessions.ts';
import { isActive } from './state.ts';

type Start = Extract<InboundMessage, { type: 'start' }>;

/** `prefix`: a `ForkPrefix`, with the original's entries 1 to `start.fork.version`. */
export function takeFork(round: Round, message: Start, prefix: unknown): void {
  if (isKnown(round, message.run)) return;
  const problem = prefixProblem(message, prefix);
  if (problem) {
    const run = acceptOnly(round, { ...message, start: { ...message.start, fork: undefined } });
    return end(round, run, { code: 'invalid_request', message: `cannot fork: ${problem}`, retryable: false });
  }
  const { entries, toolset } = prefix as ForkPrefix;
  const agent = agentFor(round.env.bundle(message.start.bundle), message);
  const limits = limitsOf(agent?.limits ?? {}, message.start.limits);
  for (const entry of entries) round.append(rewrite(entry, message, entries.length === 1 ? limits : undefined));
  if (entries.length > 1) begin(round, message, limits, toolset);
  const run = round.run(message.run)!;
  if (round.state.barred.has(run.id)) return cancel(round, run, 'system', 'It was cancelled before it began.');
  if (!isActive(run)) return admit(round);
  goOn(round, run, entries);
}

function begin(round: Round, { run, start }: Start, limits: RunLimits, toolset: ForkPrefix['toolset']): void {
  if (toolset && !round.state.toolsets.has(toolset.hash))
    round.emitPartition({ type: 'toolset.learned', at: round.now, hash: toolset.hash, tools: toolset.tools });
  const { run: of, version } = start.fork!;
  const begun = round.run(run)!;
  const open = isActive(begun) ? Object.values(begun.open) : [];
  const again = open.filter(({ step }) => step.kind === 'complete').map(({ callId }) => callId);
  round.emit(run, { type: 'run.forked', of, version, start, limits, toolset: toolset?.hash ?? null, again });
}

function prefixProblem(message: Start, prefix: unknown): string | null {
  const version = message.start.fork!.version;
  const entries = (prefix as Partial<ForkPrefix> | null | undefined)?.entries;
  if (!Array.isArray(entries)) return 'the journal of the original cannot be read';
  if (entries.length !== version) return `the journal has ${entries.length} entries up to version ${version}`;
  for (let i = 0; i < entries.length; i++) {
    const entry = RunEntrySchema.safeParse(entries[i]);
    if (!entry.success || entry.data.n !== i + 1) return `entry ${i + 1} of the original cannot be read`;
    if (isEnding(entry.data))
      return `at version ${entry.data.n} the original was ending; fork it from a version before that`;
  }
  return entries[0]!.type === 'run.accepted' ? null : 'the journal of the original has no beginning';
}

/** From here on a run only ends: what it had open is given up, so that nothing can go on from there. */
export function isEnding(entry: RunEntry): boolean {
  switch (entry.type) {
    case 'run.cancelling':
    case 'run.completed':
    case 'run.failed':
    case 'run.cancelled':
      return true;
    case 'approval.decided':
      return entry.decision === 'cancelled';
    case 'question.answered':
      return entry.outcome === 'cancelled';
    default:
      return false;
  }
}

/** `limits`: of a fork that begins anew. */
function rewrite(entry: RunEntry, { run, tenant, session, start }: Start, limits: RunLimits | undefined): RunEntry {
  if (entry.type === 'run.accepted') {
    const own = limits ? { start, limits } : { start: inPrefix(entry.start, start) };
    return { ...entry, run, tenant, session, ...own };
  }
  if (entry.type === 'approval.requested')
    return { ...entry, run, approval: { ...entry.approval, run, waitingRun: run, session } };
  if (entry.type === 'question.asked')
    return { ...entry, run, question: { ...entry.question, run, waitingRun: run, session } };
  // A fork of a fork is a fork of what the other one had become.
  if (entry.type === 'run.forked') return { ...entry, run, start: inPrefix(entry.start, start) };
  return { ...entry, run };
}

/** What it had been asked for until then, by a parent above all, and what it is from now on. */
function inPrefix(original: RunStart, start: RunStart): RunStart {
  return { ...start, input: original.input, brief: original.brief };
}
