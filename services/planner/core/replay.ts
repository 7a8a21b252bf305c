/** A message of the log applied to a state: what a new owner does with every one that is behind its checkpoint. */
import type { LogBatch } from '@tutti/contracts';
import { evolve } from './evolve.ts';
import { evolvePartition } from './evolve-partition.ts';
import type { PartitionState } from './state.ts';

export function applyBatch(state: PartitionState, batch: LogBatch): void {
  state.epoch = batch.epoch;
  state.readUpTo = Math.max(state.readUpTo, batch.readUpTo);
  for (const entry of batch.partition) evolvePartition(state, entry);
  for (const entry of batch.entries) evolve(state, entry);
  for (const key of batch.delivered) state.outbox.delete(key);
}
