/** Metrics of a planner: how each partition here does, and what was done in it. An autoscaler goes by lag and queued. */
import type { PartitionLoad } from '@tutti/contracts';
import type { Counter, Metrics } from '@tutti/runtime';

/** What an owner counts. Kept over changes of owner: counters never go down. */
export interface PartitionCounts {
  entries: Counter;
  appends: Counter;
  refusedAppends: Counter;
  takeovers: Counter;
  deadLetters: Counter;
  retries: Counter;
}

export interface PartitionGauges extends PartitionLoad {
  parked: number;
  epoch: number;
}

const GAUGES = {
  lag: 'Inbound messages that are stored and not taken in yet.',
  active: 'Runs that users started and that are under way.',
  queued: 'Runs that wait for their turn.',
  waiting: 'Runs that wait for a human, a time or their children; parked ones included.',
  parked: 'Runs that are written out while they wait.',
  inFlight: 'Steps sent that have no result.',
  heldBack: 'Steps held back because the workers are busy.',
  epoch: 'How often the partition was taken over.',
} as const satisfies Partial<Record<keyof PartitionGauges, string>>;

export class PlannerMetrics {
  readonly #counters: { [name in keyof PartitionCounts]: ReturnType<Metrics['counter']> };

  /** `owned`: of all partitions that are open here now. */
  constructor(metrics: Metrics, owned: () => PartitionGauges[]) {
    const counter = (name: string, help: string) => metrics.counter(`tutti_planner_${name}`, help, ['partition']);
    this.#counters = {
      entries: counter('entries_total', 'Entries written to the log.'),
      appends: counter('appends_total', 'Messages written to the log.'),
      refusedAppends: counter('refused_appends_total', 'Appends refused because another planner had written.'),
      takeovers: counter('takeovers_total', 'How often this planner has opened the partition.'),
      deadLetters: counter('dead_letters_total', 'Inbound messages and steps that were given up.'),
      retries: counter('retries_total', 'Steps that failed and are tried again.'),
    };
    const gauges = Object.entries(GAUGES).map(
      ([name, help]) =>
        [name as keyof typeof GAUGES, metrics.gauge(`tutti_planner_${snake(name)}`, help, ['partition'])] as const,
    );
    metrics.collect(() => {
      const all = owned();
      for (const [name, gauge] of gauges) {
        gauge.clear();
        for (const one of all) gauge.of(one.partition).set(one[name]);
      }
    });
  }

  of(partition: number): PartitionCounts {
    const { entries, appends, refusedAppends, takeovers, deadLetters, retries } = this.#counters;
    return {
      entries: entries.of(partition),
      appends: appends.of(partition),
      refusedAppends: refusedAppends.of(partition),
      takeovers: takeovers.of(partition),
      deadLetters: deadLetters.of(partition),
      retries: retries.of(partition),
    };
  }
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
