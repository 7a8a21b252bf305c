/**
 * One attempt at a call that has an effect: intent in the ledger, dispatch, outcome in the ledger.
 * Invariants: nothing is dispatched before its intent is stored; whoever lost the race for the intent dispatches nothing;
 * what came of a dispatch is recorded whether or not anybody still waits for it.
 */
import { type ApprovalGrant, type EffectRecord, type Label, RESULT_LABEL, TuttiError } from '@tutti/contracts';
import { logOf } from '@tutti/runtime';
import { LedgerConflict } from '../ports/ledger.ts';
import { ToolCallError, type ToolCallOptions, type ToolResult } from '../ports/tool-source.ts';
import type { Ending } from './admission.ts';
import { stoppedBy } from './authorize.ts';
import { shapeResult } from './shape-result.ts';
import type { BrokerDeps, Call, CallTrace, Result } from './types.ts';

const INTENT_TRIES_MAX = 3;
const PAUSE_CHECKS_MAX = 5;
const RECORD_BACKOFF_MS = 100;
const RECORD_BACKOFF_MAX_MS = 5_000;
const BACKOFF_MAX_MS = 5_000;
/** HTTP 409 is how a remote says that the first request with this key is still under way. */
const IN_PROGRESS = /^HTTP 409\b/;

type RecordBase = Omit<Extract<EffectRecord, { kind: 'void' }>, 'kind' | 'reason'>;

/**
 * Undefined: another record came first, or it is not known what happened; the ledger says how to go on. Throws when
 * nothing happened (`cancelled`, `overloaded`, `unavailable`) or when a keyed call has to be sent again later.
 */
export async function dispatch(
  deps: BrokerDeps,
  call: Call,
  place: { afterSequence: number; attempt: number; grant: ApprovalGrant | undefined },
  signal: AbortSignal,
): Promise<Result | undefined> {
  const { request, tool } = call;
  const leave = deps.admission.enter(request.tenant, tool);
  let ending: Ending = 'silent';
  const done = deps.working.start(request.tenant, request.callId);
  let sent = false;
  const base: RecordBase = {
    v: 1,
    tool: tool.name,
    argumentsHash: call.argumentsHash,
    requestHash: call.requestHash,
    bundle: request.bundle,
    agent: request.agent,
    run: request.run,
    effect: tool.effect,
    idempotencyKey: request.callId,
    instance: deps.instance,
    token: deps.newToken(),
    attempt: place.attempt,
    at: deps.clock.nowMs(),
    approval: place.grant,
    schema: tool.schemaHash,
    policies: call.policy.hash,
    allowedBy: call.allowedBy,
    causedBy: request.label,
    ...(call.converted.length > 0 ? { converted: call.converted } : {}),
  };
  try {
    const startedMs = deps.clock.monotonicMs();
    const sequence = await writeIntent(deps, call, base, place.afterSequence);
    if (sequence === undefined) return undefined;
    if (!(await stillMine(deps, call, sequence, startedMs))) return undefined;
    if (signal.aborted) {
      const error = abortError(signal);
      await writeVoid(deps, call, base, sequence, 'cancelled before dispatch', error.code === 'cancelled');
      throw error;
    }
    const stopped = stoppedBy(deps, call);
    if (stopped) {
      await writeVoid(deps, call, base, sequence, 'stopped before dispatch');
      return stopped;
    }
    let result: ToolResult;
    sent = true;
    const progress = deps.progress(call);
    try {
      const under = { attempt: place.attempt, signal, onProgress: progress?.say };
      result = await deps.traced(call, (trace) => send(deps, call, under, trace));
    } catch (error) {
      sent = asCallError(error).sent === 'maybe';
      ending = 'failed';
      return await afterFailure(deps, call, base, sequence, error);
    } finally {
      progress?.end();
    }
    ending = 'answered';
    const outcome: OutcomeRecord = {
      ...base,
      kind: 'outcome',
      ...(await shapeResult(deps, call, result)),
      isError: result.isError,
      ...provenanceOf(call, result),
      how: 'answered',
      at: deps.clock.nowMs(),
    };
    if (!(await writeOutcome(deps, call, outcome, sequence))) return undefined;
    return doneBy(outcome, false);
  } finally {
    // Its intent may be in the ledger all the same (an acknowledgement got lost): nobody has to ask what came of it.
    if (!sent) deps.working.giveUpUnsent(base.token);
    done();
    leave(ending);
  }
}

/** What stands beside a result: its label where it is not the default's, and which policies let the call pass. */
export function provenanceOf(call: Call, result: Pick<ToolResult, 'label'>): { label?: Label; policy?: string } {
  const label = result.label ?? call.tool.trust.label;
  return {
    ...(label === RESULT_LABEL ? {} : { label }),
    ...(call.allowedBy === undefined ? {} : { policy: call.allowedBy }),
  };
}

type OutcomeRecord = Extract<EffectRecord, { kind: 'outcome' }>;

export function doneBy(outcome: OutcomeRecord, replayed: boolean): Result {
  const { content, isError, effect, label, policy, converted, whole } = outcome;
  const beside = {
    ...(label ? { label } : {}),
    ...(policy === undefined ? {} : { policy }),
    ...(converted ? { converted } : {}),
    ...(whole ? { whole } : {}),
  };
  return { status: 'done', content, isError, effect, replayed, ...beside };
}

/** The intent's sequence, or undefined when another record came first. Throws `unavailable`: nothing was dispatched. */
async function writeIntent(
  deps: BrokerDeps,
  call: Call,
  base: RecordBase,
  afterSequence: number,
): Promise<number | undefined> {
  const { tenant, callId } = call.request;
  const intent: EffectRecord = { ...base, kind: 'intent', timeoutMs: call.tool.timeoutMs };
  let last: unknown;
  for (let attempt = 1; attempt <= INTENT_TRIES_MAX; attempt++) {
    try {
      return await deps.ledger.append(tenant, callId, intent, afterSequence);
    } catch (error) {
      // A first try whose acknowledgement got lost makes the second one conflict with itself.
      const there = await deps.ledger.last(tenant, callId);
      if (there?.record.token === base.token) return there.sequence;
      if (error instanceof LedgerConflict) return undefined;
      last = error;
    }
  }
  throw new TuttiError('unavailable', 'the effect ledger cannot be written; nothing was done', { cause: last });
}

/**
 * A process that was held up (stopped, swapped out, slow acknowledgement) may have been given up meanwhile: before it
 * dispatches it looks whether its intent is still the last word, and again if looking took too long.
 */
async function stillMine(deps: BrokerDeps, call: Call, sequence: number, startedMs: number): Promise<boolean> {
  const { tenant, callId } = call.request;
  let sinceMs = startedMs;
  for (let check = 0; check < PAUSE_CHECKS_MAX; check++) {
    if (deps.clock.monotonicMs() - sinceMs <= deps.limits.pauseMaxMs) return true;
    sinceMs = deps.clock.monotonicMs();
    const last = await deps.ledger.last(tenant, callId);
    if (last?.sequence !== sequence) return false;
  }
  throw new TuttiError('unavailable', 'this process is held up too often to dispatch safely; nothing was done');
}

/**
 * Sends it, and again where that is safe: it provably never left, or the remote recognises the repeat. All tries together
 * have the tool's `timeoutMs`, so that after it this attempt is over for certain.
 */
async function send(
  deps: BrokerDeps,
  call: Call,
  { attempt, signal, onProgress }: { attempt: number; signal: AbortSignal } & Pick<ToolCallOptions, 'onProgress'>,
  trace: CallTrace | undefined,
): Promise<ToolResult> {
  const { tool, request } = call;
  const isKeyed = tool.effect === 'keyed';
  const deadlineMs = deps.clock.monotonicMs() + tool.timeoutMs;
  let maybeSent = isKeyed && attempt > 1;
  for (let tries = 1; ; tries++) {
    let failure: ToolCallError;
    let mayRepeat: boolean;
    try {
      // The request's own signal is not passed on: once it left we want to know what came of it.
      const result = await tool.call(call.arguments, {
        idempotencyKey: request.callId,
        asker: request,
        onProgress,
        signal: deps.stopping,
        timeoutMs: Math.max(1, Math.ceil(deadlineMs - deps.clock.monotonicMs())),
      });
      if (!(maybeSent && result.isError && IN_PROGRESS.test(result.content))) return result;
      failure = new ToolCallError('maybe', `an earlier try may still be under way (${result.content})`);
      mayRepeat = true;
    } catch (error) {
      failure = asCallError(error);
      mayRepeat = !(error instanceof TuttiError) && (isKeyed || failure.sent === 'no');
    }
    trace?.failed(tries, failure);
    if (failure.sent === 'maybe') maybeSent = true;
    const waitMs = backoffMs(deps, tries, failure.retryAfterMs);
    if (mayRepeat && tries < deps.limits.callTriesMax && deps.clock.monotonicMs() + waitMs < deadlineMs) {
      await deps.clock.sleep(waitMs, signal);
      if (!signal.aborted && deps.clock.monotonicMs() < deadlineMs) continue;
    }
    throw new ToolCallError(maybeSent ? 'maybe' : 'no', failure.message, failure);
  }
}

export function backoffMs(deps: BrokerDeps, tries: number, hintMs: number | undefined): number {
  return Math.min(Math.max(deps.limits.callBackoffMs * 2 ** (tries - 1), hintMs ?? 0), BACKOFF_MAX_MS);
}

/** What a source throws that is no ToolCallError came before anything was sent only if it is an expected failure. */
export function asCallError(error: unknown): ToolCallError {
  if (error instanceof ToolCallError) return error;
  if (error instanceof TuttiError) return new ToolCallError('no', error.message);
  return new ToolCallError('maybe', `the call failed (${(error as Error).name})`);
}

async function afterFailure(
  deps: BrokerDeps,
  call: Call,
  base: RecordBase,
  sequence: number,
  error: unknown,
): Promise<undefined> {
  const failure = asCallError(error);
  const { tool, request } = call;
  if (failure.sent === 'no') {
    await writeVoid(deps, call, base, sequence, failure.message);
    throw new TuttiError(failure.code, `${tool.name}: ${failure.message}; nothing was done`, {
      retryAfterMs: failure.retryAfterMs,
    });
  }
  deps.log.warn(
    { ...logOf(request), tool: tool.name, code: failure.code },
    'it is not known whether a tool call took effect',
  );
  // This process sends no more of it; what is under way at the remote gets the settling time alone.
  deps.working.overSince(base.token, deps.clock.monotonicMs() - tool.timeoutMs);
  if (tool.effect === 'keyed')
    throw new TuttiError(failure.code, `${tool.name}: ${failure.message}; it will be sent again with the same key`, {
      retryAfterMs: failure.retryAfterMs,
    });
  return undefined;
}

/** Nothing happened, and a later delivery may begin anew. Without this record it would have to be found out. */
async function writeVoid(
  deps: BrokerDeps,
  call: Call,
  base: RecordBase,
  sequence: number,
  reason: string,
  barred = false,
): Promise<void> {
  const { tenant, callId } = call.request;
  const record: EffectRecord = { ...base, kind: 'void', reason, at: deps.clock.nowMs() };
  try {
    await deps.ledger.append(tenant, callId, barred ? { ...record, barred } : record, sequence);
  } catch (error) {
    deps.log.warn({ ...logOf(call.request), err: error }, 'that a call never left could not be recorded');
  }
}

/**
 * Stores what came of it, trying until the ledger has it or the service stops (then `unavailable`). False: another
 * attempt fenced this one off.
 */
export async function writeOutcome(
  deps: BrokerDeps,
  call: Call,
  outcome: EffectRecord,
  sequence: number,
): Promise<boolean> {
  const { tenant, callId } = call.request;
  for (let tries = 0; ; tries++) {
    try {
      await deps.ledger.append(tenant, callId, outcome, sequence);
      return true;
    } catch (error) {
      const there = await deps.ledger.last(tenant, callId).catch(() => undefined);
      if (there && there.record.kind === 'outcome' && there.record.token === outcome.token) return true;
      if (error instanceof LedgerConflict || (there && there.sequence !== sequence)) {
        deps.log.error(
          { ...logOf(call.request), tool: outcome.tool, attempt: outcome.attempt },
          'an attempt that others gave up has an outcome after all',
        );
        return false;
      }
      if (deps.stopping.aborted)
        throw new TuttiError('unavailable', 'the service stops, and the outcome of a call is not in the ledger', {
          cause: error,
        });
      await deps.clock.sleep(Math.min(RECORD_BACKOFF_MS * 2 ** tries, RECORD_BACKOFF_MAX_MS), deps.stopping);
    }
  }
}

export function abortError(signal: AbortSignal): TuttiError {
  return signal.reason instanceof TuttiError ? signal.reason : new TuttiError('cancelled', 'the call was cancelled');
}
