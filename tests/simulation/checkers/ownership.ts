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

/** Some time after the last fault each partition has one owner, and no planner two more than another. */
const spread: Checker = {
  name: 'spread',
  check({ held, partitions }) {
    if (!held) return [];
    const problems: string[] = [];
    const counts = [...held.values()].map((owned) => owned.length);
    if (Math.max(...counts) - Math.min(...counts) > 1)
      problems.push(
        `not spread evenly: ${[...held].map(([planner, owned]) => `${planner} holds ${owned}`).join('; ')}`,
      );
    for (let partition = 0; partition < partitions; partition++) {
      const owners = [...held].filter(([, owned]) => owned.includes(partition)).map(([planner]) => planner);
      if (owners.length !== 1) problems.push(`partition ${partition} is held by ${owners.join(' and ') || 'nobody'}`);
    }
    return problems;
  },
};

export const ownership = [epochs, spread];
