/** An OpenAI-compatible server whose answers are a function of the request: for many calls at once, where a script has no order. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ModelRequest {
  model: string;
  stream?: boolean;
  max_completion_tokens?: number;
  messages: { role: string; content: string | null }[];
  input?: string;
}
export interface ModelAnswer {
  text?: string;
  calls?: { name: string; arguments: unknown }[];
  finishReason?: string;
  usage?: [number, number];
  delayMs?: number;
  /** Characters of one piece of a stream. */
  pieceChars?: number;
  status?: number;
  vector?: number[];
}

export async function startModelServer(answer: (request: ModelRequest, n: number) => ModelAnswer) {
  const requests: ModelRequest[] = [];
  const server = createServer(async (incoming, response) => {
    let text = '';
    for await (const chunk of incoming) text += chunk;
    const request = JSON.parse(text) as ModelRequest;
    requests.push(request);
    const given = answer(request, requests.length);
    await sleep(given.delayMs ?? 0);
    if (given.status) {
      response.writeHead(given.status, { 'content-type': 'application/json' });
      return response.end(JSON.stringify({ error: { message: `status ${given.status}` } }));
    }
    if (given.vector) {
      response.writeHead(200, { 'content-type': 'application/json' });
      return response.end(JSON.stringify({ object: 'list', data: [{ index: 0, embedding: given.vector }] }));
    }
    const finish = given.finishReason ?? (given.calls ? 'tool_calls' : 'stop');
    const [input, output] = given.usage ?? [10, 5];
    const usage = { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
    const base = { id: 'c', created: 0, model: request.model };
    const calls = given.calls?.map((call, index) => ({
      index,
      id: `call_${index}`,
      type: 'function',
      function: { name: call.name, arguments: JSON.stringify(call.arguments) },
    }));
    if (!request.stream) {
      const message = { role: 'assistant', content: given.text ?? null, ...(calls ? { tool_calls: calls } : {}) };
      response.writeHead(200, { 'content-type': 'application/json' });
      const choices = [{ index: 0, message, finish_reason: finish }];
      return response.end(JSON.stringify({ ...base, object: 'chat.completion', choices, usage }));
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const chunk = (delta: unknown, reason: string | null = null, counted?: unknown) =>
      response.write(
        `data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices: counted ? [] : [{ index: 0, delta, finish_reason: reason }], usage: counted })}\n\n`,
      );
    const size = given.pieceChars ?? 5;
    for (let at = 0; at < (given.text ?? '').length; at += size) {
      chunk({ content: given.text!.slice(at, at + size) });
      await sleep(0);
    }
    for (const call of calls ?? []) chunk({ tool_calls: [call] });
    chunk({}, finish);
    chunk({}, null, usage);
    return response.end('data: [DONE]\n\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
