/**
 * The OpenTelemetry SDK of this process: one NodeSDK with its batching and its OTLP/HTTP exporter (which heed
 * OTEL_EXPORTER_OTLP_*), for all services in it. Our spans come as plain records (telemetry.ts) and are read as spans
 * (record-span.ts), or written straight as JSON (span-exporter.ts), when they are exported.
 */
import { defaultResource } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace';
import { spanMaker } from './record-span.ts';
import { SpanExporter } from './span-exporter.ts';
import type { SpanSink } from './telemetry.ts';

/** Spans that wait to be sent; more are dropped, never queued without bound. */
const SPAN_QUEUE_MAX = 16_384;
const EXPORT_DELAY_MS = 1_000;

export function startSdk(): SpanSink {
  const processor = new BatchSpanProcessor({
    exporter: new SpanExporter(),
    maxQueueSize: SPAN_QUEUE_MAX,
    scheduledDelayMillis: EXPORT_DELAY_MS,
  });
  const sdk = new NodeSDK({
    resource: defaultResource(),
    autoDetectResources: false,
    spanProcessors: [processor],
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [],
  });
  sdk.start();
  const make = spanMaker();
  return {
    take: (record) => processor.onEnd(make(record)),
    flush: () => processor.forceFlush(),
    shutdown: () => sdk.shutdown(),
  };
}
