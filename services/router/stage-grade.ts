/**
 * The stage `grade`: a small model says how hard a call is. A call of its own, as a judge's is: through policy, masks and
 * budgets, in a span and in the usage of its own model, and its cost is in the result of the call that it serves. Whatever
 * goes wrong with it, the features decide; only the end of the call itself is passed on.
 */
import { type CompleteBody, type CompleteResult, toErrorInfo } from '@tutti/contracts';
import type { z } from 'zod';
import { gradeIn, gradeQuestion } from './core/grade-question.ts';
import { goneError } from './results.ts';
import { stateOf } from './stage-state.ts';
import type { Ask, CallContext, Graded } from './stages.ts';

export interface GradeParts {
  complete: (body: z.output<typeof CompleteBody>, call: CallContext) => Promise<CompleteResult>;
  timeoutMs: number;
}

const GRACE_MS = 250;
/** Timers and the clock do not agree to the millisecond. */
const TIMER_EARLY_MS = 5;

export async function grade(parts: GradeParts, ask: Ask, classifier: string): Promise<Graded> {
  const { call, catalogue } = ask;
  // a model and nothing else: a route may go by the difficulty again
  if (!catalogue.entries.some(({ id, lastResort }) => id === classifier && !lastResort))
    return { by: classifier, failed: 'there is no such model' };
  const deadlineAt = Math.min(call.deadlineAt, Date.now() + parts.timeoutMs);
  // the try itself ends at the deadline, so that the model's health hears of it; this is for whatever does not
  const timeout = AbortSignal.timeout(parts.timeoutMs + GRACE_MS);
  try {
    const result = await parts.complete(bodyOf(ask, classifier), {
      ...call,
      live: undefined,
      // the offline model knows nothing of it
      fallback: false,
      callId: `${call.callId}_grade`,
      signal: AbortSignal.any([call.signal, timeout]),
      deadlineAt,
    });
    count(ask, result);
    return { by: classifier, difficulty: gradeIn(result.message.content) };
  } catch (error) {
    if (call.signal.aborted) throw goneError(call);
    return { by: classifier, failed: Date.now() >= deadlineAt - TIMER_EARLY_MS ? 'timeout' : reasonOf(error) };
  }
}

function bodyOf({ body }: Ask, model: string): z.output<typeof CompleteBody> {
  return { ...body, prompt: undefined, model, live: false, chat: gradeQuestion(body.chat) };
}

/** In the call's own result; in budgets and usage it is a call of its own. */
function count(ask: Ask, { usage, costUsd }: CompleteResult): void {
  const { judged } = stateOf(ask);
  judged.inputTokens += usage.inputTokens;
  judged.outputTokens += usage.outputTokens;
  judged.costUsd += costUsd;
}

/** A code, for the reason is in traces and in answers, and a provider's words may quote the request. */
function reasonOf(error: unknown): string {
  return error instanceof SyntaxError ? 'it gave no grade' : toErrorInfo(error).code;
}
