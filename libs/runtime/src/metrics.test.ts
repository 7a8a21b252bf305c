/** What a scraper reads. */
import { expect, test } from 'vitest';
import { METRIC, type MetricSpec, prometheusLabel, prometheusName } from './metric-names.ts';
import { createMetrics, METRIC_SERIES_MAX } from './metrics.ts';

const counter = (name: string, help: string, labels: string[] = []) =>
  ({ kind: 'counter', name, help, unit: '{call}', labels }) as const;
const gauge = (name: string, help: string, labels: string[] = []) =>
  ({ kind: 'gauge', name, help, unit: '', labels }) as const;

test('counters, gauges and histograms in the text format', () => {
  const metrics = createMetrics();
  const calls = metrics.counter(counter('calls', 'Calls.', ['verb', 'outcome']));
  calls.of('search', 'ok').inc();
  calls.of('search', 'ok').inc(2);
  calls.of('say "hi"\n', 'a\\b').inc();
  const lag = metrics.gauge(gauge('lag', 'How far\nit lags.', ['partition']));
  metrics.collect(() => {
    lag.clear();
    lag.of(3).set(1.5);
  });
  lag.of(2).set(9);
  const took = metrics.histogram({
    kind: 'histogram',
    name: 'took',
    unit: 's',
    help: 'Time.',
    bounds: [0.1, 1],
    labels: ['the.verb'],
  });
  for (const value of [0.05, 0.1, 0.5, 7]) took.of('search').observe(value);
  metrics.gauge(gauge('plain', 'No labels.')).of().set(4);
  expect(metrics.text()).toBe(`# HELP calls_total Calls.
# TYPE calls_total counter
calls_total{verb="search",outcome="ok"} 3
calls_total{verb="say \\"hi\\"\\n",outcome="a\\\\b"} 1
# HELP lag How far\\nit lags.
# TYPE lag gauge
lag{partition="3"} 1.5
# HELP took_seconds Time.
# TYPE took_seconds histogram
took_seconds_bucket{the_verb="search",le="0.1"} 2
took_seconds_bucket{the_verb="search",le="1"} 3
took_seconds_bucket{the_verb="search",le="+Inf"} 4
took_seconds_sum{the_verb="search"} 7.65
took_seconds_count{the_verb="search"} 4
# HELP plain No labels.
# TYPE plain gauge
plain 4
`);
});

test('a name is used once, and every label has its value', () => {
  const metrics = createMetrics();
  const calls = metrics.counter(counter('calls', 'Calls.', ['verb']));
  expect(() => metrics.gauge(gauge('calls', 'Again.'))).toThrow(/calls/);
  expect(() => calls.of()).toThrow(/verb/);
});

test('whatever labels are given, there are so many series and no more: the rest is counted together', () => {
  const metrics = createMetrics();
  const calls = metrics.counter(counter('calls', 'Calls.', ['tool', 'outcome']));
  for (let at = 0; at < METRIC_SERIES_MAX * 3; at++) calls.of(`tool-${at}`, 'ok').inc();
  const [read] = metrics.read();
  expect(read!.series).toHaveLength(METRIC_SERIES_MAX);
  const other = read!.series.find(({ labels }) => labels[0] === 'other')!.value as { value: number };
  expect(other.value).toBe(METRIC_SERIES_MAX * 2 + 1);
  // Those that were there before go on as before.
  calls.of('tool-0', 'ok').inc();
  expect(calls.of('tool-0', 'ok').value).toBe(2);
});

test('all metrics have a name that Prometheus takes, one of their own, and labels that are no ids', () => {
  const specs: MetricSpec[] = Object.values(METRIC);
  const names = specs.map(prometheusName);
  expect(names.filter((name) => !/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name))).toEqual([]);
  expect(new Set(names).size).toBe(names.length);
  const labels = new Set(specs.flatMap((spec) => spec.labels.map(prometheusLabel)));
  expect(
    [...labels].filter((label) => /(^|_)(id|run|session|tenant|conversation|call|approval)($|_)/.test(label)),
  ).toEqual([]);
  expect(prometheusName(METRIC.tokenUsage)).toBe('gen_ai_client_token_usage');
  expect(prometheusName(METRIC.operationDuration)).toBe('gen_ai_client_operation_duration_seconds');
  expect(prometheusName(METRIC.requests)).toBe('tutti_requests_total');
  expect(prometheusName(METRIC.lag)).toBe('tutti_planner_lag');
});

test('the buckets of the GenAI metrics are those of the conventions', () => {
  expect(METRIC.tokenUsage.bounds).toEqual(Array.from({ length: 14 }, (_, power) => 4 ** power));
  expect(METRIC.operationDuration.bounds).toEqual(
    Array.from({ length: 14 }, (_, power) => Number((0.01 * 2 ** power).toFixed(2))),
  );
});
