/** From a request to a call: the agent's tools, valid arguments, and what a policy says of it. */
import { type Bundle, fitsAny, SYSTEM_LABEL, summandsOf, TuttiError } from '@tutti/contracts';
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
      dispatched: false,
      label: SYSTEM_LABEL,
    };
  return {
    request,
    tool,
    arguments: checked.arguments,
    converted: checked.converted,
    argumentsHash: hashOfCall(tool.name, checked.arguments),
    requestHash: requestHashOf(request),
    grant: request.approval,
    policy: deps.policy(request.bundle, bundle),
    attributes: bundle.agents[request.agent]?.attributes,
  };
}

export function decide(call: Call, tool: Tool, approved: boolean): PolicyDecision {
  const { tenant, agent, label, history } = call.request;
  const { effect, tags, source, trust, sums } = tool;
  const { needs, clearance } = trust;
  return call.policy.authorize({
    principal: { type: 'Agent', id: agent, attrs: { tenant }, attributes: call.attributes },
    action: 'tool.call',
    resource: {
      type: 'Tool',
      id: tool.name,
      attrs: { effect, tags, source, needs, clearance },
      attributes: tool.attributes,
    },
    context: { tenant, approved, label, history, summands: summandsOf(sums, call.arguments) },
  });
}
