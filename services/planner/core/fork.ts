/**
 * Forks: a run that begins as another one's journal up to a version. The prefix is written again under the new run's id,
 * with the same numbers and call ids: what the original had open is asked for again under the same call, so the effect
 * ledger answers what was done. From there on it is a run of its own, and its own calls with an effect need a human's
 * grant or are refused.
 */
import type { InboundMessage, RunEntry, RunStart } from '@tutti/contracts';
import { RunEntry as RunEntrySchema } from '@tutti/contracts';
import { advance } from './advance.ts';
import { ask, callsOf } from './calls.ts';
import { end } from './ends.ts';
import type { Round } from './round.ts';
import { acceptOnly, admit, isKnown } from './sessions.ts';
import { isActive, type RunState } from './state.ts';
import { request } from './steps.ts';

type Start = Extract<InboundMessage, { type: 'start' }>;

/** `prefix`: the original's entries 1 to `start.fork.version`. */
export function takeFork(round: Round, message: Start, prefix: unknown): void {
  if (isKnown(round, message.run)) return;
  const problem = prefixProblem(message, prefix);
  if (problem) {
    const run = acceptOnly(round, { ...message, start: { ...message.start, fork: undefined } });
    return end(round, run, { code: 'invalid_request', message: `cannot fork: ${problem}`, retryable: false });
  }
  for (const entry of prefix as RunEntry[]) round.append(rewrite(entry, message));
  const run = round.run(message.run)!;
  const { fork } = message.start;
  if (!isActive(run)) return admit(round);
  // Before they are forgotten: delegated calls have to be made again.
  const calls = Object.values(run.children).filter((child) => child.kind !== 'task');
  const asked = Object.values(run.questions);
  round.emit(run.id, { type: 'run.forked', of: fork!.run, version: fork!.version, start: message.start });
  goOn(
    round,
    run,
    calls.map((child) => child.callId),
    asked,
  );
}

function goOn(round: Round, run: RunState, calls: string[], asked: { callId: string | null; text: string }[]): void {
  if (!isActive(run)) return;
  if (run.toolset !== null && !round.state.toolsets.has(run.toolset)) request(round, run, { kind: 'describe' });
  if (!isActive(round.run(run.id)!)) return;
  for (const callId of Object.keys(run.open)) round.toSend.push({ run: run.id, callId });
  const again = new Set([...calls, ...asked.flatMap((question) => question.callId ?? [])]);
  const made = run.thread.flatMap((turn) => (turn.role === 'assistant' ? (turn.toolCalls ?? []) : []));
  const repeated = made.filter((call) => again.has(call.id));
  if (repeated.length > 0) callsOf(round, run, repeated);
  const planAsked = asked.find((question) => question.callId === null);
  if (planAsked && round.run(run.id) === run) ask(round, run, planAsked.text, null);
  advance(round, run);
}

function prefixProblem(message: Start, prefix: unknown): string | null {
  const version = message.start.fork!.version;
  if (!Array.isArray(prefix)) return 'the journal of the original cannot be read';
  if (prefix.length !== version) return `the journal has ${prefix.length} entries up to version ${version}`;
  for (let i = 0; i < prefix.length; i++) {
    const entry = RunEntrySchema.safeParse(prefix[i]);
    if (!entry.success || entry.data.n !== i + 1) return `entry ${i + 1} of the original cannot be read`;
    if (['run.cancelling', 'run.completed', 'run.failed', 'run.cancelled'].includes(entry.data.type))
      return `at version ${entry.data.n} the original was ending; fork it from before that`;
  }
  return prefix[0].type === 'run.accepted' ? null : 'the journal of the original has no beginning';
}

function rewrite(entry: RunEntry, message: Start): RunEntry {
  const { run, tenant, session, start } = message;
  if (entry.type === 'run.accepted') return { ...entry, run, tenant, session, start: forkStart(entry.start, start) };
  if (entry.type === 'approval.requested')
    return { ...entry, run, approval: { ...entry.approval, run, waitingRun: run, session } };
  if (entry.type === 'question.asked')
    return { ...entry, run, question: { ...entry.question, run, waitingRun: run, session } };
  // A fork of a fork is a fork of what the other one had become.
  if (entry.type === 'run.forked') return { ...entry, run, start: forkStart(entry.start, start) };
  return { ...entry, run };
}

/** What the new run was started with, on top of what the original was (a child's brief above all). */
function forkStart(original: RunStart, start: RunStart): RunStart {
  return { ...start, brief: original.brief };
}
