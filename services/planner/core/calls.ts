/** The calls that a model made in one turn: the engine's own are carried out here, all others go to the tools service. */
import { type Action, derivedQuestionId, type ToolCall } from '@tutti/contracts';
import { childStart, startChild } from './children.ts';
import {
  ASK_USER,
  DELEGATE,
  engineTools,
  HAND_OVER,
  QUESTION_CHARS_MAX,
  SLEEP,
  TASK_CHARS_MAX,
} from './engine-tools.ts';
import { REPORT_PROBLEM } from './evolve.ts';
import { childShare } from './limits.ts';
import { countsOf } from './provenance.ts';
import { agentOf, type Round } from './round.ts';
import type { ActiveRun } from './state.ts';
import { request } from './steps.ts';

export function callsOf(round: Round, run: ActiveRun, calls: ToolCall[]): void {
  const agent = round.agent(run);
  const own = new Set(agent ? engineTools(run, agent).map((tool) => tool.name) : []);
  let children = calls.filter((call) => own.has(call.name) && startsChild(call)).length;
  for (const call of calls) {
    if (!own.has(call.name))
      request(round, run, { kind: 'execute', call, ...countsOf(round.state, run, call) }, call.id);
    else carryOut(round, run, call, children);
    if (startsChild(call)) children--;
    if (round.run(run.id) !== run) return;
  }
}

/** Of an agent's name in a call; longer ones are nobody's. */
const AGENT_CHARS_MAX = 63;

const startsChild = (call: ToolCall): boolean => call.name === DELEGATE || call.name === HAND_OVER;

function carryOut(round: Round, run: ActiveRun, call: ToolCall, siblings: number): void {
  switch (call.name) {
    case ASK_USER:
      return askUser(round, run, call);
    case SLEEP:
      return sleep(round, run, call);
    case REPORT_PROBLEM:
      return reportProblem(round, run, call);
    default:
      return delegate(round, run, call, siblings);
  }
}

function settle(round: Round, run: ActiveRun, call: ToolCall, content: string, isError: boolean): void {
  const action: Action = {
    callId: call.id,
    tool: call.name,
    arguments: call.arguments,
    content,
    isError,
    effect: 'pure',
  };
  round.emit(run.id, { type: 'call.settled', action });
}

/** A model's argument as text within its limit, or undefined: models send anything. */
function textArgument(call: ToolCall, name: string, charsMax: number): string | undefined {
  const value = call.arguments[name];
  return typeof value === 'string' && value.trim() !== '' && value.length <= charsMax ? value : undefined;
}

function askUser(round: Round, run: ActiveRun, call: ToolCall): void {
  const question = textArgument(call, 'question', QUESTION_CHARS_MAX);
  if (question === undefined)
    return settle(round, run, call, `"question" must be text of 1 to ${QUESTION_CHARS_MAX} characters.`, true);
  ask(round, run, question, call.id);
}

/** Asks the user. `callId` null: the plan asked, not a call. */
export function ask(round: Round, run: ActiveRun, text: string, callId: string | null): void {
  round.emit(run.id, {
    type: 'question.asked',
    question: {
      id: derivedQuestionId(run.id, run.version + 1),
      run: run.start.root,
      waitingRun: run.id,
      session: run.session,
      callId,
      text,
      askedAt: round.now,
      expiresAt: round.now + run.limits.questionTtlMs,
    },
  });
}

const SLEEP_USAGE =
  'Give "seconds" (more than 0) or "until" (an ISO 8601 moment with its offset, as in 2026-01-31T09:00:00+01:00).';
/** Without its offset a moment would be another one on another machine. */
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/i;

/** Unix ms; not a number where the call does not say. */
function wakeTime(call: ToolCall, now: number): number {
  const { seconds, until } = call.arguments;
  if (typeof seconds === 'number' && seconds > 0) return now + Math.round(seconds * 1_000);
  return typeof until === 'string' && MOMENT.test(until) ? Date.parse(until) : Number.NaN;
}

function sleep(round: Round, run: ActiveRun, call: ToolCall): void {
  const wakeAt = wakeTime(call, round.now);
  if (!Number.isFinite(wakeAt)) return settle(round, run, call, SLEEP_USAGE, true);
  if (wakeAt - round.now > run.limits.sleepMaxMs)
    return settle(
      round,
      run,
      call,
      `The longest sleep is ${run.limits.sleepMaxMs / 1_000} seconds (sleepMaxMs).`,
      true,
    );
  round.emit(run.id, { type: 'sleep.started', callId: call.id, until: Math.max(wakeAt, round.now) });
}

function reportProblem(round: Round, run: ActiveRun, call: ToolCall): void {
  const reason = textArgument(call, 'reason', QUESTION_CHARS_MAX);
  if (reason === undefined) return settle(round, run, call, '"reason" must say what was found.', true);
  settle(round, run, call, 'Noted. End this task now, with what you found.', false);
}

function delegate(round: Round, run: ActiveRun, call: ToolCall, siblings: number): void {
  const name = textArgument(call, 'agent', AGENT_CHARS_MAX) ?? '';
  const handOver = call.name === HAND_OVER;
  const task = handOver ? run.start.input : textArgument(call, 'task', TASK_CHARS_MAX);
  const helpers = round.agent(run)?.agents ?? [];
  if (!helpers.includes(name) || !agentOf(round.env.bundle(run.start.bundle), name))
    return settle(round, run, call, `There is no agent "${name}" to ask. Agents: ${helpers.join(', ')}.`, true);
  if (task === undefined)
    return settle(round, run, call, `"task" must be text of 1 to ${TASK_CHARS_MAX} characters.`, true);
  const share = childShare(run, siblings);
  if (typeof share === 'string') return settle(round, run, call, `Not done: ${share}.`, true);
  startChild(round, run, {
    callId: call.id,
    kind: handOver ? 'hand_over' : 'call',
    task: call.name,
    key: call.id,
    start: childStart(run, { agent: name, input: task, share, callId: call.id, brief: null, now: round.now }),
  });
}
