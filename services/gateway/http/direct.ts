/**
 * Models without an agent: the request goes to the router, and its answer back. No run, so no journal; what it cost is
 * counted all the same. Invariants: a client that leaves ends the call, down to the provider's socket; what a stream sent
 * is never followed by another attempt's text, unless the client said that it takes it back (`x-tutti-superseded: reset`).
 */
import { randomUUID } from 'node:crypto';
import {
  type CompleteResult,
  canonicalJson,
  derivedCallId,
  LiveMessage,
  subjects,
  TuttiError,
  toErrorInfo,
} from '@tutti/contracts';
import { ATTR } from '@tutti/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AnswerStream } from '../core/answer-stream.ts';
import { DirectRequest, readDirect } from '../core/direct-request.ts';
import { type DirectFrame, directBody, directChunk, lastChunks, supersededChunk } from '../core/direct-response.ts';
import { errorBody } from '../core/errors.ts';
import type { GatewayDeps } from './deps.ts';
import { SseWriter } from './sse-writer.ts';
import { readIdempotencyKey } from './start-run.ts';
import { parse } from './validate.ts';

const DONE = '[DONE]';
/** Stands for the agent where there is none: no name of an agent has such a form. */
const NO_AGENT = '(direct)';
const text = new TextDecoder();

export interface Direct {
  /** The name to route by. */
  model: string;
  /** Hash of the tenant's current bundle. */
  bundle: string;
}

export async function serveDirect(
  deps: GatewayDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  { model, bundle }: Direct,
): Promise<void> {
  const body = parse(DirectRequest, request.body);
  const { chat, ignored } = readDirect(body, new Date().toISOString());
  const frame: DirectFrame = {
    id: callIdOf(request),
    created: Math.floor(Date.now() / 1_000),
    model: body.model,
    ignored,
  };
  const left = new AbortController();
  reply.raw.on('close', () => {
    if (!reply.raw.writableFinished) left.abort();
  });
  // one layer of retries, and the router has it (OpenAI's clients obey this header)
  reply.headers({ 'x-tutti-call': frame.id, 'x-should-retry': 'false' });
  request.span?.attributes({ [ATTR.requestModel]: model, [ATTR.callId]: frame.id });
  const watcher = deps.watchers.acquire();
  const ask = (live: boolean) =>
    deps.caller.call(
      'complete',
      { bundle, agent: NO_AGENT, model, chat, live, principal: request.identity.principal.id },
      {
        tenant: request.identity.tenant,
        callId: frame.id,
        run: frame.id,
        root: frame.id,
        traceparent: request.span?.traceparent,
        timeoutMs: deps.config.chatWaitMs,
        signal: AbortSignal.any([left.signal, watcher.signal]),
      },
    );
  try {
    if (body.stream)
      await new DirectStream(deps, request, reply, frame).serve(ask, body.stream_options?.include_usage === true);
    else await answerWhole(reply, frame, left.signal, ask);
  } finally {
    watcher.release();
  }
}

/** With an Idempotency-Key the same request is the same call, and the router answers it once. */
function callIdOf(request: FastifyRequest): string {
  const key = readIdempotencyKey(request.headers['idempotency-key']);
  if (key === undefined) return derivedCallId('direct', randomUUID());
  return derivedCallId(`direct\n${request.identity.tenant}\n${key}`, canonicalJson(request.body));
}

async function answerWhole(
  reply: FastifyReply,
  frame: DirectFrame,
  left: AbortSignal,
  ask: (live: boolean) => Promise<CompleteResult>,
): Promise<void> {
  try {
    reply.send(directBody(frame, await ask(false)));
  } catch (error) {
    if (left.aborted) return;
    const { retryable } = toErrorInfo(error);
    if (retryable) reply.header('x-should-retry', 'true');
    throw error;
  }
}

class DirectStream {
  readonly #deps: GatewayDeps;
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #frame: DirectFrame;
  /** The client drops what it has when it is told to. */
  readonly #resets: boolean;
  #writer!: SseWriter;
  #answer = new AnswerStream();
  /** What ends the stream before the router's answer. */
  #broken: TuttiError | undefined;
  /** Attempts up to this one are void. */
  #void = 0;

  constructor(deps: GatewayDeps, request: FastifyRequest, reply: FastifyReply, frame: DirectFrame) {
    this.#deps = deps;
    this.#request = request;
    this.#reply = reply;
    this.#frame = frame;
    this.#resets = request.headers['x-tutti-superseded'] === 'reset';
    this.#answer.requested(frame.id, true);
  }

  async serve(ask: (live: boolean) => Promise<CompleteResult>, includeUsage: boolean): Promise<void> {
    const { bus, config } = this.#deps;
    this.#reply.hijack();
    this.#writer = new SseWriter(this.#reply.raw, this.#reply.getHeaders(), {
      heartbeatMs: config.sseHeartbeatMs,
      bufferBytesMax: config.sseBufferBytesMax,
    });
    const live = bus.subscribe(subjects.live(this.#request.identity.tenant, this.#frame.id), ({ data }) =>
      this.#heard(data),
    );
    this.#writer.send({ data: directChunk(this.#frame, { role: 'assistant', content: '' }) });
    try {
      const result = await ask(true);
      live.stop();
      this.#end(result, includeUsage);
    } catch (error) {
      this.#writer.send({
        data: { ...errorBody(toErrorInfo(this.#broken ?? error)), tutti: { call: this.#frame.id } },
      });
    } finally {
      live.stop();
      this.#writer.end();
    }
  }

  #heard(data: Uint8Array): void {
    const message = LiveMessage.safeParse(JSON.parse(text.decode(data)));
    if (!message.success)
      return this.#deps.log.error({ error: message.error }, 'a live message does not fit its schema');
    for (const event of message.data.events) {
      if (event.type === 'token' && event.attempt > this.#void) this.#say(this.#answer.token(event));
      if (event.type === 'superseded') this.#superseded(event.attempt, event.reason);
    }
  }

  #superseded(attempt: number, reason: string): void {
    this.#void = Math.max(this.#void, attempt);
    if (!this.#resets || !this.#answer.begun) return;
    this.#writer.send({ data: supersededChunk(this.#frame, attempt, reason) });
    this.#answer = new AnswerStream();
    this.#answer.requested(this.#frame.id, true);
  }

  #end(result: CompleteResult, includeUsage: boolean): void {
    const content = result.message.content ?? '';
    if (this.#resets && this.#answer.broken) this.#superseded(this.#void, 'part of the stream was lost');
    this.#say(this.#answer.begun ? this.#answer.answered(this.#frame.id, content, false) : content);
    if (this.#answer.broken) throw this.#restarted(result);
    for (const chunk of lastChunks(this.#frame, result, includeUsage)) this.#writer.send({ data: chunk });
    this.#writer.send({ data: DONE });
  }

  #say(content: string): void {
    if (content) this.#writer.send({ data: directChunk(this.#frame, { content }) });
  }

  #restarted({ attempts }: CompleteResult): TuttiError {
    return new TuttiError(
      'model_failed',
      'the answer was begun anew after part of it had been sent, which cannot be taken back; ask again, or send "x-tutti-superseded: reset" and drop what came before a chunk with `tutti.superseded`',
      { details: { attempts } },
    );
  }
}
