/**
 * Where spans go: OpenTelemetry's batching and its OTLP/HTTP transport (with what OTEL_EXPORTER_OTLP_* say: endpoint,
 * headers, compression, time limit), fed with records whose JSON is made here.
 */
import type { Attributes } from '@opentelemetry/api';
import { OTLPExporterBase } from '@opentelemetry/otlp-exporter-base';
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from '@opentelemetry/otlp-exporter-base/node-http';
import { defaultResource } from '@opentelemetry/resources';
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace';
import { spansToJson } from './otlp-json.ts';
import type { SpanRecord, SpanSink } from './telemetry.ts';

/** Spans that wait to be sent; more are dropped, never queued without bound. */
const SPAN_QUEUE_MAX = 16_384;
const EXPORT_DELAY_MS = 1_000;
const JSON_HEADERS = { 'Content-Type': 'application/json' };

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** All that the batching asks of a span: it was sampled, and nothing about it is still being found out. */
const SAMPLED = { traceId: '', spanId: '', traceFlags: 1 };
const KNOWN = { asyncAttributesPending: false };

class QueuedSpan {
  readonly record: SpanRecord;
  readonly resource = KNOWN;
  constructor(record: SpanRecord) {
    this.record = record;
  }
  spanContext() {
    return SAMPLED;
  }
}

const resources = new Map<string, Attributes>();
function resourceOf(service: string): Attributes {
  let resource = resources.get(service);
  if (!resource) {
    const own = { 'service.name': `tutti-${service}`, 'service.namespace': 'tutti' };
    resource = { ...defaultResource().attributes, ...own } as Attributes;
    resources.set(service, resource);
  }
  return resource;
}

const serializer = {
  serializeRequest: (spans: QueuedSpan[]) =>
    encoder.encode(
      spansToJson(
        spans.map((span) => span.record),
        resourceOf,
      ),
    ),
  deserializeResponse: (data: Uint8Array): { partialSuccess?: object } =>
    data.length === 0 ? {} : JSON.parse(decoder.decode(data)),
};

export function startSdk(): SpanSink {
  const delegate = createOtlpHttpExportDelegate(
    convertLegacyHttpOptions({}, 'TRACES', 'v1/traces', JSON_HEADERS),
    serializer,
    'otlp_http_json_span_exporter',
    { name: 'span', countItems: (spans: QueuedSpan[]) => spans.length },
    undefined,
  );
  const processor = new BatchSpanProcessor({
    exporter: new OTLPExporterBase(delegate) as unknown as SpanExporter,
    maxQueueSize: SPAN_QUEUE_MAX,
    scheduledDelayMillis: EXPORT_DELAY_MS,
  });
  return {
    take: (record) => processor.onEnd(new QueuedSpan(record) as unknown as ReadableSpan),
    shutdown: () => processor.shutdown(),
  };
}
