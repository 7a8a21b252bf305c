/** What a scraper reads. */
import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';

test('counters, gauges and histograms in the text format', () => {
  const metrics = createMetrics();
  const calls = metrics.counter('calls_total', 'Calls.', ['verb', 'outcome']);
  calls.of('search', 'ok').inc();
  calls.of('search', 'ok').inc(2);
  calls.of('say "hi"\n', 'a\\b').inc();
  const lag = metrics.gauge('lag', 'How far\nit lags.', ['partition']);
  metrics.collect(() => {
    lag.clear();
    lag.of(3).set(1.5);
  });
  lag.of(2).set(9);
  const took = metrics.histogram('took_seconds', 'Time.', [0.1, 1], ['verb']);
  for (const value of [0.05, 0.1, 0.5, 7]) took.of('search').observe(value);
  metrics.gauge('plain', 'No labels.').of().set(4);
  expect(metrics.text()).toBe(`# HELP calls_total Calls.
# TYPE calls_total counter
calls_total{verb="search",outcome="ok"} 3
calls_total{verb="say \\"hi\\"\\n",outcome="a\\\\b"} 1
# HELP lag How far\\nit lags.
# TYPE lag gauge
lag{partition="3"} 1.5
# HELP took_seconds Time.
# TYPE took_seconds histogram
took_seconds_bucket{verb="search",le="0.1"} 2
took_seconds_bucket{verb="search",le="1"} 3
took_seconds_bucket{verb="search",le="+Inf"} 4
took_seconds_sum{verb="search"} 7.65
took_seconds_count{verb="search"} 4
# HELP plain No labels.
# TYPE plain gauge
plain 4
`);
});

test('a name is used once, and every label has its value', () => {
  const metrics = createMetrics();
  const calls = metrics.counter('calls_total', 'Calls.', ['verb']);
  expect(() => metrics.gauge('calls_total', 'Again.')).toThrow(/calls_total/);
  expect(() => metrics.gauge('not a name', 'x')).toThrow();
  expect(() => calls.of()).toThrow(/verb/);
});
