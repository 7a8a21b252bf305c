/**
 * Metrics of a planner: how each partition here does and what was done in it (an autoscaler goes by lag and queued), and
 * what came of runs and their steps.
 */
import type { ErrorCode, PartitionLoad, RunStatus, StepSpec } from '@tutti/contracts';
import { type Counter, type Family, type Gauge, type Histogram, METRIC, type Metrics } from '@tutti/runtime';

/** What an owner counts. Kept over changes of owner: counters never go down. */
export interface PartitionCounts {
  entries: Counter;
  appends: Counter;
  refusedAppends: Counter;
  takeovers: Counter;
  deadLetters: Counter;
  retries: Counter;
  runs: RunCounts;
}

/** Of all partitions. */
export interface RunCounts {
  started(isRoot: boolean): Counter;
  ended(isRoot: boolean, status: RunStatus): { runs: Counter; seconds: Histogram; cost: Counter };
  error(code: ErrorCode): Counter;
  step(kind: StepSpec['kind'], outcome: 'completed' | 'failed'): Histogram;
  approval(decision: string): Histogram;
}

export interface PartitionGauges extends PartitionLoad {
  parked: number;
  epoch: number;
}

const GAUGES = ['lag', 'active', 'queued', 'waiting', 'parked', 'inFlight', 'heldBack', 'epoch'] as const;

export class PlannerMetrics {
  readonly #counters: { [name in Exclude<keyof PartitionCounts, 'runs'>]: Family<Counter> };
  readonly #runs: RunCounts;

  /** `owned`: of all partitions that are open here now. */
  constructor(metrics: Metrics, owned: () => PartitionGauges[]) {
    this.#counters = {
      entries: metrics.counter(METRIC.entries),
      appends: metrics.counter(METRIC.appends),
      refusedAppends: metrics.counter(METRIC.refusedAppends),
      takeovers: metrics.counter(METRIC.takeovers),
      deadLetters: metrics.counter(METRIC.plannerDeadLetters),
      retries: metrics.counter(METRIC.retries),
    };
    this.#runs = countRuns(metrics);
    const gauges = GAUGES.map((name): [typeof name, Family<Gauge>] => [name, metrics.gauge(METRIC[name])]);
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
      runs: this.#runs,
    };
  }
}

function countRuns(metrics: Metrics): RunCounts {
  const started = metrics.counter(METRIC.runsStarted);
  const ended = metrics.counter(METRIC.runsEnded);
  const errors = metrics.counter(METRIC.runErrors);
  const seconds = metrics.histogram(METRIC.runDuration);
  const steps = metrics.histogram(METRIC.stepDuration);
  const approvals = metrics.histogram(METRIC.approvalWait);
  const cost = metrics.counter(METRIC.runCost);
  const kind = (isRoot: boolean) => (isRoot ? 'root' : 'child');
  return {
    started: (isRoot) => started.of(kind(isRoot)),
    ended: (isRoot, status) => ({
      runs: ended.of(kind(isRoot), status),
      seconds: seconds.of(kind(isRoot), status),
      cost: cost.of(kind(isRoot)),
    }),
    error: (code) => errors.of(code),
    step: (step, outcome) => steps.of(step, outcome),
    approval: (decision) => approvals.of(decision),
  };
}
