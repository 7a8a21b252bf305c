/**
 * `fetch` for the `openai` package over `undici.request`: Node's own costs 0.3 ms of CPU a call more (web streams,
 * `Request`, `Response`; docs/decisions), which is most of what a gateway adds. Only what the package uses of a
 * response is there. Invariants: an aborted request closes its socket; a connection whose answer came to its end is
 * used again, also where the package stops reading at `[DONE]`, before the last bytes; a redirect is not followed (the
 * key would go along).
 */
import type { Readable } from 'node:stream';
import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from 'undici';

/** What may follow `[DONE]` on its connection, in bytes and milliseconds; after that the connection is closed. */
const REST_BYTES_MAX = 16_384;
const REST_MS_MAX = 1_000;

/** As Node's own `fetch` does it: proxies of the environment where Node is told to use them. */
const dispatcher: Dispatcher = process.env.NODE_USE_ENV_PROXY === '1' ? new EnvHttpProxyAgent() : new Agent();

export async function httpFetch(url: string | URL | Request, init: RequestInit = {}): Promise<Response> {
  const { statusCode, headers, body } = await request(String(url), {
    dispatcher,
    method: (init.method ?? 'GET') as Dispatcher.HttpMethod,
    headers: init.headers as Headers,
    body: init.body as string,
    signal: init.signal as AbortSignal,
  });
  const answer = {
    ok: statusCode >= 200 && statusCode < 300,
    status: statusCode,
    statusText: '',
    url: String(url),
    headers: headersOf(headers),
    body: { [Symbol.asyncIterator]: () => pieces(body) },
    json: () => body.json(),
    text: () => body.text(),
  };
  return answer as unknown as Response;
}

function headersOf(raw: Record<string, string | string[] | undefined>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(raw))
    for (const each of Array.isArray(value) ? value : [value]) if (each !== undefined) headers.append(name, each);
  return headers;
}

function pieces(body: Dispatcher.ResponseData['body']): AsyncIterator<Uint8Array> {
  const iterator = (body as Readable).iterator({ destroyOnReturn: false });
  return {
    next: () => iterator.next(),
    async return() {
      await iterator.return?.();
      readOut(body);
      return { value: undefined, done: true };
    },
  };
}

/** In the background: the answer is complete. */
function readOut(body: Readable): void {
  if (body.closed) return;
  let left = REST_BYTES_MAX;
  const late = setTimeout(() => body.destroy(), REST_MS_MAX);
  body
    .on('error', () => {})
    .on('close', () => clearTimeout(late))
    .on('data', (piece: Uint8Array) => {
      left -= piece.length;
      if (left < 0) body.destroy();
    });
}
