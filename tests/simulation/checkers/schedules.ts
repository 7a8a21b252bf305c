/** Whether each tick of a schedule was taken once, in order, and started one run or none. */
import type { PartitionEntry } from '@tutti/contracts';
import type { Evidence } from '../evidence.ts';
import type { Checker } from './index.ts';

type Tick = Extract<PartitionEntry, { type: 'schedule.ticked' }>;

/** What the logs say of ticks: in which order they came, and which run each started. */
function ticksOf(evidence: Evidence): { started: Map<string, Tick>; problems: string[] } {
  const problems: string[] = [];
  const last = new Map<string, number>();
  const started = new Map<string, Tick>();
  for (const { batch } of evidence.log)
    for (const entry of batch.partition) {
      // One that is set again, behind its removal, may come to the same ticks again: their runs are the same, too.
      if (entry.type === 'schedule.removed') last.delete(entry.id);
      if (entry.type !== 'schedule.ticked') continue;
      const { id, dueAt, run } = entry;
      if (dueAt <= (last.get(id) ?? 0)) problems.push(`the tick ${dueAt} of ${id} was taken again`);
      last.set(id, dueAt);
      if (run === null) continue;
      const other = started.get(run);
      if (other && other.dueAt !== dueAt) problems.push(`the ticks ${other.dueAt} and ${dueAt} of ${id} start ${run}`);
      started.set(run, entry);
    }
  return { started, problems };
}

const ticks: Checker = {
  name: 'ticks',
  check({ evidence, outcome }) {
    const { started, problems } = ticksOf(evidence);
    for (const [run, { id, dueAt }] of started)
      if (outcome === 'done' && !evidence.starts.has(run))
        problems.push(`the tick ${dueAt} of ${id} never started its run`);
    for (const [run, { message }] of evidence.starts) {
      if (message.type !== 'start' || !message.start.schedule) continue;
      const tick = started.get(run);
      if (!tick || tick.id !== message.start.schedule.id || tick.dueAt !== message.start.schedule.dueAt)
        problems.push(`run ${run} says that a schedule started it, but no tick did`);
    }
    return problems;
  },
};

export const schedules = [ticks];
