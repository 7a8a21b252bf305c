/**
 * JSON logs by pino. Each line carries the service, and where it is about a run the run's id and its trace (`logOf`).
 * Invariant: no secret of this process and no content of runs is in a line. Secrets are taken out of every line as it
 * leaves. Messages of errors are content where others wrote them (`quotes`): then the line has the kind of the error alone,
 * and the journal has the rest.
 */
import { TuttiError } from '@tutti/contracts';
import { pino } from 'pino';
import { createScrubber } from './secrets.ts';
import { parseTraceparent } from './telemetry.ts';
import { ATTR } from './telemetry-names.ts';

export type Logger = Pick<pino.Logger, 'debug' | 'info' | 'warn' | 'error'> & {
  child(bindings: Record<string, unknown>): Logger;
};

/** `level`: pino's names, `silent` for none. `destination`: a file; standard error where it is left out. */
export function createLogger(
  bindings: Record<string, unknown>,
  options: { level?: string; destination?: string; environment?: Record<string, string | undefined> } = {},
): Logger {
  const stream = options.destination
    ? pino.destination({ dest: options.destination, mkdir: true, sync: false })
    : pino.destination({ fd: 2, sync: false });
  const scrub = createScrubber(options.environment ?? process.env);
  return pino(
    {
      level: options.level ?? 'info',
      base: bindings,
      redact: ['*.apiKey', '*.authorization'],
      serializers: { err: describeError, error: describeError, reason: describeError },
    },
    { write: (line: string) => void stream.write(scrub(line)) },
  ) as unknown as Logger;
}

/** What a line about a run says of it: `log.warn({ ...logOf({ run, traceparent }), … }, '…')`. */
export function logOf(about: {
  run?: string | undefined;
  callId?: string | undefined;
  traceparent?: string | undefined;
}): Record<string, string> {
  const { run, callId } = about;
  const trace = parseTraceparent(about.traceparent);
  return {
    ...(run === undefined ? {} : { run }),
    ...(callId === undefined ? {} : { callId }),
    ...(trace ? { [ATTR.logTrace]: trace.traceId, [ATTR.logSpan]: trace.spanId } : {}),
  };
}

/** Codes whose messages quote models, tools, or what was asked of them. */
const QUOTING: ReadonlySet<string> = new Set([
  'invalid_request',
  'internal',
  'tool_failed',
  'arguments_invalid',
  'effect_unknown',
  'model_failed',
]);
const CAUSES_MAX = 3;

/** An error that says of itself that others wrote its message. */
interface Quoting {
  readonly quotes?: boolean;
}

function quotes(error: Error): boolean {
  if (error instanceof TuttiError) return QUOTING.has(error.code);
  // What cannot be parsed is shown in part.
  return (error as Quoting).quotes === true || error instanceof SyntaxError || /ZodError$/.test(error.name);
}

/** `error` as it is thrown, or a message of our own. Stacks say where, not what. */
function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as { code?: unknown };
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return {
    type: error.name,
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(quotes(error) ? {} : { message: error.message }),
    ...(depth === 0 ? { stack: frames.join('\n') } : {}),
    ...(error.cause instanceof Error && depth < CAUSES_MAX ? { cause: describeError(error.cause, depth + 1) } : {}),
  };
}
