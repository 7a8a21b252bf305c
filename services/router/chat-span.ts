/** The span of one model's turn in a call: OpenTelemetry's GenAI names, and why it was chosen. */
import type { ChatResponse } from '@tutti/contracts';
import type { OpenSpan, Telemetry } from '@tutti/runtime';
import type { Candidate } from './core/choose.ts';
import type { Target } from './core/model.ts';
import type { Ask } from './stages.ts';

export function chatSpan(
  telemetry: Telemetry,
  ask: Ask,
  { entry, endpoint, reason }: Candidate,
  route: string,
): OpenSpan {
  const { body, call } = ask;
  const span = telemetry.span(`chat ${entry.id}`, {
    kind: 'client',
    parent: call.traceparent,
    attributes: {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': endpoint.provider,
      'gen_ai.request.model': endpoint.model,
      'gen_ai.agent.name': body.agent,
      'gen_ai.output.type': body.chat.responseFormat.type === 'text' ? 'text' : 'json',
      'tutti.route.asked': body.model,
      'tutti.route.why': route,
      'tutti.candidate.why': reason,
    },
  });
  if (call.session) span.attributes({ 'gen_ai.conversation.id': call.session });
  if (body.chat.temperature !== undefined) span.attributes({ 'gen_ai.request.temperature': body.chat.temperature });
  return span;
}

export function endSpan(span: OpenSpan, { entry }: Target, { finishReason, usage }: ChatResponse): void {
  span.attributes({
    'gen_ai.response.model': entry.id,
    'gen_ai.response.finish_reasons': [finishReason],
    'gen_ai.usage.input_tokens': usage.inputTokens,
    'gen_ai.usage.output_tokens': usage.outputTokens,
  });
  span.end();
}
