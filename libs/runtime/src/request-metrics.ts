/** Metrics of the requests that a service answers: what an autoscaler of workers goes by. */
import type { Counter, Histogram, Metrics } from './metrics.ts';

/** Seconds. From an answer out of memory to a model that thinks for long. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

export interface RequestCounts {
  ok: Counter;
  failed: Counter;
  /** More than the service works on at once. */
  refused: Counter;
  seconds: Histogram;
}

export function countRequests(
  metrics: Metrics,
  verbs: string[],
  { inFlight, inFlightMax }: { inFlight(): number; inFlightMax: number },
): Map<string, RequestCounts> {
  const requests = metrics.counter('tutti_requests_total', 'Requests by what came of them.', ['verb', 'outcome']);
  const seconds = metrics.histogram('tutti_request_seconds', 'From taken to answered.', BOUNDS, ['verb']);
  const now = metrics.gauge('tutti_requests_in_flight', 'Requests that are worked on.');
  metrics.gauge('tutti_requests_in_flight_max', 'More than this at once are refused.').of().set(inFlightMax);
  metrics.collect(() => now.of().set(inFlight()));
  return new Map(
    verbs.map((verb) => [
      verb,
      {
        ok: requests.of(verb, 'ok'),
        failed: requests.of(verb, 'failed'),
        refused: requests.of(verb, 'refused'),
        seconds: seconds.of(verb),
      },
    ]),
  );
}
