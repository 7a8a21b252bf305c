/**
 * An OpenAI-compatible server that does what a script says, faults included. One step a request, in order. It rejects a
 * request that the script does not expect, and `finish` complains of that and of steps that were not used. With
 * `otherwise` it has an answer for whatever no step is for: for storms, where chance decides.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ScriptedToolCall {
  name: string;
  /** Text is sent as it is, broken JSON included. */
  arguments: Record<string, unknown> | string;
  id?: string;
}

export type ScriptedReply =
  | {
      kind: 'answer';
      text?: string;
      toolCalls?: ScriptedToolCall[];
      finishReason?: string;
      /** What it says was used, true or not; null: nothing. */
      usage?: [number, number] | null;
      /** Between pieces of a stream. */
      pauseMs?: number;
      /** Before anything is answered. */
      delayMs?: number;
    }
  | { kind: 'status'; status: number; message?: string; code?: string; headers?: Record<string, string> }
  /** The request is longer than the model's window. */
  | { kind: 'overflow'; window: number }
  /** The provider withholds the answer for its content. */
  | { kind: 'filter' }
  /** The connection is reset before anything is answered. */
  | { kind: 'reset' }
  /** Half of the text, then the connection dies (`reset`) or the stream ends politely without its end (`close`). */
  | { kind: 'half'; text: string; end: 'reset' | 'close' }
  /** Status 200 and a body that is no JSON. */
  | { kind: 'garbage' }
  /** Nothing, until the client goes away. */
  | { kind: 'hang' }
  /** Some text, then nothing until the client goes away. */
  | { kind: 'stall'; text: string }
  /** A piece of text every so often, for ever. */
  | { kind: 'drip'; everyMs: number };

export interface RecordedRequest {
  body: Record<string, unknown> & { messages: { role: string; content: string | null }[]; stream?: boolean };
  headers: IncomingMessage['headers'];
  /** The client went away before the answer's end. */
  aborted: boolean;
}

export interface ScriptedStep {
  /** Throws when the request is not the one that was meant. */
  expect?: (request: RecordedRequest) => void;
  reply: ScriptedReply;
}

export interface OpenAiServer {
  /** For OPENAI_BASE_URL. */
  url: string;
  requests: RecordedRequest[];
  /** Adds steps. */
  script(...steps: (ScriptedStep | ScriptedReply)[]): void;
  /** Throws when a request came that no step was for, a step was not used, or an expectation did not hold. */
  finish(): void;
  /** Resolves once a client has gone away before its answer's end. */
  aborted(): Promise<void>;
  close(): Promise<void>;
}

const PIECE_CHARS = 7;

export interface OpenAiServerOptions {
  otherwise?: (request: RecordedRequest, n: number) => ScriptedReply;
  /** Requests are not kept: there are too many. */
  forget?: boolean;
}

export async function startOpenAiServer(options: OpenAiServerOptions = {}): Promise<OpenAiServer> {
  const steps: ScriptedStep[] = [];
  const requests: RecordedRequest[] = [];
  let served = 0;
  const complaints: string[] = [];
  const abortWaiters: (() => void)[] = [];

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const record: RecordedRequest = {
      body: JSON.parse(await readBody(request)),
      headers: request.headers,
      aborted: false,
    };
    served += 1;
    if (!options.forget) requests.push(record);
    response.on('close', () => {
      if (response.writableFinished) return;
      record.aborted = true;
      for (const wake of abortWaiters.splice(0)) wake();
    });
    const step = steps.shift() ?? (options.otherwise && { reply: options.otherwise(record, served) });
    if (!step) {
      complaints.push(`request ${served} was not expected by the script`);
      return sendJson(response, 418, { error: { message: 'the script expects no further request' } });
    }
    try {
      step.expect?.(record);
    } catch (error) {
      complaints.push(`request ${requests.length}: ${error instanceof Error ? error.message : String(error)}`);
      return sendJson(response, 418, { error: { message: 'the script expects another request' } });
    }
    await send(step.reply, record, request, response);
  }

  const server: Server = createServer((request, response) => {
    handle(request, response).catch((error) => {
      complaints.push(`the server failed: ${error instanceof Error ? error.stack : String(error)}`);
      response.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    script: (...added) => void steps.push(...added.map((step) => ('kind' in step ? { reply: step } : step))),
    finish() {
      const all = steps.length ? [...complaints, `${steps.length} steps of the script were not used`] : complaints;
      if (all.length) throw new Error(all.join('\n'));
    },
    aborted: () =>
      requests.some((record) => record.aborted)
        ? Promise.resolve()
        : new Promise<void>((resolve) => abortWaiters.push(resolve)),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = '';
  request.setEncoding('utf8');
  for await (const chunk of request) text += chunk;
  return text;
}

function sendJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

async function send(
  reply: ScriptedReply,
  record: RecordedRequest,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const streamed = record.body.stream === true;
  switch (reply.kind) {
    case 'answer':
      if (reply.delayMs) await sleep(reply.delayMs);
      return streamed ? sendStream(reply, response) : sendJson(response, 200, completionOf(reply));
    case 'status': {
      const error = { message: reply.message ?? `scripted ${reply.status}`, code: reply.code ?? null };
      return sendJson(response, reply.status, { error }, reply.headers);
    }
    case 'overflow': {
      const message = `This model's maximum context length is ${reply.window} tokens. However, your messages resulted in more.`;
      return sendJson(response, 400, { error: { message, code: 'context_length_exceeded' } });
    }
    case 'filter':
      return sendJson(response, 400, { error: { message: 'The content was filtered.', code: 'content_filter' } });
    case 'reset':
      request.socket.resetAndDestroy();
      return;
    case 'half':
      return sendHalf(reply, streamed, response);
    case 'garbage':
      if (streamed) startStream(response).end('data: {"choices": [{"delta"\n\ndata: [DONE]\n\n');
      else response.writeHead(200, { 'content-type': 'application/json' }).end('<html>not JSON</html>');
      return;
    case 'hang':
      return;
    case 'stall':
      startStream(response).write(chunkOf({ content: reply.text }));
      return;
    case 'drip':
      startStream(response);
      while (!response.destroyed) {
        response.write(chunkOf({ content: 'drip ' }));
        await sleep(reply.everyMs);
      }
      return;
    default: {
      const never: never = reply;
      throw new Error(`unknown reply ${JSON.stringify(never)}`);
    }
  }
}

type Answer = Extract<ScriptedReply, { kind: 'answer' }>;

function usageOf(answer: Answer): Record<string, number> | undefined {
  if (answer.usage === null) return undefined;
  const [prompt, completion] = answer.usage ?? [10, 5];
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

function finishReasonOf(answer: Answer): string {
  return answer.finishReason ?? (answer.toolCalls?.length ? 'tool_calls' : 'stop');
}

function callsOf(answer: Answer) {
  return answer.toolCalls?.map((call, index) => ({
    id: call.id ?? `call_s${index + 1}`,
    type: 'function',
    function: {
      name: call.name,
      arguments: typeof call.arguments === 'string' ? call.arguments : JSON.stringify(call.arguments),
    },
  }));
}

function completionOf(answer: Answer): unknown {
  const message = { role: 'assistant', content: answer.text ?? null, tool_calls: callsOf(answer) };
  const choices = [{ index: 0, message, finish_reason: finishReasonOf(answer) }];
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 0,
    model: 'scripted',
    choices,
    usage: usageOf(answer),
  };
}

function startStream(response: ServerResponse): ServerResponse {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  return response;
}

function chunkOf(delta: unknown, finishReason: string | null = null, usage?: unknown): string {
  const choices = usage === undefined ? [{ index: 0, delta, finish_reason: finishReason }] : [];
  return `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 0, model: 'scripted', choices, usage })}\n\n`;
}

async function sendStream(answer: Answer, response: ServerResponse): Promise<void> {
  startStream(response);
  for (const piece of (answer.text ?? '').match(new RegExp(`[\\s\\S]{1,${PIECE_CHARS}}`, 'g')) ?? []) {
    response.write(chunkOf({ content: piece }));
    await sleep(answer.pauseMs ?? 0);
  }
  for (const [index, call] of (callsOf(answer) ?? []).entries()) {
    const text = call.function.arguments;
    const middle = Math.ceil(text.length / 2);
    response.write(
      chunkOf({
        tool_calls: [{ index, ...call, function: { name: call.function.name, arguments: text.slice(0, middle) } }],
      }),
    );
    response.write(chunkOf({ tool_calls: [{ index, function: { arguments: text.slice(middle) } }] }));
  }
  response.write(chunkOf({}, finishReasonOf(answer)));
  const usage = usageOf(answer);
  if (usage) response.write(chunkOf({}, null, usage));
  response.end('data: [DONE]\n\n');
}

async function sendHalf(
  reply: Extract<ScriptedReply, { kind: 'half' }>,
  streamed: boolean,
  response: ServerResponse,
): Promise<void> {
  const half = reply.text.slice(0, Math.ceil(reply.text.length / 2));
  if (streamed) startStream(response).write(chunkOf({ content: half }));
  else
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-length': '10000' })
      .write(`{"choices": "${half}`);
  // the half must be on its way before the connection dies
  await sleep(10);
  if (reply.end === 'close' && streamed) response.end();
  else response.socket?.resetAndDestroy();
}
