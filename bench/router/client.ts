/** A client for load: keep-alive, no retries, whole bodies. */
import { Agent, request } from 'node:http';

export interface Target {
  name: string;
  /** With `/v1`. */
  url: string;
  headers?: Record<string, string>;
  model: string;
  /** Undefined: it streams. */
  noStreams?: string;
}

export interface Reply {
  status: number;
  body: string;
  /** The connection died. */
  broken: boolean;
}

const agent = new Agent({ keepAlive: true, maxSockets: 2_000 });

export function post(target: Target, body: object, headers: Record<string, string> = {}): Promise<Reply> {
  const data = JSON.stringify({ model: target.model, ...body });
  return new Promise((resolve) => {
    let status = 0;
    let text = '';
    const sent = request(
      `${target.url}/chat/completions`,
      {
        agent,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(data),
          authorization: 'Bearer none',
          ...target.headers,
          ...headers,
        },
      },
      (response) => {
        status = response.statusCode ?? 0;
        response.setEncoding('utf8');
        response.on('data', (piece: string) => {
          text += piece;
        });
        response.on('end', () => resolve({ status, body: text, broken: false }));
        response.on('error', () => resolve({ status, body: text, broken: true }));
      },
    );
    sent.on('error', () => resolve({ status, body: text, broken: true }));
    sent.end(data);
  });
}

/** `each` for numbers from 0 on, so many at once, until it says that there is no more. */
export async function atOnce(concurrency: number, each: (n: number) => Promise<boolean>): Promise<void> {
  let next = 0;
  let more = true;
  const worker = async () => {
    while (more) if (!(await each(next++))) more = false;
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

export function closeClient(): void {
  agent.destroy();
}
