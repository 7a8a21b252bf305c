/** What the ledger's last record of a call means for the same call coming (again). */
import { contentHash, type EffectRecord } from '@tutti/contracts';

export type Intent = Extract<EffectRecord, { kind: 'intent' }>;
export type Outcome = Extract<EffectRecord, { kind: 'outcome' }>;

export type Situation =
  /** Nothing has left so far. `approvedHash`: a grant that an attempt which never left was made under. */
  | { next: 'begin'; afterSequence: number; attempt: number; approvedHash: string | undefined }
  | { next: 'replay'; outcome: Outcome }
  /** Somebody may have dispatched it, and nobody has written what came of it. */
  | { next: 'taken'; intent: Intent; sequence: number }
  /** The run that asks was cancelled before the call was made. */
  | { next: 'barred' }
  | { next: 'mismatch'; recorded: EffectRecord };

export interface CallHashes {
  requestHash: string;
  /** Undefined when the arguments could not be validated. */
  argumentsHash: string | undefined;
  run: string | undefined;
  /** An approver has written the arguments: the hash of those that were asked about. */
  editedFrom?: string | undefined;
}

/** Stands in a void record that was written before the call itself was ever seen. */
export const NEVER_SEEN = 'never-seen';

/** What an approval of this call is bound to. */
export function hashOfCall(tool: string, args: Record<string, unknown>): string {
  return contentHash({ tool, arguments: args });
}

/** What a yes to "dispatch it again although attempt n may have happened" is bound to: good for that one time. */
export function hashOfRepeat(tool: string, args: Record<string, unknown>, attempt: number): string {
  return contentHash({ tool, arguments: args, attempt });
}

export function situate(last: { record: EffectRecord; sequence: number } | null, hashes: CallHashes): Situation {
  if (!last) return { next: 'begin', afterSequence: 0, attempt: 1, approvedHash: undefined };
  const { record, sequence } = last;
  const recorded = [record.requestHash, record.argumentsHash];
  if (record.kind === 'void') {
    if (record.barred && record.run === hashes.run) return { next: 'barred' };
    // Nothing has happened under what was asked about, and under a bar nobody knows what it was.
    if (record.requestHash === NEVER_SEEN || recorded.includes(hashes.editedFrom ?? NEVER_SEEN))
      return beginAfter(record, sequence);
  }
  if (!recorded.includes(hashes.requestHash) && !recorded.includes(hashes.argumentsHash ?? ''))
    return { next: 'mismatch', recorded: record };
  switch (record.kind) {
    case 'outcome':
      return { next: 'replay', outcome: record };
    case 'intent':
      return { next: 'taken', intent: record, sequence };
    case 'void':
      return beginAfter(record, sequence);
    default:
      throw new Error(`unknown effect record ${(record satisfies never as EffectRecord).kind}`);
  }
}

function beginAfter({ attempt, approval }: EffectRecord, sequence: number): Situation {
  return { next: 'begin', afterSequence: sequence, attempt: attempt + 1, approvedHash: approval?.argumentsHash };
}

/**
 * What to do about an attempt that nobody works on any more and that has no outcome. The strictest of what was recorded
 * and what holds now: only a call that was keyed then and is keyed now is simply sent again.
 */
export function recoveryOf(
  recorded: EffectRecord['effect'],
  now: EffectRecord['effect'],
  hasProbe: boolean,
): 'send-again' | 'probe' | 'ask' {
  if (recorded === 'keyed' && now === 'keyed') return 'send-again';
  return hasProbe ? 'probe' : 'ask';
}
