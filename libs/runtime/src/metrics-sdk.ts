/**
 * Metrics over OTLP: the SDK's reader and exporter, which ask our own registry when it is time. A provider for each service
 * in the process, so that each leaves under its own resource. Heeds OTEL_EXPORTER_OTLP_* and OTEL_METRIC_EXPORT_INTERVAL.
 */
import { type HrTime, ValueType } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import {
  AggregationTemporality,
  DataPointType,
  MeterProvider,
  type MetricData,
  type MetricProducer,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import type { CollectedMetric, Histogram, Metrics, Series } from './metrics.ts';
import { resourceOf } from './record-span.ts';

const INTERVAL_MS = 15_000;
const TIMEOUT_MAX_MS = 10_000;

export interface MetricsExport {
  /** Sends once more, and ends. */
  stop(): Promise<void>;
}

export function exportMetrics(
  service: string,
  metrics: Metrics,
  environment: Record<string, string | undefined>,
): MetricsExport {
  const intervalMs = Number(environment.OTEL_METRIC_EXPORT_INTERVAL) || INTERVAL_MS;
  const resource = resourceOf(service);
  const startTime = hrTime(Date.now());
  const producer: MetricProducer = {
    async collect() {
      const endTime = hrTime(Date.now());
      const data = metrics
        .read()
        .filter(({ series }) => series.length > 0)
        .map((metric) => dataOf(metric, startTime, endTime));
      const scope = { name: `tutti.${service}` };
      return { resourceMetrics: { resource, scopeMetrics: [{ scope, metrics: data }] }, errors: [] };
    },
  };
  const provider = new MeterProvider({
    resource,
    readers: [
      new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter(),
        exportIntervalMillis: intervalMs,
        exportTimeoutMillis: Math.min(intervalMs, TIMEOUT_MAX_MS),
        metricProducers: [producer],
      }),
    ],
  });
  return { stop: () => provider.shutdown().catch(() => {}) };
}

function hrTime(unixMs: number): HrTime {
  const seconds = Math.floor(unixMs / 1_000);
  return [seconds, Math.round((unixMs - seconds * 1_000) * 1e6)];
}

function dataOf({ spec, series }: CollectedMetric, startTime: HrTime, endTime: HrTime): MetricData {
  const base = {
    descriptor: { name: spec.name, description: spec.help, unit: spec.unit, valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  const point = <T>(one: Series, value: T) => ({
    startTime,
    endTime,
    // An empty label is none, as it is for Prometheus.
    attributes: Object.fromEntries(
      spec.labels.flatMap((label, at) => (one.labels[at] === '' ? [] : [[label, one.labels[at]!]])),
    ),
    value,
  });
  if (spec.kind === 'histogram')
    return {
      ...base,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints: series.map((one) => point(one, histogramOf(one.value as Histogram, spec.bounds ?? []))),
    };
  const dataPoints = series.map((one) => point(one, (one.value as Exclude<Series['value'], Histogram>).value));
  return spec.kind === 'counter'
    ? { ...base, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
    : { ...base, dataPointType: DataPointType.GAUGE, dataPoints };
}

function histogramOf({ counts, sum }: Histogram, bounds: readonly number[]) {
  return {
    buckets: { boundaries: [...bounds], counts: [...counts] },
    sum,
    count: counts.reduce((total, count) => total + count, 0),
  };
}
