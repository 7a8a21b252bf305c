/**
 * The offline model: a deterministic planner and answerer behind the same port as each provider. Pure: no I/O, clock or
 * randomness; the same request gives the same response. Owns the choice between its three modes, from the request alone.
 */
import { type ChatRequest, type ChatResponse, PLAN_FORMAT, REPLAN_FORMAT, type ToolCall } from '@tutti/contracts';
import { decide, missingIn } from './act.ts';
import { answer } from './answer.ts';
import { buildGraph } from './chain.ts';
import { extract } from './extract.ts';
import { resolveFollowUp } from './follow-up.ts';
import { makePlan } from './plan-maker.ts';
import { readSituation, type Situation } from './situation.ts';

const CHARACTERS_PER_TOKEN = 4;
const tokensOf = (text: string): number => Math.ceil(text.length / CHARACTERS_PER_TOKEN);

export function completeOffline(asked: ChatRequest): ChatResponse {
  if (asked.responseFormat.type === 'json_schema' && asked.responseFormat.name === REPLAN_FORMAT)
    return respond(asked, JSON.stringify(NO_OTHER_PLAN));
  // It asks in its answers, and has nobody to give work to.
  const request = { ...asked, tools: asked.tools.filter((tool) => !tool.engine) };
  const situation = resolveFollowUp(readSituation(request), (base, goal) =>
    missingIn(buildGraph({ ...base, goal, observations: [], past: [], usesPast: false }).targets).map(
      (one) => one.parameter,
    ),
  );
  const format = request.responseFormat;
  if (format.type === 'json_schema')
    return respond(
      request,
      JSON.stringify(
        format.name === PLAN_FORMAT ? makePlan(situation) : extract(situation, format.schema, () => answer(situation)),
      ),
    );
  if (request.toolChoice === 'none' || request.tools.length === 0)
    return respond(
      request,
      situation.observations.length > 0 ? answer(situation) : (situation.refusal ?? answer(situation)),
    );
  const decision = decide(scoped(situation));
  return decision.kind === 'calls' ? respond(request, null, decision.calls) : respond(request, decision.text);
}

/** It would come to the same plan again. */
const NO_OTHER_PLAN = { reason: 'The built-in model makes one plan.', question: null, tasks: [] };

/** A named tool choice narrows what may be called to that tool. */
function scoped(situation: Situation): Situation {
  const choice = situation.request.toolChoice;
  if (typeof choice === 'string') return situation;
  const tools = situation.tools.filter((tool) => tool.name === choice.name);
  return { ...situation, tools, toolByName: new Map(tools.map((tool) => [tool.name, tool])) };
}

function respond(request: ChatRequest, content: string | null, calls: readonly ToolCall[] = []): ChatResponse {
  const output = (content ?? '') + calls.map((call) => call.name + JSON.stringify(call.arguments)).join('');
  const usage = {
    inputTokens: tokensOf(JSON.stringify([request.messages, request.tools, request.passages, request.facts])),
    outputTokens: tokensOf(output),
  };
  return {
    message: { role: 'assistant', content, ...(calls.length > 0 ? { toolCalls: [...calls] } : {}) },
    finishReason: calls.length > 0 ? 'tool_calls' : 'stop',
    usage,
  };
}
