/** What the stages of one call know of it, from the bundle that its tenant has now and from what has happened so far. */
import type { GroundingPolicy, PrivacyPolicy, TuttiError } from '@tutti/contracts';
import type { RenderedPrompt } from './adapters/prompts.ts';
import type { Budgets, Spender } from './core/budgets.ts';
import type { Ask } from './stages.ts';

export interface CallState {
  budgets: Budgets | undefined;
  privacy: PrivacyPolicy | undefined;
  spender: Spender;
  prompt: RenderedPrompt | undefined;
  /** A try has used something: the call has been counted as a request. */
  counted: boolean;
  /** A provider claimed to have used more than can be. */
  suspect: boolean;
  /** The last word of a budget that had no room. */
  refused: TuttiError | undefined;
  /** No answer so far rests on its sources as this asks. */
  ungrounded: { policy: GroundingPolicy; score: number } | undefined;
  /** What judges and classifiers cost. */
  judged: { inputTokens: number; outputTokens: number; costUsd: number };
}

/** A call that only helps another one (a judge, a classifier) has none of its own. */
const states = new WeakMap<Ask, CallState>();

export function setState(ask: Ask, state: CallState): void {
  states.set(ask, state);
}

export function stateOf(ask: Ask): CallState {
  const state = states.get(ask);
  if (!state) throw new Error('a stage was asked about a call that was not prepared');
  return state;
}
