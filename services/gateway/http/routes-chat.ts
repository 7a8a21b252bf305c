/**
 * OpenAI's Chat Completions over runs. A run's end is the answer; a run that waits for a decision answers at once with
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
import { errorBody } from '../core/errors.ts';
import type { GatewayDeps } from './deps.ts';
import { openQuestion, prepareAnswer } from './routes-input.ts';
import { cancelRun } from './routes-runs.ts';
import { SseWriter } from './sse-writer.ts';
import { type PreparedRun, prepareRun, readIdempotencyKey, SessionName, sessionFor } from './start-run.ts';
import { parse } from './validate.ts';

/** Entries after which a run may have come to wait for somebody. */
const MAY_WAIT: ReadonlySet<string> = new Set(['approval.requested', 'question.asked', 'child.waiting']);
const HISTORY_STEP_MS = 1_000;
const DONE = '[DONE]';

export function chatRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.post('/v1/chat/completions', async (request, reply) => {
    const body = parse(ChatCompletionRequest, request.body);
    const chat = readChat(body);
    const session = sessionOf(request, body);
    const idempotencyKey = readIdempotencyKey(request.headers['idempotency-key']);
    const answer = idempotencyKey === undefined ? await answerOf(deps, request, session, chat.input) : null;
    const prepared =
      answer ??
      (await prepareRun(deps, request.identity, {
        agent: body.model,
        input: chat.input,
        session,
        live: body.stream === true,
        // Without a session nobody could answer.
        onQuestion: session === undefined ? 'end' : 'wait',
        idempotencyKey,
        traceparent: request.span?.traceparent,
      }));
    const frame = frameOf(prepared, body.model, chat);
    const keep = idempotencyKey !== undefined || request.headers['x-tutti-keep'] === 'true';
    await new ChatExchange(deps, request, reply, prepared, frame, keep).serve(body, session ? [] : chat.history);
    return reply;
  });
}

/** A message to a session whose run waits for input is that input. */
async function answerOf(
  deps: GatewayDeps,
  request: FastifyRequest,
  session: string | undefined,
  text: string,
): Promise<PreparedRun | null> {
  if (session === undefined) return null;
  const { tenant } = request.identity;
  const question = await openQuestion(deps, tenant, sessionFor(tenant, session));
  return question && prepareAnswer(deps, request.identity, question, text);
}

function sessionOf(request: FastifyRequest, body: ChatCompletionRequest): string | undefined {
  const given = request.headers['x-tutti-session'] ?? body.metadata?.session;
  return given === undefined ? undefined : parse(SessionName, given, 'session');
}

function frameOf({ run, session }: PreparedRun, agent: string, { ignored }: ChatInput): ChatFrame {
  return { run, session, agent, created: Math.floor(Date.now() / 1_000), ignored };
}

type End =
  | { kind: 'outcome'; outcome: ChatOutcome }
  | { kind: 'failed'; error: TuttiError }
  /** The client is gone: nobody reads an answer. */
  | { kind: 'left' };

class ChatExchange {
  readonly #deps: GatewayDeps;
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #prepared: PreparedRun;
  readonly #frame: ChatFrame;
  readonly #keep: boolean;
  readonly #left = new AbortController();
  readonly #timedOut: AbortSignal;

  constructor(
    deps: GatewayDeps,
    request: FastifyRequest,
    reply: FastifyReply,
    prepared: PreparedRun,
    frame: ChatFrame,
    keep: boolean,
  ) {
    this.#deps = deps;
    this.#request = request;
    this.#reply = reply;
    this.#prepared = prepared;
    this.#frame = frame;
    this.#keep = keep;
    this.#timedOut = AbortSignal.timeout(deps.config.chatWaitMs);
    reply.raw.on('close', () => {
      if (!reply.raw.writableFinished) this.#left.abort();
    });
  }

  async serve(body: ChatCompletionRequest, history: ChatInput['history']): Promise<void> {
    const { watchers, followRun } = this.#deps;
    const { tenant } = this.#request.identity;
    const watcher = watchers.acquire();
    const following = followRun({
      tenant,
      root: this.#frame.run,
      children: false,
      ...(this.#prepared.answers
        ? { resumeAfter: this.#prepared.answers.version }
        : { fresh: this.#prepared.existing === null }),
      signal: AbortSignal.any([this.#left.signal, this.#timedOut, watcher.signal]),
    });
    try {
      await this.#accept(history);
      if (body.stream) await this.#stream(following, body.stream_options?.include_usage === true);
      else await this.#answer(following);
    } finally {
      following.stop();
      watcher.release();
    }
  }

  async #accept(history: ChatInput['history']): Promise<void> {
    const { run, session, agent } = this.#frame;
    this.#reply.headers({ 'x-tutti-run': run, 'x-tutti-session': session });
    this.#request.span?.attributes({ 'gen_ai.agent.name': agent, 'gen_ai.conversation.id': session, 'tutti.run': run });
    if (!this.#prepared.existing) {
      if (!this.#prepared.answers) await this.#takeOver(history);
      await this.#prepared.commit();
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
        if (event.type === 'token') {
          each(event);
          continue;
        }
        // What came before the message that this request brought.
        if (event.muted) continue;
        const end = endOf(event.entry);
        if (end) return end;
        each(event);
        if (MAY_WAIT.has(event.entry.type)) mayWait = true;
      }
      const waiting = mayWait ? await this.#waiting() : undefined;
      if (waiting) return { kind: 'outcome', outcome: waiting };
    }
    if (this.#left.signal.aborted) return { kind: 'left' };
    return { kind: 'failed', error: this.#gaveUp() };
  }

  /** The run's owner has the last word on whether it waits: other branches may still be at work. */
  async #waiting(): Promise<ChatOutcome | undefined> {
    const { reader } = this.#deps;
    const view = await reader.ownersRun(this.#request.identity.tenant, this.#frame.run);
    if (view?.status !== 'waiting') return undefined;
    const { question } = view;
    if (question && question.id !== this.#prepared.answers?.question) return askingOutcome(view, question);
    const open = (await reader.openApprovals(this.#frame.run)) ?? [];
    const approvals = open.filter(({ status }) => status === 'pending');
    return approvals.length === 0 ? undefined : waitingOutcome(view, approvals);
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
    if (this.#keep) return;
    const { run, session } = this.#frame;
    const { tenant, principal } = this.#request.identity;
    await cancelRun(this.#deps, { id: run, tenant, session }, principal.id, 'the client disconnected');
  }
}

type ChatEvent =
  | { type: 'token'; run: string; callId: string; attempt: number; text: string }
  | { type: 'entry'; entry: RunEntry };

/** Text that may go out after this event. */
function tell(answer: AnswerStream, root: string, event: ChatEvent): string {
  if (event.type === 'token') return event.run === root ? answer.token(event) : '';
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
