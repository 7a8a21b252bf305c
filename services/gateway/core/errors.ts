/** The API's one error shape, which is OpenAI's. Pure. */
import { ERRORS, type ErrorCode, type ErrorInfo, TuttiError } from '@tutti/contracts';

const TYPES: Record<number, string> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
};

/** A request that is wrong in one field. */
export class RequestProblem extends TuttiError {
  readonly param: string;
  constructor(param: string, message: string) {
    super('invalid_request', `${param}: ${message}`);
    this.param = param;
  }
}

export interface ErrorBody {
  error: { message: string; type: string; code: string; param: string | null; retryable: boolean; details?: unknown };
}

/** `param`: the field of the request that is wrong, where there is one. */
export function errorBody(info: ErrorInfo, param: string | null = null): ErrorBody {
  const status = statusOf(info.code);
  const type = TYPES[status] ?? (status >= 500 ? 'server_error' : 'invalid_request_error');
  const details = info.details === undefined ? {} : { details: info.details };
  return {
    error: { message: info.message, type, code: info.code, param, retryable: info.retryable, ...details },
  };
}

export function statusOf(code: ErrorCode): number {
  return ERRORS[code].status;
}
