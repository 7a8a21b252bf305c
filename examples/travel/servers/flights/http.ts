/** HTTP around the operations: reads a request within limits, writes JSON, and turns errors into answers. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Desk } from './desk.ts';
import { ApiError, invalid } from './errors.ts';
import { LIMITS } from './limits.ts';
import { type Answer, answer, type Request } from './operations.ts';

/** `delayMs`: testing; how long an answer is kept back *after* its effect was done and stored. */
export function createFlightsServer(desk: Desk, delayMs: number): Server {
  return createServer(async (incoming, outgoing) => {
    const { status, body } = await answerOf(desk, incoming);
    if (delayMs > 0 && incoming.url !== '/healthz') await sleep(delayMs);
    write(outgoing, status, body);
  });
}

async function answerOf(desk: Desk, incoming: IncomingMessage): Promise<Answer> {
  try {
    return answer(desk, await readRequest(incoming));
  } catch (error) {
    const known = error instanceof ApiError ? error : new ApiError('internal', 'The server failed; try again later.');
    if (known !== error) console.error(error);
    return { status: known.status, body: known };
  }
}

async function readRequest(incoming: IncomingMessage): Promise<Request> {
  const url = new URL(incoming.url ?? '/', 'http://localhost');
  const query = Object.fromEntries(url.searchParams);
  if ([...url.searchParams].length > Object.keys(query).length) throw invalid('A parameter is given more than once.');
  const key = incoming.headers['idempotency-key'];
  const idempotencyKey = Array.isArray(key) ? key[0] : key;
  if (idempotencyKey !== undefined && !isKey(idempotencyKey)) {
    throw invalid(`Idempotency-Key: must have 1 to ${LIMITS.idempotencyKeyCharsMax} characters.`);
  }
  const body = await readBody(incoming);
  return { method: incoming.method ?? 'GET', path: decodePath(url.pathname), query, body, idempotencyKey };
}

const isKey = (key: string) => key.length > 0 && key.length <= LIMITS.idempotencyKeyCharsMax;

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw invalid('The path is not percent-encoded correctly.');
  }
}

async function readBody(incoming: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LIMITS.bodyBytesMax) {
      throw new ApiError('body_too_large', `The body must have at most ${LIMITS.bodyBytesMax} bytes.`);
    }
    chunks.push(chunk);
  }
  if (size === 0) return {};
  return parseObject(Buffer.concat(chunks).toString('utf8'));
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('The body is no valid JSON.');
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw invalid('The body must be a JSON object.');
  return value as Record<string, unknown>;
}

function write(outgoing: ServerResponse, status: number, body: unknown): void {
  const bytes = Buffer.from(JSON.stringify(body));
  outgoing.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': bytes.length });
  outgoing.end(bytes);
}
