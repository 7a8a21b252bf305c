/** Puts what one step of the state machine decided into as few log messages as the bus allows. */
import type { LogBatch, PartitionEntry, RunEntry } from '@tutti/contracts';

/** Room for the fields around the entries. */
const ENVELOPE_BYTES = 16_384;

export interface Decided {
  epoch: number;
  owner: string;
  at: number;
  readUpTo: number;
  readUpToBefore: number;
  delivered: string[];
  partition: PartitionEntry[];
  entries: RunEntry[];
}

/**
 * Usually one batch. Over the limit, several, of which only the last says that the inputs were read: after a crash in
 * between they are read again, and what was already taken in is passed over.
 */
export function toBatches(decided: Decided, payloadBytesMax: number): LogBatch[] {
  const limit = payloadBytesMax - ENVELOPE_BYTES;
  const batches: LogBatch[] = [];
  let current = emptyBatch(decided);
  let size = 0;
  const add = (bytes: number, put: (batch: LogBatch) => void) => {
    if (size > 0 && size + bytes > limit) {
      batches.push(current);
      current = emptyBatch(decided);
      size = 0;
    }
    put(current);
    size += bytes;
  };
  for (const entry of decided.partition) add(sizeOf(entry), (batch) => batch.partition.push(entry));
  for (const entry of decided.entries) add(sizeOf(entry), (batch) => batch.entries.push(entry));
  batches.push({ ...current, readUpTo: decided.readUpTo, delivered: decided.delivered });
  return batches;
}

/** UTF-8 needs at most three bytes for a UTF-16 unit; counting exactly would encode everything twice. */
function sizeOf(entry: unknown): number {
  const json = JSON.stringify(entry);
  return json.length < EXACT_ABOVE_CHARS ? json.length * 3 : Buffer.byteLength(json);
}
const EXACT_ABOVE_CHARS = 1_024;

function emptyBatch(decided: Decided): LogBatch {
  return {
    v: 1,
    epoch: decided.epoch,
    owner: decided.owner,
    readUpTo: decided.readUpToBefore,
    at: decided.at,
    delivered: [],
    partition: [],
    entries: [],
  };
}
