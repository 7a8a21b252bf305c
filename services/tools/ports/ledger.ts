/**
 * The effect ledger. Guarantees that every adapter gives:
 * - `append` resolves only when the record is stored durably as the next one after `afterSequence` (0: the first), and
 *   of several appends after the same record at most one is ever stored, whoever makes them.
 * - `LedgerConflict`: another record came first, and this one is not stored.
 * - Any other error: it cannot be known, and the record may even be stored later.
 * - `last` shows every append that had resolved before it was asked.
 */
import type { EffectRecord } from '@tutti/contracts';

export interface LedgerEntry {
  record: EffectRecord;
  sequence: number;
}

export interface Ledger {
  last(tenant: string, callId: string): Promise<LedgerEntry | null>;
  append(tenant: string, callId: string, record: EffectRecord, afterSequence: number): Promise<number>;
}

export class LedgerConflict extends Error {
  override name = 'LedgerConflict';
}
