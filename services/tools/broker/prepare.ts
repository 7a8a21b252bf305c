/** From a request to a call that may be dispatched: the agent's tools, valid arguments, and what policy says. */
import { type Bundle, fitsAny, TuttiError } from '@tutti/contracts';
import type { PolicyDecision } from '@tutti/policy';
import { hashOfCall } from '../core/situation.ts';
import type { Tool } from '../toolbox/toolbox.ts';
import type { BrokerDeps, Call, ExecuteRequest, Result } from './types.ts';

/** Throws TuttiError `not_found` for an unknown agent, `tool_unknown` for a tool that it may not use. */
export function checkAgent(bundle: Bundle, request: ExecuteRequest): void {
  const agent = Object.hasOwn(bundle.agents, request.agent) ? bundle.agents[request.agent] : undefined;
  if (!agent) throw new TuttiError('not_found', `there is no agent "${request.agent}" in this bundle`);
  if (!fitsAny(request.tool, agent.tools))
    throw new TuttiError('tool_unknown', `the agent "${request.agent}" has no tool "${request.tool}"`);
}

export function requestHashOf(request: ExecuteRequest): string {
  return hashOfCall(request.tool, request.arguments);
}

/** The call, or a result that tells the model every mistake in its arguments; nothing is dispatched then. */
export function prepare(deps: BrokerDeps, request: ExecuteRequest, tool: Tool, bundle: Bundle): Call | Result {
  const checked = deps.checker.check(tool.name, tool.parameters, request.arguments);
  if (!checked.ok)
    return {
      status: 'done',
      content: `The arguments of ${tool.name} are not valid, and nothing was done: ${checked.problems.join('; ')}.`,
      isError: true,
      effect: tool.effect,
      replayed: false,
    };
  return {
    request,
    tool,
    arguments: checked.arguments,
    argumentsHash: hashOfCall(tool.name, checked.arguments),
    requestHash: requestHashOf(request),
    grant: request.approval,
    policy: deps.policy(request.bundle, bundle),
  };
}

/** Undefined: go ahead. `approvedHashes`: grants for these count as a yes to this call. */
export function authorize(call: Call, approvedHashes: (string | undefined)[]): Result | undefined {
  const { request, tool, grant } = call;
  const approved = grant !== undefined && approvedHashes.includes(grant.argumentsHash);
  const own = decide(call, tool, approved);
  const verdict = own.decision === 'allow' ? ofFork(call, approved) : own;
  switch (verdict.decision) {
    case 'allow':
      return undefined;
    case 'deny':
      return { status: 'denied', reason: verdict.reason, policy: verdict.policy };
    case 'approval': {
      const changed = grant
        ? ` The approval ${grant.id} was given for other arguments, which have changed since: it does not count.`
        : '';
      return {
        status: 'approval_required',
        reason: `${verdict.reason}${changed}`,
        policy: verdict.policy,
        arguments: call.arguments,
        argumentsHash: call.argumentsHash,
        expiresInMs: verdict.approval?.expiresInMs,
        effect: tool.effect,
      };
    }
    default:
      throw new TuttiError('internal', `unknown decision for ${request.callId}: ${verdict.decision satisfies never}`);
  }
}

/** A fork repeats what somebody did already: what it changes in the world is a human's to allow, whatever policies say. */
function ofFork({ request, tool }: Call, approved: boolean): PolicyDecision {
  const policy = 'tutti.fork';
  if (request.effects === undefined || tool.effect === 'pure' || (request.effects === 'approve' && approved))
    return { decision: 'allow', policy, reason: '' };
  if (request.effects === 'block')
    return { decision: 'deny', policy, reason: 'This run is a fork, in which nothing may be changed in the world.' };
  return {
    decision: 'approval',
    policy,
    reason: 'This run is a fork: a human has to allow what it changes in the world.',
  };
}

export function decide(call: Call, tool: Tool, approved: boolean) {
  const { tenant, agent } = call.request;
  return call.policy.authorize({
    principal: { type: 'Agent', id: agent, attrs: { tenant } },
    action: 'tool.call',
    resource: { type: 'Tool', id: tool.name, attrs: { effect: tool.effect, tags: tool.tags, source: tool.source } },
    context: { tenant, approved },
  });
}
