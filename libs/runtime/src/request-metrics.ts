/** Metrics of the requests that a service answers: what an autoscaler of workers goes by. */
import { METRIC } from './metric-names.ts';
import type { Counter, Histogram, Metrics } from './metrics.ts';

export interface RequestCounts {
  ok: Counter;
  failed: Counter;
  /** More than the service works on at once. */
  refused: Counter;
  /** Came again while it was worked on. */
  repeated: Counter;
  seconds: Histogram;
}

export function countRequests(
  metrics: Metrics,
  verbs: string[],
  { inFlight, inFlightMax }: { inFlight(): number; inFlightMax: number },
): Map<string, RequestCounts> {
  const requests = metrics.counter(METRIC.requests);
  const repeated = metrics.counter(METRIC.requestsRepeated);
  const seconds = metrics.histogram(METRIC.requestDuration);
  const now = metrics.gauge(METRIC.requestsInFlight);
  metrics.gauge(METRIC.requestsInFlightMax).of().set(inFlightMax);
  metrics.collect(() => now.of().set(inFlight()));
  return new Map(
    verbs.map((verb) => [
      verb,
      {
        ok: requests.of(verb, 'ok'),
        failed: requests.of(verb, 'failed'),
        refused: requests.of(verb, 'refused'),
        repeated: repeated.of(verb),
        seconds: seconds.of(verb),
      },
    ]),
  );
}
