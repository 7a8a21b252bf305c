/** A response whose body is given up past a limit: of all of it, or of one event where it is a stream of events. */
import type { Response as UndiciResponse } from 'undici';

const NEWLINE = 10;

export function limitedBody(response: UndiciResponse, bytesMax: number): Response {
  if (!response.body) return response as unknown as Response;
  const isStream = (response.headers.get('content-type') ?? '').startsWith('text/event-stream');
  let size = 0;
  const limit = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      size += chunk.byteLength;
      if (size > bytesMax) return controller.error(new Error(`the answer is longer than ${bytesMax} bytes`));
      controller.enqueue(chunk);
      if (isStream) size = Math.min(size, afterLastEvent(chunk, size));
    },
  });
  const body = (response.body as unknown as ReadableStream<Uint8Array>).pipeThrough(limit);
  const { status, statusText } = response;
  const made = new Response(body, { status, statusText, headers: [...response.headers] });
  Object.defineProperty(made, 'url', { value: response.url });
  return made;
}

/** Bytes behind the last empty line of the chunk, which ends an event; `size` where there is none. */
function afterLastEvent(chunk: Uint8Array, size: number): number {
  for (let i = chunk.length - 1; i > 0; i--)
    if (chunk[i] === NEWLINE && (chunk[i - 1] === NEWLINE || (chunk[i - 1] === 13 && chunk[i - 2] === NEWLINE)))
      return chunk.length - 1 - i;
  return size;
}
