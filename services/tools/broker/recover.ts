/**
 * An attempt without outcome that nobody works on any more: it may have happened. Keyed calls are sent again, others are
 * asked after with their probe, and where nothing can tell, a human decides. Invariant: an attempt that may have
 * happened is repeated only under the key it had, after its probe found nothing twice, or with a human's yes to exactly
 * that repeat.
 */
import { type EffectRecord, TuttiError } from '@tutti/contracts';
import { foundIn, probeArguments } from '../core/probe.ts';
import { hashOfRepeat, type Intent, recoveryOf } from '../core/situation.ts';
import { authorize, basisOf } from './authorize.ts';
import { abortError, asCallError, dispatch, doneBy, provenanceOf, writeOutcome } from './dispatch.ts';
import { decide } from './prepare.ts';
import { shapeResult } from './shape-result.ts';
import type { BrokerDeps, Call, Result } from './types.ts';

export const UNKNOWN_POLICY = 'tutti.effect-unknown';

type Probed = { answer: 'found'; content: string } | { answer: 'nothing' } | { answer: 'no telling'; why: string };
type Lost = { intent: Intent; sequence: number };

/** Undefined: the ledger has moved on, look again. */
export async function recover(
  deps: BrokerDeps,
  call: Call,
  lost: Lost,
  signal: AbortSignal,
): Promise<Result | undefined> {
  const { intent, sequence } = lost;
  const repeatHash = hashOfRepeat(call.tool.name, call.arguments, intent.attempt);
  const approvedHashes = [call.argumentsHash, repeatHash, intent.approval?.argumentsHash];
  const again = async () =>
    (await authorize(deps, call, approvedHashes, signal)) ??
    (await dispatch(deps, call, { afterSequence: sequence, attempt: intent.attempt + 1, grant: call.grant }, signal));

  switch (recoveryOf(intent.effect, call.tool.effect, call.tool.probe !== undefined)) {
    case 'send-again': {
      const result = await again();
      // Not sent again is not the same as not done.
      if (result?.status === 'denied' && intent.effect !== 'pure') throw unknownFor(call, result.reason);
      return result;
    }
    case 'probe': {
      const probed = await probeTwice(deps, call, intent, signal);
      if (probed.answer === 'found') return recordFound(deps, call, lost, probed.content);
      if (probed.answer === 'nothing') return again();
      return call.grant?.argumentsHash === repeatHash ? again() : ask(call, intent, repeatHash, probed.why);
    }
    case 'ask':
      return call.grant?.argumentsHash === repeatHash
        ? again()
        : ask(call, intent, repeatHash, 'the tool has no probe that could find out');
  }
}

/** Found at once is found. Not found is believed only after the lost attempt cannot be under way any more. */
async function probeTwice(deps: BrokerDeps, call: Call, intent: Intent, signal: AbortSignal): Promise<Probed> {
  const overSinceMs = deps.working.overSince(intent.token, deps.clock.monotonicMs());
  const first = await probe(deps, call, intent, signal);
  if (first.answer !== 'nothing') return first;
  const settledMs = overSinceMs + intent.timeoutMs + deps.limits.pauseMaxMs + deps.limits.probeSettleMs;
  const waitMs = settledMs - deps.clock.monotonicMs();
  if (waitMs <= 0) return first;
  await deps.clock.sleep(waitMs, signal);
  if (signal.aborted) throw abortError(signal);
  return probe(deps, call, intent, signal);
}

async function probe(deps: BrokerDeps, call: Call, intent: Intent, signal: AbortSignal): Promise<Probed> {
  const { with: tool, how } = call.tool.probe!;
  const noTelling = (why: string): Probed => ({
    answer: 'no telling',
    why: `its probe ${tool.name} cannot tell: ${why}`,
  });
  const args = probeArguments(how, { idempotencyKey: intent.idempotencyKey, arguments: call.arguments });
  if (!args) return noTelling('an argument has no value in this call');
  const checked = deps.checker.check(tool.name, tool.parameters, args);
  if (!checked.ok) return noTelling(checked.problems.join('; '));
  const verdict = decide(call, tool, false);
  if (verdict.decision !== 'allow') return noTelling(`policy ${verdict.policy} does not allow it`);
  try {
    const result = await tool.call(checked.arguments, { signal, timeoutMs: tool.timeoutMs });
    if (result.notFound) return { answer: 'nothing' };
    if (result.isError) return noTelling(result.content);
    if (result.data === undefined) return noTelling('it did not answer with JSON');
    const found = foundIn(how, result.data);
    return found === undefined ? { answer: 'nothing' } : { answer: 'found', content: JSON.stringify(found) };
  } catch (error) {
    if (signal.aborted) throw abortError(signal);
    const failure = asCallError(error);
    throw new TuttiError(
      failure.code,
      `whether ${call.tool.name} took effect cannot be asked now: ${failure.message}`,
      {
        retryAfterMs: failure.retryAfterMs,
      },
    );
  }
}

async function recordFound(
  deps: BrokerDeps,
  call: Call,
  { intent, sequence }: Lost,
  found: string,
): Promise<Result | undefined> {
  const { timeoutMs: _timeout, kind: _kind, ...base } = intent;
  const label = call.tool.probe?.with.trust.label ?? call.tool.trust.label;
  const outcome: Extract<EffectRecord, { kind: 'outcome' }> = {
    ...base,
    kind: 'outcome',
    ...(await shapeResult(deps, call, { content: found, isError: false, label })),
    isError: false,
    ...provenanceOf(call, { label }),
    how: 'probed',
    instance: deps.instance,
    token: deps.newToken(),
    at: deps.clock.nowMs(),
  };
  if (!(await writeOutcome(deps, call, outcome, sequence))) return undefined;
  return doneBy(outcome, false);
}

function unknownFor(call: Call, reason: string): TuttiError {
  return new TuttiError(
    'effect_unknown',
    `it is not known whether ${call.tool.name} took effect (idempotency key ${call.request.callId}): its answer was lost, and it may not be sent again: ${reason.replace(/; nothing was done\.$/, '.')}`,
  );
}

function ask(call: Call, intent: Intent, argumentsHash: string, why: string): Result {
  const when = new Date(intent.at).toISOString();
  return {
    status: 'approval_required',
    reason:
      `It is not known whether ${call.tool.name} already took effect: attempt ${intent.attempt} was begun at ${when} and its ` +
      `answer was lost, and ${why}. Check at the other side (idempotency key ${intent.idempotencyKey}). ` +
      'Approve only if it did not happen: the call is then sent once more.',
    policy: UNKNOWN_POLICY,
    arguments: call.arguments,
    argumentsHash,
    effect: call.tool.effect,
    basis: basisOf(call, undefined),
  };
}
