/** Whether everything came to its end. */
import { partitionOf } from '@tutti/contracts';
import type { Checker } from './index.ts';

const NAMED_MAX = 5;

/** Every start that the bus has stored is a run that the log knows, in the end. */
const lost: Checker = {
  name: 'lost',
  check({ evidence }) {
    return evidence.unfinished
      .filter((run) => !evidence.runs.has(run))
      .map((run) => `run ${run} was started, and no log knows of it`);
  },
};

/** Long after the last fault something is still under way. */
const stuck: Checker = {
  name: 'stuck',
  check({ evidence, outcome, shadows, partitions }) {
    if (outcome === 'done') return [];
    const runs = evidence.unfinished.slice(0, NAMED_MAX).map((run) => {
      const start = evidence.starts.get(run)!;
      const state = shadows.stateOf(partitionOf(start.message.session, partitions)).runs.get(run);
      const last = evidence.runs.get(run)?.at(-1)?.entry;
      return `${run} is ${state?.status ?? 'not accepted'} after ${last ? `${last.n} ${last.type}` : 'nothing'}`;
    });
    return [`it does not come to an end (${outcome}): ${runs.join('; ') || 'people wait for the bus'}`];
  },
};

/** What one run has to say to another is said, and not said for ever. */
const letters: Checker = {
  name: 'letters',
  check({ outcome, shadows, partitions }) {
    if (outcome !== 'done') return [];
    return Array.from({ length: partitions }, (_, partition) => shadows.stateOf(partition)).flatMap(
      (state, partition) =>
        [...state.outbox.keys()].map((key) => `partition ${partition} still holds the letter ${key}`),
    );
  },
};

/** Nothing is left behind in a partition without active runs. */
const residue: Checker = {
  name: 'residue',
  check({ outcome, shadows, partitions }) {
    if (outcome !== 'done') return [];
    return Array.from({ length: partitions }, (_, partition) => shadows.stateOf(partition)).flatMap(
      (state, partition) => {
        const left = {
          sessions: state.sessions.size,
          approvals: state.approvals.size,
          parked: state.parked.size,
          'places taken': state.activeRoots,
          'runs that wait for their turn': state.readyRuns,
          'things to come': state.due.all().filter((due) => due.kind !== 'schedule').length,
        };
        return Object.entries(left)
          .filter(([, count]) => count !== 0)
          .map(([what, count]) => `partition ${partition} has ended everything, but ${count} ${what} remain`);
      },
    );
  },
};

/** Memory has every journal, whole, though the log was purged behind it. */
const projected: Checker = {
  name: 'projection',
  check({ evidence, outcome, projection }) {
    if (outcome !== 'done') return [];
    return [...evidence.runs]
      .filter(([run, entries]) => projection.journals.get(run)?.length !== entries.length)
      .map(
        ([run, { length }]) => `memory has ${projection.journals.get(run)?.length} of ${length} entries of run ${run}`,
      );
  },
};

export const atEnd = [lost, stuck, letters, residue, projected];
