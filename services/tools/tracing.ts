/** What the tools service tells of a dispatch: one span with all its tries in it, and how long it took. */
import { toErrorInfo } from '@tutti/contracts';
import {
  ATTR,
  contentOf,
  EVENT,
  failureOf,
  METRIC,
  type Metrics,
  OPERATION,
  type OpenSpan,
  SPAN,
  type Telemetry,
} from '@tutti/runtime';
import type { Call, CallTrace, Traced } from './broker/types.ts';
import { ToolCallError } from './ports/tool-source.ts';

/** Of a tool that answered, with an error that the model is shown. */
const TOOL_ERROR = 'tool_error';

export function traceCalls(telemetry: Telemetry, metrics: Metrics): Traced {
  const seconds = metrics.histogram(METRIC.toolDuration);
  return async (call, work) => {
    const span = telemetry.enabled ? startSpan(telemetry, call) : undefined;
    const startedMs = performance.now();
    const took = (errorType: string) =>
      seconds.of(call.tool.name, errorType).observe((performance.now() - startedMs) / 1_000);
    try {
      const result = await work(span ? tracing(span) : undefined);
      took(result.isError ? TOOL_ERROR : '');
      if (span) endSpan(span, result);
      return result;
    } catch (error) {
      // Nothing is known of it, or nothing was done: `effect_unknown` where a remote may have it.
      const info = toErrorInfo(error);
      const code = error instanceof ToolCallError ? error.code : info.code;
      took(code);
      const failure = failureOf({ ...info, code });
      span?.attributes(failure.attributes);
      span?.end({ error: failure.error });
      throw error;
    }
  };
}

function startSpan(telemetry: Telemetry, { request, tool, arguments: args, decided, grant }: Call): OpenSpan {
  const shown = contentOf(args);
  return telemetry.span(SPAN.executeTool(tool.name), {
    kind: 'client',
    parent: request.traceparent,
    attributes: {
      [ATTR.operation]: OPERATION.executeTool,
      [ATTR.toolName]: tool.name,
      [ATTR.toolType]: 'function',
      [ATTR.toolCallId]: request.callId,
      [ATTR.agent]: request.agent,
      [ATTR.run]: request.run,
      [ATTR.toolEffect]: tool.effect,
      [ATTR.toolSource]: tool.source,
      ...(decided ? { [ATTR.decision]: decided.decision, [ATTR.policy]: decided.policy } : {}),
      ...(grant ? { [ATTR.grant]: grant.id } : {}),
      ...(shown === undefined ? {} : { [ATTR.toolArguments]: shown }),
    },
  });
}

function tracing(span: OpenSpan): CallTrace {
  return {
    failed(tries, failure) {
      const message = contentOf(failure.message);
      span.event(EVENT.toolTry, {
        [ATTR.toolAttempt]: tries,
        [ATTR.errorType]: failure.code,
        [ATTR.toolMaybeSent]: failure.sent === 'maybe',
        ...(message === undefined ? {} : { [ATTR.errorMessage]: message }),
      });
    },
  };
}

function endSpan(span: OpenSpan, { isError, content }: { isError: boolean; content: string }): void {
  const shown = contentOf(content);
  if (shown !== undefined) span.attributes({ [ATTR.toolResult]: shown });
  if (!isError) return span.end();
  span.attributes({ [ATTR.toolError]: true, [ATTR.errorType]: TOOL_ERROR });
  span.end({ error: 'the tool answered with an error' });
}
