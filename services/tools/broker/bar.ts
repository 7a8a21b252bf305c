/**
 * A call that was cancelled before it was made, perhaps before it was ever seen here. That is written down, so that a
 * request which comes late (from a planner that stood still meanwhile) finds it and does nothing.
 */
import type { EffectRecord } from '@tutti/contracts';
import { NEVER_SEEN } from '../core/situation.ts';
import { LedgerConflict } from '../ports/ledger.ts';
import type { BrokerDeps } from './types.ts';

const TRIES_MAX = 3;

/** Resolves when it stands in the ledger, or when there is nothing left to bar (the call was made, or is being made). */
export async function bar(
  deps: BrokerDeps,
  { tenant, run, callId }: { tenant: string; run: string; callId: string },
): Promise<void> {
  for (let attempt = 1; attempt <= TRIES_MAX; attempt++) {
    const last = await deps.ledger.last(tenant, callId);
    if (last && (last.record.kind !== 'void' || (last.record.barred && last.record.run === run))) return;
    const record: EffectRecord = {
      ...(last?.record ?? neverSeen(callId)),
      v: 1,
      kind: 'void',
      run,
      reason: 'its run was cancelled',
      barred: true,
      instance: deps.instance,
      token: deps.newToken(),
      at: deps.clock.nowMs(),
    };
    try {
      await deps.ledger.append(tenant, callId, record, last?.sequence ?? 0);
      return;
    } catch (error) {
      // Another replica was told the same, or the call has just begun: its own request hears of the cancel, too.
      if (!(error instanceof LedgerConflict) && attempt === TRIES_MAX) throw error;
    }
  }
}

function neverSeen(callId: string) {
  return {
    tool: NEVER_SEEN,
    argumentsHash: NEVER_SEEN,
    requestHash: NEVER_SEEN,
    bundle: '',
    agent: '',
    effect: 'irreversible' as const,
    idempotencyKey: callId,
    attempt: 1,
  };
}
