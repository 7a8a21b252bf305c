/**
 * OpenAI's Chat Completions over runs (direct.ts has those without one). A run's end is the answer; a run that waits for a decision answers at once with
 * what it waits for. Invariants: a client that leaves cancels its run, unless it said that it will be back; what went
 * wrong after the run was accepted tells clients not to try again on their own, since that would be a second run.
 */
import {
  type ApprovalRecord,
  derivedCallId,
  derivedRunId,
  type QuestionRecord,
  type RunEntry,
  type RunView,
  TuttiError,
  toErrorInfo,
} from '@tutti/contracts';
import { ATTR } from '@tutti/runtime';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { FollowedRun } from '../adapters/follow-run.ts';
import { AnswerStream } from '../core/answer-stream.ts';
import { ChatCompletionRequest, type ChatInput, readChat } from '../core/chat-request.ts';
import {
  type ChatFrame,
  type ChatOutcome,
  chunkBody,
  completionBody,
  tuttiField,
  usageChunkBody,
  waitingText,
} from '../core/chat-response.ts';
import { directModel } from '../core/direct-request.ts';
import { errorBody } from '../core/errors.ts';
import { answeredBefore, answerOpenQuestion, type Continued } from './chat-answer.ts';
import type { GatewayDeps } from './deps.ts';
import { type Direct, serveDirect } from './direct.ts';
import { cancelRun } from './routes-runs.ts';
import { SseWriter } from './sse-writer.ts';
import {
  type PreparedRun,
  prepareRun,
  readIdempotencyKey,
  SessionName,
  type StartRequest,
  sessionFor,
} from './start-run.ts';
import { parse } from './validate.ts';

/** Entries after which a run may have come to wait for somebody. */
const MAY_WAIT: ReadonlySet<string> = new Set([
  'approval.requested',
  'question.asked',
  'question.answered',
  'child.waiting',
]);
const HISTORY_STEP_MS = 1_000;
const DONE = '[DONE]';

export function chatRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.post('/v1/chat/completions', async (request, reply) => {
    const direct = await directOf(deps, request);
    if (direct) {
      await serveDirect(deps, request, reply, direct);
      return reply;
    }
    const body = parse(ChatCompletionRequest, request.body);
    await new ChatExchange(deps, request, reply, body).serve();
    return reply;
  });
}

/** A model or a route in place of an agent. */
async function directOf(deps: GatewayDeps, request: FastifyRequest): Promise<Direct | undefined> {
  const asked = (request.body as { model?: unknown } | undefined)?.model;
  if (typeof asked !== 'string') return undefined;
  const current = await deps.currentBundle(request.identity.tenant);
  const model = current && directModel(asked, current.bundle);
  return model === undefined ? undefined : { model, bundle: current!.hash };
}

function sessionOf(request: FastifyRequest, body: ChatCompletionRequest): string | undefined {
  const given = request.headers['x-tutti-session'] ?? body.metadata?.session;
  return given === undefined ? undefined : parse(SessionName, given, 'session');
}

function frameOf({ run, session }: Followed, agent: string, { ignored }: ChatInput): ChatFrame {
  return { run, session, agent, created: Math.floor(Date.now() / 1_000), ignored };
}

/** The run whose answer this is: a new one, one that goes on with this message, or one that an earlier request made. */
type Followed = PreparedRun | Continued;

type End =
  | { kind: 'outcome'; outcome: ChatOutcome }
  | { kind: 'failed'; error: TuttiError }
  /** The client is gone: nobody reads an answer. */
  | { kind: 'left' };

class ChatExchange {
  readonly #deps: GatewayDeps;
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #body: ChatCompletionRequest;
  readonly #chat: ChatInput;
  readonly #session: string | undefined;
  readonly #idempotencyKey: string | undefined;
  readonly #left = new AbortController();
  readonly #timedOut: AbortSignal;
  #frame!: ChatFrame;

  constructor(deps: GatewayDeps, request: FastifyRequest, reply: FastifyReply, body: ChatCompletionRequest) {
    this.#deps = deps;
    this.#request = request;
    this.#reply = reply;
    this.#body = body;
    this.#chat = readChat(body);
    this.#session = sessionOf(request, body);
    this.#idempotencyKey = readIdempotencyKey(request.headers['idempotency-key']);
    this.#timedOut = AbortSignal.timeout(deps.config.chatWaitMs);
    reply.raw.on('close', () => {
      if (!reply.raw.writableFinished) this.#left.abort();
    });
  }

  async serve(): Promise<void> {
    const { watchers, followRun } = this.#deps;
    const watcher = watchers.acquire();
    const signal = AbortSignal.any([this.#left.signal, this.#timedOut, watcher.signal]);
    try {
      const followed = await this.#followed(signal);
      this.#frame = frameOf(followed, this.#body.model, this.#chat);
      const { tenant } = this.#request.identity;
      const from =
        'resumeAfter' in followed ? { resumeAfter: followed.resumeAfter } : { fresh: followed.existing === null };
      const following = followRun({ tenant, root: followed.run, children: false, ...from, signal });
      try {
        await this.#accept(followed);
        if (this.#body.stream) await this.#stream(following, this.#body.stream_options?.include_usage === true);
        else await this.#answer(following);
      } finally {
        following.stop();
      }
    } finally {
      watcher.release();
    }
  }

  /** What an earlier request with the same key made comes first, then a question that waits, then a run of its own. */
  async #followed(signal: AbortSignal): Promise<Followed> {
    const { identity } = this.#request;
    const prepared = () => prepareRun(this.#deps, identity, this.#startRequest());
    if (this.#session === undefined) return prepared();
    const session = sessionFor(identity.tenant, this.#session);
    const message = { session, text: this.#chat.said, idempotencyKey: this.#idempotencyKey };
    const earlier = this.#idempotencyKey === undefined ? null : await prepared();
    if (earlier?.existing) return earlier;
    const continued = await answerOpenQuestion(this.#deps, identity, message, signal);
    if (continued === 'aborted') throw this.#unsettled();
    if (continued) return continued;
    return (earlier && (await answeredBefore(this.#deps, identity, message))) ?? earlier ?? prepared();
  }

  #startRequest(): StartRequest {
    return {
      agent: this.#body.model,
      input: this.#chat.input,
      session: this.#session,
      live: this.#body.stream === true,
      // Without a session nobody could answer.
      onQuestion: this.#session === undefined ? 'end' : 'wait',
      idempotencyKey: this.#idempotencyKey,
      traceparent: this.#request.span?.traceparent,
    };
  }

  async #accept(followed: Followed): Promise<void> {
    const { run, session, agent } = this.#frame;
    this.#reply.headers({ 'x-tutti-run': run, 'x-tutti-session': session });
    this.#request.span?.attributes({ [ATTR.agent]: agent, [ATTR.conversation]: session, [ATTR.run]: run });
    if ('commit' in followed && !followed.existing) {
      followed.admit();
      if (this.#session === undefined) await this.#takeOver(this.#chat.history);
      await followed.commit();
    }
    // From here on a client's own retry would be a second run. (OpenAI's clients obey this header.)
    this.#reply.header('x-should-retry', 'false');
    this.#request.endSpan();
  }

  /** Earlier messages of a request that names no session become turns of its new session, so that the run recalls them. */
  async #takeOver(history: ChatInput['history']): Promise<void> {
    const { caller, config } = this.#deps;
    const { session, agent } = this.#frame;
    const { tenant } = this.#request.identity;
    const turns = history.slice(-config.chatHistoryTurnsMax);
    const now = Date.now();
    const stored = turns.map(({ input, output }, index) => {
      const run = derivedRunId(session, 'chat-history', String(index));
      const at = now - (turns.length - index) * HISTORY_STEP_MS;
      return caller.call(
        'remember',
        { turn: { run, session, agent, at, input, output, actions: [] } },
        {
          tenant,
          session,
          run,
          callId: derivedCallId(run, 'remember'),
          traceparent: this.#request.span?.traceparent,
          timeoutMs: config.readTimeoutMs,
        },
      );
    });
    await Promise.all(stored);
  }

  async #answer(following: FollowedRun): Promise<void> {
    const end = await this.#watch(following, () => {});
    if (end.kind === 'left') return this.#abandon();
    // A run that was turned away has done nothing: it may well be tried again, later.
    if (end.kind === 'failed' && end.error.code === 'overloaded') this.#reply.header('x-should-retry', 'true');
    if (end.kind === 'failed') throw end.error;
    this.#reply.send(completionBody(this.#frame, end.outcome));
  }

  async #stream(following: FollowedRun, includeUsage: boolean): Promise<void> {
    const { config } = this.#deps;
    this.#reply.hijack();
    const writer = new SseWriter(this.#reply.raw, this.#reply.getHeaders(), {
      heartbeatMs: config.sseHeartbeatMs,
      bufferBytesMax: config.sseBufferBytesMax,
    });
    writer.send({ data: chunkBody(this.#frame, { role: 'assistant', content: '' }) });
    const answer = new AnswerStream();
    const say = (content: string) => {
      if (content) writer.send({ data: chunkBody(this.#frame, { content }) });
    };
    try {
      const end = await this.#watch(following, (event) => {
        say(tell(answer, this.#frame.run, event));
        if (answer.broken) throw this.#restarted();
      });
      if (end.kind === 'left') return await this.#abandon();
      if (end.kind === 'failed') throw end.error;
      const { outcome } = end;
      const rest = outcome.status === 'waiting' ? answer.note(outcome.content) : answer.finish(outcome.content);
      if (rest === null) throw this.#restarted();
      say(rest);
      writer.send({ data: chunkBody(this.#frame, {}, { finish: true, outcome }) });
      if (includeUsage) writer.send({ data: usageChunkBody(this.#frame, outcome.usage) });
      writer.send({ data: DONE });
    } catch (error) {
      writer.send({ data: { ...errorBody(toErrorInfo(error)), tutti: tuttiField(this.#frame) } });
    } finally {
      writer.end();
    }
  }

  /** Until the run ended, waits for a decision, or nobody waits any more. */
  async #watch(following: FollowedRun, each: (event: ChatEvent) => void): Promise<End> {
    let mayWait = false;
    for await (const events of following.events()) {
      for (const event of events) {
        if (event.type === 'progress') continue;
        if (event.type === 'token' || event.type === 'superseded') {
          each(event);
          continue;
        }
        // What came before the message that this request brought.
        if (event.muted) continue;
        const end = endOf(event.entry);
        if (end) return end;
        this.#noteModel(event.entry);
        each(event);
        if (MAY_WAIT.has(event.entry.type)) mayWait = true;
      }
      const waiting = mayWait ? await this.#waiting() : undefined;
      if (waiting) return { kind: 'outcome', outcome: waiting };
    }
    if (this.#left.signal.aborted) return { kind: 'left' };
    return { kind: 'failed', error: this.#gaveUp() };
  }

  #noteModel(entry: RunEntry): void {
    if (entry.run !== this.#frame.run || entry.type !== 'step.completed' || entry.result.kind !== 'complete') return;
    this.#frame.answeredBy = entry.result.completion;
  }

  /** The run's owner has the last word on whether it waits: other branches may still be at work. */
  async #waiting(): Promise<ChatOutcome | undefined> {
    const { reader } = this.#deps;
    const view = await reader.ownersRun(this.#request.identity.tenant, this.#frame.run);
    if (view?.status !== 'waiting') return undefined;
    const { question } = view;
    if (question) return askingOutcome(view, question);
    const open = (await reader.openApprovals(this.#frame.run)) ?? [];
    const approvals = open.filter(({ status }) => status === 'pending');
    return approvals.length === 0 ? undefined : waitingOutcome(view, approvals);
  }

  /** The answer is stored, and nobody has taken it in yet. */
  #unsettled(): TuttiError {
    this.#reply.header('x-should-retry', 'false');
    const what = 'the message is stored as the answer to what the session asks, and not taken in yet';
    if (this.#timedOut.aborted) return new TuttiError('timeout', `${what}: see GET /v1/runs?session=…`);
    return new TuttiError('unavailable', `${what}; this gateway is stopping`);
  }

  #gaveUp(): TuttiError {
    const { run } = this.#frame;
    const where = `the run goes on: GET /v1/runs/${run}`;
    if (this.#timedOut.aborted)
      return new TuttiError('timeout', `no answer within ${this.#deps.config.chatWaitMs} ms; ${where}`);
    return new TuttiError('unavailable', `this gateway is stopping; ${where}`);
  }

  #restarted(): TuttiError {
    const { run } = this.#frame;
    return new TuttiError(
      'model_failed',
      `the answer was begun anew after part of it had been sent, which cannot be taken back; the run goes on, and its answer is at GET /v1/runs/${run}`,
    );
  }

  async #abandon(): Promise<void> {
    if (this.#idempotencyKey !== undefined || this.#request.headers['x-tutti-keep'] === 'true') return;
    const { run, session } = this.#frame;
    const { tenant, principal } = this.#request.identity;
    await cancelRun(this.#deps, { id: run, tenant, session }, principal.id, 'the client disconnected');
  }
}

type ChatEvent =
  | { type: 'token'; run: string; callId: string; attempt: number; text: string }
  | { type: 'superseded'; run: string; callId: string; attempt: number; reason: string }
  | { type: 'entry'; entry: RunEntry };

/** Text that may go out after this event. */
function tell(answer: AnswerStream, root: string, event: ChatEvent): string {
  if (event.type === 'token') return event.run === root ? answer.token(event) : '';
  // what went out is checked against the attempt that comes next
  if (event.type === 'superseded') return '';
  const { entry } = event;
  if (entry.type === 'step.requested' && entry.step.kind === 'complete')
    return answer.requested(entry.callId, entry.step.purpose !== 'plan');
  if (entry.type !== 'step.completed' || entry.result.kind !== 'complete') return '';
  const { message } = entry.result.completion;
  return answer.answered(entry.callId, message.content ?? '', (message.toolCalls?.length ?? 0) > 0);
}

function endOf(entry: RunEntry): End | undefined {
  if (entry.type === 'run.failed') return { kind: 'failed', error: TuttiError.from(entry.error) };
  if (entry.type === 'run.cancelled')
    return { kind: 'failed', error: new TuttiError('cancelled', `cancelled by ${entry.by}: ${entry.reason}`) };
  if (entry.type !== 'run.completed') return undefined;
  const { output, usage, citations, degraded } = entry;
  return {
    kind: 'outcome',
    outcome: { status: 'completed', content: output, usage, citations, degraded, approvals: [] },
  };
}

function askingOutcome(view: RunView, question: QuestionRecord): ChatOutcome {
  const { usage, citations, degraded } = view;
  return { status: 'waiting', content: question.text, usage, citations, degraded, approvals: [], question };
}

function waitingOutcome(view: RunView, approvals: ApprovalRecord[]): ChatOutcome {
  const { usage, citations, degraded } = view;
  return { status: 'waiting', content: waitingText(approvals), usage, citations, degraded, approvals };
}
