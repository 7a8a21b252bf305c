/** Whether the log of each partition had one writer at a time. */
import type { Checker } from './index.ts';

const epochs: Checker = {
  name: 'epochs',
  check({ evidence }) {
    const problems: string[] = [];
    const now = new Map<number, { epoch: number; owner: string }>();
    for (const { partition, sequence, batch } of evidence.log) {
      const last = now.get(partition);
      if (last && batch.epoch < last.epoch)
        problems.push(
          `log message ${sequence} of ${batch.owner} is of epoch ${batch.epoch}, after one of epoch ${last.epoch}`,
        );
      if (last && batch.epoch === last.epoch && batch.owner !== last.owner)
        problems.push(
          `epoch ${batch.epoch} of partition ${partition} has two owners: ${last.owner} and ${batch.owner}`,
        );
      now.set(partition, { epoch: batch.epoch, owner: batch.owner });
    }
    return problems;
  },
};

/** Time in a partition does not go backwards: what was due stays due. */
export const ownership = [epochs];
