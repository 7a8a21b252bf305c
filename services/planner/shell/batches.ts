/** Puts what one round of the state machine decided into as few log messages as the bus allows. */
import type { LogBatch, PartitionEntry, RunEntry } from '@tutti/contracts';
import { type Input, PoisonedInput } from '../core/decide.ts';

/** Room for the fields around the entries. */
const ENVELOPE_BYTES = 16_384;

/** What one input led to. */
export interface Decided {
  input: Input;
  readUpTo: number;
  delivered: string[];
  partition: PartitionEntry[];
  entries: RunEntry[];
  /** The entries' JSON: they are written, measured and told to watchers, and serialised once. */
  json: string[];
}

export interface PackedBatch {
  batch: LogBatch;
  /** Of its entries. */
  json: string[];
}

/**
 * Usually one batch. Over the limit several, cut between inputs alone and each with how far the inbound was read by then:
 * a crash between two of them loses or repeats nothing. An input whose own entries are too large is refused as poisoned.
 */
export function toBatches(
  decided: Decided[],
  head: { v: 1; format?: number; epoch: number; owner: string; at: number; readUpTo: number },
  payloadBytesMax: number,
): PackedBatch[] {
  const limit = payloadBytesMax - ENVELOPE_BYTES;
  const batches: PackedBatch[] = [];
  let current: PackedBatch | undefined;
  let size = 0;
  for (const one of decided) {
    if (one.entries.length === 0 && one.partition.length === 0 && one.delivered.length === 0) {
      // Nothing came of it: how far it was read goes along with whatever is written next.
      if (current) current.batch.readUpTo = one.readUpTo;
      continue;
    }
    const bytes = sizeOf(one);
    if (bytes > limit) {
      throw new PoisonedInput(one.input, new Error(`it leads to ${bytes} bytes of entries; a message holds ${limit}`));
    }
    if (!current || size + bytes > limit) {
      current = { batch: { ...head, delivered: [], partition: [], entries: [] }, json: [] };
      batches.push(current);
      size = 0;
    }
    current.batch.readUpTo = one.readUpTo;
    current.batch.delivered.push(...one.delivered);
    current.batch.partition.push(...one.partition);
    current.batch.entries.push(...one.entries);
    current.json.push(...one.json);
    size += bytes;
  }
  return batches;
}

/** UTF-8 has at most three bytes for a UTF-16 unit: counting exactly is only worth it for what is large. */
function sizeOf({ json, partition, delivered }: Decided): number {
  const rest = partition.length + delivered.length > 0 ? JSON.stringify([partition, delivered]) : '';
  const units = json.reduce((sum, piece) => sum + piece.length + 1, rest.length);
  if (units * 3 < EXACT_ABOVE_BYTES) return units * 3;
  return json.reduce((sum, piece) => sum + Buffer.byteLength(piece) + 1, Buffer.byteLength(rest));
}
const EXACT_ABOVE_BYTES = 65_536;
