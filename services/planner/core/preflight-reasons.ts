/** How two decisions differ, in words for people. Null: not in anything that is a decision. */
import {
  type AgentManifest,
  canonicalJson,
  type Label,
  type RunEntry,
  type StepSpec,
  type ToolDefinition,
} from '@tutti/contracts';
import type { StepRequest } from './requests.ts';

const ASKING = {
  plan: 'asking a model for a plan',
  act: 'asking a model what to do',
  answer: 'asking a model for the answer',
} as const;
const STEPS = {
  recall: 'recalling the conversation',
  search: 'searching the knowledge',
  describe: 'listing the tools',
  remember: 'remembering the turn',
} as const;
const MESSAGE_CHARS_MAX = 200;

/** What an entry is, as part of a sentence. */
export function nameOf(entry: RunEntry): string {
  switch (entry.type) {
    case 'step.requested': {
      const { step } = entry;
      if (step.kind === 'execute') return `a call of ${step.call.name}`;
      return step.kind === 'complete' ? ASKING[step.purpose] : STEPS[step.kind];
    }
    case 'call.settled':
      return `settling the call of ${entry.action.tool}`;
    case 'child.started':
      return `a child run of the agent "${entry.start.agent}"`;
    case 'plan.made':
      return 'a plan';
    case 'question.asked':
      return 'a question to the user';
    case 'question.answered':
      return `the question being ${entry.outcome}`;
    case 'approval.requested':
      return `asking a human for ${entry.approval.tool}`;
    case 'approval.voted':
      return entry.arguments ? 'other arguments of an approver' : 'a vote of an approver';
    case 'approval.decided':
      return `the approval being ${entry.decision}`;
    case 'sleep.started':
      return 'a sleep';
    case 'run.started':
      return `the beginning with the strategy ${entry.strategy}`;
    case 'run.failed':
      return `the failure "${entry.error.message.slice(0, MESSAGE_CHARS_MAX)}"`;
    case 'run.completed':
      return 'the end of the run';
    default:
      return `the entry ${entry.type}`;
  }
}

/** Between two entries of the same place, where what is pinned differs of course. */
export function entryDifference(a: RunEntry, b: RunEntry): string | null {
  if (a.type !== b.type) return `${nameOf(b)} comes instead of ${nameOf(a)}`;
  if (a.type === 'run.started' && b.type === 'run.started' && a.strategy !== b.strategy)
    return `another strategy: ${b.strategy} instead of ${a.strategy} (${b.reason})`;
  if (a.type === 'run.failed' && b.type === 'run.failed' && a.error.message !== b.error.message)
    return `it ends otherwise: ${b.error.message}`;
  if (
    a.type === 'step.requested' &&
    b.type === 'step.requested' &&
    canonicalJson(asked(a.step)) !== canonicalJson(asked(b.step))
  )
    return a.step.kind === b.step.kind ? `${nameOf(a)} goes another way` : `${nameOf(b)} comes instead of ${nameOf(a)}`;
  if (a.type === 'plan.made' && b.type === 'plan.made' && canonicalJson(a.plan) !== canonicalJson(b.plan))
    return `the plan is another one: ${planDifference(a.plan, b.plan)}`;
  if (a.type === 'approval.decided' && b.type === 'approval.decided' && a.decision !== b.decision)
    return `the decision on an approval counts as ${b.decision}, no longer as ${a.decision}`;
  if (a.type === 'call.settled' && b.type === 'call.settled' && canonicalJson(a.action) !== canonicalJson(b.action))
    return `the call of ${b.action.tool} comes to something else: ${b.action.content}`;
  if (a.type === 'child.started' && b.type === 'child.started') {
    if (a.start.agent !== b.start.agent) return `the child run is one of "${b.start.agent}", not of "${a.start.agent}"`;
    if (a.child !== b.child || canonicalJson(a.start.brief) !== canonicalJson(b.start.brief))
      return 'the child run is given another task';
  }
  return null;
}

/** Journals from before calls were counted do not say what they count as; the tool itself is compared elsewhere. */
function asked(step: StepSpec): unknown {
  if (step.kind !== 'execute') return step;
  const { effect: _effect, summands: _summands, ...rest } = step;
  return rest;
}

type Plan = Extract<RunEntry, { type: 'plan.made' }>['plan'];
function planDifference(a: Plan, b: Plan): string {
  if (a.tasks.length !== b.tasks.length) return b.reason;
  const other = b.tasks.find((task, i) => canonicalJson(task) !== canonicalJson(a.tasks[i]));
  if (!other) return b.reason;
  const before = a.tasks.find((task) => task.id === other.id);
  const gone = before?.tools.filter((name) => !other.tools.includes(name)) ?? [];
  return gone.length > 0
    ? `its task "${other.id}" has no tool ${gone.join(', ')} any more`
    : `its task "${other.id}" differs`;
}

export interface Asked {
  request: StepRequest;
  agent: AgentManifest;
}

export function requestDifference(before: Asked, after: Asked): string | null {
  const [a, b] = [before.request, after.request];
  if (canonicalJson(withoutPin(a.body)) === canonicalJson(withoutPin(b.body))) return null;
  if (canonicalJson(withoutPin(a.body, true)) === canonicalJson(withoutPin(b.body, true)))
    return `what led to it is labelled otherwise: ${labelIn(b.body)} instead of ${labelIn(a.body)}`;
  if (a.verb === 'complete' && b.verb === 'complete') return modelDifference(before.agent, after.agent, a.body, b.body);
  if (a.verb === 'search' && b.verb === 'search')
    return `the knowledge differs: ${b.body.collections.join(', ')} is searched, not ${a.body.collections.join(', ')}`;
  return `${b.verb} is asked otherwise`;
}

function withoutPin(body: object, unlabelled = false): object {
  const { bundle: _pinned, have: _known, label, ...rest } = body as { bundle?: string; have?: string[]; label?: Label };
  return unlabelled ? rest : { ...rest, label };
}

function labelIn(body: object): string {
  const { label } = body as { label?: Label };
  return label ? [label.integrity, ...label.confidentiality].join(', ') : 'nothing';
}

type CompleteBody = Extract<StepRequest, { verb: 'complete' }>['body'];

function modelDifference(before: AgentManifest, after: AgentManifest, a: CompleteBody, b: CompleteBody): string {
  if (a.model !== b.model) return `another model is asked: ${b.model} instead of ${a.model}`;
  const tools = toolDifference(a.chat.tools ?? [], b.chat.tools ?? []);
  if (tools) return tools;
  if (a.chat.messages[0]?.content !== b.chat.messages[0]?.content)
    return before.instructions === after.instructions
      ? 'the model is told something else: of the agents that it may give work to'
      : 'the model is told something else: the instructions differ';
  if (canonicalJson(a.chat.facts ?? []) !== canonicalJson(b.chat.facts ?? [])) return 'the model is given other facts';
  if (a.chat.timeZone !== b.chat.timeZone)
    return `the model is told another time zone: ${b.chat.timeZone} instead of ${a.chat.timeZone}`;
  return 'the model sees another conversation';
}

function toolDifference(before: Partial<ToolDefinition>[], after: Partial<ToolDefinition>[]): string | null {
  const names = (tools: Partial<ToolDefinition>[]) => tools.map((tool) => tool.name!);
  const gone = names(before).filter((name) => !names(after).includes(name));
  if (gone.length > 0) return `the model has no tool ${gone.join(', ')} any more`;
  const added = names(after).filter((name) => !names(before).includes(name));
  if (added.length > 0) return `the model has another tool: ${added.join(', ')}`;
  for (const tool of after) {
    const then = before.find(({ name }) => name === tool.name)!;
    if (then.effect !== tool.effect) return `the tool ${tool.name} is ${tool.effect}, no longer ${then.effect}`;
    if (canonicalJson(then) !== canonicalJson(tool)) return `the tool ${tool.name} is described otherwise`;
  }
  return canonicalJson(before) === canonicalJson(after) ? null : 'the tools come in another order';
}
