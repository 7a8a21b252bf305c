/** The one catalogue of error codes. `retryable` decides whether the same thing may be sent again. docs/errors.md lists the same codes; a test compares. */
import { z } from 'zod';

export const ERRORS = {
  invalid_request: {
    status: 400,
    retryable: false,
    text: 'The request is malformed; the message says which field and why.',
  },
  unauthenticated: { status: 401, retryable: false, text: 'No valid API key was given.' },
  forbidden: { status: 403, retryable: false, text: 'A policy denies this.' },
  not_found: { status: 404, retryable: false, text: 'There is nothing with this id.' },
  conflict: { status: 409, retryable: false, text: 'The state of things does not allow this (any more).' },
  payload_too_large: { status: 413, retryable: false, text: 'A payload is over its named limit.' },
  overloaded: { status: 429, retryable: true, text: 'Too much at once; the hint says when to come back.' },
  cancelled: { status: 499, retryable: false, text: 'It was cancelled before it ended.' },
  internal: { status: 500, retryable: false, text: 'A fault of Tutti itself.' },
  unavailable: { status: 503, retryable: true, text: 'Something that is needed is not there right now.' },
  timeout: { status: 504, retryable: true, text: 'It took longer than its named limit.' },
  limit_exceeded: { status: 422, retryable: false, text: 'The run hit one of its limits; the message names it.' },
  budget_exceeded: {
    status: 429,
    retryable: false,
    text: 'A budget has no room for this call; the message names it and says until when.',
  },
  not_grounded: { status: 422, retryable: false, text: 'No answer was supported by its sources as the agent demands.' },
  tool_failed: { status: 422, retryable: false, text: 'The tool answered with an error that the model may act on.' },
  tool_unknown: { status: 422, retryable: false, text: 'No such tool in the pinned bundle.' },
  arguments_invalid: { status: 422, retryable: false, text: 'The arguments do not fit the schema of the tool.' },
  effect_unknown: {
    status: 409,
    retryable: false,
    text: 'It cannot be known whether the effect happened; a human has to say.',
  },
  call_mismatch: { status: 409, retryable: false, text: 'The same call id came with other arguments.' },
  model_failed: { status: 502, retryable: false, text: 'No model gave a usable answer.' },
  bundle_invalid: { status: 422, retryable: false, text: 'The bundle has mistakes; the message lists them.' },
} as const;
export type ErrorCode = keyof typeof ERRORS;
export const ErrorCode = z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]);

/** An error as data: what travels in messages and stands in the journal. */
export const ErrorInfo = z.object({
  code: ErrorCode,
  message: z.string(),
  retryable: z.boolean(),
  retryAfterMs: z.number().nonnegative().optional(),
  details: z.unknown().optional(),
});
export type ErrorInfo = z.infer<typeof ErrorInfo>;

/** An expected failure. Its code decides the HTTP status and, unless told otherwise, whether it may be tried again. */
export class TuttiError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly details: unknown;
  constructor(
    code: ErrorCode,
    message: string,
    options: { retryable?: boolean; retryAfterMs?: number; details?: unknown; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TuttiError';
    this.code = code;
    this.retryable = options.retryable ?? ERRORS[code].retryable;
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details;
  }
  get status(): number {
    return ERRORS[this.code].status;
  }
  toInfo(): ErrorInfo {
    return {
      code: this.code,
      message: this.message,
      retryable: this.retryable,
      retryAfterMs: this.retryAfterMs,
      details: this.details,
    };
  }
  static from(info: ErrorInfo): TuttiError {
    return new TuttiError(info.code, info.message, info);
  }
}

/** Anything thrown, as data. What is not a TuttiError is a fault of ours: `internal`, its text kept for the operator. */
export function toErrorInfo(error: unknown): ErrorInfo {
  if (error instanceof TuttiError) return error.toInfo();
  if (error instanceof z.ZodError)
    return { code: 'invalid_request', message: describeZodError(error), retryable: false };
  return { code: 'internal', message: error instanceof Error ? error.message : String(error), retryable: false };
}

/** One line for people: every issue with its path. */
export function describeZodError(error: z.ZodError): string {
  return error.issues
    .map((issue) => `${issue.path.length ? `${issue.path.join('.')}: ` : ''}${issue.message}`)
    .join('; ');
}
