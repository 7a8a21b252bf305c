/** Tutti's HTTP API, as far as the commands need it. Errors of the API come out as the TuttiErrors that they were. */
import { ErrorCode, TuttiError } from '@tutti/contracts';

const REQUEST_TIMEOUT_MS = 60_000;
const DEFAULT_PORT = '8080';

export interface Api {
  readonly url: string;
  get<T>(path: string): Promise<T>;
  /** `timeoutMs`: for what takes longer than others. */
  send<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown, timeoutMs?: number): Promise<T>;
  /** The response as it is, for streams. Throws like the others. */
  open(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response>;
}

/** `url`: as given with --url. */
export function createApi(url: string | undefined, env: Record<string, string | undefined> = process.env): Api {
  const base = (url || env.TUTTI_URL || `http://127.0.0.1:${env.TUTTI_PORT || DEFAULT_PORT}`).replace(/\/+$/, '');
  if (!URL.canParse(base) || !/^https?:/.test(base))
    throw new TuttiError('invalid_request', `"${base}" is no URL of a Tutti (http://host:port)`, { details: 'usage' });
  const authorization: Record<string, string> = env.TUTTI_API_KEY
    ? { authorization: `Bearer ${env.TUTTI_API_KEY}` }
    : {};

  async function request(path: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(`${base}${path}`, { ...init, headers: { ...authorization, ...init.headers } });
    } catch (cause) {
      if (init.signal?.aborted && (init.signal.reason as Error)?.name !== 'TimeoutError') throw cause;
      throw unreachable(base, cause);
    }
    if (!response.ok) throw await errorOf(response);
    return response;
  }

  async function json<T>(path: string, init: RequestInit, timeoutMs = REQUEST_TIMEOUT_MS): Promise<T> {
    const response = await request(path, { ...init, signal: AbortSignal.timeout(timeoutMs) });
    const text = await response.text();
    return (text ? JSON.parse(text) : undefined) as T;
  }

  return {
    url: base,
    get: (path) => json(path, {}),
    send: (method, path, body, timeoutMs) => {
      const sent =
        body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
      return json(path, { method, ...sent }, timeoutMs);
    },
    open: (path, headers, signal) => request(path, { headers, signal }),
  };
}

function unreachable(url: string, cause: unknown): TuttiError {
  return new TuttiError(
    'unavailable',
    `no Tutti answers at ${url}. Start one with "npm start" (or "npx tutti up"), or say where it is with TUTTI_URL or --url.`,
    { cause },
  );
}

async function errorOf(response: Response): Promise<TuttiError> {
  const text = await response.text().catch(() => '');
  try {
    const { error } = JSON.parse(text) as {
      error: { message: string; code: string; param?: string; details?: unknown };
    };
    const code = ErrorCode.safeParse(error.code);
    const message =
      error.param && !error.message.includes(error.param) ? `${error.param}: ${error.message}` : error.message;
    return new TuttiError(code.success ? code.data : 'internal', message, { details: error.details });
  } catch {
    return new TuttiError(
      'internal',
      `${response.url} answered ${response.status} and no error that Tutti knows: is it a Tutti?`,
    );
  }
}
