/**
 * The providers of the router benchmark, in one process: one that answers at once, and three that fail by a script. What a
 * storm does to a call is a function of the call's number, the provider and the try, so every gateway meets the same.
 * Keeps the books: what was truly used, whatever the answers say.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type RecordedRequest, type ScriptedReply, startOpenAiServer } from '@tutti/testkit/openai-server';

export const STORM_PROVIDERS = ['a', 'b', 'c'] as const;
export const USED = { input: 10, output: 20 };
/** What a call that was answered by this provider must have got, and nothing else. */
export const answerTo = (call: string, provider: string) =>
  `answer to ${call} from ${provider}: one two three four five six seven eight nine ten, end of ${call}`;
/** Marks a call in its message: `[call 17]`. */
const CALL = /\[call (\d+)\]/;
const JSON_CALL = /as JSON/;
/** Of a provider's calls, those in this share of the storm meet an outage. */
const OUTAGES: Record<string, [number, number]> = { a: [0.3, 0.42], b: [0.6, 0.66] };

/** In [0, 1), the same for the same words (FNV-1a, mixed). */
function chance(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

const FAULTS: [share: number, reply: (text: string) => ScriptedReply][] = [
  [0.05, () => ({ kind: 'status', status: 500 })],
  [0.02, () => ({ kind: 'status', status: 503, headers: { 'retry-after-ms': '20' } })],
  [0.04, () => ({ kind: 'status', status: 429, headers: { 'retry-after-ms': '30' } })],
  [0.02, () => ({ kind: 'status', status: 429 })],
  [0.03, () => ({ kind: 'reset' })],
  [0.04, (text) => ({ kind: 'half', text, end: 'reset' })],
  [0.02, (text) => ({ kind: 'half', text, end: 'close' })],
  [0.02, () => ({ kind: 'garbage' })],
  [0.02, () => ({ kind: 'answer', text: '' })],
  [0.005, () => ({ kind: 'hang' })],
  [0.005, (text) => ({ kind: 'stall', text: text.slice(0, 20) })],
  [0.005, () => ({ kind: 'drip', everyMs: 100 })],
  [0.005, () => ({ kind: 'overflow', window: 4_096 })],
  [0.005, () => ({ kind: 'filter' })],
  [0.03, (text) => ({ kind: 'answer', text, usage: [1_000_000_000, 1_000_000_000] })],
  [0.03, (text) => ({ kind: 'answer', text, delayMs: 60 })],
];

export interface Books {
  requests: number;
  /** Whole answers. */
  answers: number;
}
const books: Books = { requests: 0, answers: 0 };
let calls = 10_000;
const tries = new Map<string, number>();

function replyOf(provider: string, request: RecordedRequest): ScriptedReply {
  books.requests += 1;
  const said = request.body.messages.map(({ content }) => content ?? '').join('\n');
  const call = CALL.exec(said)?.[1] ?? '0';
  const key = `${call}/${provider}`;
  const n = (tries.get(key) ?? 0) + 1;
  tries.set(key, n);
  const whole = answerTo(call, provider);
  const json = JSON_CALL.test(said);
  const text = json ? JSON.stringify({ call: Number(call), provider }) : whole;
  const [from, until] = OUTAGES[provider] ?? [1, 1];
  const at = Number(call) / calls;
  if (at >= from && at < until) return { kind: 'status', status: 503 };
  let draw = chance(`${key}/${n}`);
  for (const [share, fault] of FAULTS) {
    if (draw < share) return counted(fault(text));
    draw -= share;
  }
  // of the JSON that is asked for, some does not fit
  if (json && draw < 0.05) return counted({ kind: 'answer', text: '{"call": "seventeen"}' });
  return counted({ kind: 'answer', text });
}

function counted(reply: ScriptedReply): ScriptedReply {
  if (reply.kind !== 'answer') return reply;
  if (reply.text) books.answers += 1;
  return { usage: [USED.input, USED.output], ...reply };
}

/** As lean as Node's HTTP server is: what is measured is what stands before it. */
async function startInstant(): Promise<string> {
  const text = 'One two three four five six seven eight.';
  const usage = { prompt_tokens: USED.input, completion_tokens: USED.output, total_tokens: USED.input + USED.output };
  const head = { id: 'chatcmpl-1', created: 0, model: 'instant' };
  const whole = JSON.stringify({
    ...head,
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
    usage,
  });
  const chunk = (choices: unknown[], more: object = {}) =>
    `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, ...more })}\n\n`;
  const pieces = text
    .match(/\S+\s*/g)!
    .map((content) => chunk([{ index: 0, delta: { content }, finish_reason: null }]));
  const stream = [
    ...pieces,
    chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]),
    chunk([], { usage }),
    'data: [DONE]\n\n',
  ];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (piece: string) => {
      body += piece;
    });
    request.on('end', () => {
      if (!body.includes('"stream":true')) {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(whole) });
        return response.end(whole);
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const piece of stream) response.write(piece);
      response.end();
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

if (import.meta.main) {
  const instant = await startInstant();
  const storm = await Promise.all(
    STORM_PROVIDERS.map((name) => startOpenAiServer({ forget: true, otherwise: (request) => replyOf(name, request) })),
  );
  process.on('message', (message: { type: string; calls?: number }) => {
    if (message.type === 'books') process.send!({ type: 'books', ...books });
    if (message.type !== 'reset') return;
    Object.assign(books, { requests: 0, answers: 0 });
    tries.clear();
    calls = message.calls ?? calls;
  });
  process.on('disconnect', () => process.exit());
  process.on('SIGTERM', () => process.exit());
  process.send!({ type: 'ready', instant, storm: storm.map(({ url }) => url) });
}
