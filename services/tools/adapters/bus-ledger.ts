/** The effect ledger on the bus: one subject a call in TUTTI_EFFECTS, each record appended after the one before it. */
import { EffectRecord, STREAMS, subjects, TuttiError } from '@tutti/contracts';
import { type Bus, BusConflict } from '@tutti/runtime';
import { type Ledger, LedgerConflict } from '../ports/ledger.ts';

export const APPEND_TIMEOUT_MS = 5_000;
const text = new TextDecoder();
const bytes = new TextEncoder();

export function createBusLedger(bus: Bus): Ledger {
  return {
    async last(tenant, callId) {
      const subject = subjects.effect(tenant, callId);
      const message = await bus.last(STREAMS.effects.name, subject);
      if (!message) return null;
      const record = EffectRecord.safeParse(JSON.parse(text.decode(message.data)));
      if (!record.success)
        throw new TuttiError('internal', `the record on ${subject} does not fit its schema: ${record.error.message}`);
      return { record: record.data, sequence: message.sequence };
    },
    async append(tenant, callId, record, afterSequence) {
      const data = bytes.encode(JSON.stringify(EffectRecord.parse(record)));
      try {
        return await bus.append(subjects.effect(tenant, callId), data, {
          expectedLastSubjectSequence: afterSequence,
          timeoutMs: APPEND_TIMEOUT_MS,
        });
      } catch (error) {
        if (error instanceof BusConflict) throw new LedgerConflict(error.message);
        throw error;
      }
    },
  };
}
