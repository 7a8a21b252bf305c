/**
 * The effect broker. A call goes: known already? → arguments → policy → intent → dispatch → outcome. The same callId
 * always leads to the same outcome, whichever replica it reaches and however often.
 * Invariants: no call with an effect is dispatched without an intent in the ledger; none is dispatched again while it is
 * not known what came of the attempt before (recover.ts); nothing is dispatched that policy does not allow right then.
 */
import { type Bundle, TuttiError } from '@tutti/contracts';
import { logOf } from '@tutti/runtime';
import { type Intent, type Outcome, type Situation, situate } from '../core/situation.ts';
import type { Tool } from '../toolbox/toolbox.ts';
import type { Ending } from './admission.ts';
import { authorize } from './authorize.ts';
import { bar } from './bar.ts';
import { abortError, asCallError, backoffMs, dispatch, doneBy, provenanceOf } from './dispatch.ts';
import { checkAgent, prepare, requestHashOf } from './prepare.ts';
import { recover } from './recover.ts';
import { shapeResult } from './shape-result.ts';
import type { BrokerDeps, Call, ExecuteRequest, Result } from './types.ts';

/** Times that the ledger may move under one delivery before it is sent back. */
const ROUNDS_MAX = 10;
const WAIT_MS = 50;
const WAIT_MAX_MS = 1_000;

export interface Broker {
  execute(request: ExecuteRequest, signal: AbortSignal): Promise<Result>;
  /** The run has given the call up: it must not begin any more for that run. */
  bar(call: { tenant: string; run: string; callId: string }): Promise<void>;
}

export function createBroker(deps: BrokerDeps): Broker {
  const running = new Map<string, { requestHash: string; result: Promise<Result> }>();

  async function execute(request: ExecuteRequest, signal: AbortSignal): Promise<Result> {
    const key = `${request.tenant}/${request.callId}`;
    for (;;) {
      const same = running.get(key);
      if (!same) break;
      try {
        const result = await same.result;
        // A delivery with an approval is answered by its own look at the ledger, not by what an earlier one was told.
        if (result.status === 'done' && same.requestHash === requestHashOf(request))
          return { ...result, replayed: true };
      } catch (error) {
        if (signal.aborted) throw abortError(signal);
        if (same.requestHash === requestHashOf(request) && !isAbandoned(error)) throw error;
      }
    }
    const result = work(deps, request, signal);
    running.set(key, { requestHash: requestHashOf(request), result });
    try {
      return await result;
    } finally {
      running.delete(key);
    }
  }
  return { execute, bar: (call) => bar(deps, call) };
}

/** The other delivery was given up, for reasons of its own. */
function isAbandoned(error: unknown): boolean {
  return error instanceof TuttiError && (error.code === 'cancelled' || error.code === 'timeout');
}

async function work(deps: BrokerDeps, request: ExecuteRequest, signal: AbortSignal): Promise<Result> {
  const bundle = await deps.bundle(request.bundle);
  checkAgent(bundle, request);
  const found = await findTool(deps, request, bundle, signal);
  if (found.tool?.effect === 'pure' && found.tool.effectIsPinned) {
    const call = prepare(deps, request, found.tool, bundle);
    return 'status' in call ? call : runPure(deps, call, signal);
  }
  const requestHash = requestHashOf(request);
  const last = await deps.ledger.last(request.tenant, request.callId);
  // What is done stays done, also when its tool cannot be reached any more.
  if (last?.record.kind === 'outcome' && last.record.requestHash === requestHash) return replay(last.record);
  if (!found.tool) throw found.error;
  const call = prepare(deps, request, found.tool, bundle);
  if ('status' in call) {
    if (!last || last.record.kind === 'void') return call;
    if (last.record.requestHash !== requestHash) throw mismatch(request, last.record.tool);
    throw new TuttiError(
      'effect_unknown',
      `an attempt at ${request.tool} may have taken effect, and its arguments do not fit the tool any more: ${'content' in call ? call.content : ''}`,
    );
  }
  if (!last && call.tool.effect === 'pure') return runPure(deps, call, signal);
  return runWithLedger(deps, call, signal);
}

async function findTool(
  deps: BrokerDeps,
  request: ExecuteRequest,
  bundle: Bundle,
  signal: AbortSignal,
): Promise<{ tool: Tool } | { tool: undefined; error: unknown }> {
  try {
    const toolbox = deps.toolbox(request.tenant, request.bundle, bundle);
    return { tool: await toolbox.find(request.tool, signal) };
  } catch (error) {
    return { tool: undefined, error };
  }
}

async function runWithLedger(deps: BrokerDeps, call: Call, signal: AbortSignal): Promise<Result> {
  const { tenant, callId } = call.request;
  const { requestHash, argumentsHash, grant } = call;
  const hashes = { requestHash, argumentsHash, run: call.request.run, editedFrom: grant?.editedFrom };
  let waitMs = WAIT_MS;
  for (let round = 0; round < ROUNDS_MAX; ) {
    if (signal.aborted) throw abortError(signal);
    const situation = situate(await deps.ledger.last(tenant, callId), hashes);
    switch (situation.next) {
      case 'replay':
        return replay(situation.outcome);
      case 'barred':
        throw new TuttiError('cancelled', `the call ${callId} was cancelled before it was made; nothing was done`);
      case 'mismatch':
        deps.log.error(
          { ...logOf(call.request), tool: call.tool.name, recorded: situation.recorded.tool },
          'a call id came with another call',
        );
        throw mismatch(call.request, situation.recorded.tool);
      case 'begin': {
        round += 1;
        const result = await begin(deps, call, situation, signal);
        if (result) return result;
        break;
      }
      case 'taken': {
        const { intent, sequence } = situation;
        const state = await deps.peers.ask(intent, tenant, callId, signal);
        if (state === 'unsent') {
          round += 1;
          const result = await begin(deps, call, afterUnsent(intent, sequence), signal);
          if (result) return result;
          break;
        }
        if (state === 'working' || state === 'silent') {
          await deps.clock.sleep(waitMs, signal);
          waitMs = Math.min(waitMs * 2, WAIT_MAX_MS);
          break;
        }
        round += 1;
        // It may have ended between the look and the question.
        if ((await deps.ledger.last(tenant, callId))?.sequence !== sequence) break;
        const result = await recover(deps, call, { intent, sequence }, signal);
        if (result) return result;
        break;
      }
    }
  }
  throw new TuttiError('unavailable', `the call ${callId} changes hands too often right now`);
}

type Done = Extract<Result, { status: 'done' }>;
type Begin = Extract<Situation, { next: 'begin' }>;

/** Undefined: another record came first, or it is not known what happened. */
async function begin(
  deps: BrokerDeps,
  call: Call,
  { afterSequence, attempt, approvedHash }: Begin,
  signal: AbortSignal,
): Promise<Result | undefined> {
  const refused = await authorize(deps, call, [call.argumentsHash, approvedHash], signal);
  return refused ?? dispatch(deps, call, { afterSequence, attempt, grant: call.grant }, signal);
}

/** Whoever wrote this intent says that nothing was sent under it. */
function afterUnsent(intent: Intent, sequence: number): Begin {
  const approvedHash = intent.approval?.argumentsHash;
  return { next: 'begin', afterSequence: sequence, attempt: intent.attempt + 1, approvedHash };
}

/** Pure calls may repeat freely: no intent, no outcome, and the request's own signal ends them. */
async function runPure(deps: BrokerDeps, call: Call, signal: AbortSignal): Promise<Result> {
  const { tool } = call;
  const refused = await authorize(deps, call, [call.argumentsHash], signal);
  if (refused) return refused;
  const leave = deps.admission.enter(call.request.tenant, tool);
  let ending: Ending = 'silent';
  const progress = deps.progress(call);
  try {
    return await deps.traced(call, async (trace): Promise<Done> => {
      for (let tries = 1; ; tries++) {
        if (signal.aborted) throw abortError(signal);
        try {
          const result = await tool.call(call.arguments, {
            asker: call.request,
            signal,
            timeoutMs: tool.timeoutMs,
            onProgress: progress?.say,
          });
          ending = 'answered';
          const { isError } = result;
          return {
            status: 'done',
            ...(await shapeResult(deps, call, result)),
            isError,
            effect: tool.effect,
            replayed: false,
            ...provenanceOf(call, result),
            ...(call.converted.length > 0 ? { converted: call.converted } : {}),
          };
        } catch (error) {
          if (signal.aborted) throw abortError(signal);
          if (error instanceof TuttiError && !error.retryable) throw error;
          const failure = asCallError(error);
          trace?.failed(tries, failure);
          ending = 'failed';
          if (tries >= deps.limits.callTriesMax)
            throw new TuttiError(failure.code, `${tool.name}: ${failure.message}`, {
              retryAfterMs: failure.retryAfterMs,
            });
          await deps.clock.sleep(backoffMs(deps, tries, failure.retryAfterMs), signal);
        }
      }
    });
  } finally {
    progress?.end();
    leave(ending);
  }
}

function replay(outcome: Outcome): Result {
  return doneBy(outcome, true);
}

function mismatch(request: ExecuteRequest, recorded: string): TuttiError {
  return new TuttiError(
    'call_mismatch',
    `the call ${request.callId} is in the ledger as another call (of "${recorded}"); this one (of "${request.tool}") was not carried out`,
  );
}
