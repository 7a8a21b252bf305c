/** What the SDK throws → ModelFailure. */
import { APIConnectionError, APIError } from 'openai';
import { ModelFailure } from '../../core/failure.ts';

const OVERFLOW =
  /context.{0,20}(length|window|size)|maximum context|too many tokens|prompt is too long|exceeds? the (available )?context/i;
const MESSAGE_CHARS_MAX = 500;

export function toModelFailure(error: unknown, signal: AbortSignal, now: number): ModelFailure {
  if (error instanceof ModelFailure) return error;
  if (signal.aborted) return new ModelFailure('cancelled', 'the request was cancelled', { cause: error });
  if (error instanceof APIConnectionError)
    return new ModelFailure('network', describeConnection(error), { cause: error });
  if (error instanceof APIError && error.status !== undefined) return fromStatus(error, now);
  // the SDK throws plain errors for broken streams and bodies that are not JSON
  const message = error instanceof Error ? error.message : String(error);
  return new ModelFailure('network', `the answer broke off or is not readable: ${short(message)}`, { cause: error });
}

function fromStatus(error: APIError, now: number): ModelFailure {
  const message = short(error.message);
  const options = { cause: error, retryAfterMs: retryAfterMs(error.headers, now) };
  if (error.code === 'context_length_exceeded' || (isClientError(error) && OVERFLOW.test(error.message)))
    return new ModelFailure('context_overflow', message, { ...options, contextTokens: windowIn(error.message) });
  // a 429 for an empty account does not pass by waiting, but another account may have some left
  if (error.code === 'insufficient_quota' || error.status === 401 || error.status === 402 || error.status === 403)
    return new ModelFailure('key_refused', message, { cause: error });
  if (error.code === 'content_filter' || error.code === 'content_policy_violation')
    return new ModelFailure('filtered', message, options);
  if (error.status !== undefined && error.status >= 300 && error.status < 400)
    return new ModelFailure('not_there', redirected(error), options);
  if (error.status === 404) return new ModelFailure('not_there', message, options);
  if (error.status === 429) return new ModelFailure('rate_limited', message, options);
  if (error.status === 408 || error.status === 409) return new ModelFailure('server_error', message, options);
  if (isClientError(error)) return new ModelFailure('rejected', message, options);
  return new ModelFailure('server_error', message, options);
}

/** Not followed: the key would go along. */
function redirected(error: APIError): string {
  const where = error.headers?.get('location');
  return short(`the endpoint redirects${where ? ` to ${where}` : ''}: give the address itself as baseUrl`);
}

function isClientError(error: APIError): boolean {
  return error.status !== undefined && error.status >= 400 && error.status < 500;
}

const WINDOW =
  /(?:maximum context length|context (?:length|size|window)|limit)(?: of the model)?(?: is| of|:)?\D{0,20}(\d[\d,]{2,9})/i;

/** The window that an overflow's message names. */
function windowIn(message: string): number | undefined {
  const tokens = Number(WINDOW.exec(message)?.[1]?.replaceAll(',', ''));
  return Number.isInteger(tokens) && tokens > 0 ? tokens : undefined;
}

/** `Retry-After` in seconds or as a date (RFC 9110), or OpenAI's `retry-after-ms`. */
export function retryAfterMs(headers: Headers | undefined, now: number): number | undefined {
  const exact = Number(headers?.get('retry-after-ms') ?? Number.NaN);
  if (Number.isFinite(exact) && exact >= 0) return exact;
  const value = headers?.get('retry-after');
  if (!value) return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1_000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function describeConnection(error: APIConnectionError): string {
  const cause = (error.cause as { cause?: unknown } | undefined)?.cause ?? error.cause;
  const code = (cause as { code?: string } | undefined)?.code;
  return `no connection to the model endpoint${code ? ` (${code})` : `: ${short(error.message)}`}`;
}

function short(text: string): string {
  return text.length > MESSAGE_CHARS_MAX ? `${text.slice(0, MESSAGE_CHARS_MAX)}…` : text;
}
