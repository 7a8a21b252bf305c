/**
 * What every try of a model goes through on its way out and back: it is made to fit the model's window, personal data is
 * masked where the model is not cleared for it, there is room in the provider's rate limit and in every budget; and what
 * came of it is settled and restored. Invariant: whatever was set aside is settled or released, whatever happens.
 */
import type { ChatRequest, ChatResponse, CompleteResult, PrivacyPolicy } from '@tutti/contracts';
import { TuttiError } from '@tutti/contracts';
import { countText } from './adapters/tokenizer.ts';
import type { Budgets, Spender } from './core/budgets.ts';
import { ModelFailure } from './core/failure.ts';
import { maskRequest, type Restore } from './core/mask.ts';
import type { TokenPrices } from './core/money.ts';
import { countRequest, MESSAGE_TOKENS, type Packed, pack, REQUEST_TOKENS, surelyFits } from './core/pack.ts';
import { findRulesOf } from './core/privacy-rules.ts';
import type { RateLimits } from './core/rate.ts';
import type { RateGate, RateTicket } from './rate-limits.ts';
import type { Reservation, Spending } from './spending.ts';

/** What is known of where a try goes. */
export interface AttemptTarget {
  model: string;
  /** Whose rate limit it counts in: provider, model and key. */
  account: string;
  prices: TokenPrices;
  /** Input and output together; undefined: not known, nothing is packed. */
  contextTokens: number | undefined;
  outputTokensMax: number | undefined;
  rates: RateLimits | undefined;
  /** May see personal data. The built-in model may: nothing leaves. */
  cleared: boolean;
  /** Nothing leaves the process: not even secrets need to go. */
  builtIn: boolean;
  /** Its tokens are what our tokenizer counts. */
  knownTokenizer: boolean;
}

export interface AttemptContext {
  budgets: Budgets | undefined;
  privacy: PrivacyPolicy | undefined;
  spender: Spender;
  signal: AbortSignal;
  deadlineAt: number;
  /** How long it may wait for a rate limit: nothing where another model can be asked at once. */
  rateWaitMaxMs: number;
  /** The first try of its call: that is when a request is counted. */
  first: boolean;
}

export interface AttemptReport {
  packing?: NonNullable<CompleteResult['packing']>;
  masked?: NonNullable<CompleteResult['masked']>;
  usageSuspect?: true;
}

export type SendAttempt = (
  request: ChatRequest,
  stream: { begin(take: (text: string) => void): (text: string) => void; end(): void },
) => Promise<ChatResponse | ModelFailure>;

export interface GuardParts {
  spending: Spending;
  rates: RateGate;
}

/** Room for an answer where nobody says how long it may be. */
const OUTPUT_TOKENS_DEFAULT = 4_096;
/** Below this an answer is not worth its call. */
const OUTPUT_TOKENS_MIN = 64;
/** Of the window: what an answer is left at least, where it is not said. */
const OUTPUT_SHARE_MAX = 0.25;
/** Other tokenizers make more of the same text. */
const UNKNOWN_TOKENIZER_MARGIN = 1.2;
const KNOWN_TOKENIZER_MARGIN = 1.02;
/** What a chat template puts around a message at the most, and before all of them. */
const TEMPLATE_MESSAGE_BYTES = 64;
const TEMPLATE_BYTES = 512;

export async function guardAttempt(
  parts: GuardParts,
  target: AttemptTarget,
  request: ChatRequest,
  context: AttemptContext,
  send: SendAttempt,
): Promise<{ outcome: ChatResponse | ModelFailure; report: AttemptReport }> {
  const report: AttemptReport = {};
  const fitted = fit(target, request);
  if (!fitted.fits)
    return {
      outcome: new ModelFailure(
        'context_overflow',
        `what has to stay takes ${fitted.neededTokens} tokens; the window of ${target.model} has ${target.contextTokens}`,
      ),
      report,
    };
  if (fitted.report) report.packing = fitted.report;
  const { request: masked, restore } = mask(target, fitted.request, context.privacy, report);
  const size = sizeOf(target, masked, context);
  const ticket = await enterRate(parts, target, size, context);
  if (ticket instanceof ModelFailure) return { outcome: ticket, report };
  const reservation = await reserve(parts, target, masked, size, context);
  if (reservation instanceof ModelFailure) {
    ticket.correct(0);
    return { outcome: reservation, report };
  }
  const { outputTokensMax } = reservation;
  const outgoing = outputTokensMax === undefined ? masked : { ...masked, outputTokensMax };
  let seen = 0;
  const open: { end(): void }[] = [];
  try {
    const outcome = await send(outgoing, {
      begin(take) {
        const stream = restore.stream(take);
        open.push(stream);
        return (text) => {
          seen += text.length;
          stream.push(text);
        };
      },
      end() {
        for (const stream of open.splice(0)) stream.end();
      },
    });
    if (settle(reservation, ticket, outcome, seen, size)) report.usageSuspect = true;
    return { outcome: restored(outcome, restore), report };
  } catch (error) {
    reservation.release();
    throw error;
  }
}

function fit(target: AttemptTarget, request: ChatRequest): Packed {
  if (target.contextTokens === undefined || target.builtIn) return { fits: true, request, report: undefined };
  const reserved = Math.min(
    request.outputTokensMax ?? target.outputTokensMax ?? OUTPUT_TOKENS_DEFAULT,
    Math.floor(target.contextTokens * (request.outputTokensMax === undefined ? OUTPUT_SHARE_MAX : 1)),
  );
  const margin = target.knownTokenizer ? KNOWN_TOKENIZER_MARGIN : UNKNOWN_TOKENIZER_MARGIN;
  const room = Math.floor((target.contextTokens - reserved) / margin);
  if (surelyFits(request, room)) return { fits: true, request, report: undefined };
  return pack(request, room, countText);
}

function mask(
  target: AttemptTarget,
  request: ChatRequest,
  privacy: PrivacyPolicy | undefined,
  report: AttemptReport,
): { request: ChatRequest; restore: Restore } {
  if (target.builtIn) return { request, restore: untouched };
  const { request: masked, counts, restore } = maskRequest(request, findRulesOf(privacy, target.cleared));
  if (Object.keys(counts).length > 0) report.masked = counts;
  return { request: masked, restore };
}

const untouched: Restore = {
  text: (text) => text,
  value: (value) => value,
  stream: (take) => ({ push: take, end() {} }),
};

interface Size {
  /** About. */
  tokens: number;
  /** It cannot be more. */
  tokensMax: number;
}

/** Counted only where a limit needs it. */
function sizeOf(target: AttemptTarget, request: ChatRequest, { budgets }: AttemptContext): Size {
  const limited = target.rates?.tokensPerMinute !== undefined;
  if (!limited && (!budgets || Object.keys(budgets).length === 0)) return { tokens: 0, tokensMax: 0 };
  const tokens = countRequest(request, countText);
  return {
    tokens,
    tokensMax: target.knownTokenizer ? Math.ceil(tokens * KNOWN_TOKENIZER_MARGIN) + REQUEST_TOKENS : bytesOf(request),
  };
}

/** No tokenizer makes more tokens than bytes. */
function bytesOf(request: ChatRequest): number {
  const { messages, tools, passages, facts, responseFormat } = request;
  return (
    Buffer.byteLength(JSON.stringify([messages, tools, passages, facts, responseFormat])) +
    (messages.length + passages.length) * (TEMPLATE_MESSAGE_BYTES + MESSAGE_TOKENS) +
    TEMPLATE_BYTES
  );
}

async function enterRate(
  parts: GuardParts,
  target: AttemptTarget,
  size: Size,
  context: AttemptContext,
): Promise<RateTicket | ModelFailure> {
  const { signal, rateWaitMaxMs } = context;
  const answer = parts.rates.enter(target.account, target.rates, size.tokens, { signal, waitMaxMs: rateWaitMaxMs });
  try {
    const entered = answer instanceof Promise ? await answer : answer;
    if (entered.granted) return entered.ticket;
    return new ModelFailure('throttled', entered.reason, { retryAfterMs: entered.waitMs });
  } catch (error) {
    return failureOf(error);
  }
}

async function reserve(
  parts: GuardParts,
  target: AttemptTarget,
  request: ChatRequest,
  size: Size,
  context: AttemptContext,
): Promise<Reservation | ModelFailure> {
  const wanted = request.outputTokensMax ?? target.outputTokensMax ?? OUTPUT_TOKENS_DEFAULT;
  const ask = {
    prices: target.prices,
    inputTokens: size.tokensMax,
    outputTokensWanted: wanted,
    outputTokensMin: Math.min(wanted, OUTPUT_TOKENS_MIN),
    requests: context.first ? (1 as const) : (0 as const),
  };
  const reserved = parts.spending.reserve(context.budgets, context.spender, target.model, ask, context);
  try {
    return reserved instanceof Promise ? await reserved : reserved;
  } catch (error) {
    return failureOf(error);
  }
}

function failureOf(error: unknown): ModelFailure {
  if (!(error instanceof TuttiError)) throw error;
  if (error.code === 'cancelled') return new ModelFailure('cancelled', error.message, { cause: error });
  return new ModelFailure('no_budget', error.message, {
    cause: error,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  });
}

/**
 * What a try that failed used is what it says, else what it had been sent and had said when it broke off. One that had
 * said nothing used nothing. True: it says more than can be.
 */
function settle(
  reservation: Reservation,
  ticket: RateTicket,
  outcome: ChatResponse | ModelFailure,
  seenChars: number,
  size: Size,
): boolean {
  const said = { inputTokens: size.tokens, outputTokens: Math.ceil(seenChars / CHARS_PER_TOKEN_MIN) };
  const usage = outcome.usage ?? (seenChars > 0 ? said : undefined);
  if (!usage) {
    reservation.release();
    ticket.correct(0);
    return false;
  }
  ticket.correct(usage.inputTokens + usage.outputTokens);
  return reservation.settle(usage).suspect;
}

/** Of text that was seen and never counted. */
const CHARS_PER_TOKEN_MIN = 3;

function restored(outcome: ChatResponse | ModelFailure, restore: Restore): ChatResponse | ModelFailure {
  if (outcome instanceof ModelFailure) return outcome;
  const { content, toolCalls } = outcome.message;
  return {
    ...outcome,
    message: {
      ...outcome.message,
      content: content === null ? null : restoredText(content, restore),
      ...(toolCalls
        ? { toolCalls: toolCalls.map((call) => ({ ...call, arguments: restore.value(call.arguments) })) }
        : {}),
    },
  };
}

/** JSON stays JSON: what comes back may hold what JSON has to escape. */
function restoredText(content: string, restore: Restore): string {
  if (!/^\s*[[{]/.test(content) || !content.includes('<')) return restore.text(content);
  try {
    return JSON.stringify(restore.value(JSON.parse(content)));
  } catch {
    return restore.text(content);
  }
}
