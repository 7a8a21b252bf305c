import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '@tutti/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOpenAiProvider } from './provider.ts';

const chunk = (content: string) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: 'stop' }] })}

`;
const request = {
  messages: [{ role: 'user' as const, content: 'Hello' }],
  tools: [],
  toolChoice: 'auto' as const,
  responseFormat: { type: 'text' as const },
  passages: [],
  facts: [],
  now: '2026-05-01T00:00:00.000Z',
  timeZone: 'UTC',
};

describe('the connections of a provider', () => {
  let server: Server;
  let connections: number;
  let open: Set<unknown>;
  let answer: (response: ServerResponse) => void;
  beforeEach(async () => {
    connections = 0;
    const now = new Set<unknown>();
    open = now;
    server = createServer((asked, response) => {
      asked.resume();
      asked.on('end', () => answer(response));
    });
    server.on('connection', (socket) => {
      connections += 1;
      now.add(socket);
      socket.on('close', () => now.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });
  const stream = async (signal = new AbortController().signal) => {
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
    const provider = createOpenAiProvider({ baseUrl, apiKey: 'none', outputCharsMax: 1_000_000 });
    const said: string[] = [];
    await provider.complete(request, { model: 'm', signal, onText: (text) => said.push(text) });
    return said.join('');
  };

  it('are used again although the last bytes come after [DONE]', async () => {
    answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(chunk('a'));
      response.write('data: [DONE]\n\n');
      setTimeout(() => response.end(), 5);
    };
    for (let i = 0; i < 5; i++) {
      expect(await stream()).toBe('a');
      await sleep(20);
    }
    expect(connections).toBe(1);
  });
  it('are closed when there is no end after [DONE], by time and by size', async () => {
    answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`${chunk('a')}data: [DONE]\n\n`);
    };
    expect(await stream()).toBe('a');
    await until('it to be closed', () => open.size === 0, 5_000);
    answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`${chunk('a')}data: [DONE]\n\n`);
      response.write('x'.repeat(1_000_000));
    };
    expect(await stream()).toBe('a');
    await until('it to be closed', () => open.size === 0, 500);
  });
  it('are closed when the request is aborted', async () => {
    const left = new AbortController();
    answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(chunk('a'));
      setTimeout(() => left.abort(), 20);
    };
    await expect(stream(left.signal)).rejects.toMatchObject({ kind: 'cancelled' });
    await until('it to be closed', () => open.size === 0, 5_000);
  });
  it('do not follow a redirect, and say where it leads', async () => {
    answer = (response) => void response.writeHead(307, { location: 'https://elsewhere.example/v1' }).end();
    await expect(stream()).rejects.toMatchObject({
      kind: 'not_there',
      message: expect.stringContaining('https://elsewhere.example/v1'),
    });
  });
});
