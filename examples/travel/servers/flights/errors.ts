/**
 * The errors that the server answers with: `{error: {code, message, suggestions?}}`. A message says what to do next,
 * because its reader is as often a model as a person.
 */
export type ErrorCode =
  | 'invalid_argument'
  | 'unknown_city'
  | 'not_found'
  | 'offer_not_found'
  | 'hold_not_found'
  | 'hold_expired'
  | 'booking_not_found'
  | 'cancellation_not_free'
  | 'idempotency_key_reused'
  | 'body_too_large'
  | 'internal';

const STATUS: Record<ErrorCode, number> = {
  invalid_argument: 400,
  unknown_city: 400,
  not_found: 404,
  offer_not_found: 404,
  hold_not_found: 404,
  booking_not_found: 404,
  cancellation_not_free: 409,
  hold_expired: 410,
  body_too_large: 413,
  idempotency_key_reused: 422,
  internal: 500,
};

export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly suggestions: string[] | undefined;

  constructor(code: ErrorCode, message: string, suggestions?: string[]) {
    super(message);
    this.code = code;
    this.suggestions = suggestions;
  }

  get status(): number {
    return STATUS[this.code];
  }

  toJSON() {
    return { error: { code: this.code, message: this.message, suggestions: this.suggestions } };
  }
}

export const invalid = (message: string) => new ApiError('invalid_argument', message);
