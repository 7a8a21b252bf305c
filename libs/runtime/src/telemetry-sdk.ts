/** The OpenTelemetry SDK of this process: one NodeSDK for all services in it, one resource each. */
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import {
  BatchSpanProcessor,
  type IdGenerator,
  RandomIdGenerator,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace';
import { SERVICE_SCOPE, takeSpanId } from './telemetry.ts';

/** Spans that wait to be sent; more are dropped, never queued without bound. */
const SPAN_QUEUE_MAX = 16_384;
const EXPORT_DELAY_MS = 1_000;

const generator = new RandomIdGenerator();
const ids: IdGenerator = {
  generateTraceId: () => generator.generateTraceId(),
  generateSpanId: () => takeSpanId() ?? generator.generateSpanId(),
};

/** Exports each span under the resource of the service that made it (named by its tracer). */
class PerServiceExporter implements SpanExporter {
  readonly #inner: SpanExporter;
  readonly #resources = new Map<string, Resource>();
  constructor(inner: SpanExporter) {
    this.#inner = inner;
  }
  #resource(span: ReadableSpan): Resource {
    const service = span.instrumentationScope.name.slice(SERVICE_SCOPE.length);
    let resource = this.#resources.get(service);
    if (!resource) {
      resource = span.resource.merge(
        resourceFromAttributes({ 'service.name': `tutti-${service}`, 'service.namespace': 'tutti' }),
      );
      this.#resources.set(service, resource);
    }
    return resource;
  }
  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    this.#inner.export(
      spans.map((span) => Object.create(span, { resource: { value: this.#resource(span) } }) as ReadableSpan),
      done,
    );
  }
  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }
  forceFlush(): Promise<void> {
    return this.#inner.forceFlush?.() ?? Promise.resolve();
  }
}

/** Returns what flushes and ends it. */
export function startSdk(): () => Promise<void> {
  const processor = new BatchSpanProcessor({
    exporter: new PerServiceExporter(new OTLPTraceExporter()),
    maxQueueSize: SPAN_QUEUE_MAX,
    scheduledDelayMillis: EXPORT_DELAY_MS,
  });
  const sdk = new NodeSDK({
    resource: defaultResource(),
    autoDetectResources: false,
    idGenerator: ids,
    spanProcessors: [processor],
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [],
  });
  sdk.start();
  return () => sdk.shutdown();
}
