/**
 * May this call be made right now? The kill switch first, then the policies, then what a human's yes was bound to.
 * Invariant: a grant counts only for exactly what was asked: the arguments, the tool's parameters, the policies, the data
 * that was shown, and as many humans as are needed now. Whatever has drifted is asked for again.
 */
import { type ApprovalBasis, type ApprovalGrant, contentHash, TuttiError } from '@tutti/contracts';
import type { PolicyDecision } from '@tutti/policy';
import { partOf, probeArguments } from '../core/probe.ts';
import { cutResult } from '../core/text.ts';
import { asCallError } from './dispatch.ts';
import { decide } from './prepare.ts';
import type { BrokerDeps, Call, Result } from './types.ts';

export const STOPPED_POLICY = 'tutti.kill-switch';
/** Characters of the data that an approver is shown. */
const SHOWN_CHARS_MAX = 4_000;

/** Undefined: nobody has stopped it. */
export function stoppedBy(deps: BrokerDeps, { request, tool }: Pick<Call, 'request' | 'tool'>): Result | undefined {
  const stop = deps.switches.stop({ tenant: request.tenant, agent: request.agent, tool: tool.name });
  return stop === undefined
    ? undefined
    : { status: 'denied', reason: `${stop}; nothing was done.`, policy: STOPPED_POLICY };
}

/** Undefined: go ahead. `approvedHashes`: grants for these count as a yes to this call. */
export async function authorize(
  deps: BrokerDeps,
  call: Call,
  approvedHashes: (string | undefined)[],
  signal: AbortSignal,
): Promise<Result | undefined> {
  const stopped = stoppedBy(deps, call);
  if (stopped) return stopped;
  const without = verdictOn(call, false);
  call.decided = without;
  if (without.decision === 'allow') {
    call.allowedBy = without.policy;
    return undefined;
  }
  if (without.decision === 'deny') return { status: 'denied', reason: without.reason, policy: without.policy };
  const shown = await shownData(deps, call, signal);
  const basis = basisOf(call, shown);
  const { grant } = call;
  const drift = grant ? driftOf(call, grant, approvedHashes, basis, without) : undefined;
  if (grant && !drift) {
    const approved = verdictOn(call, true);
    call.decided = approved;
    if (approved.decision === 'deny') return { status: 'denied', reason: approved.reason, policy: approved.policy };
    call.allowedBy = approved.policy;
    return undefined;
  }
  return {
    status: 'approval_required',
    reason: drift ? `${without.reason} The approval ${grant!.id} does not count: ${drift}.` : without.reason,
    policy: without.policy,
    arguments: call.arguments,
    argumentsHash: call.argumentsHash,
    effect: call.tool.effect,
    basis,
    ...(shown === undefined ? {} : { shown }),
    ...requirementsOf(without),
    ...(call.request.label ? { label: call.request.label } : {}),
  };
}

/** What a grant has to fit. Data that was shown is part of it. */
export function basisOf({ tool, policy }: Call, shown: string | undefined): ApprovalBasis {
  return {
    schema: tool.schemaHash,
    policies: policy.hash,
    ...(shown === undefined ? {} : { data: contentHash(shown) }),
  };
}

function requirementsOf({ approval = {} }: PolicyDecision) {
  const { expiresInMs, approvers, quorum } = approval;
  return {
    ...(expiresInMs === undefined ? {} : { expiresInMs }),
    ...(approvers ? { approvers } : {}),
    ...(quorum === undefined ? {} : { quorum }),
  };
}

/** Undefined: the grant is for exactly this call. Grants from before they were bound to more have no basis. */
function driftOf(
  call: Call,
  grant: ApprovalGrant,
  approvedHashes: (string | undefined)[],
  now: ApprovalBasis,
  verdict: PolicyDecision,
): string | undefined {
  // What an approver wrote may have been converted without loss.
  const hashes = grant.editedFrom === undefined ? approvedHashes : [...approvedHashes, call.requestHash];
  if (!hashes.includes(grant.argumentsHash)) return 'it was given for other arguments, which have changed since';
  const { basis } = grant;
  if (basis && basis.schema !== now.schema) return 'the parameters of the tool have changed since';
  if (basis && basis.policies !== now.policies) return 'the policies have changed since';
  if (now.data !== undefined && basis?.data !== now.data) return 'the data that was shown has changed since';
  const needed = verdict.approval?.quorum ?? 1;
  const given = new Set(grant.approvedBy ?? [grant.by]).size;
  return given < needed ? `${needed} have to approve it, and ${given} did` : undefined;
}

/** The agent's own policies, and those of a fork: it repeats what somebody did already, so what it changes is a human's to allow. */
function verdictOn(call: Call, approved: boolean): PolicyDecision {
  const own = decide(call, call.tool, approved);
  if (own.decision === 'deny') return own;
  const ofFork = forkVerdict(call, approved);
  if (ofFork.decision === 'deny' || own.decision === 'allow') return ofFork.decision === 'allow' ? own : ofFork;
  return own;
}

function forkVerdict({ request, tool }: Call, approved: boolean): PolicyDecision {
  const policy = 'tutti.fork';
  if (request.effects === undefined || tool.effect === 'pure' || (request.effects === 'approve' && approved))
    return { decision: 'allow', policy, reason: '' };
  if (request.effects === 'block')
    return { decision: 'deny', policy, reason: 'This run is a fork, in which nothing may be changed in the world.' };
  return {
    decision: 'approval',
    policy,
    reason: 'This run is a fork: a human has to allow what it changes in the world.',
  };
}

/** What the tool has shown to an approver, as it is now. Undefined: it has nothing to show. Throws when it cannot be read. */
async function shownData(deps: BrokerDeps, call: Call, signal: AbortSignal): Promise<string | undefined> {
  if (!call.tool.shows) return undefined;
  const { with: tool, how } = call.tool.shows;
  const args = probeArguments(how, { idempotencyKey: call.request.callId, arguments: call.arguments });
  const checked = args && deps.checker.check(tool.name, tool.parameters, args);
  if (!checked?.ok) return `(${tool.name} cannot be asked about this call)`;
  const verdict = decide(call, tool, false);
  if (verdict.decision !== 'allow') return `(a policy keeps ${tool.name} from being asked: ${verdict.reason})`;
  const stopped = stoppedBy(deps, { request: call.request, tool });
  if (stopped?.status === 'denied') return `(${tool.name} cannot be asked: ${stopped.reason})`;
  try {
    const result = await tool.call(checked.arguments, { signal, timeoutMs: tool.timeoutMs });
    const part = result.data === undefined || result.isError ? result.content : partOf(result.data, how.at);
    return cutResult(typeof part === 'string' ? part : JSON.stringify(part ?? null), SHOWN_CHARS_MAX);
  } catch (error) {
    const { code, message, retryAfterMs } = asCallError(error);
    throw new TuttiError(code, `what ${call.tool.name} is about cannot be shown now: ${message}`, { retryAfterMs });
  }
}
