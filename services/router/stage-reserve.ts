/**
 * The stages `unaffordable` and `reserve`: room in the provider's rate limit, and in every budget that counts the call,
 * before anything leaves. Invariant: what was set aside is settled or released by the hold that stands for it.
 */
import { type TokenUsage, TuttiError } from '@tutti/contracts';
import { ModelFailure } from './core/failure.ts';
import type { Target } from './core/model.ts';
import { costNano } from './core/money.ts';
import type { RateGate, RateTicket } from './rate-limits.ts';
import type { Reservation, Spending } from './spending.ts';
import { isBuiltIn } from './stage-fit.ts';
import { type CallState, stateOf } from './stage-state.ts';
import type { Ask, Fitted, Hold } from './stages.ts';
import { type RequestSize, sizeOf } from './token-bounds.ts';
import type { UsageLog } from './usage-log.ts';

export interface ReserveParts {
  spending: Spending;
  rates: RateGate;
  usage: UsageLog;
  /** How long a try waits for a provider's rate limit before another way is taken. */
  rateWaitMaxMs: number;
}

/** Room for an answer where nobody says how long it may be. */
const OUTPUT_TOKENS_DEFAULT = 4_096;
/** Below this an answer is not worth its call. */
const OUTPUT_TOKENS_MIN = 64;

export function unaffordable(parts: ReserveParts, ask: Ask, model: string): string | undefined {
  const state = stateOf(ask);
  const { budgets, spender } = state;
  const entry = budgets && ask.catalogue.entries.find(({ id }) => id === model);
  if (!entry) return undefined;
  const refusals = entry.endpoints.map(({ price }) => parts.spending.refusal(budgets, spender, model, price));
  if (refusals.includes(undefined)) return undefined;
  state.refused = refusals[0];
  return refusals[0]?.message;
}

/** Throws ModelFailure `held_back`, or `cancelled`. */
export function reserve(parts: ReserveParts, ask: Ask, target: Target, fitted: Fitted): Hold | Promise<Hold> {
  const { budgets, ungrounded } = stateOf(ask);
  const { limits } = target.endpoint;
  // the agent says what becomes of an answer that its sources do not say; another's is not that
  if (ungrounded && isBuiltIn(ask, target))
    throw new ModelFailure('held_back', 'there is an answer, though its sources do not say it');
  const counted = budgets !== undefined && Object.keys(budgets).length > 0;
  if (!counted && !limits) return holdOf(parts, ask, target, undefined, undefined);
  return reserved(parts, ask, target, fitted);
}

async function reserved(parts: ReserveParts, ask: Ask, target: Target, fitted: Fitted): Promise<Hold> {
  const size = sizeOf(target, fitted.request);
  const ticket = await enter(parts, ask, target, size);
  try {
    return holdOf(parts, ask, target, await setAside(parts, ask, target, fitted, size), ticket);
  } catch (error) {
    ticket.correct(0);
    throw error;
  }
}

async function enter(parts: ReserveParts, ask: Ask, target: Target, size: RequestSize): Promise<RateTicket> {
  const { signal, deadlineAt } = ask.call;
  const waitMaxMs = Math.min(parts.rateWaitMaxMs, deadlineAt - Date.now());
  const answer = parts.rates.enter(target.id, target.endpoint.limits, size.tokens, { signal, waitMaxMs });
  const entered = answer instanceof Promise ? await answer.catch(throwFailure) : answer;
  if (entered.granted) return entered.ticket;
  throw new ModelFailure('held_back', entered.reason, { retryAfterMs: entered.waitMs });
}

async function setAside(
  parts: ReserveParts,
  ask: Ask,
  target: Target,
  { request }: Fitted,
  size: RequestSize,
): Promise<Reservation> {
  const state = stateOf(ask);
  // a budget that is used up is no outage: the built-in model does not step in for it
  if (state.refused && isBuiltIn(ask, target)) throw held(state.refused, state.refused);
  const wanted = request.outputTokensMax ?? target.entry.outputTokensMax ?? OUTPUT_TOKENS_DEFAULT;
  const asked = {
    prices: target.endpoint.price,
    inputTokens: size.tokensMax,
    outputTokensWanted: wanted,
    outputTokensMin: Math.min(wanted, OUTPUT_TOKENS_MIN),
    requests: state.counted ? (0 as const) : (1 as const),
  };
  const answer = parts.spending.reserve(state.budgets, state.spender, target.entry.id, asked, ask.call);
  if (!(answer instanceof Promise)) return answer;
  return answer.catch((error: unknown) => {
    if (error instanceof TuttiError && error.code === 'budget_exceeded') state.refused = error;
    return throwFailure(error);
  });
}

function throwFailure(error: unknown): never {
  if (!(error instanceof TuttiError)) throw error;
  if (error.code === 'cancelled') throw new ModelFailure('cancelled', error.message, { cause: error });
  throw held(error, undefined);
}

function held(error: TuttiError, terminal: TuttiError | undefined): ModelFailure {
  return new ModelFailure('held_back', error.message, { cause: error, retryAfterMs: error.retryAfterMs, terminal });
}

function holdOf(
  parts: ReserveParts,
  ask: Ask,
  target: Target,
  reservation: Reservation | undefined,
  ticket: RateTicket | undefined,
): Hold {
  return {
    outputTokensMax: reservation?.outputTokensMax,
    settle(used) {
      const state = stateOf(ask);
      note(parts, state, target, used);
      if (!used) {
        reservation?.release();
        ticket?.correct(0);
        return;
      }
      state.counted = true;
      ticket?.correct(used.inputTokens + used.outputTokens);
      if (reservation?.settle(used).suspect) state.suspect = true;
    },
    release() {
      reservation?.release();
      ticket?.correct(0);
    },
  };
}

/** A line for those who ask what was used. */
function note(parts: ReserveParts, { spender }: CallState, { entry, endpoint }: Target, used: TokenUsage | undefined) {
  const names = { agent: spender.agent, model: entry.id, provider: endpoint.provider };
  if (!used) return parts.usage.add(spender.tenant, names, { requests: 1, failed: 1 });
  const { inputTokens, outputTokens } = used;
  const nanoUsd = costNano(endpoint.price, used);
  return parts.usage.add(spender.tenant, names, { requests: 1, inputTokens, outputTokens, nanoUsd });
}
